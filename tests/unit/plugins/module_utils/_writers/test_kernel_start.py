# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel's command line and systemd's credentials set."""

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._writers import kernel_start

MODULE = {"/sys/module/nf_conntrack/refcnt": "0\n"}
BUILT_IN = {"/sys/module/nf_conntrack/parameters/hashsize": "65536\n"}
LINE = "/proc/cmdline"


@pytest.mark.parametrize(
    ("kernel", "words", "expected"),
    [
        (BUILT_IN, "sysctl.net.netfilter.nf_conntrack_max=5", [("nf_conntrack_max", 5, LINE, 1, True)]),
        (BUILT_IN, "sysctl.net/netfilter/nf_conntrack_max=5", [("nf_conntrack_max", 5, LINE, 1, True)]),
        (MODULE, "sysctl.net.netfilter.nf_conntrack_max=5", [("nf_conntrack_max", None, LINE, 1, True)]),
        (BUILT_IN, "sysctl.net.netfilter.nf_conntrack_max=lots sysctl.vm.swappiness=1", []),
        (MODULE, "nf_conntrack.hashsize=4096", [("nf_conntrack_buckets", 4096, LINE, 1, True)]),
        (MODULE, "nf-conntrack.hashsize=1 nf_conntrack.hashsize=4096", [("nf_conntrack_buckets", 4096, LINE, 1, True)]),
        (MODULE, "nf_conntrack.hashsize=64K nf_conntrack.acct=1", []),
        (MODULE, "root=/dev/vda quiet", []),
    ],
)
def test_the_kernels_command_line(files_of, told, kernel, words, expected):
    assert told(kernel_start.find(files_of({**kernel, LINE: f"ro {words}\n"}))) == expected


def test_what_sets_nothing_says_why(files_of):
    (found,) = kernel_start.find(files_of({**MODULE, LINE: "sysctl.net.netfilter.nf_conntrack_max=5\n"}))
    assert "does not set nf_conntrack_max" in found.message and "is a module" in found.message
    assert not found.by_itself and not found.sets_another(7, 512)


def test_a_credential_is_named_with_its_line(files_of, told):
    path = "/etc/credstore/sysctl.extra"
    tree = {path: "vm.swappiness=1\nnet.netfilter.nf_conntrack_max = 5\n"}
    assert told(kernel_start.find(files_of(tree))) == [("nf_conntrack_max", 5, path, 2, False)]


def test_an_encrypted_credential_is_named_without_what_it_sets(files_of, told):
    path = "/etc/credstore.encrypted/sysctl.extra"
    (found,) = kernel_start.find(files_of({path: "\0\0"}))
    assert told([found]) == [(None, None, path, None, False)]
    assert "encrypted" in found.message
