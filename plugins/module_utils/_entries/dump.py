# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One entry of the table as ctnetlink tells it: every attribute read with care, and written again. Pure.

Sources: include/uapi/linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_common.h, nf_conntrack_tcp.h,
nf_conntrack_sctp.h; net/netfilter/nf_conntrack_netlink.c of Linux 5.10 to 7.2.
"""

from __future__ import annotations

import socket
import struct
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._ctnetlink import (
    ATTRIBUTE,
    BODY,
    HEADER,
    NAME,
    attributes,
)
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError

# CTA_*: attributes of an entry.
TUPLE_ORIG, TUPLE_REPLY, STATUS, PROTOINFO, HELP, TIMEOUT, MARK = 1, 2, 3, 4, 5, 7, 8
COUNTERS_ORIG, COUNTERS_REPLY, ID, TUPLE_MASTER, ZONE, MARK_MASK = 9, 10, 12, 14, 18, 21
LABELS, FILTER, STATUS_MASK = 22, 25, 26
# CTA_TUPLE_*, CTA_IP_*, CTA_PROTO_*
TUPLE_IP, TUPLE_PROTO, TUPLE_ZONE = 1, 2, 3
V4_SRC, V4_DST, V6_SRC, V6_DST = 1, 2, 3, 4
PROTO_NUM, SRC_PORT, DST_PORT = 1, 2, 3
ICMP_ID, ICMP_TYPE, ICMP_CODE, ICMPV6_ID, ICMPV6_TYPE, ICMPV6_CODE = 4, 5, 6, 7, 8, 9
# CTA_PROTOINFO_*, and what is in them
PROTOINFO_TCP, PROTOINFO_DCCP, PROTOINFO_SCTP = 1, 2, 3
STATE, TCP_FLAGS_ORIGINAL, TCP_FLAGS_REPLY = 1, 4, 5
COUNTERS_PACKETS, COUNTERS_BYTES = 1, 2
HELP_NAME = 1

NESTED = 0x8000

ICMP, TCP, UDP, DCCP, GRE, ICMPV6, SCTP, UDPLITE = 1, 6, 17, 33, 47, 58, 132, 136

#: The names of protocols with a tracker of their own; all others are tracked by addresses alone.
PROTOCOLS = {
    ICMP: "icmp", TCP: "tcp", UDP: "udp", DCCP: "dccp", GRE: "gre", ICMPV6: "icmpv6", SCTP: "sctp", UDPLITE: "udplite",
}  # fmt: skip

#: Those whose entries have ports. A GRE entry has keys in their place.
WITH_PORTS = (TCP, UDP, DCCP, SCTP, UDPLITE)

FAMILIES: dict[int, str] = {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6"}

#: Bits of an entry's status (enum ip_conntrack_status).
STATUS_BITS = {
    "expected": 0, "seen_reply": 1, "assured": 2, "confirmed": 3, "src_nat": 4, "dst_nat": 5, "seq_adjust": 6,
    "src_nat_done": 7, "dst_nat_done": 8, "dying": 9, "fixed_timeout": 10, "template": 11, "nat_clash": 12,
    "helper": 13, "offload": 14, "hw_offload": 15,
}  # fmt: skip
EXPECTED, SEEN_REPLY, ASSURED, CONFIRMED, SRC_NAT, DST_NAT = (1 << bit for bit in range(6))
FIXED_TIMEOUT, OFFLOAD, HW_OFFLOAD = 1 << 10, 1 << 14, 1 << 15

#: States of a TCP entry by number (enum tcp_conntrack). The last one is that of two SYNs that cross.
TCP_STATES = (
    "none", "syn_sent", "syn_recv", "established", "fin_wait", "close_wait", "last_ack", "time_wait", "close",
    "syn_sent2",
)  # fmt: skip
SCTP_STATES = (
    "none", "closed", "cookie_wait", "cookie_echoed", "established", "shutdown_sent", "shutdown_recd",
    "shutdown_ack_sent", "heartbeat_sent", "heartbeat_acked",
)  # fmt: skip
DCCP_STATES = ("none", "request", "respond", "partopen", "open", "closereq", "closing", "timewait")

_STATES = {TCP: (PROTOINFO_TCP, TCP_STATES), SCTP: (PROTOINFO_SCTP, SCTP_STATES), DCCP: (PROTOINFO_DCCP, DCCP_STATES)}

#: Of the TCP flags of one direction: data went out that nobody has acknowledged (IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED).
UNACKNOWLEDGED = 0x10

_NUMBERS = {1: struct.Struct(">B"), 2: struct.Struct(">H"), 4: struct.Struct(">I"), 8: struct.Struct(">Q")}

#: Where an attribute's value lies: first byte, and the byte after the last.
Span = t.Tuple[int, int]


class Tuple(t.NamedTuple):
    """One direction of a connection, as packets of that direction have it.

    :ivar family: ``AF_INET`` or ``AF_INET6``.
    :ivar protocol: the IP protocol's number.
    :ivar source: the packed address, 4 or 16 bytes.
    :ivar destination: the same.
    :ivar source_port: a port; for GRE a key; else None.
    :ivar destination_port: the same.
    :ivar icmp: (type, code, id) of ICMP and ICMPv6, else None.
    :ivar zone: the zone of this direction alone; 0 where both directions share one, or have none.
    """

    family: int
    protocol: int
    source: bytes
    destination: bytes
    source_port: int | None = None
    destination_port: int | None = None
    icmp: tuple[int, int, int] | None = None
    zone: int = 0

    def as_result(self) -> dict[str, t.Any]:
        """It as a module's result: addresses as text, and what its protocol has."""
        result: dict[str, t.Any] = {
            "source": socket.inet_ntop(self.family, self.source),
            "destination": socket.inet_ntop(self.family, self.destination),
            "source_port": self.source_port,
            "destination_port": self.destination_port,
        }
        if self.icmp is not None:
            result.update(zip(("icmp_type", "icmp_code", "icmp_id"), self.icmp))
        return result


