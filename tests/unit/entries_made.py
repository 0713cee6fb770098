# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries of every kind, and the messages that Linux 6.18 sends of them, for the tests of the wing."""

from __future__ import annotations

import random
import socket
import typing as t

from directions import address, reply_of
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._ctnetlink import BODY, FAMILY, HEADER
from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump
from ansible_collections.netops.conntrack.plugins.module_utils._entries.dump import Entry, Tuple

SEQUENCE = 77


# One line for each attribute.
def message_of(entry: Entry, sequence: int = SEQUENCE, extra: bytes = b"") -> bytes:  # noqa: C901
    """The message of a dump: as ``ctnetlink_fill_info()`` puts the attributes, which is not as it takes them."""
    parts = [dump.encode_tuple(dump.TUPLE_ORIG, entry.original), dump.encode_tuple(dump.TUPLE_REPLY, entry.reply)]
    if entry.zone:
        parts.append(dump.numeric(dump.ZONE, entry.zone, 2))
    parts += [dump.numeric(dump.STATUS, entry.status, 4), dump.numeric(dump.MARK, entry.mark, 4)]
    if entry.id is not None:
        parts.append(dump.numeric(dump.ID, entry.id, 4))
    parts.append(dump.numeric(11, 1, 4))  # CTA_USE
    if entry.master is not None:
        parts.append(dump.encode_tuple(dump.TUPLE_MASTER, entry.master))
    if entry.timeout is not None:
        parts.append(dump.numeric(dump.TIMEOUT, entry.timeout, 4))
    if entry.state is not None:
        state = dump.numeric(dump.STATE, entry.state, 1)
        if entry.original.protocol == dump.TCP:
            scale = dump.numeric(2, 7, 1) + dump.numeric(3, 7, 1)
            flags = dump.attribute(dump.TCP_FLAGS_ORIGINAL, bytes((entry.tcp_flags, 0)))
            inner = dump.nested(dump.PROTOINFO_TCP, state, scale, flags, dump.attribute(dump.TCP_FLAGS_REPLY, b"\3\0"))
        else:
            kind = dump.PROTOINFO_SCTP if entry.original.protocol == dump.SCTP else dump.PROTOINFO_DCCP
            inner = dump.nested(kind, state, dump.numeric(2, 5, 4), dump.numeric(3, 6, 4))
        parts.append(dump.nested(dump.PROTOINFO, inner))
    if entry.packets is not None and entry.octets is not None:
        for kind, which in ((dump.COUNTERS_ORIG, 0), (dump.COUNTERS_REPLY, 1)):
            packets = dump.numeric(dump.COUNTERS_PACKETS, entry.packets[which], 8)
            parts.append(dump.nested(kind, packets, dump.numeric(dump.COUNTERS_BYTES, entry.octets[which], 8)))
    if entry.helper is not None:
        parts.append(dump.nested(dump.HELP, dump.attribute(dump.HELP_NAME, entry.helper.encode() + b"\0")))
    if entry.labels:
        parts.append(dump.attribute(dump.LABELS, entry.labels))
    body = b"".join(parts) + extra
    header = HEADER.pack(BODY + len(body), 0x100, 2, sequence, 4242)
    return header + FAMILY.pack(entry.original.family, 0, 0) + body


def datagrams(entries: t.Iterable[Entry], size: int = 32000) -> t.Iterator[bytes]:
    """The messages of entries in datagrams, as the kernel packs them."""
    data = b""
    for entry in entries:
        message = message_of(entry)
        if len(data) + len(message) > size:
            yield data
            data = b""
        data += message
    if data:
        yield data


_PORTS = st.integers(0, 65535)


@st.composite
def tuples(draw: t.Callable[..., t.Any]) -> Tuple:
    """The original direction of a connection of any protocol."""
    family = draw(st.sampled_from([socket.AF_INET, socket.AF_INET6]))
    protocol = draw(st.sampled_from([6, 6, 17, 17, 132, 136, 33, 47, 58 if family == socket.AF_INET6 else 1, 89]))
    ports: list[int | None] = [None, None]
    icmp = None
    if protocol in (1, 58):
        icmp = (draw(st.sampled_from([8, 128, 13])), 0, draw(_PORTS))
    elif protocol != 89:
        ports = [draw(_PORTS), draw(st.sampled_from([53, 80, 443]) | _PORTS)]
    source, destination = (address(draw(st.integers(0, 2000)), family) for _unused in range(2))
    return Tuple(family, protocol, source, destination, ports[0], ports[1], icmp)


@st.composite
def entries(draw: t.Callable[..., t.Any]) -> Entry:
    """An entry of any kind that the kernel may send."""
    original = draw(tuples())
    status = draw(st.sampled_from([8, 10, 14, 0x18E, 0x19E, 0x1AE, 0x40E, 0x400E, 0xC00E]) | st.integers(0, 2**16 - 1))
    changes: dict[str, t.Any] = {}
    if status & dump.SRC_NAT:
        changes["destination"] = address(draw(st.integers(3000, 3002)), original.family)
        if original.destination_port is not None:
            changes["destination_port"] = draw(_PORTS)
    if status & dump.DST_NAT:
        changes["source"] = address(draw(st.integers(4000, 4002)), original.family)
    offloaded = bool(status & (dump.OFFLOAD | dump.HW_OFFLOAD))
    state = None
    if original.protocol in (6, 132, 33) and not offloaded:
        state = draw(st.integers(0, {6: 9, 132: 9, 33: 7}[original.protocol]))
    numbers = st.integers(0, 2**40)
    counted = draw(st.booleans())
    return Entry(
        original=original,
        reply=reply_of(original, **changes),
        status=status,
        mark=draw(st.just(0) | st.integers(0, 2**32 - 1)),
        id=draw(st.integers(0, 2**32 - 1)),
        zone=draw(st.just(0) | st.integers(1, 65535)),
        timeout=None if offloaded else draw(st.integers(0, 500) | st.integers(0, 2**32 - 1)),
        state=state,
        tcp_flags=draw(st.sampled_from([3, 0x13])) if state is not None and original.protocol == 6 else 0,
        master=draw(st.none() | tuples()),
        packets=(draw(numbers), draw(numbers)) if counted else None,
        octets=(draw(numbers), draw(numbers)) if counted else None,
        helper=draw(st.none() | st.sampled_from(["ftp", "sip-5060"])),
        labels=draw(st.just(b"") | st.binary(min_size=16, max_size=16)),
    )


def shuffled(items: t.Iterable[Entry], seed: int) -> list[Entry]:
    """In the order that a hash table might give them."""
    given = list(items)
    random.Random(seed).shuffle(given)
    return given
