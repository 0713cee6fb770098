# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fleets
import pytest
from conftest import HOST_NAMES

from ansible_collections.netops.conntrack.plugins.plugin_utils._report.host import Bar, state_of, usage_bar, view
from ansible_collections.netops.conntrack.plugins.plugin_utils._report.unusual import Usual


def shown(facts, entries=None, fleet=()):
    return view(fleets.host("gw1", facts, entries), Usual([facts, *fleet]))


def block(of, title):
    return next(block for block in of.blocks if block.title == title)


@pytest.mark.parametrize(
    ("host", "state"),
    [
        ({"status": "ok", "facts": {"health": {"status": "ok"}}}, "ok"),
        ({"status": "ok", "facts": {"health": {"status": "warning"}}}, "warning"),
        ({"status": "ok", "facts": {"health": {"status": "critical"}}}, "critical"),
        ({"status": "ok", "facts": {"health": {"status": "<script>"}}}, "ok"),
        ({"status": "unreachable", "facts": None}, "no answer"),
        ({"status": "failed", "facts": None}, "no answer"),
        ({"status": "skipped", "facts": None}, "no answer"),
    ],
)
def test_the_state_is_one_of_four_words(host, state):
    assert state_of(host) == state


def test_a_bar_is_never_longer_than_its_place_and_says_when_it_is_bad():
    assert usage_bar(-3) == Bar(0, "") and usage_bar(250.0) == Bar(100, "critical")
    assert usage_bar(74.9).level == "" and usage_bar(75).level == "warning" and usage_bar(90).level == "critical"


def test_a_table_with_room_for_one_more_is_not_shown_as_full():
    assert shown({"entries": 262143, "max": 262144, "usage_percent": 100.0}).usage < 100
    assert shown({"entries": 5, "max": 0, "usage_percent": None}).usage is None


def test_a_host_in_trouble_shows_why_and_what_helps():
    full = view(fleets.in_trouble()[0], Usual([fleets.in_trouble()[0]["facts"]]))
    assert (full.state, full.usage, full.left, full.drops) == ("critical", 100.0, 0, 310.2)
    assert full.why == ["usage", "drops", "kernel log", "early drops"]
    assert full.reasons[0].message.startswith("The table is full") and "set max: 524288" in full.reasons[0].remedy


def test_a_host_that_did_not_answer_shows_the_reason_and_no_details():
    silent = view(fleets.in_trouble()[3], Usual([]))
    assert (silent.state, silent.status, silent.blocks) == ("no answer", "unreachable", [])
    assert "Connection timed out" in silent.reason


def test_timeouts_show_what_they_hold_the_fullest_first_and_small_ones_in_a_line():
    timeouts = block(shown(fleets.facts(1000), fleets.entries(1000, {"10.0.0.1": 0.5})), "Timeouts with what they hold")
    assert timeouts.rows[0] == ("tcp_established", "432,000", Bar(60.0), "600", "30 h")
    assert [row[0] for row in timeouts.rows][-1] == "tcp_close"
    assert timeouts.note.startswith("Fewer: tcp_close_wait 60 s, ")


def test_without_entries_the_timeouts_are_listed_with_their_seconds():
    assert "udp 30; udp_stream 120" in block(shown(fleets.facts(1)), "Timeouts, in seconds").rows[0][0]


def test_the_busiest_sources_are_shown_with_their_share():
    sources = {f"10.0.0.{n}": 0.1 / n for n in range(1, 10)}
    busiest = block(shown(fleets.facts(1000), fleets.entries(1000, sources)), "Busiest sources")
    assert busiest.rows[0] == ("10.0.0.1", Bar(10.0), "100")
    assert (len(busiest.rows), busiest.note) == (5, "and 4 more")


def test_drift_writers_pins_and_settings_unlike_the_fleets_are_shown():
    odd = fleets.in_trouble()[2]["facts"]
    of = shown(odd, fleet=[fleets.facts(1) for _number in range(3)])
    assert ("tcp_established", "7,200", "432,000", "3 of 3") in block(of, "Differs from most other hosts").rows
    assert "the boot sets 262144" in block(of, "Drift: what the next boot changes").rows[0][0]
    assert block(of, "Other programs that set the same keys").rows[0][0].startswith("ufw sets nf_conntrack_max")
    assert "xt_conntrack 1" in block(of, "Pins: modules in use by rules, chains or programs").rows[0][0]


def test_what_blocks_and_who_needs_it_is_shown():
    line = {"file": "/etc/modprobe.d/x.conf", "line": 2}
    of = shown({"blocked": {"nat": line, "conntrack": None}, "needed_by": [{"message": "ufw needs it"}]})
    assert block(of, "Blocked").rows == [("NAT is blocked by /etc/modprobe.d/x.conf:2",)]
    assert block(of, "Services that need it").rows == [("ufw needs it",)]


def test_a_list_that_a_host_fills_without_end_is_cut_and_says_so():
    of = shown({"writers": [{"message": f"writer {n}"} for n in range(5000)]})
    assert len(of.blocks[0].rows) == 12 and of.blocks[0].note == "and 4,988 more"


@pytest.mark.parametrize("name", HOST_NAMES)
def test_every_recorded_host_is_shown(name):
    facts = fleets.recorded_facts(name)
    of = shown(facts)
    usage = facts["usage_percent"]
    assert of.state == facts["health"]["status"]
    assert of.usage is None if usage is None else of.usage == pytest.approx(usage, abs=0.01)
    assert all(len(row) == max(1, len(part.head)) for part in of.blocks for row in part.rows)
