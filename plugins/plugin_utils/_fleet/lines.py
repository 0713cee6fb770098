# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A line for each host of a fleet, and below it what is not well there. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet import document
from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet.words import (
    below,
    duration,
    printable,
    short,
    usage_bar,
)

#: The columns, with their widths; the first is to the left. The host comes last, since its name may be of any length.
_COLUMNS = (
    ("health", 8), ("usage", 8), ("", 4), ("entries", 7), ("max", 4), ("buckets", 7), ("drops", 5), ("early", 5),
    ("failed", 6),
)  # fmt: skip
_FULL_IN = ("full in", 7)

#: What is told in other words below a host's line.
_TOLD_BELOW = ("drift", "writers")


def text(about: document.Document) -> str:
    """The whole fleet, worst first, and how many hosts are how."""
    hosts = about["hosts"]
    columns = (*_COLUMNS, _FULL_IN) if any((host["facts"] or {}).get("rates") for host in hosts) else _COLUMNS
    lines = [_row(columns, [title for title, _width in columns], "host")]
    for host in hosts:
        lines.append(_row(columns, _cells(host), host["name"]))
        lines += [line for told in _below(host) for line in below(told)]
    return "\n".join([*lines, "", _summary(hosts)])


def _row(columns: t.Sequence[tuple[str, int]], cells: t.Sequence[str], name: str) -> str:
    first, *others = zip(cells, (width for _title, width in columns))
    parts = [first[0].ljust(first[1]), others[0][0].ljust(others[0][1])]
    parts += [cell.rjust(width) for cell, width in others[1:]]
    return " ".join([*parts, printable(name)]).rstrip()


def _cells(host: document.Host) -> list[str]:
    verdict, facts = document.health(host), host["facts"]
    if verdict == document.UNREACHABLE:
        verdict = "no reply"
    if facts is None:
        return [verdict, "", *[""] * (len(_COLUMNS) - 1)]
    if facts.get("state") == "absent":
        return [verdict, "not used", *["-"] * (len(_COLUMNS) - 1)]
    usage, counters = facts.get("usage_percent"), facts.get("statistics") or {}
    percent = "?" if usage is None else f"{usage:.0f}%"
    if facts.get("max") == 0:
        percent = "none"  # no limit, so no usage
    return [
        verdict,
        usage_bar(usage),
        percent,
        *(short(facts.get(name)) for name in ("entries", "max", "buckets")),
        *(short(counters.get(name)) for name in ("drop", "early_drop", "insert_failed")),
        duration((facts.get("rates") or {}).get("seconds_to_full")),
    ]


def _below(host: document.Host) -> t.Iterator[str]:
    if host["reason"]:
        yield host["reason"]
    facts = host["facts"]
    if facts is None:
        return
    # A note is nothing to act on.
    for reason in (facts.get("health") or {}).get("reasons") or []:
        if reason["severity"] != "note" and reason["reason"] not in _TOLD_BELOW:
            yield f"{reason['message']} {reason['remedy']}"
    yield from _kept_out(facts)
    if facts.get("persistent_problem"):
        unknown = "boot values unknown" if facts.get("persistent") is None else "no boot values"
        yield f"{unknown}: {facts['persistent_problem']}"
    if facts.get("load_problem"):
        yield facts["load_problem"]
    drift = facts.get("drift") or []
    for item in drift:
        live = item.get("runtime")
        is_beside = live is None or str(live) in item["message"]
        yield item["message"] if is_beside else f"{item['message']}; live it is {live}"
    told = {(item.get("file"), item.get("line")) for item in drift}
    for writer in facts.get("writers") or []:
        if (writer.get("file"), writer.get("line")) not in told:
            yield writer["message"]


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


def _summary(hosts: t.Sequence[document.Host]) -> str:
    counts: dict[str, int] = {}
    for host in hosts:
        verdict = document.health(host)
        counts[verdict] = counts.get(verdict, 0) + 1
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return f"{len(hosts)} {'host' if len(hosts) == 1 else 'hosts'}: {told or 'none'}"
