# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ranges that the kernel takes ports of translation from. With traffic: tests/namespaces."""

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump, nat_ports


@pytest.mark.parametrize(("protocol", "port", "expected"), [
    (dump.TCP, 80, 511), (dump.UDP, 511, 511), (dump.TCP, 512, 424), (dump.TCP, 1023, 424), (dump.TCP, 1024, 64512),
    (dump.SCTP, 65535, 64512), (dump.ICMP, 0, 65536), (dump.ICMPV6, 0, 65536), (dump.GRE, 5, 65535),
])  # fmt: skip
def test_the_range_of_ports_is_what_the_kernel_takes_from(protocol, port, expected):
    assert nat_ports.size(protocol, nat_ports.POOL_OF_UPPER_BYTE[port >> 8]) == expected
