# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet's document as one page of HTML, which needs nothing else."""

from __future__ import annotations

import base64
import collections
import functools
import hashlib
import re
import typing as t
from pathlib import Path

import jinja2

from ansible_collections.netops.conntrack.plugins.plugin_utils._report import words
from ansible_collections.netops.conntrack.plugins.plugin_utils._report.host import STATES, Bar, View, view
from ansible_collections.netops.conntrack.plugins.plugin_utils._report.unusual import Usual
from ansible_collections.netops.conntrack.plugins.plugin_utils._report.values import at, mapping, mappings, number

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.plugin_utils._report.changes import Changes

#: Beside the playbook, in a checkout as in an installed collection.
_TEMPLATES = Path(__file__).resolve().parents[3] / "playbooks" / "templates"

#: Columns of the chart of all hosts, of so many percent each.
_WIDTH = 5

#: A policy that forbids styles of single elements leaves a class for each length of a bar.
_BARS = "".join(f"._{percent}{{--percent:{percent}%}}" for percent in range(101))

#: So many sources of the whole fleet are shown.
_SOURCES = 10

#: What an anchor has of a host's name; all else is replaced.
_ANCHOR = re.compile(r"[^A-Za-z0-9.-]+")


class Column(t.NamedTuple):
    """A column of the chart of all hosts.

    :ivar percent: where it begins.
    :ivar hosts: how many hosts are in it.
    :ivar height: in percent of the highest column.
    """

    percent: int
    hosts: int
    height: float


def page(document: dict[str, t.Any], changes: Changes | None = None) -> str:
    """The page of a fleet's document.

    :param changes: what changed since an earlier document; None leaves that part out.
    """
    given = mappings(document, "hosts")
    usual = Usual(mapping(host, "facts") for host in given)
    hosts = [view(host, usual) for host in given]
    anchors = _anchors([host.name for host in hosts])
    style, script = _source("report.css") + _BARS, _source("report.js")
    return _environment().get_template("report.html.j2").render(
        time=words.text(at(document, "time")),
        hosts=hosts,
        anchors=anchors,
        anchors_of=dict(zip([host.name for host in hosts], anchors)),
        tally=[(state, sum(host.state == state for host in hosts)) for state in STATES],
        states=STATES,
        has_rates=any(mapping(host, "facts", "rates") for host in given),
        columns=_columns(hosts),
        sources=_sources(given),
        changes=changes,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )  # fmt: skip


@functools.lru_cache(maxsize=None)
def _environment() -> jinja2.Environment:
    """Everything is escaped: names, addresses and contents of files come from hosts."""
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FileSystemLoader(str(_TEMPLATES)),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(count=words.count, duration=words.duration, percentage=words.percent)
    environment.tests["bar"] = lambda cell: isinstance(cell, Bar)
    return environment


def _source(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _hash(source: str) -> str:
    """What a Content-Security-Policy calls an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode("utf-8")).digest()).decode("ascii")


def _anchors(names: t.Sequence[str]) -> list[str]:
    """An anchor for each host, the same in each report: a link into a page is good for the next one too."""
    found, taken = [], set()
    for name in names:
        anchor = "host-" + _ANCHOR.sub("-", name)
        if anchor != "host-" + name or anchor in taken:
            anchor += "-" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        while anchor in taken:
            anchor += "-"
        taken.add(anchor)
        found.append(anchor)
    return found


def _columns(hosts: t.Sequence[View]) -> list[Column]:
    places = collections.Counter(
        min(100 - _WIDTH, max(0, int(host.usage // _WIDTH * _WIDTH))) for host in hosts if host.usage is not None
    )
    highest = max(places.values(), default=0)
    return [Column(place, places[place], 100 * places[place] / highest) for place in range(0, 100, _WIDTH) if highest]


def _sources(hosts: t.Sequence[dict[str, t.Any]]) -> list[tuple[str, int | float, int]]:
    """The busiest sources of the fleet: entries in all tables together, and on how many hosts."""
    total: collections.Counter[str] = collections.Counter()
    seen: collections.Counter[str] = collections.Counter()
    for host in hosts:
        for item in mappings(host, "entries", "sources"):
            estimate = number(item, "estimate")
            source = words.text(at(item, "source"))
            total[source] += int(estimate if estimate is not None else number(item, "entries") or 0)
            seen[source] += 1
    return [(source, entries, seen[source]) for source, entries in total.most_common(_SOURCES)]
