# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts the entries of a dump by all that is asked, in constant memory. Pure.

Messages are sorted by their length, and those of one shape are counted a thousand at a time, by columns
(``layout.py``). What has no shape, or one that hardly comes, goes to the careful parser, and into the same counters.
"""

from __future__ import annotations

import itertools
import re
import socket
import typing as t
from collections import Counter

from ansible_collections.netops.conntrack.plugins.module_utils import _ctnetlink as netlink
from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump, nat_ports
from ansible_collections.netops.conntrack.plugins.module_utils._entries.bounded import Bounded
from ansible_collections.netops.conntrack.plugins.module_utils._entries.layout import Layout, UnusualError
from ansible_collections.netops.conntrack.plugins.module_utils._entries.selection import Columns

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._entries.filter import Filter
    from ansible_collections.netops.conntrack.plugins.module_utils._entries.what_if import Judge

#: So many messages of one length are counted at a time: enough that what a batch costs is nothing, few enough for
#: memory.
_BATCH = 1024
#: With more lengths than this in a datagram, one loop sorts faster than a pass for each.
_SIZES_BY_COLUMN = 4
#: Messages of a length that are fewer than this at the end are read one by one.
_FEW = 4
#: More shapes, and shapes of one length, than any kernel has: beyond it each message is read by itself.
_SHAPES, _SHAPES_OF_A_LENGTH = 200, 8

#: Room of the counters of addresses, pairs and ports; half of it for IPv6, whose keys are twice as large.
CAPACITY = 12_000

_V4_BITS, _V6_BITS = 32, 128
_NAT_KIND = dump.SRC_NAT | dump.DST_NAT

#: Set where the data is on the way that nobody has acknowledged.
_UNACKNOWLEDGED = bytes(number >> 4 & 1 for number in range(256))

#: What of an entry is counted together: protocol, status, state or -1, unacknowledged, interval of time left or -1.
_Class = t.Tuple[int, int, int, int, int]


class Prefixes(t.NamedTuple):
    """How many bits of an address make one source or destination."""

    ipv4: int = 32
    ipv6: int = 64


class Counts:
    """What was counted.

    :ivar read: entries that came.
    :ivar matched: those of them that are meant; all that follows is of these.
    :ivar classes: how many by family, and by what else is counted together.
    :ivar sources: by address family; keys are as :meth:`address` takes them. The same goes for the next ones.
    :ivar pairs: keys are (source, destination).
    :ivar ports: keys are (protocol, word whose upper half is the port).
    :ivar nat: keys are (protocol, pool, NAT address, destination, word whose upper half is the destination's port).
    :ivar zones: by zone.
    :ivar marks: by mark.
    :ivar examples: the first entries that are meant.
    """

    def __init__(self, meant: Filter, judge: Judge, prefixes: Prefixes, examples: int = 0) -> None:
        """Start from nothing."""
        self.read = self.matched = 0
        self.classes: dict[int, Counter[_Class]] = {int(family): Counter() for family in dump.FAMILIES}
        self.sources, self.destinations, self.pairs, self.nat = (
            {int(socket.AF_INET): Bounded(CAPACITY), int(socket.AF_INET6): Bounded(CAPACITY // 2)}
            for _unused in range(4)
        )
        self.ports = Bounded(CAPACITY)
        self.zones: Counter[int] = Counter()
        self.marks = Bounded(CAPACITY)
        self.examples: list[dump.Entry] = []
        self._wanted = examples
        self._meant = meant
        self._everything = meant.is_empty
        self._judge = judge
        self._v4_mask = ((1 << prefixes.ipv4) - 1) << (_V4_BITS - prefixes.ipv4)
        self._v6_bytes = (prefixes.ipv6 + 7) // 8
        # Of the last byte that counts.
        self._v6_mask = 0xFF << (-prefixes.ipv6 % 8) & 0xFF
        self._prefixes = prefixes
        self._waiting: dict[int, list[bytes]] = {}
        self._splitter: re.Pattern[bytes] | None = None
        self._shapes: dict[int, list[Layout]] = {}
        self._known = 0

    # --- taking datagrams

    def take(self, datagram: bytes) -> None:
        """Count the entries of a datagram, now or in a later batch.

        :raises HostError: a message is not whole, or tells no entry.
        """
        messages = self._split(datagram)
        self.read += len(messages)
        sizes = list(map(len, messages))
        distinct = set(sizes)
        if len(distinct) <= _SIZES_BY_COLUMN:
            for size in distinct:
                self._waiting[size] += itertools.compress(messages, map(size.__eq__, sizes))
        else:
            for size, message in zip(sizes, messages):
                self._waiting[size].append(message)
        for size in distinct:
            if len(self._waiting[size]) >= _BATCH:
                self._count(size, self._waiting[size])

    def _split(self, datagram: bytes) -> list[bytes]:
        """The messages of a datagram: by a pattern of the lengths that are known, if that leaves no byte over."""
        if self._splitter is not None:
            messages: list[bytes] = self._splitter.findall(datagram)
            if sum(map(len, messages)) == len(datagram):
                return messages
        messages = list(netlink.split(datagram))
        sizes = {len(message) for message in messages} - set(self._waiting)
        for size in sizes:
            self._waiting[size] = []
        if sizes and len(self._waiting) <= _SHAPES:
            # A message begins with its length, and no number that is in its place twice is another's.
            known = (
                re.escape(size.to_bytes(4, _BYTE_ORDER) + _TYPE) + b".{%d}" % (size - 6)
                for size in sorted(self._waiting)
            )
            self._splitter = re.compile(b"|".join(known), re.DOTALL)
        return messages

    def finish(self) -> None:
        """Count what still waits for its batch.

        :raises HostError: a message tells no entry.
        """
        for size, waiting in self._waiting.items():
            if waiting:
                self._count(size, waiting)

    def _count(self, size: int, waiting: list[bytes]) -> None:
        messages = waiting[:]
        waiting.clear()
        shapes = self._shapes.setdefault(size, [])
        data = b"".join(messages)
        for shape in shapes:
            if shape.fits(data, len(messages)):
                self._count_columns(shape, data, messages)
                return
        for shape in shapes:
            messages = self._count_part(shape, messages)
        while messages:
            new = self._new_shape(shapes, messages)
            if new is None:
                self._count_with_care(messages.pop(0))
            else:
                messages = self._count_part(new, messages)

    def _count_part(self, shape: Layout, messages: list[bytes]) -> list[bytes]:
        """Count those messages that have a shape; the others."""
        data = b"".join(messages)
        if shape.fits(data, len(messages)):
            self._count_columns(shape, data, messages)
            return []
        fitting = [shape.fits(message, 1) for message in messages]
        chosen = list(itertools.compress(messages, fitting))
        if chosen:
            self._count_columns(shape, b"".join(chosen), chosen)
        return [message for message, fits in zip(messages, fitting) if not fits]

    def _new_shape(self, shapes: list[Layout], messages: list[bytes]) -> Layout | None:
        if len(messages) < _FEW or len(shapes) >= _SHAPES_OF_A_LENGTH or self._known >= _SHAPES:
            return None
        try:
            shape = Layout(messages[0])
        except UnusualError:
            return None
        if not shape.fits(messages[0], 1):
            return None  # bytes that should fill up are not 0
        shapes.append(shape)
        self._known += 1
        return shape

    # --- many at a time

    def _count_columns(self, shape: Layout, data: bytes, messages: list[bytes]) -> None:
        count = len(messages)
        if not self._everything:
            keep = Columns(shape, data, count).meant(self._meant)
            messages = list(itertools.compress(messages, keep))
            if len(messages) != count:
                data, count = b"".join(messages), len(messages)
            if not count:
                return
        self.matched += count
        if len(self.examples) < self._wanted:
            self.examples += map(dump.parse, messages[: self._wanted - len(self.examples)])
        protocols = shape.octets(data, shape.protocol)
        statuses = shape.words(data, shape.status, count)
        self._count_classes(shape, data, protocols, statuses)
        if shape.family == socket.AF_INET:
            self._count_v4(shape, data, count)
        else:
            self._count_v6(shape, data)
        if shape.port is not None:
            self.ports.update(zip(protocols, shape.words(data, shape.port, count)))
        marks = () if shape.mark is None else shape.words(data, shape.mark, count)
        if any(marks):
            self.marks.update(marks)
        else:
            self.marks.add(0, count)
        if shape.zone is None:
            self.zones[0] += count
        else:
            self.zones.update(word >> 16 for word in shape.words(data, shape.zone, count))
        if any(status & dump.SRC_NAT for status in set(statuses)):
            self._count_nat(shape, data, protocols, statuses)

    def _count_classes(self, shape: Layout, data: bytes, protocols: bytes, statuses: t.Sequence[int]) -> None:
        count = len(statuses)
        nothing = itertools.repeat(-1)
        states: t.Iterable[int] = nothing
        if shape.state is not None:
            states = shape.octets(data, shape.state)
            if set(protocols) != {shape.state_of}:
                states = [state if protocol == shape.state_of else -1 for state, protocol in zip(states, protocols)]
        flags: t.Iterable[int] = itertools.repeat(0)
        if shape.flags:
            columns = [shape.octets(data, offset).translate(_UNACKNOWLEDGED) for offset in shape.flags]
            flags = columns[0]
            for column in columns[1:]:
                flags = map(int.__or__, flags, column)
            if set(protocols) != {dump.TCP}:
                flags = [flag if protocol == dump.TCP else 0 for flag, protocol in zip(flags, protocols)]
        places: t.Iterable[int] = nothing
        if shape.timeout is not None:
            places = self._judge.places(shape.words(data, shape.timeout, count))
        self.classes[shape.family].update(zip(protocols, statuses, states, flags, places))

    def _count_v4(self, shape: Layout, data: bytes, count: int) -> None:
        sources: t.Sequence[int] = shape.words(data, shape.source, count)
        destinations: t.Sequence[int] = shape.words(data, shape.destination, count)
        if self._prefixes.ipv4 != _V4_BITS:
            mask = self._v4_mask
            sources, destinations = [word & mask for word in sources], [word & mask for word in destinations]
        self._count_addresses(shape.family, sources, destinations, zip(sources, destinations))

    def _count_v6(self, shape: Layout, data: bytes) -> None:
        pairs = shape.pairs(data, shape.source, shape.destination, self._v6_bytes)
        if self._v6_mask != 0xFF:
            pairs = [(self._v6_key(source), self._v6_key(destination)) for source, destination in pairs]
        self._count_addresses(shape.family, [pair[0] for pair in pairs], [pair[1] for pair in pairs], pairs)

    def _v6_key(self, packed: bytes) -> bytes:
        size = self._v6_bytes
        return packed[: size - 1] + bytes((packed[size - 1] & self._v6_mask,)) if size else b""

    def _count_addresses(
        self,
        family: int,
        sources: t.Iterable[t.Hashable],
        destinations: t.Iterable[t.Hashable],
        pairs: t.Iterable[t.Hashable],
    ) -> None:
        self.sources[family].update(sources)
        self.destinations[family].update(destinations)
        self.pairs[family].update(pairs)

    def _count_nat(self, shape: Layout, data: bytes, protocols: bytes, statuses: t.Sequence[int]) -> None:
        count = len(statuses)
        pools: t.Iterable[int]
        ports: t.Iterable[int]
        if shape.reply_destination_port is not None and shape.reply_source_port is not None:
            upper = shape.octets(data, shape.reply_destination_port)
            pools = upper.translate(nat_ports.POOL_OF_UPPER_BYTE)
            ports = shape.words(data, shape.reply_source_port, count)
        elif shape.has_icmp_id:
            pools = ports = itertools.repeat(0)
        else:
            return
        if shape.family == socket.AF_INET:
            addresses: t.Iterable[t.Hashable] = shape.words(data, shape.reply_destination, count)
            destinations: t.Iterable[t.Hashable] = shape.words(data, shape.reply_source, count)
        else:
            found = shape.pairs(data, shape.reply_source, shape.reply_destination, 16)
            destinations, addresses = (pair[0] for pair in found), [pair[1] for pair in found]
        translated = [status & dump.SRC_NAT for status in statuses]
        keys = zip(protocols, pools, addresses, destinations, ports)
        self.nat[shape.family].update(itertools.compress(keys, translated))

    # --- one at a time

    def _count_with_care(self, message: bytes) -> None:
        entry = dump.parse(message)
        if not self._meant.matches(entry):
            return
        self.matched += 1
        if len(self.examples) < self._wanted:
            self.examples.append(entry)
        original, family = entry.original, int(entry.original.family)
        self.classes[family][
            original.protocol,
            entry.status,
            -1 if entry.state is None else entry.state,
            entry.tcp_flags >> 4 & 1,
            -1 if entry.timeout is None else self._judge.place(entry.timeout),
        ] += 1
        source, destination = self._key(original.source), self._key(original.destination)
        self._count_addresses(family, [source], [destination], [(source, destination)])
        if original.destination_port is not None:
            self.ports.update([(original.protocol, original.destination_port << 16)])
        self.marks.update([entry.mark])
        self.zones[entry.any_zone] += 1
        if entry.status & dump.SRC_NAT:
            self._count_nat_of(entry)

    def _key(self, packed: bytes) -> t.Hashable:
        if len(packed) == 4:
            return int.from_bytes(packed, "big") & self._v4_mask
        key = packed[: self._v6_bytes]
        return key if self._v6_mask == 0xFF else self._v6_key(key)

    def _count_nat_of(self, entry: dump.Entry) -> None:
        reply, family = entry.reply, int(entry.original.family)
        if reply.source_port is not None and reply.destination_port is not None:
            pool, port = nat_ports.POOL_OF_UPPER_BYTE[reply.destination_port >> 8], reply.source_port << 16
        elif reply.icmp is not None:
            pool = port = 0
        else:
            return
        addresses: list[t.Hashable] = [reply.destination, reply.source]
        if family == socket.AF_INET:
            addresses = [int.from_bytes(packed, "big") for packed in (reply.destination, reply.source)]
        self.nat[family].update([(entry.original.protocol, pool, addresses[0], addresses[1], port)])


_BYTE_ORDER: t.Any = "little" if netlink.HEADER.pack(1, 0, 0, 0, 0)[0] else "big"
#: The type of a message about an entry, which follows its length (``IPCTNL_MSG_CT_NEW`` of ctnetlink).
_TYPE = netlink.HEADER.pack(0, 0x100, 0, 0, 0)[4:6]


def address(key: int | bytes, prefix: int) -> str:
    """An address as text, of what a counter has for it; a network where the prefix leaves bits out."""
    if isinstance(key, int):
        text = socket.inet_ntop(socket.AF_INET, key.to_bytes(4, "big"))
        return text if prefix == _V4_BITS else f"{text}/{prefix}"
    text = socket.inet_ntop(socket.AF_INET6, key.ljust(16, b"\0"))
    return text if prefix == _V6_BITS else f"{text}/{prefix}"
