# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the playbook facts shows."""

from __future__ import annotations

import pytest
from fleet_made import FULL, broken, gave, reason
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet import document, lines

NEED = {"stack": "conntrack", "message": "ufw.service needs it"}
BLOCK = {"file": "/etc/modprobe.d/00-x.conf", "line": 2}
ABSENT = {"state": "absent", "health": {"status": "ok", "reasons": []}}


def shown(*hosts):
    """The lines of hosts, each given as (name, facts) or (name, result)."""
    results = {
        name: given_result
        if {"failed", "unreachable"} & set(given_result)
        else {"ansible_facts": {"conntrack": given_result}}
        for name, given_result in hosts
    }
    return lines.text(document.make(results, "2026-12-01T02:00:00Z")).splitlines()


def test_hosts_have_a_line_each_in_columns_and_a_line_sums_them_up():
    silent = {"unreachable": True, "msg": "no route to host"}
    assert shown(("gw1.example.net", FULL), ("gw2", ABSENT), ("gw3", silent)) == [
        "health   usage       used  max buckets drops early fails host",
        "critical #####.  99%  66k  66k     66k  1.3k     0     7 gw1.example.net",
        "no reply                                                 gw3",
        "  no route to host",
        "ok       unused    -    -    -       -     -     -     - gw2",
        "",
        "3 hosts: 1 critical, 1 unreachable, 1 ok",
    ]


def test_how_fast_a_table_fills_and_until_when_have_columns_where_they_were_asked_for():
    told = shown(("gw1", {**FULL, "rates": {"entries_per_second": 49.2, "seconds_to_full": 840}}), ("gw2", FULL))
    assert told[:3] == [
        "health   usage       used  max drops early fails  rate full in host",
        "critical #####.  99%  66k  66k  1.3k     0     7   +49     14m gw1",
        "critical #####.  99%  66k  66k  1.3k     0     7     -       - gw2",
    ]


def test_what_could_not_be_read_is_no_zero():
    unreadable = [{"path": "/proc/sys/net/netfilter/nf_conntrack_max", "reason": "Permission denied"}]
    facts = {**FULL, "max": None, "usage_percent": None, "statistics": None, "unreadable": unreadable}
    assert shown(("gw1", facts))[1:3] == [
        "critical ??????    ?  66k    ?     66k     ?     ?     ? gw1",
        "  /proc/sys/net/netfilter/nf_conntrack_max cannot be read: Permission denied",
    ]


def test_what_could_not_be_read_but_is_not_shown_is_not_told():
    assert len(shown(("gw1", {**FULL, "unreadable": [{"path": "/dev/kmsg", "reason": "Permission denied"}]}))) == 4


def test_only_a_full_table_has_a_hundred_percent():
    assert shown(("gw1", {**FULL, "entries": 65536}))[1].startswith("critical ###### 100%  66k  66k")


def test_a_table_without_a_limit_has_no_usage():
    told = shown(("gw1", {**FULL, "max": 0, "usage_percent": None}))
    assert told[1].startswith("critical ?????? none  66k    0")


def below(**facts):
    return shown(("gw1", {**ABSENT, **facts}))[2:-2]


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({}, []),
        ({"needed_by": [NEED]}, []),
        ({"blocked": None, "needed_by": None}, []),
        ({"blocked": {"nat": BLOCK, "conntrack": None}}, ["  NAT is blocked by /etc/modprobe.d/00-x.conf:2"]),
        (
            {"blocked": {"nat": BLOCK, "conntrack": BLOCK}},
            ["  connection tracking is blocked by /etc/modprobe.d/00-x.conf:2"],
        ),
        (
            {
                "blocked": {"nat": BLOCK, "conntrack": BLOCK},
                "needed_by": [NEED, dict(NEED, stack="nat"), dict(NEED, message="k3s.service possibly needs it")],
                "drift": [{"message": "max is 1", "runtime": None}],
            },
            [
                "  connection tracking is blocked by /etc/modprobe.d/00-x.conf:2; these services",
                "    need it, and do not start, or start without their rules:",
                "  ufw.service needs it",
                "  k3s.service possibly needs it",
                "  max is 1",
            ],
        ),
    ],
)
def test_a_host_that_lacks_a_stack_says_by_what_and_who_misses_it(facts, told):
    assert below(**facts) == told


