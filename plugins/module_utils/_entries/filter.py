# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which entries are meant.

A filter that a user gave, checked, as the kernel takes it, and as it is checked again. Pure.

Kernels differ in what they take and pass over the rest without a word, so an entry that came counts only when
:meth:`Filter.matches` says so. Source: ``ctnetlink_alloc_filter()`` of Linux 5.10 to 7.2.
"""

from __future__ import annotations

import re
import socket
import struct
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump
from ansible_collections.netops.conntrack.plugins.module_utils._errors import InvalidInput

_FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
_PROTOCOL_NUMBERS = {name: number for number, name in dump.PROTOCOLS.items()}
#: Of these a family follows.
_FAMILY_OF_PROTOCOL = {dump.ICMP: socket.AF_INET, dump.ICMPV6: socket.AF_INET6}

_STATES: dict[int, tuple[str, ...]] = {
    dump.TCP: dump.TCP_STATES[1:],
    dump.SCTP: dump.SCTP_STATES[1:],
    dump.DCCP: dump.DCCP_STATES[1:],
}

#: An entry in the table is neither dying nor a template, and all are confirmed.
_STATUS = [name for name in dump.STATUS_BITS if name not in ("dying", "template", "confirmed")]
_UNREPLIED = "unreplied"

_V4_BITS = 32
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10}")
_MARK_MAX = 2**32 - 1

# CTA_FILTER_*, and the flags of what of a tuple is to be compared (enum ctattr_filter, ctnetlink's CTA_FILTER_F_*).
_ORIG_FLAGS, _REPLY_FLAGS = 1, 2
_F_SOURCE, _F_DESTINATION, _F_PROTOCOL, _F_DESTINATION_PORT = 1 << 0, 1 << 1, 1 << 3, 1 << 5
#: The one part of a request that is in the machine's own byte order.
_FLAGS = struct.Struct("=I")

#: The fields as a module's argument spec has them.
OPTIONS: dict[str, dict[str, str]] = {
    "family": {"type": "str"},
    "protocol": {"type": "str"},
    "source": {"type": "str"},
    "destination": {"type": "str"},
    "port": {"type": "int"},
    "state": {"type": "str"},
    "status": {"type": "list", "elements": "str"},
    "zone": {"type": "int"},
    "mark": {"type": "str"},
}


class Network(t.NamedTuple):
    """An address or a network.

    :ivar family: ``AF_INET`` or ``AF_INET6``.
    :ivar number: the address as a number.
    :ivar prefix: bits that count.
    """

    family: int
    number: int
    prefix: int

    @property
    def bits(self) -> int:
        """Bits of an address of the family."""
        return _V4_BITS if self.family == socket.AF_INET else 128

    @property
    def mask(self) -> int:
        """The bits that count, set."""
        return ((1 << self.prefix) - 1) << (self.bits - self.prefix)

    @property
    def packed(self) -> bytes:
        """The address as bytes in network order."""
        return self.number.to_bytes(self.bits // 8, "big")

    def holds(self, packed: bytes) -> bool:
        """Whether a packed address of the same family is in it."""
        return int.from_bytes(packed, "big") & self.mask == self.number


class Filter(t.NamedTuple):
    """What an entry must be. None is everything.

    :ivar family: ``AF_INET`` or ``AF_INET6``; also where another field implies it.
    :ivar protocol: number of the IP protocol.
    :ivar source: where the first packet came from.
    :ivar destination: where the first packet went to, before address translation.
    :ivar port: the destination's port in the first packet.
    :ivar state: name of a state of TCP, SCTP or DCCP.
    :ivar status: (bits that are compared, bits that are set among them).
    :ivar zone: number of the zone.
    :ivar mark: (value, mask).
    """

    family: int | None = None
    protocol: int | None = None
    source: Network | None = None
    destination: Network | None = None
    port: int | None = None
    state: str | None = None
    status: tuple[int, int] | None = None
    zone: int | None = None
    mark: tuple[int, int] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it takes every entry."""
        return self == Filter()

    def states(self, protocol: int) -> int | None:
        """The number that the state has for a protocol; None where that has no such state."""
        names = {dump.TCP: dump.TCP_STATES, dump.SCTP: dump.SCTP_STATES, dump.DCCP: dump.DCCP_STATES}.get(protocol, ())
        return names.index(self.state) if self.state in names else None

    def matches(self, entry: dump.Entry) -> bool:
        """Whether an entry is meant."""
        original = entry.original
        return (
            self.family in (None, original.family)
            and self.protocol in (None, original.protocol)
            and (self.source is None or self.source.holds(original.source))
            and (self.destination is None or self.destination.holds(original.destination))
            and self.port in (None, original.destination_port)
            and (self.state is None or (entry.state is not None and entry.state == self.states(original.protocol)))
            and (self.status is None or entry.status & self.status[0] == self.status[1])
            and self.zone in (None, entry.any_zone)
            and (self.mark is None or entry.mark & self.mark[1] == self.mark[0])
        )

    def request(self) -> tuple[int, bytes]:
        """Family and attributes of a dump that leaves out, in the kernel, as much as some kernel can.

        Mark: all kernels. Whole IPv4 addresses, protocol and port: Linux 5.10. Status: 5.15. Zone: 6.8.
        """
        parts = []
        flags, compared = self._tuple()
        if compared:
            parts.append(compared)
            orig = dump.attribute(_ORIG_FLAGS, _FLAGS.pack(flags))
            parts.append(dump.nested(dump.FILTER, orig, dump.attribute(_REPLY_FLAGS, _FLAGS.pack(0))))
        if self.status is not None:
            parts.append(dump.numeric(dump.STATUS, self.status[1], 4))
            parts.append(dump.numeric(dump.STATUS_MASK, self.status[0], 4))
        if self.zone is not None:
            parts.append(dump.numeric(dump.ZONE, self.zone, 2))
        if self.mark is not None:
            parts.append(dump.numeric(dump.MARK, self.mark[0], 4))
            parts.append(dump.numeric(dump.MARK_MASK, self.mark[1], 4))
        return self.family or socket.AF_UNSPEC, b"".join(parts)

    def _tuple(self) -> tuple[int, bytes]:
        """Flags of what of the original direction the kernel is to compare, and the tuple with it."""
        if self.family is None:
            return 0, b""
        kinds = (dump.V4_SRC, dump.V4_DST) if self.family == socket.AF_INET else (dump.V6_SRC, dump.V6_DST)
        flags, addresses, proto = 0, [], []
        for kind, flag, network in (
            (kinds[0], _F_SOURCE, self.source),
            (kinds[1], _F_DESTINATION, self.destination),
        ):
            # Of IPv6 kernels leave out the very entries that are meant: ctnetlink_filter_match_tuple() takes what
            # ipv6_addr_cmp() returns for equal, which is 0, as different (seen on 6.18).
            if network is not None and network.prefix == network.bits == _V4_BITS:
                flags |= flag
                addresses.append(dump.attribute(kind, network.packed))
        if self.protocol is not None:
            flags |= _F_PROTOCOL
            proto.append(dump.numeric(dump.PROTO_NUM, self.protocol, 1))
            if self.port is not None:
                flags |= _F_DESTINATION_PORT
                proto.append(dump.numeric(dump.DST_PORT, self.port, 2))
        parts = []
        if addresses:
            parts.append(dump.nested(dump.TUPLE_IP, *addresses))
        if proto:
            parts.append(dump.nested(dump.TUPLE_PROTO, *proto))
        return flags, dump.nested(dump.TUPLE_ORIG, *parts) if parts else b""


