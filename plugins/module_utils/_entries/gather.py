# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What conntrack_entries_info returns: one dump of the table, read as a stream, counted by all that is asked."""

from __future__ import annotations

import socket
import typing as t
from collections import Counter

from ansible_collections.netops.conntrack.plugins.module_utils._entries import (
    advice,
    dump,
    nat_ports,
    reading,
    tables,
    what_if,
)
from ansible_collections.netops.conntrack.plugins.module_utils._entries.count import Counts, address
from ansible_collections.netops.conntrack.plugins.module_utils._entries.sampling import Sample
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, DIRECTORY

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._entries.bounded import Bounded
    from ansible_collections.netops.conntrack.plugins.module_utils._entries.request import Request
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

#: What a module returns, of plain types.
Result = t.Dict[str, t.Any]

#: States in which a kernel whose table is 95 % full evicts an entry though it is assured (``tcp_can_early_drop()``,
#: ``sctp_can_early_drop()``, ``dccp_can_early_drop()``).
_CLOSING = {
    dump.TCP: ("fin_wait", "close_wait", "last_ack", "time_wait", "close"),
    dump.SCTP: ("shutdown_sent", "shutdown_recd", "shutdown_ack_sent"),
    dump.DCCP: ("closereq", "closing", "timewait"),
}

_OFFLOADED = dump.OFFLOAD | dump.HW_OFFLOAD
_FAMILIES = (int(socket.AF_INET), int(socket.AF_INET6))


def gather(host: Host, request: Request) -> Result:
    """Read the table and return what is asked.

    :raises InvalidInput: there is no such namespace or timeout.
    :raises HostError: the kernel does not give the table, or not whole.
    :raises Refused: the process may not.
    """
    table = tables.connect(host, request.namespace)
    if table is None:
        judge = what_if.Judge({}, {})
        counts = Counts(request.meant, judge, request.prefixes)
        empty = tables.Keys(entries=0, limit=0, buckets=0, timeouts={})
        found = _Found(counts, judge, empty, Sample(0, 0, complete=True))
        return _result(request, found, tracking=False)
    with table.socket:
        judge = what_if.Judge(table.keys.timeouts, what_if.candidates(request.what_if, table.keys.timeouts))
        counts = Counts(request.meant, judge, request.prefixes, request.entries)
        datagrams = reading.dump(table.socket, request.meant)
        complete = reading.count(datagrams, counts, request.sample)
    population = table.keys.entries if request.meant.is_empty else None
    sample = Sample(counts.matched, population, complete)
    result = _result(request, _Found(counts, judge, table.keys, sample), tracking=True)
    buckets = host.read_number(f"{DIRECTORY}/{BUCKETS}") or table.keys.buckets
    filtered = not request.meant.is_empty
    result["advice"] = advice.give(result, table.keys, buckets != table.keys.buckets, filtered)
    return result