def test_what_helps_against_two_things_is_said_once():
    reasons = [reason("usage", "critical"), {**reason("drops", "critical"), "remedy": "What helps usage."}]
    assert below(health={"status": "critical", "reasons": reasons}) == [
        "  What usage is. What helps usage.",
        "  What drops is.",
    ]


PENDING = {"max": {"boot": 9}, "a": {"boot": 1}, "b": {"boot": 2}, "c": {"boot": 3}, "d": {"boot": 4}}


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"persistent": {"max": {"boot": 9}}}, ["  pending until nf_conntrack is loaded: max = 9"]),
        ({"persistent": PENDING}, ["  pending until nf_conntrack is loaded: max = 9, a = 1, b = 2, c = 3 and 1 more"]),
        ({"persistent": PENDING, "state": "loaded"}, []),
        (
            {"persistent": PENDING, "blocked": {"nat": BLOCK, "conntrack": BLOCK}},
            ["  connection tracking is blocked by /etc/modprobe.d/00-x.conf:2"],
        ),
    ],
)
def test_values_that_wait_for_a_load_are_told(facts, told):
    assert below(**facts) == told


def test_a_reason_of_many_lines_is_cut_short():
    told = shown(
        ("gw1", {"failed": True, "msg": "\n".join(f"line {number} of what it printed" for number in range(99))})
    )
    assert len(told) == 9 and told[6].endswith(" ...") and all(len(line) <= 80 for line in told)


def test_what_is_not_well_is_shown_with_what_helps_and_notes_are_not():
    reasons = [reason("usage", "critical"), reason("no_limit", "warning"), reason("drops", "note")]
    assert below(health={"status": "critical", "reasons": reasons}) == [
        "  What usage is. What helps usage.",
        "  What no_limit is. What helps no_limit.",
    ]


def test_drift_is_shown_once_with_the_live_value_beside():
    facts = {
        "health": {"status": "warning", "reasons": [reason("drift", "warning")]},
        "drift": [
            {"message": "max is 7, but the boot sets 9", "runtime": 7},
            {"message": "a line is lost", "runtime": 65536, "file": "/etc/x", "line": 3},
        ],
        "writers": [
            {"file": "/etc/x", "line": 3, "message": "told already"},
            {"file": "/etc/y", "line": 3, "message": "y sets max"},
        ],
    }
    assert below(**facts) == [
        "  max is 7, but the boot sets 9",
        "  a line is lost; live it is 65536",
        "  y sets max",
        "  What helps drift.",
    ]


@pytest.mark.parametrize(
    ("persistent", "words"),
    [
        (None, "boot values unknown: /etc/a.conf: permission denied; run with -b to read it"),
        ({}, "no boot values: masked"),
    ],
)
def test_a_host_whose_next_boot_is_not_known_does_not_look_clean(persistent, words):
    problem = words.split(": ", 1)[1]
    told = below(persistent=persistent, persistent_problem=problem, drift=None)
    assert " ".join(" ".join(told).split()) == words


@given(st.text(), st.text())
def test_nothing_of_a_host_reaches_the_terminal_but_plain_text(name, message):
    facts = {**FULL, "drift": [{"message": message, "runtime": None}]}
    told = lines.text(
        document.make({name: {"ansible_facts": {"conntrack": facts}}, "b": {"failed": True, "msg": message}}, "")
    )
    assert told.replace("\n", "").isprintable()


@pytest.mark.parametrize("rates", [None, {"entries_per_second": -(2**40), "seconds_to_full": 10**7}])
def test_lines_of_500_hosts_are_within_80_columns(rates):
    told = shown(*((f"gw{number:03}.example.net", {**FULL, "rates": rates}) for number in range(500)))
    assert len(told) == 503 and all(len(line) <= 80 for line in told)


DRIFTING = {**FULL, "drift": [{"message": "a", "runtime": 1}], "unreadable": [{"path": "/a", "reason": "b"}]}


@given(broken(DRIFTING))
def test_one_host_that_gives_anything_at_all_leaves_the_others_their_lines(facts):
    about = document.make({"odd": gave(facts), "gw1": gave(FULL)}, "")
    assert [line for line in lines.text(about).splitlines() if line.endswith(" gw1")]
