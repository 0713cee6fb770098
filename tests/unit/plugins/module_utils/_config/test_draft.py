# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configuration files of one kind while their changes are being planned."""

from __future__ import annotations

from fake_kernel import FakeKernel
from runs import tune


def test_one_file_by_two_names_is_changed_once():
    kernel = FakeKernel(
        "trixie-6.12-nat",
        {
            "/etc/sysctl.d/zzz-a.conf": b"net.netfilter.nf_conntrack_max=5\nkernel.panic=1\n",
            "/etc/sysctl.d/zzz-b.conf": "zzz-a.conf",
        },
    )
    changes = tune(kernel, max=100000)["changes"]
    assert sorted(change["subject"] for change in changes if "zzz" in change["subject"]) == ["/etc/sysctl.d/zzz-a.conf"]
    assert kernel.tree["/etc/sysctl.d/zzz-a.conf"] == b"kernel.panic=1\n"
    assert not tune(kernel, max=100000)["changed"]
