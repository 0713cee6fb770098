# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values as people read them. Pure."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.netops.conntrack.plugins.plugin_utils._report.values import number

#: What stands where there is no value.
NOTHING = "\u2013"

#: No text of a host takes more room on a page than this.
_LONGEST = 400

_PERIODS = ((86400, "d"), (3600, "h"), (60, "min"))


def text(value: t.Any) -> str:
    """Any value on one line, cut where it is long, with a mark for each character that has no shape of its own."""
    if value is None:
        return NOTHING
    words = " ".join(str(value).split())
    if not words.isprintable():
        # Control characters, halves of characters, and those that turn the direction of what follows.
        words = "".join(character if character.isprintable() else "\ufffd" for character in words)
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"


def count(value: t.Any) -> str:
    """``262,144``, and ``12.4`` below a thousand."""
    if number(value) is None:
        return text(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}" if abs(value) < 1000 else f"{value:,.0f}"


def percent(value: t.Any) -> str:
    """``84 %``, which no line breaks apart.

    Rounded down, so that 100 % is full; a share that is not 0 does not look as if it were.
    """
    if number(value) is None:
        return text(value)
    return "<\u00a01\u00a0%" if 0 < value < 1 else f"{math.floor(value)}\u00a0%"


def duration(value: t.Any) -> str:
    """``40 s``, ``14 min``, ``3 h``, ``5 d``, rounded down."""
    if number(value) is None:
        return text(value)
    for size, unit in _PERIODS:
        if value >= 2 * size:
            return f"{value // size:,.0f} {unit}"
    return f"{value:,.0f} s"


def size(value: t.Any) -> str:
    """``192 MiB``."""
    if number(value) is None:
        return text(value)
    return f"{value / 2**20:,.0f} MiB" if value >= 2**20 else f"{value / 1024:,.0f} KiB"


def name(value: t.Any) -> str:
    """``insert failures`` of ``insert_failures``."""
    return text(value).replace("_", " ")