class _Teller:
    """Turns counts into what is returned of each."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample

    def item(self, count: int, of_many: int = 1, error: int = 0) -> Result:
        """How many were counted, and what that says of the whole table."""
        return {
            "entries": count,
            "share_percent": self._sample.percent(count),
            "margin_percent": self._sample.margin(count, of_many, error),
            "estimate": self._sample.estimate(count),
        }

    def by_name(self, counted: t.Mapping[str, int]) -> dict[str, Result]:
        """One for each name, the most first."""
        return {name: self.item(count) for name, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))}

    def top(self, known: t.Sequence[tuple[int, Result, int]], length: int) -> list[Result]:
        """The busiest of (count, what it is, error of the count)."""
        first = sorted(known, key=lambda item: (-item[0], str(item[1])))[:length]
        return [{**what, **self.item(count, len(first), error)} for count, what, error in first]


class _Found(t.NamedTuple):
    """What was read, and what it is judged by."""

    counts: Counts
    judge: what_if.Judge
    keys: tables.Keys
    sample: Sample


def _result(request: Request, found: _Found, tracking: bool) -> Result:
    counts, judge, keys, sample = found.counts, found.judge, found.keys, found.sample
    tell = _Teller(sample)
    classes = _classes(counts)
    for (kind, place), count in classes.items():
        judge.add(kind, place, count)
    evictable = sum(count for (kind, _place), count in classes.items() if _may_be_evicted(kind))
    return {
        "tracking": tracking,
        "total": keys.entries,
        "limit": keys.limit,
        "read": counts.read,
        "matched": counts.matched,
        "complete": sample.complete,
        "margin_percent": sample.widest,
        "counts": _counted(counts, classes, tell, request.top),
        "sources": _addresses(counts.sources, "source", request, tell),
        "destinations": _addresses(counts.destinations, "destination", request, tell),
        "ports": _ports(counts, request, tell),
        "pairs": _pairs(counts, request, tell),
        "timeouts": _timeouts(judge, tell, asked=request.what_if is not None),
        "nat_ports": _nat_ports(counts, request, tell),
        "early_drop_percent": sample.percent(evictable),
        "entries": [entry.as_result() for entry in counts.examples],
        "advice": [] if tracking else [advice.NO_TRACKING],
    }


def _classes(counts: Counts) -> Counter[tuple[what_if.Kind, int]]:
    """How many entries of each kind have their remaining time in each interval."""
    found: Counter[tuple[what_if.Kind, int]] = Counter()
    for counted in counts.classes.values():
        for (protocol, status, state, flag, place), count in counted.items():
            found[what_if.Kind(protocol, status, None if state < 0 else state, bool(flag)), place] += count
    return found


def _may_be_evicted(kind: what_if.Kind) -> bool:
    if kind.status & _OFFLOADED:
        return False
    return not kind.status & dump.ASSURED or dump.state_name(kind.protocol, kind.state) in _CLOSING.get(
        kind.protocol, ()
    )


def _counted(counts: Counts, classes: t.Mapping[tuple[what_if.Kind, int], int], tell: _Teller, length: int) -> Result:
    protocols: Counter[str] = Counter()
    states: Counter[str] = Counter()
    nat: Counter[str] = Counter()
    status = {"assured": 0, "unreplied": 0, "offloaded": 0, "expected": 0}
    for (kind, _place), count in classes.items():
        protocols[dump.protocol_name(kind.protocol)] += count
        if kind.protocol == dump.TCP:
            states[dump.state_name(dump.TCP, kind.state) or "none"] += count
        nat[_NAT_KINDS[kind.status & (dump.SRC_NAT | dump.DST_NAT)]] += count
        status["assured"] += count if kind.status & dump.ASSURED else 0
        status["unreplied"] += 0 if kind.status & dump.SEEN_REPLY else count
        status["offloaded"] += count if kind.status & _OFFLOADED else 0
        status["expected"] += count if kind.status & dump.EXPECTED else 0
    families = {dump.FAMILIES[family]: sum(counted.values()) for family, counted in counts.classes.items()}
    zones = [(count, {"zone": zone}, 0) for zone, count in counts.zones.items()]
    marks = [(count, {"mark": mark}, counts.marks.error) for mark, count in counts.marks.items()]
    return {
        "families": tell.by_name({name: count for name, count in families.items() if count}),
        "protocols": tell.by_name(protocols),
        "tcp_states": tell.by_name(states),
        **{name: tell.item(count) for name, count in status.items()},
        "nat": tell.by_name(nat),
        "zones": tell.top(zones, length),
        "marks": tell.top(marks, length),
    }


_NAT_KINDS = {0: "none", dump.SRC_NAT: "source", dump.DST_NAT: "destination", dump.SRC_NAT | dump.DST_NAT: "both"}


def _busiest(counted: Bounded, length: int) -> list[tuple[t.Any, int]]:
    """Those of a counter that may be listed: not all of them are worth a name."""
    return sorted(counted.items(), key=lambda item: -item[1])[: length * 2 + 10]


def _prefix(request: Request, family: int) -> int:
    return request.prefixes.ipv4 if family == socket.AF_INET else request.prefixes.ipv6


def _addresses(counted: t.Mapping[int, Bounded], name: str, request: Request, tell: _Teller) -> list[Result]:
    known = [
        (count, {name: address(key, _prefix(request, family))}, counted[family].error)
        for family in _FAMILIES
        for key, count in _busiest(counted[family], request.top)
    ]
    return tell.top(known, request.top)


def _pairs(counts: Counts, request: Request, tell: _Teller) -> list[Result]:
    known = []
    for family in _FAMILIES:
        prefix = _prefix(request, family)
        for (source, destination), count in _busiest(counts.pairs[family], request.top):
            what = {"source": address(source, prefix), "destination": address(destination, prefix)}
            known.append((count, what, counts.pairs[family].error))
    return tell.top(known, request.top)


def _ports(counts: Counts, request: Request, tell: _Teller) -> list[Result]:
    known = [
        (count, {"protocol": dump.protocol_name(protocol), "port": word >> 16}, counts.ports.error)
        for (protocol, word), count in counts.ports.items()
        if protocol in dump.WITH_PORTS
    ]
    return tell.top(known, request.top)


def _timeouts(judge: what_if.Judge, tell: _Teller, asked: bool) -> dict[str, Result]:
    """What each timeout holds; by request also those that hold nothing."""
    held = judge.held()
    told: dict[str, Result] = {}
    freed: dict[str, list[Result]] = {}
    for (name, seconds), count in judge.freed().items():
        counted = tell.item(count)
        freed.setdefault(name, []).append({"seconds": seconds, "frees": counted.pop("entries"), **counted})
    for name in [*held, *(name for name in freed if asked and name not in held)]:
        about = held.get(name) or judge.nothing(name)
        told[name] = {**about, **tell.item(about["entries"]), "what_if": freed.get(name, [])}
    return told


def _nat_ports(counts: Counts, request: Request, tell: _Teller) -> list[Result]:
    known = [
        (count / nat_ports.size(key[0], key[1]), count, key, family)
        for family in _FAMILIES
        for key, count in counts.nat[family].items()
    ]
    fullest = sorted(known, key=lambda item: -item[0])[: request.top]
    return [
        _nat_port(key, family, tell.item(count, len(fullest), counts.nat[family].error))
        for _used, count, key, family in fullest
    ]


def _nat_port(key: tuple[int, int, t.Any, t.Any, int], family: int, counted: Result) -> Result:
    protocol, pool, nat_address, destination, word = key
    bits = 32 if family == socket.AF_INET else 128
    first, last = nat_ports.pool(protocol, pool)
    taken = counted["entries"] if counted["estimate"] is None else counted["estimate"]
    return {
        "address": address(nat_address, bits),
        "protocol": dump.protocol_name(protocol),
        "destination": address(destination, bits),
        "port": word >> 16 if protocol in dump.WITH_PORTS else None,
        "first_port": first,
        "last_port": last,
        "used_percent": round(min(100.0, 100 * taken / (last - first + 1)), 2),
        **counted,
    }
