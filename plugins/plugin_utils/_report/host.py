# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a report shows of one host: a row of the fleet's table, and blocks of details. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.plugin_utils._report import words
from ansible_collections.netops.conntrack.plugins.plugin_utils._report.values import (
    at,
    mapping,
    mappings,
    number,
    texts,
)

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.plugin_utils._report.unusual import Usual

#: The states of a host, the worst first, as the page's words have them.
CRITICAL, WARNING, SILENT, OK = "critical", "warning", "no answer", "ok"
STATES = (CRITICAL, WARNING, SILENT, OK)

#: The severity of a reason that does not make a host unwell.
NOTE = "note"

#: No block has more rows than this, and no list of the busiest. The document beside the page has all.
_MOST, _SOURCES, _BUSIEST = 12, 5, 3

#: So many items of a line.
_SHORT = 60

#: Timeouts and states with a smaller share, in percent, have no row of their own.
_SMALL = 1

#: From so many percent on a bar has another colour: those of health, by default.
_WARNING, _CRITICAL = 75, 90


class Bar(t.NamedTuple):
    """A share as a bar.

    :ivar percent: from 0 to 100.
    :ivar level: how bad that is: a state, or an empty text for a share of something that is not bad.
    """

    percent: float
    level: str = ""


class Reason(t.NamedTuple):
    """Why a host is not well, and what helps.

    :ivar severity: critical, warning or note.
    """

    severity: str
    message: str
    remedy: str


class Block(t.NamedTuple):
    """A titled part of a host's details.

    :ivar head: the columns' names of a table; empty for a list, whose rows have one cell.
    :ivar rows: the first cell of a table's row is its name.
    :ivar note: what is left out, in words.
    """

    title: str
    head: tuple[str, ...]
    rows: list[tuple[str | Bar, ...]]
    note: str = ""


class View(t.NamedTuple):
    """What the page shows of a host.

    :ivar state: one of STATES.
    :ivar status: what Ansible says of the host: ok, failed, unreachable or skipped.
    :ivar reason: why a host did not answer; an empty text else.
    :ivar usage: percent; None where there is no table or no limit.
    :ivar left: seconds until the table is full; None where that is not known, or never.
    :ivar why: the reasons in a word or two each, notes left out.
    """

    name: str
    state: str
    status: str
    reason: str
    usage: float | None
    entries: int | float | None
    limit: int | float | None
    left: int | float | None
    drops: int | float | None
    why: list[str]
    reasons: list[Reason]
    blocks: list[Block]

    @property
    def share(self) -> Bar | None:
        """The usage as a bar."""
        return None if self.usage is None else usage_bar(self.usage)


def usage_bar(percent: float) -> Bar:
    """A table's usage as a bar."""
    level = CRITICAL if percent >= _CRITICAL else WARNING if percent >= _WARNING else ""
    return Bar(min(100.0, max(0.0, percent)), level)


def state_of(host: dict[str, t.Any]) -> str:
    """How a host of a document is, as one of STATES."""
    status = at(host, "facts", "health", "status")
    if at(host, "status") != "ok":
        return SILENT
    return status if status in (CRITICAL, WARNING) else OK


def view(host: dict[str, t.Any], usual: Usual) -> View:
    """What a page shows of a host of a document."""
    facts = mapping(host, "facts")
    reasons = mappings(facts, "health", "reasons")
    state = state_of(host)
    reason = words.text(at(host, "reason")) if at(host, "reason") is not None else ""
    rates = mapping(facts, "rates")
    return View(
        name=words.text(at(host, "name")),
        state=state,
        status=words.text(at(host, "status")),
        reason=reason,
        usage=_usage(facts),
        entries=number(facts, "entries"),
        limit=number(facts, "max"),
        left=number(rates, "seconds_to_full"),
        drops=number(rates, "drops_per_second") if rates else number(facts, "statistics", "drop"),
        why=[words.name(at(each, "reason")) for each in reasons if at(each, "severity") in (CRITICAL, WARNING)],
        reasons=[_reason(each) for each in reasons],
        blocks=[block for block in _blocks(facts, mapping(host, "entries"), usual) if block.rows],
    )


def _usage(facts: dict[str, t.Any]) -> float | None:
    """Percent by the exact numbers, as health counts: the fact is rounded, and may say 100 of a table with room."""
    entries, limit = number(facts, "entries"), number(facts, "max")
    return 100 * entries / limit if entries is not None and limit else number(facts, "usage_percent")


def _reason(given: dict[str, t.Any]) -> Reason:
    severity = at(given, "severity")
    known = severity if severity in (CRITICAL, WARNING) else NOTE
    return Reason(known, words.text(at(given, "message")), words.text(at(given, "remedy")))


def _block(title: str, head: tuple[str, ...], rows: t.Iterable[tuple[str | Bar, ...]], most: int = _MOST) -> Block:
    every = list(rows)
    return Block(title, head, every[:most], f"and {len(every) - most:,} more" if len(every) > most else "")