class Entry(t.NamedTuple):
    """One entry of the table.

    :ivar original: the direction of the first packet.
    :ivar reply: the direction of the answers, after address translation.
    :ivar status: bits as in ``STATUS_BITS``.
    :ivar mark: 0 where there is none.
    :ivar id: the kernel's number of this entry; a later entry of the same tuples has another one, unless it lies in the
        very same place of memory. None where the kernel gave none.
    :ivar zone: the zone of both directions, else 0.
    :ivar timeout: seconds until it is removed; None where it is offloaded, and for a kernel that tells none.
    :ivar state: number of the state of TCP, SCTP or DCCP, else None.
    :ivar tcp_flags: those of both directions, or'ed.
    :ivar master: the original direction of the connection that this one was expected by, else None.
    :ivar packets: of original and reply direction; None without accounting.
    :ivar octets: bytes of both directions, in the same way.
    :ivar helper: its name, else None.
    :ivar labels: as they came, else nothing.
    """

    original: Tuple
    reply: Tuple
    status: int = 0
    mark: int = 0
    id: int | None = None
    zone: int = 0
    timeout: int | None = None
    state: int | None = None
    tcp_flags: int = 0
    master: Tuple | None = None
    packets: tuple[int, int] | None = None
    octets: tuple[int, int] | None = None
    helper: str | None = None
    labels: bytes = b""

    @property
    def offloaded(self) -> bool:
        """Whether a flow table forwards its packets past connection tracking."""
        return bool(self.status & (OFFLOAD | HW_OFFLOAD))

    @property
    def any_zone(self) -> int:
        """Its zone, be it of both directions or of one; 0 where it has none."""
        return self.zone or self.original.zone or self.reply.zone

    @property
    def state_name(self) -> str | None:
        """The state's name; None where its protocol has none, and where the entry is offloaded."""
        return state_name(self.original.protocol, self.state)

    def as_result(self) -> dict[str, t.Any]:
        """It as a module's result, of plain types."""
        return {
            "family": FAMILIES[self.original.family],
            "protocol": protocol_name(self.original.protocol),
            "state": self.state_name,
            "original": self.original.as_result(),
            "reply": self.reply.as_result(),
            "status": status_names(self.status),
            "timeout": self.timeout,
            "mark": self.mark,
            "zone": self.any_zone,
            "id": self.id,
            "packets": None if self.packets is None else sum(self.packets),
            "bytes": None if self.octets is None else sum(self.octets),
            "helper": self.helper,
            "labels": self.labels.hex() or None,
            "master": None if self.master is None else self.master.as_result(),
        }


def protocol_name(number: int) -> str:
    """The name of a protocol that connection tracking knows, else its number as text."""
    return PROTOCOLS.get(number, str(number))


def state_name(protocol: int, state: int | None) -> str | None:
    """The name of a state, its number as text where it has none, or None where there is no state."""
    if state is None:
        return None
    names = _STATES[protocol][1] if protocol in _STATES else ()
    return names[state] if state < len(names) else str(state)


def status_names(status: int) -> list[str]:
    """The names of the bits that are set; a bit without a name by its number."""
    names = [name for name, bit in STATUS_BITS.items() if status >> bit & 1]
    return names + [str(bit) for bit in range(len(STATUS_BITS), 32) if status >> bit & 1]


# --- reading


def _malformed(reason: str) -> HostError:
    return HostError("read", NAME, reason)


