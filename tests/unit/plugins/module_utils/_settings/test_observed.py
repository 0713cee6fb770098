# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What conntrack_settings observes of a host."""

from __future__ import annotations

from fake_kernel import BUCKETS, HASHSIZE, FakeKernel
from runs import live, tune


def test_the_other_door_is_taken_where_the_sysctl_is_read_only():
    kernel = FakeKernel("trixie-6.12-nat")
    kernel.read_only.add(BUCKETS)
    tune(kernel, hashsize=8192)
    assert kernel.writes == [("hashsize", "8192")]
    assert HASHSIZE in kernel.tree and live(kernel, "buckets") == (8192,)
