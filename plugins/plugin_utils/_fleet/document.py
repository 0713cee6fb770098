# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was gathered of a fleet, as one document: docs/fleet.md describes it. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet import shape

Host = t.Dict[str, t.Any]
Document = t.Dict[str, t.Any]

FORMAT, VERSION = "netops.conntrack fleet", 1

OK, FAILED, UNREACHABLE, SKIPPED = "ok", "failed", "unreachable", "skipped"

#: Health, and what became of asking, the worst first. What is not known may be bad, so it comes before what is well.
_RANKS = ("critical", "warning", UNREACHABLE, FAILED, SKIPPED, "ok")

#: A table that is full within so many seconds is nearer to full than any that is not, whatever its usage.
_SOON = 3600
_NEVER = float("inf")


def make(
    results: t.Mapping[str, t.Mapping[str, t.Any] | None],
    time: str,
    entries: t.Mapping[str, t.Mapping[str, t.Any] | None] | None = None,
) -> Document:
    """The document of a fleet, its hosts in the order worst first.

    :param results: what a task that ran conntrack_facts registered, by host; None where it did not run.
    :param time: when that was, in UTC as of ISO 8601.
    :param entries: the same of conntrack_entries_info; None where it was not run at all.
    """
    hosts = [_host(name, result, (entries or {}).get(name)) for name, result in results.items()]
    return {"format": FORMAT, "version": VERSION, "time": time, "hosts": sorted(hosts, key=_rank)}


def problem(document: t.Any) -> str:
    """Why something is no document that this collection can read; empty where it is one."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        return f"it is not a document of a fleet: its format is not {FORMAT!r}"
    if document.get("version") != VERSION:
        return f"its version is {document.get('version')!r}, and this collection reads version {VERSION}"
    hosts = document.get("hosts")
    if not isinstance(hosts, list) or not all(isinstance(host, dict) and "name" in host for host in hosts):
        return "its hosts are not a list of hosts with names"
    return ""


def _host(name: str, result: t.Mapping[str, t.Any] | None, entries: t.Mapping[str, t.Any] | None) -> Host:
    status, reason = _status(result)
    facts, about = None, None
    if status == OK and result:
        facts, reason = _sound((result.get("ansible_facts") or {}).get("conntrack"), shape.FACTS, "facts")
    if status == OK and entries is not None:
        about_status, why = _status(entries)
        if about_status == OK:
            told = {key: value for key, value in entries.items() if not _is_ansibles(key)}
            about, why = _sound(told, shape.ENTRIES, "entries")
        if why and about_status != SKIPPED:
            reason = f"its entries are not known: {why}"
    if status == OK and facts is None and about is None:
        status, reason = FAILED, reason or "the host gave no facts"
    return {"name": name, "status": status, "reason": reason, "facts": facts, "entries": about}


def _sound(value: t.Any, expected: shape.Shape, name: str) -> tuple[t.Any, str | None]:
    """What a host gave, or None and why it is not told: whatever answered there, it was not our module."""
    misfit = next(shape.misfits(value, shape.Maybe(expected), name), None)
    return (value, None) if misfit is None else (None, f"the host gave what the module does not return: {misfit}")


#: What Ansible adds to every result.
_OF_ANSIBLE = frozenset({"changed", "failed", "warnings", "deprecations", "invocation", "ansible_facts"})


def _is_ansibles(key: str) -> bool:
    return key in _OF_ANSIBLE or key.startswith("_ansible")


def _status(result: t.Mapping[str, t.Any] | None) -> tuple[str, str | None]:
    if not result:
        return SKIPPED, "it was not asked"
    for status in (UNREACHABLE, FAILED, SKIPPED):
        if result.get(status):
            return status, _reason(result)
    return OK, None


#: Ansible's words where a module, or its Python, broke: the reason is in what was printed.
_BROKE = ("MODULE FAILURE", "Module result deserialization failed", "The module failed to execute correctly")
_SEE = "See stdout/stderr for the exact error"


def _reason(result: t.Mapping[str, t.Any]) -> str:
    told = next((str(result[key]) for key in ("msg", "skip_reason", "exception") if result.get(key)), "")
    # ansible-core 2.19 begins with words that say no more than the status does.
    told = " ".join(told.split()).removeprefix("Task failed: ").removesuffix(_SEE).rstrip()
    printed = _telling_line(str(result.get("module_stderr") or ""))
    if printed and (not told or told.startswith(_BROKE)):
        return f"{told.rstrip('.')}: {printed}" if told else printed
    return told or "no reason is given"


def _telling_line(printed: str) -> str:
    """The line of what a failed program printed that says why: the last of a traceback, or else the first."""
    lines = [line.strip() for line in printed.splitlines() if line.strip() and not line.startswith("Shared connection")]
    return (lines[-1] if any(line.startswith("Traceback") for line in lines) else lines[0]) if lines else ""


def health(host: Host) -> str:
    """What counts of a host: the verdict on its health, or what became of asking it."""
    if host["status"] != OK or host["facts"] is None:
        return str(host["status"])
    return str((host["facts"].get("health") or {}).get("status", OK))


def _rank(host: Host) -> tuple[int, bool, float, float, str]:
    """What hosts are sorted by: how they are, and then how close each is to a full table."""
    facts = host["facts"] or {}
    left: float | None = (facts.get("rates") or {}).get("seconds_to_full")
    usage: float = facts.get("usage_percent") or 0.0
    verdict = health(host)
    place = _RANKS.index(verdict) if verdict in _RANKS else len(_RANKS)
    soon = left if left is not None and left <= _SOON else _NEVER
    return place, usage < 100, soon, -usage, str(host["name"])  # percent
