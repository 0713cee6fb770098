# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What sysctl -p sets of several files."""

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._writers.sysctl_lines import in_force


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([("/a", "net.netfilter.nf_conntrack_max=1\n")], {"nf_conntrack_max": ("/a", 1, 1)}),
        (
            [("/a", "net.netfilter.nf_conntrack_max=1\n"), ("/b", "\nnet.nf_conntrack_max=2\n")],
            {"nf_conntrack_max": ("/b", 2, 2)},
        ),
        ([("/a", "net/netfilter/nf_conntrack_max = 0x10\n")], {"nf_conntrack_max": ("/a", 1, 16)}),
        ([("/a", "net.netfilter.nf_conntrack_m*=1\nnet.netfilter.nf_conntrack_acct=9\n")], {}),
        ([("/a", "vm.swappiness=1\n")], {}),
    ],
)
def test_the_last_line_that_the_kernel_takes_is_in_force(texts, expected):
    assert in_force(texts) == expected
