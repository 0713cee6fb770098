# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who fills the tables of a fleet."""

from __future__ import annotations

import csv
import io

from fleet_made import NAT_PORTS, broken, entries
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet import document, who


def shown(**results):
    return who.text(document.make(results, "", results)).splitlines()


def test_of_a_host_the_busiest_are_told_and_what_to_do():
    told = shown(gw1=entries(nat_ports=[NAT_PORTS], advice=["Set udp to 10 seconds."]))
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


def test_over_the_fleet_timeouts_are_added_up_and_the_fullest_nat_ports_are_told_with_their_host():
    told = shown(a=entries(nat_ports=[NAT_PORTS]), b=entries(nat_ports=[{**NAT_PORTS, "used_percent": 99.8}]))
    assert told[-5:] == [
        "  timeouts",
        "    udp  100.0 %, 2.0k on 2 hosts",
        "  NAT ports, the fullest",
        "    b: 192.0.2.1 to 10.0.0.9 tcp port 443  100 %",
        "    a: 192.0.2.1 to 10.0.0.9 tcp port 443  93 %",
    ]


def test_hosts_that_gave_nothing_are_told_with_the_reason():
    told = shown(a={"unreachable": True, "msg": "no route"}, b={"failed": True, "msg": "that needs root"})
    assert told == ["a: no reply", "  no route", "b: failed", "  that needs root"]


def test_a_host_without_connection_tracking_has_no_lists():
    assert shown(a=entries(tracking=False)) == ["a: connection tracking is not used"]


@given(st.text(), st.text())
def test_nothing_of_a_host_reaches_the_terminal_but_plain_text(name, source):
    told = who.text(document.make({name: entries()}, "", {name: entries(source=source, advice=[source])}))
    assert told.replace("\n", "").isprintable()


def test_for_programs_each_of_the_busiest_is_a_line_and_so_is_a_host_that_gave_nothing():
    results = {"a": entries(nat_ports=[NAT_PORTS]), "b": {"failed": True, "msg": "that needs root"}}
    rows = list(csv.DictReader(io.StringIO(who.csv_text(document.make(results, "", results)))))
    assert tuple(rows[0]) == who.COLUMNS
    known = [{name: value for name, value in row.items() if value} for row in rows]
    assert known[0] == {"host": "b", "status": "failed", "reason": "that needs root"}
    assert known[1] == {
        "host": "a", "status": "ok", "list": "sources", "name": "10.0.0.1", "entries": "400", "share_percent": "40.0",
        "margin_percent": "0.0",
    }  # fmt: skip
    assert [row["list"] for row in known[2:]] == ["destinations", "ports", "nat_ports", "timeouts"]
    assert known[4]["used_percent"] == "93.2" and known[5]["seconds"] == "30"


@given(broken(entries(nat_ports=[NAT_PORTS], advice=["Do it."])))
def test_one_host_that_gives_anything_at_all_leaves_the_others_their_lines(odd):
    results = {"odd": odd if isinstance(odd, dict) else {}, "gw1": entries()}
    about = document.make(results, "", results)
    assert "gw1: 1,000 entries of 2,000" in who.text(about).splitlines()
    assert "gw1,ok,sources,10.0.0.1,400" in who.csv_text(about)
