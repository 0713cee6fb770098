# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What boots, and later loads of nf_conntrack, set by the files of a host."""

from __future__ import annotations

import pytest
from fake_kernel import FakeKernel
from runs import live, tune

# --- seen by a whole run


@pytest.mark.parametrize(
    "line", [b"net.netfilter.nf_conntrack_max = 99999999999\n", b"net.netfilter.nf_conntrack_max = x\n"]
)
def test_a_max_that_the_kernel_will_refuse_does_not_count_as_one(line):
    kernel = FakeKernel("trixie-6.12-nat", {"/etc/sysctl.d/1.conf": line})
    running = live(kernel, "max")
    tune(kernel, hashsize=512)
    kernel.reboot()
    assert live(kernel, "max") == running


def test_a_hashsize_with_a_plus_is_what_the_kernel_makes_of_it():
    kernel = FakeKernel("trixie-6.12-nat", {"/proc/cmdline": b"nf_conntrack.hashsize=+65536\n"})
    assert tune(kernel, hashsize=65536)["settings"]["nf_conntrack_buckets"]["boot"] == 65536


def test_a_hashsize_in_such_a_command_before_the_options_is_outranked():
    command = b"install nf_conntrack /sbin/modprobe --ignore-install nf_conntrack hashsize=4096 $CMDLINE_OPTS\n"
    kernel = FakeKernel("trixie-6.12-nat", {"/etc/modprobe.d/nf.conf": command})
    tune(kernel, hashsize=65536, max=60000)
    kernel.reboot()
    assert live(kernel, "buckets", "max") == (65536, 60000)
