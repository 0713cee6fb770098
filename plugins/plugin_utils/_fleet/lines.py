# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A line for each host of a fleet, and below it what is not well there. Pure."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet import document
from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet.words import (
    REASON_LINES,
    UNKNOWN,
    below,
    change,
    duration,
    printable,
    short,
    usage_bar,
)

#: The columns, with their widths. The host comes last, since its name may be of any length.
_COLUMNS = {"health": 8, "usage": 6, "": 4, "used": 4, "max": 4, "buckets": 7, "drops": 5, "early": 5, "fails": 5}
#: The same where rates were asked for. The buckets make room for them: names of 17 characters fit within 80 columns.
_WITH_RATES = {
    "health": 8, "usage": 6, "": 4, "used": 4, "max": 4, "drops": 5, "early": 5, "fails": 5, "rate": 5, "full in": 7,
}  # fmt: skip
_TO_THE_LEFT = ("health", "usage")

#: What is told in other words below a host's line.
_TOLD_BELOW = ("drift", "writers")

#: How many of the values that wait for a load are told.
_PENDING = 4


def text(about: document.Document) -> str:
    """The whole fleet, worst first, and how many hosts are how."""
    hosts = about["hosts"]
    columns = _WITH_RATES if any((host["facts"] or {}).get("rates") for host in hosts) else _COLUMNS
    lines = [_row(columns, {title: title for title in columns}, "host")]
    for host in hosts:
        lines.append(_row(columns, _cells(host), host["name"]))
        if host["reason"]:
            lines += below(host["reason"], REASON_LINES)
        lines += [line for told in _below(host["facts"] or {}) for line in below(told)]
    return "\n".join([*lines, "", _summary(hosts)])


def _row(columns: t.Mapping[str, int], cells: t.Mapping[str, str], name: str) -> str:
    parts = [
        cells.get(title, "").ljust(width) if title in _TO_THE_LEFT else cells.get(title, "").rjust(width)
        for title, width in columns.items()
    ]
    return " ".join([*parts, printable(name)]).rstrip()


def _cells(host: document.Host) -> dict[str, str]:
    """What stands below each title; nothing where the host gave no facts."""
    verdict, facts = document.health(host), host["facts"]
    told = {"health": "no reply" if verdict == document.UNREACHABLE else verdict}
    if facts is None:
        return told
    if facts.get("state") == "absent":
        return {**dict.fromkeys((*_COLUMNS, *_WITH_RATES), "-"), **told, "usage": "unused"}
    entries, limit = facts.get("entries"), facts.get("max")
    counters, rates = facts.get("statistics") or {}, facts.get("rates") or {}
    # By the exact numbers and rounded down, as in the words of its health: only a table that is full has 100 %.
    usage = 100 * entries / limit if entries is not None and limit else None
    percent = UNKNOWN if usage is None else f"{math.floor(usage)}%"
    if limit == 0:
        percent = "none"
    return {
        **told,
        "usage": usage_bar(usage),
        "": percent,
        "used": short(entries),
        "max": short(limit),
        "buckets": short(facts.get("buckets")),
        "drops": short(counters.get("drop")),
        "early": short(counters.get("early_drop")),
        "fails": short(counters.get("insert_failed")),
        "rate": change(rates.get("entries_per_second")),
        "full in": duration(rates.get("seconds_to_full")),
    }


def _below(facts: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """What there is to know beyond a host's line: what is wrong, what waits, what differs."""
    # A note is nothing to act on.
    reasons = [reason for reason in (facts.get("health") or {}).get("reasons") or [] if reason["severity"] != "note"]
    helped: set[str] = set()
    for reason in reasons:
        if reason["reason"] not in _TOLD_BELOW:
            yield reason["message"] if reason["remedy"] in helped else f"{reason['message']} {reason['remedy']}"
            helped.add(reason["remedy"])
    yield from _not_readable(facts)
    yield from _kept_out(facts)
    yield from _pending(facts)
    if facts.get("persistent_problem"):
        unknown = "boot values unknown" if facts.get("persistent") is None else "no boot values"
        yield f"{unknown}: {facts['persistent_problem']}"
    if facts.get("load_problem"):
        yield facts["load_problem"]
    yield from _differing(facts)
    # Once where both have the same.
    yield from dict.fromkeys(reason["remedy"] for reason in reasons if reason["reason"] in _TOLD_BELOW)


def _not_readable(facts: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Why a column has a question mark."""
    shown = (facts.get("entries"), facts.get("max"), facts.get("buckets"), facts.get("statistics"))
    if facts.get("state") != "absent" and None in shown:
        for file in facts.get("unreadable") or []:
            yield f"{file['path']} cannot be read: {file['reason']}"


def _kept_out(facts: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """What modprobe.d keeps out, and which services need it."""
    blocked = facts.get("blocked") or {}
    # Without connection tracking there is no NAT: a line that blocks both is told once.
    stack = next((name for name in ("conntrack", "nat") if blocked.get(name)), None)
    if stack is None:
        return
    needs = [need["message"] for need in facts.get("needed_by") or [] if need["stack"] == stack]
    what = "connection tracking" if stack == "conntrack" else "NAT"
    more = "; these services need it, and do not start, or start without their rules:" if needs else ""
    yield f"{what} is blocked by {blocked[stack]['file']}:{blocked[stack]['line']}{more}"
    yield from needs


def _pending(facts: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """What waits for a load of nf_conntrack."""
    values = facts.get("persistent") or {}
    if facts.get("state") != "absent" or (facts.get("blocked") or {}).get("conntrack") or not values:
        return
    told = [f"{key} = {value['boot']}" for key, value in list(values.items())[:_PENDING]]
    others = len(values) - len(told)
    yield f"pending until nf_conntrack is loaded: {', '.join(told)}{f' and {others} more' if others else ''}"


def _differing(facts: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """What differs from the next boot, with the live value beside, and what else sets values."""
    drift = facts.get("drift") or []
    for item in drift:
        live = item.get("runtime")
        is_beside = live is None or str(live) in item["message"]
        yield item["message"] if is_beside else f"{item['message']}; live it is {live}"
    told = {(item.get("file"), item.get("line")) for item in drift}
    for writer in facts.get("writers") or []:
        if (writer.get("file"), writer.get("line")) not in told:
            yield writer["message"]


def _summary(hosts: t.Sequence[document.Host]) -> str:
    counts: dict[str, int] = {}
    for host in hosts:
        verdict = document.health(host)
        counts[verdict] = counts.get(verdict, 0) + 1
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return f"{len(hosts)} {'host' if len(hosts) == 1 else 'hosts'}: {told or 'none'}"