def parse(given: t.Mapping[str, t.Any] | None) -> Filter:
    """A filter from the module's option ``filter``, whose fields are those of :class:`Filter`; None is not given.

    :raises InvalidInput: a value cannot be meant, or no entry can be all of it; the message says which, and what is
        allowed.
    """
    fields = {name: value for name, value in (given or {}).items() if value is not None}
    source, destination = (_network(name, fields.get(name)) for name in ("source", "destination"))
    protocol = _protocol(fields.get("protocol"))
    status = _status(fields.get("status"))
    return Filter(
        family=_family(fields.get("family"), protocol, source, destination),
        protocol=protocol,
        source=source,
        destination=destination,
        port=_port(fields.get("port"), protocol),
        state=_state(fields.get("state"), protocol, status),
        status=status,
        zone=_whole("zone", fields.get("zone"), 0, 65535),
        mark=_mark(fields.get("mark")),
    )


def _wrong(name: str, value: t.Any, allowed: str) -> InvalidInput:
    return InvalidInput(f"filter.{name} is {value!r}, but must be {allowed}")


def _whole(name: str, value: int | None, minimum: int, maximum: int) -> int | None:
    if value is not None and not minimum <= value <= maximum:
        raise _wrong(name, value, f"a whole number from {minimum} to {maximum}")
    return value


def _protocol(value: t.Any) -> int | None:
    if value is None:
        return None
    text = str(value).lower()
    if text in _PROTOCOL_NUMBERS:
        return _PROTOCOL_NUMBERS[text]
    if _NUMBER.fullmatch(text) and text.isdigit() and int(text) <= 255:
        return int(text)
    names = ", ".join(sorted(_PROTOCOL_NUMBERS))
    raise _wrong("protocol", value, f"one of {names}, or the number of an IP protocol from 0 to 255")


def _network(name: str, value: t.Any) -> Network | None:
    if value is None:
        return None
    address, slash, prefix = str(value).partition("/")
    for family in _FAMILIES.values():
        try:
            packed = socket.inet_pton(family, address)
        except (OSError, ValueError):  # ValueError: with a zero byte in it
            continue
        bits = len(packed) * 8
        length = bits if not slash else int(prefix) if prefix.isdigit() and prefix.isascii() and len(prefix) < 4 else -1
        if not 0 <= length <= bits:
            raise _wrong(name, value, f"an address, or a network with a prefix from 0 to {bits}")
        network = Network(family, int.from_bytes(packed, "big"), length)
        if network.number & ~network.mask:
            whole = Network(family, network.number & network.mask, length)
            text = socket.inet_ntop(family, whole.packed)
            raise InvalidInput(
                f"filter.{name} is {value!r}, which has bits set beyond its prefix: give {text}/{length} for the"
                f" network, or {address} for the one address"
            )
        return network
    raise _wrong(name, value, "an IPv4 or IPv6 address, or a network such as 10.0.0.0/8 or 2001:db8::/32")


