# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast the table fills and loses, from two readings some seconds apart. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

#: Counters as the facts name them, and what is told of each.
_COUNTERS = {
    "drops_per_second": "drop",
    "early_drops_per_second": "early_drop",
    "insert_failures_per_second": "insert_failed",
    "chain_too_long_per_second": "chain_too_long",
}

#: Counters are 32 bits wide, for each CPU by itself, and begin again at 0 (struct ip_conntrack_stat).
_WRAP = 2**32


class Reading(Record):
    """What was read at one moment.

    :ivar clock: seconds, of a clock that only goes forward.
    :ivar entries: entries in the table; None where that is not known.
    :ivar counters: each counter with a number for each CPU; None where there are none.
    """

    clock: float
    entries: int | None
    counters: t.Mapping[str, t.Sequence[int]] | None


def between(first: Reading, second: Reading, limit: int | None) -> dict[str, t.Any]:
    """The rates of the facts; None for each that cannot be told.

    :param limit: the most entries that the table takes; None or 0 where there is no limit.
    """
    seconds = second.clock - first.clock
    growth = None
    if first.entries is not None and second.entries is not None and seconds > 0:
        growth = (second.entries - first.entries) / seconds
    rates: dict[str, t.Any] = {
        "seconds": round(seconds, 2),
        "entries_per_second": None if growth is None else round(growth, 2),
        "seconds_to_full": _seconds_to_full(second.entries, limit, growth),
    }
    for name, counter in _COUNTERS.items():
        grown = _grown(first, second, counter)
        rates[name] = None if grown is None or seconds <= 0 else round(grown / seconds, 2)
    return rates


def _seconds_to_full(entries: int | None, limit: int | None, growth: float | None) -> int | None:
    """Whole seconds until the table is full at this rate; None where it has no limit or does not grow."""
    if entries is None or not limit:
        return None
    if entries >= limit:
        return 0
    return None if growth is None or growth <= 0 else int((limit - entries) / growth)


def _grown(first: Reading, second: Reading, counter: str) -> int | None:
    """How much a counter has grown, summed over all CPUs; None where it is not there or began anew."""
    before, after = (reading.counters or {} for reading in (first, second))
    if counter not in before or counter not in after or len(before[counter]) != len(after[counter]):
        return None
    grown = [(new - old) % _WRAP for old, new in zip(before[counter], after[counter])]
    # None counts to half of all that fits within a reading: it was set back, as by a new load of nf_conntrack.
    return None if any(number >= _WRAP // 2 for number in grown) else sum(grown)
