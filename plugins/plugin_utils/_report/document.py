# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The document of a fleet, from what the tasks of a playbook returned of each host. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.plugin_utils._report.earlier import FORMAT, VERSION
from ansible_collections.netops.conntrack.plugins.plugin_utils._report.host import STATES, state_of
from ansible_collections.netops.conntrack.plugins.plugin_utils._report.values import at, mapping, number

#: What a host that has no seconds to full is sorted as.
_NEVER = float("inf")


def document(results: t.Mapping[str, t.Mapping[str, t.Any]], time: str) -> dict[str, t.Any]:
    """The document of these hosts, the worst first, then by how close each is to a full table.

    :param results: by host, the result of conntrack_facts as ``facts``, and of conntrack_entries_info as ``entries``;
        either may be missing.
    :param time: when they were read.
    """
    hosts = [_host(name, found.get("facts"), found.get("entries")) for name, found in results.items()]
    return {"format": FORMAT, "version": VERSION, "time": time, "hosts": sorted(hosts, key=_closeness)}


def _host(name: str, facts: t.Any, entries: t.Any) -> dict[str, t.Any]:
    status, reason = _status(facts)
    entries_status, entries_reason = _status(entries)
    if status == "ok" and entries_status in ("failed", "unreachable"):
        reason = f"Who fills the table could not be read: {entries_reason}"
    return {
        "name": str(name),
        "status": status,
        "reason": reason,
        "facts": at(facts, "ansible_facts", "conntrack") if status == "ok" else None,
        "entries": _without_ansibles_own(entries) if entries_status == "ok" else None,
    }


def _status(result: t.Any) -> tuple[str, str | None]:
    """What became of a task, and why."""
    if not isinstance(result, dict):
        return "skipped", "This host was not asked"
    for status in ("unreachable", "failed", "skipped"):
        if at(result, status):
            return status, str(at(result, "msg") or at(result, "skip_reason") or "No reason was given")
    return "ok", None


def _without_ansibles_own(entries: dict[str, t.Any]) -> dict[str, t.Any]:
    own = ("changed", "failed", "invocation", "warnings", "deprecations")
    return {name: value for name, value in entries.items() if name not in own and not name.startswith("_ansible")}


def _closeness(host: dict[str, t.Any]) -> tuple[t.Any, ...]:
    facts = mapping(host, "facts")
    left, usage = number(facts, "rates", "seconds_to_full"), number(facts, "usage_percent")
    full = usage is not None and usage >= 100
    # Seconds count where they are few; a table that grows slowly is not nearer to full than a fuller one.
    soon = left if left is not None and left <= _SOON else _NEVER
    return STATES.index(state_of(host)), not full, soon, -(usage or 0), host["name"]


#: A table that is full within so many seconds is nearer to full than any that is not, whatever its usage.
_SOON = 3600
