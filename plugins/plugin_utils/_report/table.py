# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet's document as CSV, one line for each host. Pure."""

from __future__ import annotations

import csv
import io
import typing as t

from ansible_collections.netops.conntrack.plugins.plugin_utils._report.host import state_of
from ansible_collections.netops.conntrack.plugins.plugin_utils._report.values import at, mappings, number

#: The columns, and where in a host's facts the number of each is. Later versions may add columns at the end.
_NUMBERS = {
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
}
COLUMNS = ("name", "status", "health", *_NUMBERS, "drift", "writers", "reasons", "reason")

#: What makes a spreadsheet take a text for a formula.
_FORMULA = ("=", "+", "-", "@")


def table(document: dict[str, t.Any]) -> str:
    """The lines, with a line of the columns' names before them. What is not known is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for host in mappings(document, "hosts"):
        facts = at(host, "facts")
        health = at(facts, "health", "status")
        reasons = [str(at(each, "reason")) for each in mappings(facts, "health", "reasons")]
        writer.writerow([
            _text(at(host, "name")),
            _text(at(host, "status")),
            "" if health is None else state_of(host),
            *(number(facts, *place) for place in _NUMBERS.values()),
            _count(facts, "drift"),
            _count(facts, "writers"),
            _text(" ".join(reasons)),
            _text(at(host, "reason")),
        ])  # fmt: skip
    return text.getvalue()


def _text(value: t.Any) -> str:
    """A text on one line, which no spreadsheet takes for a formula."""
    text = "" if value is None else " ".join(str(value).split())
    text = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return "'" + text if text.startswith(_FORMULA) else text


def _count(facts: t.Any, name: str) -> int | str:
    return len(mappings(facts, name)) if isinstance(at(facts, name), list) else ""
