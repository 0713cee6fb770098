# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts of a made fleet give: facts and entries of plain numbers, and anything at all."""

from __future__ import annotations

import typing as t

from hypothesis import strategies as st

#: Facts of a host whose table is full to the last entry.
FULL: dict[str, t.Any] = {
    "state": "loaded", "entries": 65535, "max": 65536, "usage_percent": 100.0, "buckets": 65536,
    "statistics": {"drop": 1299, "early_drop": 0, "insert_failed": 7},
    "health": {"status": "critical", "reasons": []},
}  # fmt: skip


def gave(facts: t.Any) -> dict[str, t.Any]:
    """What a task that ran conntrack_facts registers."""
    return {"ansible_facts": {"conntrack": facts}}


def reason(name: str, severity: str) -> dict[str, str]:
    """One of the reasons of a verdict on health."""
    return {"reason": name, "severity": severity, "message": f"What {name} is.", "remedy": f"What helps {name}."}


def counted(number: int, total: int, margin: float = 0.0, **names: t.Any) -> dict[str, t.Any]:
    """An item of a list of the busiest."""
    share = round(100 * number / total, 2)
    return {**names, "entries": number, "share_percent": share, "margin_percent": margin, "estimate": number}


def entries(
    total: int = 1000, source: str = "10.0.0.1", count: int = 400, margin: float = 0.0, **more: t.Any
) -> dict[str, t.Any]:
    """What a task that ran conntrack_entries_info registers."""
    return {
        "tracking": True, "total": total, "limit": 2000, "read": total, "complete": margin == 0.0, "advice": [],
        "sources": [counted(count, total, margin, source=source)],
        "destinations": [counted(total, total, margin, destination="10.0.0.9")],
        "ports": [counted(total, total, margin, protocol="udp", port=53)],
        "nat_ports": [], "timeouts": {"udp": {"seconds": 30, **counted(total, total, margin)}},
        **more,
    }  # fmt: skip


NAT_PORTS = counted(700, 1000, address="192.0.2.1", protocol="tcp", destination="10.0.0.9", port=443, used_percent=93.2)

_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


@st.composite
def broken(draw: st.DrawFn, whole: t.Any) -> t.Any:
    """Something with anything in one of its places."""
    if isinstance(whole, dict) and whole and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(whole)))
        return {**whole, key: draw(broken(whole[key]))}
    if isinstance(whole, list) and whole and draw(st.integers(0, 4)):
        return [draw(broken(whole[0])), *whole[1:]]
    return draw(_ANY)
