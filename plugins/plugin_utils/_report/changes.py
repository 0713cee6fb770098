# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What changed in a fleet since an earlier document. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.plugin_utils._report import words
from ansible_collections.netops.conntrack.plugins.plugin_utils._report.host import SILENT, STATES, state_of
from ansible_collections.netops.conntrack.plugins.plugin_utils._report.unusual import settings
from ansible_collections.netops.conntrack.plugins.plugin_utils._report.values import at, mapping, mappings, number

#: A usage that changed by fewer points than this is the same.
_POINTS = 1


class Was(t.NamedTuple):
    """A value of a host that is another than it was, in words.

    :ivar what: the setting; None where the list says what it is.
    """

    host: str
    before: str
    now: str
    what: str = ""


class Changes(t.NamedTuple):
    """What changed.

    :ivar since: the time of the earlier document.
    :ivar new: hosts that the earlier document does not have.
    :ivar gone: hosts that only the earlier document has.
    :ivar worse: hosts whose state is worse.
    :ivar better: hosts whose state is better.
    :ivar settings: max, buckets, timeouts and other keys with another value.
    :ivar usage: the usage, most changed first.
    """

    since: str
    new: list[str]
    gone: list[str]
    worse: list[Was]
    better: list[Was]
    settings: list[Was]
    usage: list[Was]


def compare(earlier: dict[str, t.Any], now: dict[str, t.Any]) -> Changes:
    """What changed between two documents."""
    before, after = _by_name(earlier), _by_name(now)
    both = [name for name in after if name in before]
    worse: list[Was] = []
    better: list[Was] = []
    changed: list[Was] = []
    usage: list[tuple[float, Was]] = []
    for name in both:
        was, is_now = state_of(before[name]), state_of(after[name])
        if was != is_now:
            list_of = worse if STATES.index(is_now) < STATES.index(was) else better
            list_of.append(Was(name, was, is_now))
        if SILENT not in (was, is_now):
            changed += _settings(name, before[name], after[name])
            usage += _usage(name, before[name], after[name])
    usage.sort(key=lambda item: -abs(item[0]))
    return Changes(
        since=words.text(at(earlier, "time")),
        new=[name for name in after if name not in before],
        gone=[name for name in before if name not in after],
        worse=worse,
        better=better,
        settings=changed,
        usage=[was for _points, was in usage],
    )


def _by_name(document: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    return {words.text(at(host, "name")): host for host in mappings(document, "hosts")}


def _settings(name: str, before: t.Any, now: t.Any) -> list[Was]:
    """Values that both readings know: what one did not read has not changed."""
    old, new = (settings(mapping(host, "facts")) for host in (before, now))
    return [
        Was(name, words.count(old[key]), words.count(value), words.text(key))
        for key, value in new.items()
        if key in old and old[key] != value
    ]


def _usage(name: str, before: t.Any, now: t.Any) -> list[tuple[float, Was]]:
    old, new = (number(host, "facts", "usage_percent") for host in (before, now))
    if old is None or new is None or abs(new - old) < _POINTS:
        return []
    return [(new - old, Was(name, words.percent(old), words.percent(new)))]
