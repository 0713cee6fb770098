# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two directions of entries that tests make, by the standard library alone: it runs on test machines too."""

from __future__ import annotations

import socket
import struct
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._entries.dump import Tuple


def address(number: int, family: int = socket.AF_INET) -> bytes:
    """A packed address by a number: 10.0.0.0 and onwards, or 2001:db8:: and onwards, a /64 for every 256."""
    if family == socket.AF_INET:
        return struct.pack(">I", 0x0A000000 + number)
    return struct.pack(">QQ", 0x20010DB800000000 + (number >> 8), number & 0xFF)


def reply_of(original: Tuple, **changes: t.Any) -> Tuple:
    """The other direction, without translation but for what is given."""
    icmp = None
    if original.icmp is not None:
        answers = {8: 0, 128: 129, 13: 14, 15: 16, 17: 18}
        icmp = (answers.get(original.icmp[0], original.icmp[0]), *original.icmp[1:])
    reply = Tuple(
        original.family, original.protocol, original.destination, original.source, original.destination_port,
        original.source_port, icmp, 0,
    )  # fmt: skip
    return reply._replace(**changes)