def _list(title: str, items: t.Iterable[t.Any]) -> Block:
    return _block(title, (), ((words.text(item),) for item in items))


def _line(title: str, items: t.Sequence[str]) -> Block:
    """A list of short items in one line."""
    more = [f"and {len(items) - _SHORT:,} more"] if len(items) > _SHORT else []
    return Block(title, (), [("; ".join([*items[:_SHORT], *more]),)] if items else [])


def _blocks(facts: dict[str, t.Any], entries: dict[str, t.Any], usual: Usual) -> t.Iterator[Block]:
    yield _list("What the entries suggest", texts(entries, "advice"))
    yield _table(facts)
    yield _differences(facts, usual)
    yield from _files(facts)
    yield from _who(entries)
    yield _timeouts(facts, entries)
    yield _states(facts, entries)
    yield _pins(facts)
    yield _namespaces(facts)
    yield _list(
        "Could not be read",
        (f"{words.text(at(item, 'path'))}: {words.text(at(item, 'reason'))}" for item in mappings(facts, "unreadable")),
    )


def _table(facts: dict[str, t.Any]) -> Block:
    rates, statistics, memory = (mapping(facts, name) for name in ("rates", "statistics", "memory"))
    log = mapping(facts, "kernel_log")
    full = f"{words.size(at(memory, 'full_table_bytes'))}, {words.text(at(memory, 'full_table_percent'))} % of memory"
    lines = words.count(at(log, "lines"))
    if at(log, "last_seconds_ago") is not None:
        lines += f", last {words.duration(at(log, 'last_seconds_ago'))} ago"
    crowd = words.count(at(facts, "entries_per_bucket"))
    known = [
        ("Connection tracking", {"absent": "not loaded"}.get(str(at(facts, "state")), words.name(at(facts, "state")))),
        ("Kernel", words.text(at(facts, "kernel"))),
        ("Entries", _of(at(facts, "entries"), at(facts, "max"))),
        ("Buckets", words.count(at(facts, "buckets"))),
        ("Entries per bucket", crowd if crowd == words.NOTHING else f"{crowd} when full"),
        ("A full table takes", full if memory else words.NOTHING),
        ("Growth", _each_second(rates, "entries_per_second")),
        ("Full in", words.duration(at(rates, "seconds_to_full"))),
        ("Drops", _counter(statistics, "drop", rates, "drops_per_second")),
        ("Early drops", _unless_none(_counter(statistics, "early_drop", rates, "early_drops_per_second"))),
        ("Insert failures", _unless_none(_counter(statistics, "insert_failed", rates, "insert_failures_per_second"))),
        ("Chains too long", _unless_none(_counter(statistics, "chain_too_long", rates, "chain_too_long_per_second"))),
        ('"Table full" in the kernel log', _unless_none(lines)),
    ]
    return Block("Table", ("What", "Value"), [(name, value) for name, value in known if value != words.NOTHING])


def _of(entries: t.Any, limit: t.Any) -> str:
    if entries is None:
        return words.NOTHING
    return f"{words.count(entries)} of {'no limit' if limit == 0 else words.count(limit)}"


def _each_second(rates: dict[str, t.Any], name: str) -> str:
    rate = at(rates, name)
    return words.NOTHING if rate is None else f"{words.count(rate)} a second"


def _counter(statistics: dict[str, t.Any], name: str, rates: dict[str, t.Any], rate: str) -> str:
    total, now = at(statistics, name), _each_second(rates, rate)
    if total is None:
        return now
    return f"{words.count(total)}, now {now}" if at(rates, rate) else words.count(total)


def _unless_none(value: str) -> str:
    return words.NOTHING if value == "0" else value


def _differences(facts: dict[str, t.Any], usual: Usual) -> Block:
    return _block(
        "Differs from most other hosts",
        ("Setting", "Here", "Most others", "Of others"),
        (
            (words.text(each.setting), words.count(each.value), words.count(each.others), f"{each.hosts} of {each.of}")
            for each in usual.differences(facts)
        ),
    )


def _files(facts: dict[str, t.Any]) -> t.Iterator[Block]:
    yield _list("Drift: what the next boot changes", (at(item, "message") for item in mappings(facts, "drift")))
    yield _list("Other programs that set the same keys", (at(item, "message") for item in mappings(facts, "writers")))
    problems = [at(facts, name) for name in ("persistent_problem", "load_problem")]
    yield _list("Boot and load", (problem for problem in problems if problem is not None))
    blocked = [
        f"{label} is blocked by {words.text(at(line, 'file'))}:{words.text(at(line, 'line'))}"
        for name, label in (("conntrack", "Connection tracking"), ("nat", "NAT"))
        for line in [at(facts, "blocked", name)]
        if line is not None
    ]
    yield _list("Blocked", blocked)
    yield _list("Services that need it", (at(item, "message") for item in mappings(facts, "needed_by")))


