# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what a host gave is what its module returns. A host may give anything, and must not end the run of all.

Pure.
"""

from __future__ import annotations

import typing as t

#: A type, or a record (a dict with names), or a list of a shape, or one of those below.
Shape = t.Any


class Maybe(t.NamedTuple):
    """What may also be null or missing."""

    shape: Shape


class Named(t.NamedTuple):
    """A dict of any names, all to things of one shape."""

    shape: Shape


_NUMBER = (int, float)
#: More than any counter of a kernel, and less than what arithmetic of floats takes.
_LARGEST = 2.0**64

_FILE = {"file": str, "line": Maybe(int)}
_COUNTED = {"entries": int, "share_percent": _NUMBER, "margin_percent": _NUMBER, "estimate": Maybe(int)}

FACTS: Shape = {
    "state": Maybe(str),
    "kernel": Maybe(str),
    **dict.fromkeys(("entries", "max", "usage_percent", "buckets"), Maybe(_NUMBER)),
    "statistics": Maybe(dict.fromkeys(("drop", "early_drop", "insert_failed"), Maybe(_NUMBER))),
    "rates": Maybe(dict.fromkeys(("entries_per_second", "drops_per_second", "seconds_to_full"), Maybe(_NUMBER))),
    "kernel_log": Maybe({"lines_here": Maybe(int)}),
    "memory": Maybe({"full_table_bytes": Maybe(int)}),
    "health": Maybe(
        {"status": str, "reasons": Maybe([dict.fromkeys(("reason", "severity", "message", "remedy"), str)])}
    ),
    "unreadable": Maybe([{"path": str, "reason": str}]),
    "blocked": Maybe({"nat": Maybe(_FILE), "conntrack": Maybe(_FILE)}),
    "needed_by": Maybe([{"stack": str, "message": str}]),
    "persistent": Maybe(Named({"boot": _NUMBER})),
    "persistent_problem": Maybe(str),
    "load_problem": Maybe(str),
    "drift": Maybe([{"message": str, "runtime": Maybe(int), "file": Maybe(str), "line": Maybe(int)}]),
    "writers": Maybe([{"message": str, "file": Maybe(str), "line": Maybe(int)}]),
}

ENTRIES: Shape = {
    "tracking": bool,
    "total": int,
    "limit": Maybe(int),
    "read": int,
    "complete": bool,
    "sources": [{"source": str, **_COUNTED}],
    "destinations": [{"destination": str, **_COUNTED}],
    "ports": [{"protocol": str, "port": int, **_COUNTED}],
    "nat_ports": [
        {"address": str, "protocol": str, "destination": str, "port": Maybe(int), "used_percent": _NUMBER, **_COUNTED}
    ],
    "timeouts": Named({"seconds": int, **_COUNTED}),
    "advice": [str],
}


def misfits(value: t.Any, shape: Shape, place: str) -> t.Iterator[str]:
    """The places where a value is not of a shape."""
    if isinstance(shape, Maybe):
        if value is not None:
            yield from misfits(value, shape.shape, place)
    elif isinstance(shape, list) and isinstance(value, list):
        for number, item in enumerate(value):
            yield from misfits(item, shape[0], f"{place}[{number}]")
    elif isinstance(shape, Named) and isinstance(value, dict):
        for name, item in value.items():
            yield from misfits(item, shape.shape, f"{place}.{name}")
    elif isinstance(shape, dict) and isinstance(value, dict):
        for name, inner in shape.items():
            yield from misfits(value.get(name), inner, f"{place}.{name}")
    elif isinstance(shape, (list, Named, dict)) or not isinstance(value, shape) or not _is_sane(value):
        yield place


def _is_sane(value: t.Any) -> bool:
    """Whether a number is one to calculate with: no NaN, and not so large that floats end."""
    return not isinstance(value, _NUMBER) or abs(value) < _LARGEST
