# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How full the ports are that source address translation has to give. Pure.

A translated connection needs a port that no other one of the same address, protocol, destination and destination's port
has. When all are taken, new connections there are dropped, while the table may be nowhere near full.

Source: ``nf_nat_l4proto_unique_tuple()`` in net/netfilter/nf_nat_core.c: a source port below 512 stays below 512, one
below 1024 gets one of 600 to 1023, all others get one of 1024 to 65535. Where a rule names a range of its own, that
counts, and ctnetlink does not tell it.
"""

from __future__ import annotations

from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump

#: Pools of ports by number: first port, last port.
POOLS = ((1, 511), (600, 1023), (1024, 65535))

#: The pool that a port is in, by its upper byte; to be used by ``bytes.translate()``.
POOL_OF_UPPER_BYTE = bytes([0, 0, 1, 1] + [2] * 252)

#: Identifiers of ICMP, and keys of GRE, have one pool.
_IDENTIFIERS = (0, 65535)
_KEYS = (1, 65535)


def pool(protocol: int, number: int) -> tuple[int, int]:
    """First and last of what a translated entry could have got.

    :param protocol: number of the IP protocol.
    :param number: place in ``POOLS``.
    """
    if protocol in (dump.ICMP, dump.ICMPV6):
        return _IDENTIFIERS
    if protocol == dump.GRE:
        return _KEYS
    return POOLS[number]


def size(protocol: int, number: int) -> int:
    """How many connections a pool has room for."""
    first, last = pool(protocol, number)
    return last - first + 1
