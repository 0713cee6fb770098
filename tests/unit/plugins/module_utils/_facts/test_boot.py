# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a boot is observed to set; ``test_persistent`` has what comes of it."""

from __future__ import annotations

from fake_kernel import FakeKernel

from ansible_collections.netops.conntrack.plugins.module_utils._facts import boot

LINES = b"net.netfilter.nf_conntrack_max = 5\n"


def observe(files):
    return boot.observe(FakeKernel("trixie-6.12-nat", files), lambda read: read())


def test_the_line_that_wins_is_told_for_each_key():
    observed = observe({"/etc/sysctl.d/a.conf": LINES, "/etc/sysctl.d/b.conf": LINES.replace(b"5", b"6")})
    assert {name: str(origin) for name, origin in boot.lines(observed).items()} == {
        "nf_conntrack_max": "/etc/sysctl.d/b.conf:1 (6)"
    }


def test_a_hashsize_is_rounded_as_the_kernel_does_and_brings_a_max_with_it():
    observed = observe({"/etc/modprobe.d/a.conf": b"options nf_conntrack hashsize=1000\n"})
    given = boot.by_option(observed)
    assert boot.number(observed, "nf_conntrack_buckets", given["nf_conntrack_buckets"]) == 1024
    assert boot.number(observed, "nf_conntrack_max", given["nf_conntrack_max"]) == 8 * 1024
    assert boot.problem_of_load(observed) is None


def test_a_hashsize_that_no_load_survives_is_named():
    observed = observe({"/etc/modprobe.d/a.conf": b"options nf_conntrack hashsize=x\n"})
    assert [str(origin) for origin in boot.refused(observed)] == ["/etc/modprobe.d/a.conf:1 (x)"]
    assert (boot.problem_of_load(observed) or "").startswith("/etc/modprobe.d/a.conf:1 (hashsize=x)")
