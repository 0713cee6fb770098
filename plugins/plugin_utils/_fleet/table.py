# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet as CSV: a line a host, in columns that stay where they are. Pure."""

from __future__ import annotations

import csv
import io
import typing as t

from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet.words import printable

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet import document

#: Columns of the host's facts by name, each with the way to it in the facts.
_OF_FACTS: dict[str, tuple[str, ...]] = {
    "state": ("state",),
    "kernel": ("kernel",),
    "entries": ("entries",),
    "max": ("max",),
    "usage_percent": ("usage_percent",),
    "buckets": ("buckets",),
    "drop": ("statistics", "drop"),
    "early_drop": ("statistics", "early_drop"),
    "insert_failed": ("statistics", "insert_failed"),
    "entries_per_second": ("rates", "entries_per_second"),
    "drops_per_second": ("rates", "drops_per_second"),
    "seconds_to_full": ("rates", "seconds_to_full"),
    "table_full_lines": ("kernel_log", "lines_here"),
    "full_table_bytes": ("memory", "full_table_bytes"),
}

#: How spreadsheets know a formula. A host's texts may be anything, and must not be run by them.
_FORMULA = ("=", "+", "-", "@")

COLUMNS = ("host", "status", "health", *_OF_FACTS, "drift", "writers", "reasons", "reason")


def text(about: document.Document) -> str:
    """The hosts, worst first, under a line with the names of the columns."""
    return lines(COLUMNS, (_row(host) for host in about["hosts"]))


def lines(columns: t.Sequence[str], rows: t.Iterable[t.Sequence[t.Any]]) -> str:
    """Rows as CSV, safe for a terminal and for a spreadsheet."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return stream.getvalue()


def _row(host: document.Host) -> list[t.Any]:
    facts = host["facts"] or {}
    health = facts.get("health") or {}
    return [
        host["name"],
        host["status"],
        health.get("status"),
        *(_at(facts, way) for way in _OF_FACTS.values()),
        *(None if facts.get(name) is None else len(facts[name]) for name in ("drift", "writers")),
        " ".join(f"{reason['reason']}:{reason['severity']}" for reason in health.get("reasons") or []),
        host["reason"],
    ]


def _at(facts: t.Any, way: t.Sequence[str]) -> t.Any:
    for name in way:
        facts = facts.get(name) if isinstance(facts, dict) else None
    return facts


def _cell(value: t.Any) -> t.Any:
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
