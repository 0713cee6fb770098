# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One verdict on what was read. Pure.

What finds the reasons, and has their words, is loaded where something is out of the ordinary.
"""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._facts.reason import NOTE, OK, SEVERITIES, Facts, Limits

#: The parts that a verdict stands on.
PARTS = ("table", "timeouts", "statistics", "modules", "persistent", "memory", "kernel_log")

_COUNTERS = ("drop", "early_drop", "insert_failed", "chain_too_long")


def judge(facts: Facts, limits: Limits) -> dict[str, t.Any]:
    """``health`` of the facts.

    :param facts: as :func:`gather` returns them. A part that is not there, or None, is not judged.
    """
    found: list[dict[str, str]] = []
    if not _is_ordinary(facts, limits):
        from ansible_collections.netops.conntrack.plugins.module_utils._facts import reasons

        found += reasons.look(facts, limits)
    if facts.get("entries") == 0:
        from ansible_collections.netops.conntrack.plugins.module_utils._facts import unused

        found += unused.look(facts)
    found.sort(key=lambda reason: SEVERITIES.index(reason["severity"]))
    worst = found[0]["severity"] if found else NOTE
    return {"status": OK if worst == NOTE else worst, "reasons": found}


def _is_ordinary(facts: Facts, limits: Limits) -> bool:
    """Whether nothing is there that any of ``reasons`` is about."""
    if any(facts.get(part) for part in ("rates", "namespaces", "drift", "persistent_problem", "load_problem")):
        return False
    entries, limit, statistics = facts.get("entries"), facts.get("max"), facts.get("statistics") or {}
    if limit == 0 or (entries is not None and limit and 100 * entries >= limits.warning * limit):
        return False
    log = facts.get("kernel_log") or {}
    if log.get("lines") or log.get("lines_here") or any(statistics.get(name) for name in _COUNTERS):
        return False
    return all(seconds is None or seconds > 0 for seconds in (facts.get("timeouts") or {}).values())
