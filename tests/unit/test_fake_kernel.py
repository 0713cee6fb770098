# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel double answers as kernels do."""

from __future__ import annotations

from fake_kernel import ALIAS, HASHSIZE, MAX, FakeKernel
from runs import live


def test_the_double_has_both_doors_to_each_size():
    kernel = FakeKernel("trixie-6.12-nat")
    with kernel.alone():
        kernel.write_value(HASHSIZE, "1000")
        kernel.write_value(ALIAS, "5000")
    assert live(kernel, "buckets", "max") == (1024, 5000)
    assert kernel.text(MAX) == "5000\n" and kernel.text(HASHSIZE) == "1024\n"