def nest(data: bytes, span: Span) -> dict[int, Span]:
    """The attributes in a span by type. Of two of one type the last counts, as for the kernel."""
    return {kind: (start, end) for kind, start, end in attributes(data, *span)}


def number(data: bytes, span: Span | None, size: int) -> int | None:
    """The number in network byte order in a span, or None where there is no span.

    :raises HostError: it has another size.
    """
    if span is None:
        return None
    if span[1] - span[0] != size:
        raise _malformed(f"a number of {span[1] - span[0]} bytes, where {size} belong")
    return int(_NUMBERS[size].unpack_from(data, span[0])[0])


def parse(message: bytes) -> Entry:
    """An entry from a message with its headers. Attributes that nobody knows are passed over.

    :raises HostError: the message is not whole, or does not tell what every entry has: both tuples.
    """
    if len(message) < BODY:
        raise _malformed(f"a message of {len(message)} bytes")
    # Of two equal attributes the kernel's own parser takes the last; it sends none twice.
    found = nest(message, (BODY, len(message)))
    original = _tuple(message, found.get(TUPLE_ORIG))
    reply = _tuple(message, found.get(TUPLE_REPLY))
    if original is None or reply is None:
        raise _malformed("it lacks the tuple of a direction")
    state, flags = _state(message, original.protocol, found.get(PROTOINFO))
    counters = [_counters(message, found.get(kind)) for kind in (COUNTERS_ORIG, COUNTERS_REPLY)]
    labels = found.get(LABELS, (0, 0))
    return Entry(
        original=original,
        reply=reply,
        status=number(message, found.get(STATUS), 4) or 0,
        mark=number(message, found.get(MARK), 4) or 0,
        id=number(message, found.get(ID), 4),
        zone=number(message, found.get(ZONE), 2) or 0,
        timeout=number(message, found.get(TIMEOUT), 4),
        state=state,
        tcp_flags=flags,
        master=_tuple(message, found.get(TUPLE_MASTER)),
        packets=_both(counters, 0),
        octets=_both(counters, 1),
        helper=_helper(message, found.get(HELP)),
        labels=bytes(message[labels[0] : labels[1]]),
    )


def _tuple(data: bytes, span: Span | None) -> Tuple | None:
    if span is None:
        return None
    parts = nest(data, span)
    if TUPLE_IP not in parts or TUPLE_PROTO not in parts:
        raise _malformed("a tuple without addresses or without protocol")
    addresses, proto = nest(data, parts[TUPLE_IP]), nest(data, parts[TUPLE_PROTO])
    is_v4 = V4_SRC in addresses
    family, size, kinds = (socket.AF_INET, 4, (V4_SRC, V4_DST)) if is_v4 else (socket.AF_INET6, 16, (V6_SRC, V6_DST))
    packed = []
    for kind in kinds:
        start, end = addresses.get(kind, (0, 0))
        if end - start != size:
            raise _malformed(f"an address of {end - start} bytes")
        packed.append(bytes(data[start:end]))
    protocol = number(data, proto.get(PROTO_NUM), 1)
    if protocol is None:
        raise _malformed("a tuple without protocol")
    kinds_of_icmp = (ICMP_TYPE, ICMP_CODE, ICMP_ID) if ICMP_ID in proto else (ICMPV6_TYPE, ICMPV6_CODE, ICMPV6_ID)
    icmp = [number(data, proto.get(kind), size) for kind, size in zip(kinds_of_icmp, (1, 1, 2))]
    return Tuple(
        family=family,
        protocol=protocol,
        source=packed[0],
        destination=packed[1],
        source_port=number(data, proto.get(SRC_PORT), 2),
        destination_port=number(data, proto.get(DST_PORT), 2),
        icmp=None if icmp[2] is None else (icmp[0] or 0, icmp[1] or 0, icmp[2]),
        zone=number(data, parts.get(TUPLE_ZONE), 2) or 0,
    )


def _state(data: bytes, protocol: int, span: Span | None) -> tuple[int | None, int]:
    """Number of the state, and the TCP flags of both directions."""
    if span is None or protocol not in _STATES:
        return None, 0
    inner = nest(data, span).get(_STATES[protocol][0])
    if inner is None:
        return None, 0
    found = nest(data, inner)
    flags = 0
    if protocol == TCP:
        for kind in (TCP_FLAGS_ORIGINAL, TCP_FLAGS_REPLY):
            start, end = found.get(kind, (0, 0))
            if start != end:
                flags |= data[start]  # struct nf_ct_tcp_flags: flags, mask
    return number(data, found.get(STATE), 1), flags


