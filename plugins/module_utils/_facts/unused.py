# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether connection tracking is loaded for nothing. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._facts.reason import NOTE, Facts, megabytes, reason


def look(facts: Facts) -> t.Iterator[dict[str, str]]:
    """The reason for that, where it is so."""
    modules = facts.get("modules") or {}
    if facts.get("entries") != 0 or facts.get("state") != "loaded" or "nf_conntrack" not in modules:
        return
    # Rules of every network namespace pin a module.
    waiting, seen = ["nf_conntrack"], set()
    while waiting:
        name = waiting.pop()
        if name not in seen and name in modules:
            seen.add(name)
            if modules[name].get("pins") != 0:
                return
            waiting += modules[name].get("holders") or []
    size = (facts.get("memory") or {}).get("buckets_bytes")
    cost = f"; its hash table takes {megabytes(size)}" if size else ""
    yield reason(
        "unused",
        NOTE,
        "nf_conntrack is loaded and nothing uses it: there is no entry, and no rule of any network namespace needs"
        f" it{cost}.",
        "If this host needs no connection tracking, use conntrack_modules with stack: conntrack and state: absent,"
        " which unloads and blocks it.",
    )
