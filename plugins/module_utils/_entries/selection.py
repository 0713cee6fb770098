# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A filter applied to columns of messages, as :meth:`Filter.matches` applies it to one entry. Pure."""

from __future__ import annotations

import itertools
import socket
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._entries.filter import Filter, Network
    from ansible_collections.netops.conntrack.plugins.module_utils._entries.layout import Layout


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
