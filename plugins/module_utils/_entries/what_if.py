# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which timeout holds an entry, how long the entry has been idle, and what another value would free. Pure.

The kernel sets an entry's timer anew with each packet, to the timeout of the state that the packet leads to. So an
entry has been idle for that timeout less what remains. With another value it would be gone if it has been idle for at
least as long.

Sources: ``nf_conntrack_tcp_packet()``, ``nf_conntrack_udp_packet()``, ``nf_conntrack_gre_packet()`` and those of the
other protocols, in net/netfilter/nf_conntrack_proto_*.c of Linux 5.10 to 7.2.
"""

from __future__ import annotations

import typing as t
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import repeat

from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump
from ansible_collections.netops.conntrack.plugins.module_utils._errors import InvalidInput
from ansible_collections.netops.conntrack.plugins.module_utils._keys import TIMEOUT_MAX, TIMEOUTS

_LADDER = (
    5, 10, 15, 20, 30, 60, 90, 120, 180, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 172800,
)  # fmt: skip
#: So many values of the ladder below a timeout are judged where the user asks for none.
_JUDGED = 5

#: Each step of idle time that is told apart is so much longer than the one before.
_RATIO = 1.1

#: Up to this many seconds a table says which interval a remaining time is in; beyond it, a search.
_TABLE = 500_000

_UNACKNOWLEDGED, _ESTABLISHED = "tcp_unacknowledged", 3
_PLAIN = {dump.ICMP: "icmp", dump.ICMPV6: "icmpv6"}
#: Flow tables age entries by these, out of connection tracking's sight; retransmissions are not told by ctnetlink.
_NEVER_SEEN = ("flowtable_tcp", "flowtable_udp", "tcp_max_retrans")


class Kind(t.NamedTuple):
    """What decides under which timeout an entry is.

    :ivar protocol: number of the IP protocol.
    :ivar status: bits of the status.
    :ivar state: number of the state, None where there is none.
    :ivar unacknowledged: whether TCP data is on the way that nobody has acknowledged.
    """

    protocol: int
    status: int
    state: int | None
    unacknowledged: bool


def names(kind: Kind, timeouts: t.Mapping[str, int]) -> tuple[str, ...]:
    """The timeouts that a kind of entry is under; none where it is not known.

    The shortest of them counts, and comes first.

    Retransmissions, which may put ``tcp_max_retrans`` in force, are not told by ctnetlink. Before Linux 5.17 and the
    stable trees of its time, UDP is assured with its first answer, when it still is under ``udp``: its idle time is
    then told too long by the difference.
    """
    if kind.status & (dump.FIXED_TIMEOUT | dump.OFFLOAD | dump.HW_OFFLOAD):
        return ()
    found: list[str] = []
    protocol = kind.protocol
    if protocol in (dump.TCP, dump.SCTP, dump.DCCP):
        state = dump.state_name(protocol, kind.state)
        found.append(f"{dump.PROTOCOLS[protocol]}_{state}")
        picked_up = kind.state == _ESTABLISHED and not kind.status & dump.SEEN_REPLY
        if protocol == dump.TCP and (kind.unacknowledged or picked_up):
            found.append(_UNACKNOWLEDGED)
    elif protocol in (dump.UDP, dump.UDPLITE):
        found.append("udp_stream" if kind.status & dump.ASSURED else "udp")
    elif protocol == dump.GRE:
        found.append("gre_stream" if kind.status & dump.SEEN_REPLY else "gre")
    else:
        found.append(_PLAIN.get(protocol, "generic"))
    if protocol == dump.GRE and found[0] not in timeouts:
        found = ["generic"]  # a kernel without CONFIG_NF_CT_PROTO_GRE
    if found[0] not in timeouts:
        return ()
    return tuple(sorted((name for name in found if name in timeouts), key=lambda name: timeouts[name]))


def candidates(asked: t.Mapping[str, t.Any] | None, timeouts: t.Mapping[str, int]) -> dict[str, list[int]]:
    """The values to judge for each timeout: those that are asked for, else a few below the one in force.

    :param asked: seconds by short name, None to choose.
    :param timeouts: those of this kernel.
    :raises InvalidInput: a name or a value cannot be meant.
    """
    known = sorted(name for name in timeouts if name not in _NEVER_SEEN)
    if asked is None:
        return {name: [value for value in _LADDER if value < timeouts[name]][-_JUDGED:] for name in known}
    chosen: dict[str, list[int]] = {}
    for name, values in asked.items():
        if name not in known:
            about = (
                "is a timeout whose entries cannot be known" if name in timeouts else "is not a timeout of this kernel"
            )
            if name not in timeouts and name not in TIMEOUTS:
                about = "is not a timeout"
            raise InvalidInput(f"what_if: {name!r} {about}; allowed are {', '.join(known)}")
        listed = values if isinstance(values, list) else [values]
        for value in listed:
            is_number = isinstance(value, int) and not isinstance(value, bool)
            if not is_number and not (isinstance(value, str) and value.isdigit() and value.isascii()):
                raise InvalidInput(
                    f"what_if.{name} is {values!r}, but must be a list of seconds, from 1 to {TIMEOUT_MAX}"
                )
            if len(str(value)) > 10 or not 1 <= int(value) <= TIMEOUT_MAX:
                raise InvalidInput(f"what_if.{name} has {value!r}, but seconds must be from 1 to {TIMEOUT_MAX}")
        chosen[name] = sorted({int(value) for value in listed})
    return chosen


@dataclass
class _Held:
    """What one timeout holds, by lower bound of idle time."""

    entries: int = 0
    unknown: int = 0
    idle: dict[int, int] = field(default_factory=dict)


class Judge:
    """Sorts remaining times into intervals, so that counts of intervals tell all that is asked.

    The remaining time is told in whole seconds, rounded down, so idle time is rounded down by a second: what is said to
    be freed is freed.
    """

    def __init__(self, timeouts: t.Mapping[str, int], asked: t.Mapping[str, t.Sequence[int]]) -> None:
        """Take the timeouts in force and the values to judge, both in seconds by short name."""
        self._timeouts = timeouts
        self._asked = asked
        cuts = set()
        for name, timeout in timeouts.items():
            cuts.add(timeout + 1)
            cuts.update(timeout - idle for idle in _steps(timeout))
            # An entry that is under two timeouts has the shorter one, and is judged by values of both.
            both = [name, _UNACKNOWLEDGED] if name.startswith("tcp_") else [name]
            if name == _UNACKNOWLEDGED:
                both += [other for other in asked if other.startswith("tcp_")]
            cuts.update(timeout - value for other in both for value in asked.get(other, ()))
        self._cuts = sorted(cut for cut in cuts if cut > 0)
        self._table: list[int] = []
        for place, cut in enumerate(self._cuts):
            self._table += [place] * (min(cut, _TABLE) - len(self._table))
        self._limit = len(self._table)
        self._kinds: dict[Kind, tuple[str, ...]] = {}
        self._held: dict[str, _Held] = {}
        self._freed: dict[tuple[str, int], int] = {}

    def place(self, remaining: int) -> int:
        """The interval that a remaining time is in."""
        return self._table[remaining] if remaining < self._limit else bisect_right(self._cuts, remaining)

    def places(self, remaining: t.Sequence[int]) -> t.Iterable[int]:
        """The same for a column of them."""
        if max(remaining) < self._limit:
            return map(self._table.__getitem__, remaining)
        return map(bisect_right, repeat(self._cuts), remaining)

    def add(self, kind: Kind, place: int, count: int) -> None:
        """Count entries of a kind, whose remaining times are in one interval."""
        under = self._kinds.get(kind)
        if under is None:
            under = self._kinds[kind] = names(kind, self._timeouts)
        if not under:
            return
        timeout = self._timeouts[under[0]]
        held = self._held.setdefault(under[0], _Held())
        held.entries += count
        if place and self._cuts[place - 1] > timeout:
            held.unknown += count
            return
        upper = self._cuts[place] if place < len(self._cuts) else self._cuts[-1]
        idle = max(0, timeout - upper)
        held.idle[idle] = held.idle.get(idle, 0) + count
        for name in under:
            for value in self._asked.get(name, ()):
                if upper <= timeout - value:
                    self._freed[name, value] = self._freed.get((name, value), 0) + count

    def freed(self) -> dict[tuple[str, int], int]:
        """How many entries each judged value would free, by name and seconds."""
        return {
            (name, value): self._freed.get((name, value), 0) for name, values in self._asked.items() for value in values
        }

    def held(self) -> dict[str, dict[str, t.Any]]:
        """How many entries each timeout holds, and how long they have been idle.

        For each timeout that holds entries, and each that is judged by request.

        ``idle`` is the seconds that half, a tenth and a hundredth of them have been idle for or longer, and the
        longest, to a tenth; None where it is not known for any. ``unknown`` are entries with more time left than the
        timeout gives.
        """
        return {
            name: {
                "seconds": self._timeouts[name],
                "entries": held.entries,
                "unknown": held.unknown,
                "idle": _quantiles(held.idle),
            }
            for name, held in sorted(self._held.items(), key=lambda item: -item[1].entries)
        }

    def nothing(self, name: str) -> dict[str, t.Any]:
        """What :meth:`held` would say of a timeout that holds nothing."""
        return {"seconds": self._timeouts[name], "entries": 0, "unknown": 0, "idle": _quantiles({})}


def _steps(timeout: int) -> t.Iterator[int]:
    """Idle times to tell apart, from 1 second to a timeout."""
    step = 1
    while step < timeout:
        yield step
        step = max(step + 1, int(step * _RATIO))


def _quantiles(idle: t.Mapping[int, int]) -> dict[str, int | None]:
    total = sum(idle.values())
    found: dict[str, int | None] = dict.fromkeys(("half", "tenth", "hundredth", "longest"))
    if not total:
        return found
    found["longest"] = max(idle)
    for name, part in (("half", 2), ("tenth", 10), ("hundredth", 100)):
        longer = 0
        for seconds in sorted(idle, reverse=True):
            longer += idle[seconds]
            if longer * part >= total:
                found[name] = seconds
                break
    return found
