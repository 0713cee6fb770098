# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who fills the tables of a fleet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet import document, who


def item(entries, total, margin=0.0, **names):
    share = round(100 * entries / total, 2)
    return {**names, "entries": entries, "share_percent": share, "margin_percent": margin, "estimate": entries}


def entries(total=1000, limit=2000, source="10.0.0.1", count=400, margin=0.0, **more):
    return {
        "tracking": True, "total": total, "limit": limit, "read": total, "complete": margin == 0.0, "advice": [],
        "sources": [item(count, total, margin, source=source)],
        "destinations": [item(total, total, margin, destination="10.0.0.9")],
        "ports": [item(total, total, margin, protocol="udp", port=53)],
        "nat_ports": [], "timeouts": {"udp": {"seconds": 30, **item(total, total, margin)}},
        **more,
    }  # fmt: skip


def shown(**results):
    return who.text(document.make(results, "", results)).splitlines()


def test_of_a_host_the_busiest_are_told_and_what_to_do():
    nat = item(700, 1000, address="192.0.2.1", protocol="tcp", destination="10.0.0.9", port=443)
    told = shown(gw1=entries(nat_ports=[{**nat, "used_percent": 93.2}], advice=["Set udp to 10 seconds."]))
    assert told == [
        "gw1: 1,000 entries of 2,000",
        "  sources",
        "    10.0.0.1  40.0 %",
        "  destinations",
        "    10.0.0.9  100.0 %",
        "  ports",
        "    udp 53  100.0 %",
        "  NAT ports",
        "    192.0.2.1 to 10.0.0.9 tcp port 443  70.0 %, 93 % of its ports used",
        "  timeouts",
        "    udp 30 s  100.0 %",
        "  Set udp to 10 seconds.",
    ]


def test_what_has_hardly_any_entries_is_not_listed():
    assert "  sources" not in shown(gw1=entries(total=100_000, count=9))


def test_a_sample_says_so_with_its_margin():
    told = shown(gw1=entries(margin=0.4))
    assert told[0] == "gw1: 1,000 entries of 2,000, by a sample of 1,000"
    assert told[2] == "    10.0.0.1  40.0 % +-0.4"


def test_the_fullest_table_comes_first_and_all_are_added_up_over_the_fleet():
    told = shown(a=entries(), b=entries(total=1900, count=1500, margin=1.0), c=entries(source="10.0.0.2"))
    assert [line.split(":")[0] for line in told if line[:1] not in ("", " ")] == ["b", "a", "c", "The whole fleet"]
    fleet = told[told.index("The whole fleet: 3,900 entries on 3 hosts") :]
    assert "    10.0.0.1  48.7 % +-0.5, 1.9k on 2 hosts" in fleet
    assert "    10.0.0.2  10.3 %, 400 on 1 host" in fleet


def test_hosts_that_gave_nothing_are_told_with_the_reason():
    told = shown(a={"unreachable": True, "msg": "no route"}, b={"failed": True, "msg": "that needs root"})
    assert told == ["a: no reply", "  no route", "b: failed", "  that needs root"]


def test_a_host_without_connection_tracking_has_no_lists():
    assert shown(a=entries(tracking=False)) == ["a: connection tracking is not used"]


@given(st.text(), st.text())
def test_nothing_of_a_host_reaches_the_terminal_but_plain_text(name, source):
    told = who.text(document.make({name: entries()}, "", {name: entries(source=source, advice=[source])}))
    assert told.replace("\n", "").isprintable()