def _family(value: str | None, protocol: int | None, source: Network | None, destination: Network | None) -> int | None:
    """The family that was given, or that a field implies."""
    found: list[tuple[str, int]] = []
    if value is not None:
        if value not in _FAMILIES:
            raise _wrong("family", value, "ipv4 or ipv6")
        found.append(("family", _FAMILIES[value]))
    for name, network in (("source", source), ("destination", destination)):
        if network is not None:
            found.append((name, network.family))
    if protocol in _FAMILY_OF_PROTOCOL:
        found.append(("protocol", _FAMILY_OF_PROTOCOL[protocol]))
    for name, family in found[1:]:
        if family != found[0][1]:
            raise InvalidInput(
                f"filter.{found[0][0]} is of {dump.FAMILIES[found[0][1]]} and filter.{name} is of"
                f" {dump.FAMILIES[family]}: no entry is both. Give both of one family, or leave one out"
            )
    return found[0][1] if found else None


def _port(value: int | None, protocol: int | None) -> int | None:
    if value is None:
        return None
    with_ports = ", ".join(dump.PROTOCOLS[number] for number in dump.WITH_PORTS)
    if protocol is None:
        raise InvalidInput(f"filter.port is {value}, which needs filter.protocol too: one of {with_ports}")
    if protocol not in dump.WITH_PORTS:
        name = dump.protocol_name(protocol)
        raise InvalidInput(
            f"filter.port is {value}, but entries of protocol {name} have no ports: leave filter.port out, or give one"
            f" of {with_ports} as filter.protocol"
        )
    return _whole("port", value, 1, 65535)


def _state(value: str | None, protocol: int | None, status: tuple[int, int] | None) -> str | None:
    if value is None:
        return None
    if protocol is not None and protocol not in _STATES:
        raise InvalidInput(
            f"filter.state is {value!r}, but entries of protocol {dump.protocol_name(protocol)} have no state: leave"
            " filter.state out, or give one of tcp, sctp, dccp as filter.protocol"
        )
    if not any(value in names for number, names in _STATES.items() if protocol in (None, number)):
        allowed = "; ".join(
            f"of {dump.PROTOCOLS[number]}: {', '.join(names)}"
            for number, names in _STATES.items()
            if protocol in (None, number)
        )
        raise _wrong("state", value, f"a state {allowed}")
    if status is not None and status[1] & (dump.OFFLOAD | dump.HW_OFFLOAD):
        raise InvalidInput(
            f"filter.state is {value!r} and filter.status asks for offloaded entries: the kernel shows no state for"
            " these, so no entry is both. Leave one out"
        )
    return value


def _status(value: t.Sequence[str] | None) -> tuple[int, int] | None:
    compared = wanted = 0
    for given in value or ():
        is_not = given.startswith("!")
        name = given[1:] if is_not else given
        if name == _UNREPLIED:
            name, is_not = "seen_reply", not is_not
        if name not in _STATUS:
            raise _wrong(
                "status",
                given,
                f"of {', '.join([*_STATUS, _UNREPLIED])}, each with '!' in front for entries without it",
            )
        bit = 1 << dump.STATUS_BITS[name]
        if compared & bit and bool(wanted & bit) is is_not:
            raise InvalidInput(
                f"filter.status is {list(value or ())!r}: no entry is {name} and is not. Leave one of them out"
            )
        compared |= bit
        wanted |= 0 if is_not else bit
    return (compared, wanted) if compared else None


def _mark(value: t.Any) -> tuple[int, int] | None:
    if value is None:
        return None
    number, slash, mask = str(value).partition("/")
    parts = [number, mask] if slash else [number]
    numbers = [int(part, 0) if part[:2] in ("0x", "0X") else int(part) for part in parts if _NUMBER.fullmatch(part)]
    if len(numbers) != len(parts) or max(numbers) > _MARK_MAX:
        raise _wrong("mark", value, "a number from 0 to 0xffffffff, or number/mask, such as 0x10/0xff")
    wanted, compared = numbers[0], numbers[1] if slash else _MARK_MAX
    if wanted & ~compared:
        raise InvalidInput(
            f"filter.mark is {value!r}, which has bits set that the mask removes, so no entry has it:"
            f" give {wanted & compared:#x}/{compared:#x}, or a wider mask"
        )
    if not compared:
        raise InvalidInput(f"filter.mark is {value!r}, whose mask is 0, so every entry has it: leave filter.mark out")
    return wanted, compared
