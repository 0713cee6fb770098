# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many messages of one shape at once: where the values lie, and the proof that all messages have that shape. Pure.

A table of a million entries has about ten shapes: family, protocol, and which attributes are there. What parts one
message of a shape from another are values at fixed offsets. So the values of a thousand messages are a column, which
Python takes out in one call, where a loop over attributes would take a thousand times as many.

The proof: the messages, put end to end, have in the place of every header exactly the header of the first one, which
was walked with care and left no byte over. A message that differs anywhere but in a value is of another shape.
"""

from __future__ import annotations

import socket
import struct
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._ctnetlink import ATTRIBUTE, BODY, HEADER, attributes
from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError

#: The attributes whose inner ones are read, by the way to them.
_NESTS: frozenset[tuple[int, ...]] = frozenset([
    (dump.TUPLE_ORIG,), (dump.TUPLE_ORIG, dump.TUPLE_IP), (dump.TUPLE_ORIG, dump.TUPLE_PROTO),
    (dump.TUPLE_REPLY,), (dump.TUPLE_REPLY, dump.TUPLE_IP), (dump.TUPLE_REPLY, dump.TUPLE_PROTO),
    (dump.PROTOINFO,), (dump.PROTOINFO, dump.PROTOINFO_TCP), (dump.PROTOINFO, dump.PROTOINFO_SCTP),
    (dump.PROTOINFO, dump.PROTOINFO_DCCP),
    # Looked into so that what the careful parser refuses is not counted here.
    (dump.TUPLE_MASTER,), (dump.TUPLE_MASTER, dump.TUPLE_IP), (dump.TUPLE_MASTER, dump.TUPLE_PROTO),
    (dump.COUNTERS_ORIG,), (dump.COUNTERS_REPLY,), (dump.HELP,),
])  # fmt: skip

#: The protocol whose state an attribute of PROTOINFO holds.
_PROTOCOL_OF_INFO = {dump.PROTOINFO_TCP: dump.TCP, dump.PROTOINFO_SCTP: dump.SCTP, dump.PROTOINFO_DCCP: dump.DCCP}

_ADDRESSES: dict[int, tuple[int, int, int]] = {
    socket.AF_INET: (4, dump.V4_SRC, dump.V4_DST),
    socket.AF_INET6: (16, dump.V6_SRC, dump.V6_DST),
}

#: Offset of a value in the message.
Offset = t.Optional[int]


class UnusualError(Exception):
    """A message that is none of a kind; the careful parser is to read it."""


class Layout:
    """The shape of a message.

    :ivar size: bytes of the message.
    :ivar family: ``AF_INET`` or ``AF_INET6``.
    :ivar state_of: the protocol that the state belongs to, or None where the message has none.
    :ivar source: offset of the packed address in the original direction; and so on for the others. None where it has
        none.
    """

    def __init__(self, message: bytes) -> None:
        """Walk a message, which is whole by its own header.

        :raises UnusualError: it lacks something, or has it in an unusual place or size.
        """
        self.size = len(message)
        self._headers: list[int] = [0, 4, 8, 12, HEADER.size]
        self._values: dict[tuple[int, ...], tuple[int, int]] = {}
        if self.size % 4 or self.size < BODY:
            raise UnusualError
        try:
            self._walk(message, (), BODY, self.size)
            # What the careful parser refuses it refuses by its headers, which all messages of this shape have.
            dump.parse(message)
        except HostError as error:
            raise UnusualError from error
        self.family = int(socket.AF_INET if self._has(dump.TUPLE_ORIG, dump.TUPLE_IP, dump.V4_SRC) else socket.AF_INET6)
        self.source, self.destination = self._addresses(dump.TUPLE_ORIG)
        self.reply_source, self.reply_destination = self._addresses(dump.TUPLE_REPLY)
        self.protocol = self._needed(1, dump.TUPLE_ORIG, dump.TUPLE_PROTO, dump.PROTO_NUM)
        self._needed(1, dump.TUPLE_REPLY, dump.TUPLE_PROTO, dump.PROTO_NUM)
        self.port = self._at(2, dump.TUPLE_ORIG, dump.TUPLE_PROTO, dump.DST_PORT)
        self.reply_source_port = self._at(2, dump.TUPLE_REPLY, dump.TUPLE_PROTO, dump.SRC_PORT)
        self.reply_destination_port = self._at(2, dump.TUPLE_REPLY, dump.TUPLE_PROTO, dump.DST_PORT)
        self.has_icmp_id = self._at(2, dump.TUPLE_REPLY, dump.TUPLE_PROTO, dump.ICMP_ID) is not None or (
            self._at(2, dump.TUPLE_REPLY, dump.TUPLE_PROTO, dump.ICMPV6_ID) is not None
        )
        self.status = self._needed(4, dump.STATUS)
        self.timeout = self._at(4, dump.TIMEOUT)
        self.mark = self._at(4, dump.MARK)
        zones = [(dump.ZONE,), (dump.TUPLE_ORIG, dump.TUPLE_ZONE), (dump.TUPLE_REPLY, dump.TUPLE_ZONE)]
        found = [offset for offset in (self._at(2, *path) for path in zones) if offset is not None]
        if len(found) > 1:
            raise UnusualError
        self.zone: Offset = found[0] if found else None
        self._find_state()
        # What is read as four bytes though only two of them are a value.
        halves = (self.port, self.reply_source_port, self.zone)
        self._fillings = [offset + byte for offset in halves if offset is not None for byte in (2, 3)]
        self._template = [(offset // 4, message[offset : offset + 4]) for offset in self._headers]
        self._words = self.size // 4

    def _walk(self, message: bytes, path: tuple[int, ...], start: int, end: int) -> None:
        for kind, value, value_end in attributes(message, start, end):
            here = (*path, kind)
            if here in self._values:
                raise UnusualError
            self._headers.append(value - ATTRIBUTE.size)
            self._values[here] = (value, value_end - value)
            if here in _NESTS:
                self._walk(message, here, value, value_end)

    def _has(self, *path: int) -> bool:
        return path in self._values

    def _at(self, size: int, *path: int) -> int | None:
        """Offset of a value; None where there is none."""
        found = self._values.get(path)
        if found is None:
            return None
        if found[1] != size:
            raise UnusualError
        return found[0]

    def _needed(self, size: int, *path: int) -> int:
        offset = self._at(size, *path)
        if offset is None:
            raise UnusualError
        return offset

    def _addresses(self, direction: int) -> tuple[int, int]:
        size, source, destination = _ADDRESSES[self.family]
        first = self._needed(size, direction, dump.TUPLE_IP, source)
        second = self._needed(size, direction, dump.TUPLE_IP, destination)
        if second < first + size:
            raise UnusualError
        return first, second

    def _find_state(self) -> None:
        infos = [kind for kind in _PROTOCOL_OF_INFO if self._has(dump.PROTOINFO, kind)]
        if len(infos) > 1:
            raise UnusualError
        self.state_of: int | None = None
        self.state: Offset = None
        self.flags: tuple[int, ...] = ()
        if infos:
            self.state = self._at(1, dump.PROTOINFO, infos[0], dump.STATE)
            self.state_of = None if self.state is None else _PROTOCOL_OF_INFO[infos[0]]
            if infos[0] == dump.PROTOINFO_TCP:
                kinds = (dump.TCP_FLAGS_ORIGINAL, dump.TCP_FLAGS_REPLY)
                found = (self._at(2, dump.PROTOINFO, infos[0], kind) for kind in kinds)
                self.flags = tuple(offset for offset in found if offset is not None)

    def fits(self, data: bytes, count: int) -> bool:
        """Whether messages that were put end to end all have this shape."""
        if len(data) != count * self.size:
            return False
        if any(data[offset :: self.size].count(0) != count for offset in self._fillings):
            return False
        words = memoryview(data).cast("I")
        return all(words[word :: self._words].tobytes() == header * count for word, header in self._template)

    # --- columns of messages that were put end to end

    def octets(self, data: bytes, offset: int) -> bytes:
        """The bytes at an offset, one for each message."""
        return data[offset :: self.size]

    def words(self, data: bytes, offset: int, count: int) -> tuple[int, ...]:
        """The numbers of four bytes at an offset.

        One of two bytes is its upper half; the lower half was shown to be 0.
        """
        column = memoryview(data).cast("I")[offset // 4 :: self._words].tobytes()
        return struct.unpack(f">{count}I", column)

    def pairs(self, data: bytes, first: int, second: int, size: int) -> list[tuple[bytes, bytes]]:
        """Pairs of so many bytes at two offsets, of which the first one is before the second."""
        gap, rest = second - first - size, self.size - second - size
        return t.cast(
            "list[tuple[bytes, bytes]]",
            list(struct.Struct(f"{first}x{size}s{gap}x{size}s{rest}x").iter_unpack(data)),
        )