def _who(entries: dict[str, t.Any]) -> t.Iterator[Block]:
    for title, label, name in (
        ("Busiest sources", "Source", "sources"),
        ("Busiest destinations", "Destination", "destinations"),
    ):
        items = mappings(entries, name)
        most = _SOURCES if name == "sources" else _BUSIEST
        yield _shares(title, label, ((words.text(at(item, name[:-1])), item) for item in items), most)
    ports = mappings(entries, "ports")
    yield _shares(
        "Busiest ports",
        "Port",
        ((f"{words.text(at(item, 'protocol'))} {words.text(at(item, 'port'))}", item) for item in ports),
        _BUSIEST,
    )
    yield _block(
        "NAT ports",
        ("Address and destination", "Used"),
        (
            (
                f"{words.text(at(item, 'address'))} to {words.text(at(item, 'protocol'))}"
                f" {words.text(at(item, 'destination'))} port {words.text(at(item, 'port'))}",
                usage_bar(number(item, "used_percent") or 0),
            )
            for item in mappings(entries, "nat_ports")
        ),
        _BUSIEST,
    )


def _shares(title: str, label: str, items: t.Iterable[tuple[str, t.Any]], most: int = _MOST) -> Block:
    return _block(title, (label, "Share", "Entries"), ((name, *_share(item)) for name, item in items), most)


def _share(item: t.Any) -> tuple[str | Bar, ...]:
    share = number(item, "share_percent")
    estimate = at(item, "estimate")
    return (
        Bar(min(100.0, max(0.0, share or 0))),
        words.count(at(item, "entries") if estimate is None else estimate),
    )


def _timeouts(facts: dict[str, t.Any], entries: dict[str, t.Any]) -> Block:
    """Each timeout with what it holds, the fullest first; without entries only the seconds."""
    known, held = mapping(facts, "timeouts"), mapping(entries, "timeouts")
    if not held:
        rows = [f"{words.text(name)} {words.text(seconds)}" for name, seconds in known.items()]
        return _line("Timeouts, in seconds", rows)
    return _large(
        "Timeouts with what they hold",
        ("Timeout", "Seconds", "Share", "Entries", "Half idle for"),
        held,
        lambda name, item: (
            words.text(name),
            words.count(at(item, "seconds")),
            *_share(item),
            words.duration(at(item, "idle", "half")),
        ),
        lambda name, item: f"{words.text(name)} {words.text(at(item, 'seconds'))} s",
    )


def _large(
    title: str,
    head: tuple[str, ...],
    items: dict[str, t.Any],
    row: t.Callable[[str, t.Any], tuple[str | Bar, ...]],
    short: t.Callable[[str, t.Any], str],
) -> Block:
    """What has a share of the entries, the largest first, with those that are small in one line."""
    order = sorted(items.items(), key=lambda item: -(number(item[1], "share_percent") or 0))
    large = [item for item in order if (number(item[1], "share_percent") or 0) >= _SMALL][:_MOST]
    small = [item for item in order if item not in large and number(item[1], "entries")]
    note = f"Fewer: {', '.join(short(*item) for item in small[:_MOST])}" if small else ""
    return Block(title, head, [row(*item) for item in large], note)


def _states(facts: dict[str, t.Any], entries: dict[str, t.Any]) -> Block:
    """TCP states of the entries; those of the host's own sockets where the entries were not read."""
    states = mapping(entries, "counts", "tcp_states")
    if states:
        return _large(
            "TCP states of the entries",
            ("State", "Share", "Entries"),
            states,
            lambda name, item: (words.name(name), *_share(item)),
            lambda name, item: f"{words.name(name)} {words.count(at(item, 'entries'))}",
        )
    sockets = [mapping(facts, "sockets", family) for family in ("ipv4", "ipv6")]
    sums = {name: sum(number(family, name) or 0 for family in sockets) for family in sockets for name in family}
    return _block(
        "TCP sockets of the host itself",
        ("State", "Sockets"),
        ((words.name(name), words.count(number_of)) for name, number_of in sums.items() if number_of),
    )


def _pins(facts: dict[str, t.Any]) -> Block:
    modules = [(words.text(name), number(module, "pins")) for name, module in mapping(facts, "modules").items()]
    pinned = [f"{name} {words.count(pins)}" for name, pins in modules if pins]
    return _line("Pins: modules in use by rules, chains or programs", pinned)


def _namespaces(facts: dict[str, t.Any]) -> Block:
    return _block(
        "Network namespaces",
        ("Namespace", "Entries", "Drops"),
        (
            (
                "the module's own" if at(item, "name") is None else words.text(at(item, "name")),
                words.count(at(item, "entries")),
                words.count(at(item, "drop")),
            )
            for item in mappings(facts, "namespaces")
        ),
    )
