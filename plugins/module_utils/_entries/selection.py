# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A filter applied to columns of messages, and to whole datagrams.

To columns as :meth:`Filter.matches` applies it to one entry. Pure.
"""

from __future__ import annotations

import itertools
import socket
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _ctnetlink as netlink
from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump
from ansible_collections.netops.conntrack.plugins.module_utils._entries.layout import Layout, UnusualError

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._entries.filter import Filter, Network

#: Messages of a length that are fewer than this in a datagram are read one by one.
_FEW = 4
#: More shapes of one length, and lengths, than any kernel has: beyond it messages are read one by one.
_SHAPES_OF_A_LENGTH, _LENGTHS = 8, 200


class Columns:
    """Messages of one shape, put end to end."""

    def __init__(self, shape: Layout, data: bytes, count: int) -> None:
        """Take messages that were shown to have this shape."""
        self._shape, self._data, self._count = shape, data, count

    def meant(self, what: Filter) -> t.Iterator[bool]:
        """For each message whether a filter means it."""
        tests = [
            self._all(what.family in (None, self._shape.family)),
            self._protocol(what.protocol),
            self._network(what.source, self._shape.source),
            self._network(what.destination, self._shape.destination),
            self._upper_half(what.port, self._shape.port, absent=-1),
            self._state(what),
            self._status(what.status),
            self._upper_half(what.zone, self._shape.zone, absent=0),
            self._mark(what.mark),
        ]
        return map(all, zip(*tests))

    def _all(self, value: bool) -> t.Iterable[bool]:
        return itertools.repeat(value, self._count)

    def _words(self, offset: int) -> tuple[int, ...]:
        return self._shape.words(self._data, offset, self._count)

    def _protocol(self, wanted: int | None) -> t.Iterable[bool]:
        if wanted is None:
            return self._all(value=True)
        return [protocol == wanted for protocol in self._shape.octets(self._data, self._shape.protocol)]

    def _network(self, wanted: Network | None, offset: int) -> t.Iterable[bool]:
        if wanted is None:
            return self._all(value=True)
        if wanted.family != self._shape.family:
            return self._all(value=False)
        if self._shape.family == socket.AF_INET:
            return [word & wanted.mask == wanted.number for word in self._words(offset)]
        starts = range(offset, len(self._data), self._shape.size)
        return [wanted.holds(self._data[start : start + 16]) for start in starts]

    def _upper_half(self, wanted: int | None, offset: int | None, absent: int) -> t.Iterable[bool]:
        """A number of two bytes; ``absent`` is what a message without it counts as."""
        if wanted is None:
            return self._all(value=True)
        if offset is None:
            return self._all(wanted == absent)
        return [word >> 16 == wanted for word in self._words(offset)]

    def _state(self, what: Filter) -> t.Iterable[bool]:
        if what.state is None:
            return self._all(value=True)
        shape = self._shape
        number = None if shape.state_of is None else what.states(shape.state_of)
        if shape.state is None or number is None:
            return self._all(value=False)
        states, protocols = (shape.octets(self._data, offset) for offset in (shape.state, shape.protocol))
        return [state == number and protocol == shape.state_of for state, protocol in zip(states, protocols)]

    def _status(self, wanted: tuple[int, int] | None) -> t.Iterable[bool]:
        if wanted is None:
            return self._all(value=True)
        return [word & wanted[0] == wanted[1] for word in self._words(self._shape.status)]

    def _mark(self, wanted: tuple[int, int] | None) -> t.Iterable[bool]:
        if wanted is None:
            return self._all(value=True)
        if self._shape.mark is None:
            return self._all(wanted[0] == 0)
        return [word & wanted[1] == wanted[0] for word in self._words(self._shape.mark)]


class Chooser:
    """Finds the entries of datagrams that a filter means.

    Many at a time where they have a shape, the others one by one.
    """

    def __init__(self, meant: Filter) -> None:
        """Start without a known shape."""
        self._meant = meant
        self._shapes: dict[int, list[Layout]] = {}

    def choose(self, datagram: bytes) -> list[dump.Entry]:
        """The entries of a datagram that are meant, as the careful parser reads them; in no certain order.

        :raises HostError: a message is not whole, or tells no entry.
        """
        if self._meant.is_empty:
            return [dump.parse(message) for message in netlink.split(datagram)]
        by_size: dict[int, list[bytes]] = {}
        for message in netlink.split(datagram):
            by_size.setdefault(len(message), []).append(message)
        return [entry for size, messages in by_size.items() for entry in self._of_one_size(size, messages)]

    def _of_one_size(self, size: int, rest: list[bytes]) -> t.Iterator[dump.Entry]:
        while len(rest) >= _FEW:
            shape = self._shape(size, rest[0])
            if shape is None:
                break
            fitting, rest = _parted(shape, rest)
            meant = Columns(shape, b"".join(fitting), len(fitting)).meant(self._meant)
            yield from map(dump.parse, itertools.compress(fitting, meant))
        yield from filter(self._meant.matches, map(dump.parse, rest))

    def _shape(self, size: int, message: bytes) -> Layout | None:
        """The shape of a message; None where it has none."""
        if size not in self._shapes and len(self._shapes) >= _LENGTHS:
            return None
        shapes = self._shapes.setdefault(size, [])
        for shape in shapes:
            if shape.fits(message, 1):
                return shape
        if len(shapes) >= _SHAPES_OF_A_LENGTH:
            return None
        try:
            shape = Layout(message)
        except UnusualError:
            return None
        if not shape.fits(message, 1):
            return None  # bytes that should fill up are not 0
        shapes.append(shape)
        return shape


def _parted(shape: Layout, messages: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Those messages of one length that have a shape, and the others."""
    if shape.fits(b"".join(messages), len(messages)):
        return messages, []
    fits = [shape.fits(message, 1) for message in messages]
    return list(itertools.compress(messages, fits)), [message for message, fit in zip(messages, fits) if not fit]
