# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of the expected kind out of what hosts returned, which may be anything. Pure."""

from __future__ import annotations

import math
import typing as t


def at(node: t.Any, *names: str) -> t.Any:
    """What is below a node by these names, one below the other; None where there is nothing."""
    for name in names:
        node = node.get(name) if isinstance(node, dict) else None
    return node


def mapping(node: t.Any, *names: str) -> dict[str, t.Any]:
    """The dict below a node; an empty one where there is none."""
    found = at(node, *names)
    return found if isinstance(found, dict) else {}


def mappings(node: t.Any, *names: str) -> list[dict[str, t.Any]]:
    """The dicts of the list below a node."""
    found = at(node, *names)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def texts(node: t.Any, *names: str) -> list[str]:
    """The texts of the list below a node."""
    found = at(node, *names)
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def number(node: t.Any, *names: str) -> int | float | None:
    """The finite number below a node."""
    found = at(node, *names)
    is_number = isinstance(found, (int, float)) and not isinstance(found, bool) and math.isfinite(found)
    return found if is_number else None
