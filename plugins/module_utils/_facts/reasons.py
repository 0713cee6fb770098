# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a table, and for each reason its cause and what to do about it. Pure.

Counters only ever grow, from the boot or the last load of nf_conntrack on. What happened long ago is therefore a note,
which does not make a host ill; a warning or worse is about the present: the entries now, a rate, a message that is not
old, or a setting that can be put right.
"""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._facts.reason import (
    CRITICAL,
    NOTE,
    WARNING,
    Facts,
    Limits,
    megabytes,
    reason,
)
from ansible_collections.netops.conntrack.plugins.module_utils._keys import INT_MAX

#: A message of the kernel of so many seconds ago is about now, and about the last day.
_NOW, _A_DAY = 900, 86400

#: A table that will be full within so many seconds is told of below ``usage_warning`` too.
_SOON = 600

#: From so many entries per bucket on, long chains are no surprise.
_CROWDED = 8

#: The share of memory that conntrack_settings lets a full table take without ``force``.
_MEMORY_PERCENT = 25

#: Failures a second from which they are more than the odd clash of two packets.
_MANY = 1

_SINCE = "since the counters began (at the boot, or at the last load of nf_conntrack)"

_ASK_AGAIN = "Gather the facts with interval: 5 to see whether it continues"

#: Timeouts below a second, which show as 0: 300 ms by themselves on Linux 4.18 and 4.19 (nf_conntrack_proto_sctp.c).
_BELOW_A_SECOND = ("sctp_shutdown_sent", "sctp_shutdown_recd")

#: The reason by kinds of drift, by which a boot changes what is, fails to set what somebody wanted, or is not the only
#: one that sets it. The others have no effect at all.
_REASONS = {
    "runtime": "drift",
    "not_at_load": "drift",
    "not_read": "drift",
    "not_loaded": "drift",
    "race": "writers",
    "writer": "writers",
}
_WITHOUT_EFFECT = "lines_without_effect"


# --- numbers in words


def _counted(number: float, one: str, more: str) -> str:
    """``1 entry``, ``1,900 entries``, ``0.4 entries``."""
    text = f"{number:,.1f}" if number < 10 and number != int(number) else f"{number:,.0f}"
    return f"{text} {one if number == 1 else more}"


def _duration(seconds: int) -> str:
    """``40 seconds``, ``14 minutes``, ``3 hours``, ``2 days``, rounded down."""
    for size, one in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{seconds // size} {one}s"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


# --- what several look at


def _rate(facts: Facts, name: str) -> float | None:
    rate: float | None = (facts.get("rates") or {}).get(name)
    return rate


def _counter(facts: Facts, name: str) -> int:
    return (facts.get("statistics") or {}).get(name) or 0


def _usage(facts: Facts) -> float | None:
    """Entries in percent of the limit, by the exact numbers; None where there is none, or it is not known."""
    entries, limit = facts.get("entries"), facts.get("max")
    return 100 * entries / limit if entries is not None and limit else None


def _more_room(facts: Facts) -> str:
    """How to make the table larger."""
    limit = facts.get("max") or 0
    larger = min(1 << (2 * limit - 1).bit_length(), INT_MAX) if limit else 0
    if limit and larger <= limit:
        return "lower timeouts with conntrack_settings, because max cannot be larger"
    memory = facts.get("memory") or {}
    cost = ""
    if larger and memory.get("entry_bytes") and memory.get("host_bytes"):
        full = larger * memory["entry_bytes"] + (memory.get("buckets_bytes") or 0)
        share = 100 * full / memory["host_bytes"]
        if share > _MEMORY_PERCENT:
            return (
                "lower timeouts with conntrack_settings, because a table twice as large could take"
                f" {share:.0f} % of the memory"
            )
        cost = f" (a full table then takes at most {megabytes(full)}, {share:.1f} % of the memory)"
    setting = f"max: {larger}" if larger else "max"
    if facts.get("initial_namespace") is False:
        return f"set {setting} with conntrack_settings on the host itself{cost}, because a container cannot"
    return f"set {setting} with conntrack_settings{cost}"


def _free_or_enlarge(facts: Facts) -> str:
    return f"Find out with conntrack_entries_info who fills it, and {_more_room(facts)}"


# --- the reasons, one function each


def _look_at_usage(facts: Facts, limits: Limits) -> t.Iterator[dict[str, str]]:
    usage = _usage(facts)
    if usage is None:
        return
    entries, limit, left = facts["entries"], facts["max"], _rate(facts, "seconds_to_full")
    if usage >= limits.critical:
        severity = CRITICAL
    elif usage >= limits.warning:
        severity = CRITICAL if left is not None and left <= _SOON else WARNING
    elif left is not None and left <= _SOON:
        # A burst into an empty table is nothing to wake anybody for.
        severity = WARNING if usage >= limits.warning / 2 else NOTE
    else:
        return
    in_use = f"{entries:,} of {limit:,} entries"
    if entries >= limit:
        message = f"The table is full ({in_use}): packets of new connections are dropped."
    else:
        message = f"The table is {int(usage)} % full ({in_use}){_tendency(facts)}."
    remedy = _free_or_enlarge(facts)
    if facts.get("rates") is None:
        remedy += "; interval: 5 shows how soon it is full"
    yield reason("usage", severity, message, remedy + ".")


def _tendency(facts: Facts) -> str:
    growth, left = _rate(facts, "entries_per_second"), _rate(facts, "seconds_to_full")
    if growth is None:
        return ""
    if growth > 0 and left is not None:
        return f" and grows by {_counted(growth, 'entry', 'entries')} a second: full in {_duration(int(left))}"
    if growth < 0:
        return f" and shrinks by {_counted(-growth, 'entry', 'entries')} a second"
    return " and does not grow"


def _look_at_drops(facts: Facts, limits: Limits) -> t.Iterator[dict[str, str]]:
    total, rate = _counter(facts, "drop"), _rate(facts, "drops_per_second")
    if rate:
        usage, evicted = _usage(facts), _rate(facts, "early_drops_per_second")
        message = f"The kernel drops {_counted(rate, 'packet', 'packets')} a second"
        if evicted or (usage is not None and usage >= limits.critical):
            yield reason("drops", CRITICAL, f"{message}, because the table is full.", _free_or_enlarge(facts) + ".")
            return
        severity = WARNING if rate >= _MANY else NOTE
        message += ", though the table is not full: packets of one connection clash, or memory is short"
        remedy = "Look at insert_failed, which counts the clashes, and for 'out of memory' in the kernel log."
        yield reason("drops", severity, message + ".", remedy)
    elif total:
        message = f"{_counted(total, 'packet was', 'packets were')} dropped {_SINCE}{_none_now(facts, rate)}."
        remedy = (
            f"{_ASK_AGAIN}; a full table is the usual cause."
            if rate is None
            else "Nothing to do now; watch usage_percent."
        )
        yield reason("drops", NOTE, message, remedy)


def _none_now(facts: Facts, rate: float | None) -> str:
    seconds = _rate(facts, "seconds")
    return (
        ""
        if rate is None or seconds is None
        else f", none of them in the last {_counted(seconds, 'second', 'seconds')}"
    )


def _look_at_early_drops(facts: Facts, _limits: Limits) -> t.Iterator[dict[str, str]]:
    total, rate = _counter(facts, "early_drop"), _rate(facts, "early_drops_per_second")
    if rate:
        message = (
            f"The kernel evicts {_counted(rate, 'entry', 'entries')} a second before their time, because the table is"
            " full."
        )
        yield reason("early_drops", WARNING, message, _free_or_enlarge(facts) + ".")
    elif total:
        message = (
            f"{_counted(total, 'entry was', 'entries were')} evicted to make room {_SINCE}{_none_now(facts, rate)}."
        )
        remedy = (
            f"{_ASK_AGAIN}; the table was full then." if rate is None else "Nothing to do now; watch usage_percent."
        )
        yield reason("early_drops", NOTE, message, remedy)


def _look_at_insert_failures(facts: Facts, _limits: Limits) -> t.Iterator[dict[str, str]]:
    total, rate = _counter(facts, "insert_failed"), _rate(facts, "insert_failures_per_second")
    cause = "two packets of one connection came at once, or NAT had no free port"
    remedy = (
        "For DNS, let resolvers send one question at a time (options single-request-reopen in resolv.conf) or use TCP;"
        " for NAT, add addresses or ports to translate to."
    )
    if rate:
        severity = WARNING if rate >= _MANY else NOTE
        message = f"{_counted(rate, 'connection', 'connections')} a second cannot be entered into the table: {cause}."
        yield reason("insert_failures", severity, message, remedy)
    elif total:
        message = (
            f"{_counted(total, 'connection', 'connections')} could not be entered into the table {_SINCE}"
            f"{_none_now(facts, rate)}: {cause}."
        )
        yield reason("insert_failures", NOTE, message, remedy if rate is not None else f"{_ASK_AGAIN}.")


def _look_at_chains(facts: Facts, _limits: Limits) -> t.Iterator[dict[str, str]]:
    total, rate = _counter(facts, "chain_too_long"), _rate(facts, "chain_too_long_per_second")
    per_bucket = facts.get("entries_per_bucket")
    is_crowded = per_bucket is not None and per_bucket >= _CROWDED
    if not rate and not total:
        return
    if is_crowded:
        cause = f"a full table has {per_bucket:g} entries per bucket, which is too many"
        remedy = "Set hashsize: auto with conntrack_settings, which makes it one entry per bucket"
        remedy += ", on the host itself." if facts.get("initial_namespace") is False else "."
    else:
        # The hash leaves out the zone of a direction that a zone is not for (hash_zone_id()).
        cause = (
            "too many entries share one bucket, those of all network namespaces together, or the same addresses and"
            " ports in many zones"
        )
        remedy = (
            "Gather namespaces as well: if all of them together have several entries for each bucket, set a larger"
            " hashsize with conntrack_settings; else find the busiest zones with conntrack_entries_info."
        )
    if rate:
        message = f"The kernel refuses {_counted(rate, 'connection', 'connections')} a second: {cause}."
        yield reason("chains", WARNING, message, remedy)
        return
    severity = WARNING if is_crowded and rate is None else NOTE
    message = (
        f"{_counted(total, 'connection was', 'connections were')} refused {_SINCE}{_none_now(facts, rate)}: {cause}."
    )
    yield reason("chains", severity, message, remedy)


def _look_at_kernel_log(facts: Facts, limits: Limits) -> t.Iterator[dict[str, str]]:
    log = facts.get("kernel_log") or {}
    lines, here, age = log.get("lines") or 0, log.get("lines_here") or 0, log.get("last_here_seconds_ago")
    if here and age is not None:
        usage = _usage(facts)
        severity = NOTE
        if age <= _A_DAY:
            has_room = usage is not None and usage < limits.warning
            severity = WARNING if age > _NOW or has_room else CRITICAL
        message = f'The kernel log says "table full, dropping packet" {_times(here)}, last {_duration(age)} ago.'
        yield reason("kernel_log", severity, message, _free_or_enlarge(facts) + ".")
    others, age = lines - here, log.get("last_seconds_ago")
    # In a container the others are not its own business.
    if others > 0 and age is not None and facts.get("initial_namespace"):
        # The last line may be one of this namespace, so the others are at least as old.
        severity = WARNING if age <= _A_DAY else NOTE
        message = (
            f'The kernel log says "table full, dropping packet" {_times(others)} of other network namespaces, such as'
            f" containers, last {_duration(age)} ago or earlier."
        )
        remedy = (
            "Gather namespaces as well (gather_subset) to see which is full; all have the same limit:"
            f" {_more_room(facts)}."
        )
        yield reason("kernel_log_elsewhere", severity, message, remedy)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


def _look_at_limit(facts: Facts, _limits: Limits) -> t.Iterator[dict[str, str]]:
    if facts.get("max") == 0:
        where = " on the host itself" if facts.get("initial_namespace") is False else ""
        yield reason(
            "no_limit",
            WARNING,
            "The table has no limit (max is 0): a flood of connections can take all of the host's memory.",
            f"Set max: auto with conntrack_settings{where}.",
        )


def _look_at_timeouts(facts: Facts, _limits: Limits) -> t.Iterator[dict[str, str]]:
    timeouts = facts.get("timeouts") or {}
    known = [(name, seconds) for name, seconds in sorted(timeouts.items()) if seconds is not None]
    wrong = [f"{name} {seconds}" for name, seconds in known if seconds < (0 if name in _BELOW_A_SECOND else 1)]
    if wrong:
        yield reason(
            "timeouts",
            WARNING,
            "Entries with a timeout of 0 or less are forgotten at once, so their answers belong to no connection:"
            f" {', '.join(wrong)}.",
            "Set these timeouts with conntrack_settings; the kernel's documentation has its defaults.",
        )


def _look_at_drift(facts: Facts, _limits: Limits) -> t.Iterator[dict[str, str]]:
    for name, severity, one, more, remedy in (
        (
            "drift",
            WARNING,
            "One value differs from what the next boot sets, or will not be set as intended",
            "{} values differ from what the next boot sets, or will not be set as intended; the first",
            "Set the value that you want with conntrack_settings or the role conntrack_tuning, live and for every"
            " boot, or remove the line.",
        ),
        (
            "writers",
            WARNING,
            "Something else also sets one value that the boot sets, or may do so",
            "Something else also sets {} values that the boot sets, or may do so; the first",
            "Remove the value there, or set the same value there and with conntrack_settings.",
        ),
        (
            _WITHOUT_EFFECT,
            NOTE,
            "One line for connection tracking has no effect",
            "{} lines for connection tracking have no effect; the first",
            "Remove such lines, or correct them: some make sysctl -p fail for the whole file.",
        ),
    ):
        items = [item for item in facts.get("drift") or [] if _REASONS.get(item.get("kind"), _WITHOUT_EFFECT) == name]
        if items:
            words = one if len(items) == 1 else more.format(len(items))
            yield reason(name, severity, f"{words}: {items[0].get('message')}.", remedy)


def _look_at_boot(facts: Facts, _limits: Limits) -> t.Iterator[dict[str, str]]:
    problem = facts.get("persistent_problem")
    if not problem:
        return
    if facts.get("persistent") is None:
        message = "What the next boot sets is not known"
        remedy = "Run this as root (-b, become: true), which reads every file, or see what is wrong with that file."
    else:
        message = "It is not known whether the next boot sets any sysctl lines"
        remedy = (
            "Find out what sets net.netfilter keys when this host boots, and compare it with timeouts and settings."
        )
    yield reason("boot", NOTE, f"{message}: {problem}.", remedy)


def _look_at_load(facts: Facts, _limits: Limits) -> t.Iterator[dict[str, str]]:
    problem = facts.get("load_problem")
    if problem:
        remedy = "Remove that option, or set hashsize: auto with conntrack_settings, which removes it."
        yield reason("load", WARNING, f"nf_conntrack cannot be loaded any more: {problem}.", remedy)


def _look_at_namespaces(facts: Facts, limits: Limits) -> t.Iterator[dict[str, str]]:
    limit = facts.get("max")
    for namespace in facts.get("namespaces") or []:
        entries = namespace.get("entries")
        if namespace.get("here") or entries is None or not limit or 100 * entries / limit < limits.warning:
            continue
        severity = CRITICAL if 100 * entries / limit >= limits.critical else WARNING
        message = (
            f"The table of network namespace {namespace.get('name')} is {int(100 * entries / limit)} % full"
            f" ({entries:,} of {limit:,} entries)."
        )
        remedy = f"Find out who fills it with conntrack_entries_info and its option namespace, and {_more_room(facts)}."
        yield reason("namespaces", severity, message, remedy)


def look(facts: Facts, limits: Limits) -> t.Iterator[dict[str, str]]:
    """All reasons."""
    for look_at in _LOOKS:
        yield from look_at(facts, limits)


#: All that is looked at. What else sets the keys (writers) has its place behind the drift.
_LOOKS: tuple[t.Callable[[Facts, Limits], t.Iterator[dict[str, str]]], ...] = (
    _look_at_usage,
    _look_at_drops,
    _look_at_early_drops,
    _look_at_insert_failures,
    _look_at_chains,
    _look_at_kernel_log,
    _look_at_namespaces,
    _look_at_limit,
    _look_at_timeouts,
    _look_at_load,
    _look_at_drift,
    _look_at_boot,
)