def _counters(data: bytes, span: Span | None) -> tuple[int, int] | None:
    if span is None:
        return None
    found = nest(data, span)
    return number(data, found.get(COUNTERS_PACKETS), 8) or 0, number(data, found.get(COUNTERS_BYTES), 8) or 0


def _both(counters: t.Sequence[tuple[int, int] | None], which: int) -> tuple[int, int] | None:
    original, reply = counters
    return None if original is None or reply is None else (original[which], reply[which])


def _helper(data: bytes, span: Span | None) -> str | None:
    name = None if span is None else nest(data, span).get(HELP_NAME)
    return None if name is None else bytes(data[name[0] : name[1]]).rstrip(b"\0").decode("utf-8", "replace")


# --- writing


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute with its header, filled up to four bytes."""
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value + b"\0" * (-len(value) % 4)


def nested(kind: int, *parts: bytes) -> bytes:
    """An attribute that holds others."""
    return attribute(kind | NESTED, b"".join(parts))


def numeric(kind: int, value: int, size: int) -> bytes:
    """An attribute of a number of 1, 2, 4 or 8 bytes, in network byte order."""
    return attribute(kind, _NUMBERS[size].pack(value))


def encode_tuple(kind: int, value: Tuple) -> bytes:
    """A tuple as attribute ``TUPLE_ORIG``, ``TUPLE_REPLY`` or ``TUPLE_MASTER``."""
    kinds = (V4_SRC, V4_DST) if value.family == socket.AF_INET else (V6_SRC, V6_DST)
    proto = [numeric(PROTO_NUM, value.protocol, 1)]
    for port_kind, port in ((SRC_PORT, value.source_port), (DST_PORT, value.destination_port)):
        if port is not None:
            proto.append(numeric(port_kind, port, 2))
    if value.icmp is not None:
        is_v6 = value.protocol == ICMPV6
        proto.append(numeric(ICMPV6_ID if is_v6 else ICMP_ID, value.icmp[2], 2))
        proto.append(numeric(ICMPV6_TYPE if is_v6 else ICMP_TYPE, value.icmp[0], 1))
        proto.append(numeric(ICMPV6_CODE if is_v6 else ICMP_CODE, value.icmp[1], 1))
    parts = [
        nested(TUPLE_IP, attribute(kinds[0], value.source), attribute(kinds[1], value.destination)),
        nested(TUPLE_PROTO, *proto),
    ]
    if value.zone:
        parts.append(numeric(TUPLE_ZONE, value.zone, 2))
    return nested(kind, *parts)


def encode(entry: Entry) -> bytes:
    """The attributes of an entry, as the kernel takes them to make one; what only the kernel sets is left out."""
    parts = [encode_tuple(TUPLE_ORIG, entry.original), encode_tuple(TUPLE_REPLY, entry.reply)]
    if entry.zone:
        parts.append(numeric(ZONE, entry.zone, 2))
    parts.append(numeric(STATUS, entry.status, 4))
    if entry.mark:
        parts.append(numeric(MARK, entry.mark, 4))
    if entry.master is not None:
        parts.append(encode_tuple(TUPLE_MASTER, entry.master))
    if entry.timeout is not None:
        parts.append(numeric(TIMEOUT, entry.timeout, 4))
    if entry.state is not None and entry.original.protocol in _STATES:
        inner = [numeric(STATE, entry.state, 1)]
        if entry.original.protocol == TCP:
            flags = attribute(TCP_FLAGS_ORIGINAL, bytes((entry.tcp_flags, 0xFF)))
            inner += [flags, attribute(TCP_FLAGS_REPLY, bytes((0, 0xFF)))]
        elif entry.original.protocol == SCTP:
            inner += [numeric(2, 1, 4), numeric(3, 1, 4)]  # both verification tags are asked for
        parts.append(nested(PROTOINFO, nested(_STATES[entry.original.protocol][0], *inner)))
    if entry.helper is not None:
        parts.append(nested(HELP, attribute(HELP_NAME, entry.helper.encode("utf-8") + b"\0")))
    if entry.labels:
        parts.append(attribute(LABELS, entry.labels))
    return b"".join(parts)


def encode_deletion(entry: Entry) -> bytes:
    """The attributes of a request to delete this very entry: its tuple, zone and id.

    With the id a connection that came later with the same addresses and ports is not hit
    (``ctnetlink_del_conntrack()``).
    """
    parts = [encode_tuple(TUPLE_ORIG, entry.original)]
    if entry.zone:
        parts.append(numeric(ZONE, entry.zone, 2))
    if entry.id is not None:
        parts.append(numeric(ID, entry.id, 4))
    return b"".join(parts)


def family_of(message: bytes) -> int:
    """The family in a message's header."""
    return message[HEADER.size]
