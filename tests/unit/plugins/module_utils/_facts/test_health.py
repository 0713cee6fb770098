# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict on health: what is said of which facts, word for word, and that nothing old makes a host ill for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._facts import health, reasons
from ansible_collections.netops.conntrack.plugins.module_utils._facts.reason import Limits

LIMITS = Limits(75, 90)
MIB = 2**20

#: A host on which all is well.
WELL = {
    "state": "loaded",
    "initial_namespace": True,
    "entries": 1000,
    "max": 262144,
    "buckets": 262144,
    "entries_per_bucket": 1.0,
    "timeouts": {"tcp_established": 86400, "udp": 30},
    "statistics": {"drop": 0, "early_drop": 0, "insert_failed": 0, "chain_too_long": 0, "per_cpu": {}},
    "memory": {"entry_bytes": 384, "buckets_bytes": 2 * MIB, "host_bytes": 16384 * MIB},
    "kernel_log": {"lines": 0, "last_seconds_ago": None, "lines_here": 0, "last_here_seconds_ago": None},
    "modules": {"nf_conntrack": {"pins": 1, "holders": []}},
    "persistent": {},
    "persistent_problem": None,
    "load_problem": None,
    "drift": [],
}
RATES = {
    "seconds": 5.0,
    "entries_per_second": 0.0,
    "seconds_to_full": None,
    "drops_per_second": 0.0,
    "early_drops_per_second": 0.0,
    "insert_failures_per_second": 0.0,
    "chain_too_long_per_second": 0.0,
}
SINCE = "since the counters began (at the boot, or at the last load of nf_conntrack)"
NONE_NOW = ", none of them in the last 5 seconds"
ROOM = (
    "Find out with conntrack_entries_info who fills it, and set max: 524288 with conntrack_settings (a full table"
    " then takes at most 194 MiB, 1.2 % of the memory)"
)


def judge(limits=LIMITS, rates=None, **changes):
    facts = {**WELL, **changes}
    if rates is not None:
        facts["rates"] = {**RATES, **rates}
    return health.judge(facts, limits)


def counters(**changes):
    return {**WELL["statistics"], **changes}


def only(verdict):
    """The one reason of a verdict, whose status is that of its severity."""
    (reason,) = verdict["reasons"]
    assert verdict["status"] == ("ok" if reason["severity"] == "note" else reason["severity"])
    return reason


def said(verdict):
    reason = only(verdict)
    return reason["reason"], reason["severity"], reason["message"]


def test_a_host_on_which_all_is_well_has_no_reasons():
    assert judge() == {"status": "ok", "reasons": []}
    assert judge(rates={}) == {"status": "ok", "reasons": []}


@pytest.mark.parametrize(
    ("entries", "rates", "severity", "message"),
    [
        (196608, None, "warning", "The table is 75 % full (196,608 of 262,144 entries)."),
        (196607, None, None, None),
        (235930, None, "critical", "The table is 90 % full (235,930 of 262,144 entries)."),
        (262143, None, "critical", "The table is 99 % full (262,143 of 262,144 entries)."),
        (
            262144,
            None,
            "critical",
            "The table is full (262,144 of 262,144 entries): packets of new connections are dropped.",
        ),
        (
            220201,
            {"entries_per_second": 49.0, "seconds_to_full": 855},
            "warning",
            "The table is 84 % full (220,201 of 262,144 entries) and grows by 49 entries a second: full in 14 minutes.",
        ),
        (
            220201,
            {"entries_per_second": 1900.2, "seconds_to_full": 22},
            "critical",
            "The table is 84 % full (220,201 of 262,144 entries) and grows by 1,900 entries a second: full in 22"
            " seconds.",
        ),
        (
            220201,
            {"entries_per_second": -1.0},
            "warning",
            "The table is 84 % full (220,201 of 262,144 entries) and shrinks by 1 entry a second.",
        ),
        (
            220201,
            {},
            "warning",
            "The table is 84 % full (220,201 of 262,144 entries) and does not grow.",
        ),
        (
            131072,
            {"entries_per_second": 1000.0, "seconds_to_full": 131},
            "warning",
            "The table is 50 % full (131,072 of 262,144 entries) and grows by 1,000 entries a second: full in 2"
            " minutes.",
        ),
        (
            26214,
            {"entries_per_second": 1000.5, "seconds_to_full": 235},
            "note",
            "The table is 9 % full (26,214 of 262,144 entries) and grows by 1,000 entries a second: full in 3 minutes.",
        ),
        (131072, {"entries_per_second": 0.4, "seconds_to_full": 300000}, None, None),
        (
            197000,
            {"entries_per_second": 0.4, "seconds_to_full": 162860},
            "warning",
            "The table is 75 % full (197,000 of 262,144 entries) and grows by 0.4 entries a second: full in 45 hours.",
        ),
    ],
)
def test_the_usage_is_judged_with_how_fast_it_fills_and_when_it_is_full(entries, rates, severity, message):
    verdict = judge(entries=entries, rates=rates)
    if severity is None:
        assert verdict == {"status": "ok", "reasons": []}
    else:
        assert said(verdict) == ("usage", severity, message)
        more = "" if rates is not None else "; interval: 5 shows how soon it is full"
        assert only(verdict)["remedy"] == f"{ROOM}{more}."


def test_no_limit_is_advised_that_the_kernel_would_not_take():
    memory = {**WELL["memory"], "host_bytes": 2**60}
    for limit, words in (
        (2**30, "set max: 2147483647 with"),
        (2**31 - 1, "lower timeouts with conntrack_settings, because max cannot be larger"),
    ):
        assert words in only(judge(entries=limit, max=limit, memory=memory))["remedy"]


def test_the_limits_are_those_that_were_asked_for():
    assert judge(Limits(10, 20), entries=30000)["status"] == "warning"
    assert judge(Limits(10, 20), entries=60000)["status"] == "critical"
    assert judge(Limits(100, 100), entries=262143)["status"] == "ok"


def test_a_container_is_told_to_have_the_limit_raised_on_the_host():
    remedy = only(judge(entries=240000, initial_namespace=False))["remedy"]
    assert remedy.startswith(
        "Find out with conntrack_entries_info who fills it, and set max: 524288 with conntrack_settings on the host "
        "itself"
    )


def test_where_a_larger_table_would_take_too_much_memory_shorter_timeouts_are_advised():
    memory = {**WELL["memory"], "host_bytes": 512 * MIB}
    assert only(judge(entries=240000, memory=memory))["remedy"].startswith(
        "Find out with conntrack_entries_info who fills it, and lower timeouts with conntrack_settings, because a"
        " table twice as large could take 38 % of the memory"
    )


@pytest.mark.parametrize(
    ("counter", "total", "message"),
    [
        ("drop", 657, f"657 packets were dropped {SINCE}"),
        ("drop", 1, f"1 packet was dropped {SINCE}"),
        ("early_drop", 1200, f"1,200 entries were evicted to make room {SINCE}"),
        ("insert_failed", 3, f"3 connections could not be entered into the table {SINCE}"),
        ("chain_too_long", 3, f"3 connections were refused {SINCE}"),
    ],
)
def test_what_the_counters_say_of_the_past_is_a_note_and_no_alarm(counter, total, message):
    for rates, more in ((None, ""), ({}, NONE_NOW)):
        reason = only(judge(statistics=counters(**{counter: total}), rates=rates))
        assert reason["severity"] == "note"
        assert reason["message"].startswith(message + more)


@pytest.mark.parametrize(
    ("rates", "entries", "reason", "severity", "message"),
    [
        (
            {"drops_per_second": 31.4},
            262000,
            "drops",
            "critical",
            "The kernel drops 31 packets a second, because the table is full.",
        ),
        (
            {"drops_per_second": 31.4},
            1000,
            "drops",
            "warning",
            "The kernel drops 31 packets a second, though the table is not full: packets of one connection clash, or"
            " memory is short.",
        ),
        (
            {"drops_per_second": 0.2},
            1000,
            "drops",
            "note",
            "The kernel drops 0.2 packets a second, though the table is not full: packets of one connection clash, or"
            " memory is short.",
        ),
        (
            {"early_drops_per_second": 1.0},
            1000,
            "early_drops",
            "warning",
            "The kernel evicts 1 entry a second before their time, because the table is full.",
        ),
        (
            {"insert_failures_per_second": 12.0},
            1000,
            "insert_failures",
            "warning",
            "12 connections a second cannot be entered into the table: two packets of one connection came at once, or"
            " NAT had no free port.",
        ),
        (
            {"insert_failures_per_second": 0.4},
            1000,
            "insert_failures",
            "note",
            "0.4 connections a second cannot be entered into the table: two packets of one connection came at once, or"
            " NAT had no free port.",
        ),
        (
            {"chain_too_long_per_second": 40.0},
            1000,
            "chains",
            "warning",
            "The kernel refuses 40 connections a second: too many entries share one bucket, those of all network"
            " namespaces together, or the same addresses and ports in many zones.",
        ),
    ],
)
def test_what_happens_now_is_judged_by_its_rate(rates, entries, reason, severity, message):
    verdict = judge(entries=entries, rates=rates, statistics=counters(drop=9, early_drop=0))
    found = next(item for item in verdict["reasons"] if item["reason"] == reason)
    assert (found["severity"], found["message"]) == (severity, message)


def test_drops_are_those_of_a_full_table_where_entries_are_being_given_up():
    verdict = judge(rates={"drops_per_second": 5.0, "early_drops_per_second": 5.0})
    assert [(item["reason"], item["severity"]) for item in verdict["reasons"]] == [
        ("drops", "critical"),
        ("early_drops", "warning"),
    ]


def test_long_chains_of_a_table_with_too_few_buckets_are_a_warning_until_it_has_more():
    crowded = {"statistics": counters(chain_too_long=7), "entries_per_bucket": 16.0}
    reason = only(judge(**crowded))
    assert reason["severity"] == "warning"
    assert (
        reason["message"]
        == f"7 connections were refused {SINCE}: a full table has 16 entries per bucket, which is too many."
    )
    assert reason["remedy"] == "Set hashsize: auto with conntrack_settings, which makes it one entry per bucket."
    assert judge(**crowded, rates={})["status"] == "ok"


def log(here, age, others=0, last=None):
    return {
        "lines": here + others,
        "last_seconds_ago": age if last is None else last,
        "lines_here": here,
        "last_here_seconds_ago": age,
    }


@pytest.mark.parametrize(
    ("age", "entries", "severity", "message"),
    [
        (240, 262000, "critical", "12 times, last 4 minutes ago."),
        (240, 1000, "warning", "12 times, last 4 minutes ago."),
        (240, None, "critical", "12 times, last 4 minutes ago."),
        (7200, 262000, "warning", "12 times, last 2 hours ago."),
        (86400, 1000, "warning", "12 times, last 24 hours ago."),
        (86401, 1000, "note", "12 times, last 24 hours ago."),
        (20 * 86400, 262000, "note", "12 times, last 20 days ago."),
    ],
)
def test_a_message_of_the_kernel_weighs_less_the_older_it_is(age, entries, severity, message):
    verdict = judge(kernel_log=log(12, age), entries=entries)
    reason = next(item for item in verdict["reasons"] if item["reason"] == "kernel_log")
    assert reason["severity"] == severity
    assert reason["message"] == f'The kernel log says "table full, dropping packet" {message}'
    assert reason["remedy"] == ROOM + "."


def test_messages_of_containers_are_told_on_the_host_and_not_in_another_container():
    other = log(0, None, others=3, last=100)
    reason = only(judge(kernel_log=other))
    assert (reason["reason"], reason["severity"]) == ("kernel_log_elsewhere", "warning")
    assert reason["message"] == (
        'The kernel log says "table full, dropping packet" 3 times of other network namespaces, such as containers,'
        " last 100 seconds ago or earlier."
    )
    assert judge(kernel_log=other, initial_namespace=False) == {"status": "ok", "reasons": []}
    assert judge(kernel_log={**other, "last_seconds_ago": 90000})["status"] == "ok"


def test_one_message_was_said_once():
    assert 'dropping packet" once, last 1 second ago.' in only(judge(kernel_log=log(1, 1)))["message"]


def test_a_table_without_limit_is_a_warning():
    assert said(judge(max=0)) == (
        "no_limit",
        "warning",
        "The table has no limit (max is 0): a flood of connections can take all of the host's memory.",
    )


def test_timeouts_that_forget_at_once_are_named():
    timeouts = {"udp": -1, "tcp_established": 0, "icmp": 30, "generic": None}
    assert said(judge(timeouts=timeouts)) == (
        "timeouts",
        "warning",
        "Entries with a timeout of 0 or less are forgotten at once, so their answers belong to no connection:"
        " tcp_established 0, udp -1.",
    )


def test_a_timeout_that_older_kernels_have_below_a_second_is_as_it_should_be():
    assert judge(timeouts={"sctp_shutdown_sent": 0, "sctp_shutdown_recd": 0})["reasons"] == []
    assert "sctp_shutdown_sent -1" in only(judge(timeouts={"sctp_shutdown_sent": -1}))["message"]


def item(kind, message="x is 1, but the boot sets 2 (/etc/sysctl.d/a.conf:1)"):
    return {"kind": kind, "message": message}


@pytest.mark.parametrize(
    ("drift", "reason", "severity", "words"),
    [
        (
            [item("runtime")],
            "drift",
            "warning",
            "One value differs from what the next boot sets, or will not be set as intended: x is 1, but the boot sets"
            " 2 (/etc/sysctl.d/a.conf:1).",
        ),
        (
            [item("not_at_load", "first"), item("not_read", "second"), item("runtime", "third")],
            "drift",
            "warning",
            "3 values differ from what the next boot sets, or will not be set as intended; the first: first.",
        ),
        (
            [item("writer", "ufw sets x to 1, but the boot sets 2")],
            "writers",
            "warning",
            "Something else also sets one value that the boot sets, or may do so: ufw sets x to 1, but the boot sets"
            " 2.",
        ),
        (
            [item("former_name", "first"), item("unknown_key", "second")],
            "lines_without_effect",
            "note",
            "2 lines for connection tracking have no effect; the first: first.",
        ),
        (
            [item("invalid_value", "first")],
            "lines_without_effect",
            "note",
            "One line for connection tracking has no effect: first.",
        ),
    ],
)
def test_drift_is_a_warning_where_the_next_boot_changes_something(drift, reason, severity, words):
    assert said(judge(drift=drift)) == (reason, severity, words)


def test_a_boot_that_is_not_known_is_told_with_the_reason_and_is_no_alarm():
    problem = "/etc/sysctl.d/50-a.conf: permission denied; run with -b to read it"
    reason = only(judge(persistent=None, drift=None, persistent_problem=problem))
    assert (reason["reason"], reason["severity"]) == ("boot", "note")
    assert reason["message"] == f"What the next boot sets is not known: {problem}."
    assert (
        reason["remedy"]
        == "Run this as root (-b, become: true), which reads every file, or see what is wrong with that file."
    )
    reason = only(judge(persistent_problem="no program is known"))
    assert reason["message"] == "It is not known whether the next boot sets any sysctl lines: no program is known."
    assert "root" not in reason["remedy"]


def test_a_load_that_cannot_work_is_a_warning_with_its_line():
    assert said(judge(load_problem="/etc/modprobe.d/a.conf:1: hashsize")) == (
        "load",
        "warning",
        "nf_conntrack cannot be loaded any more: /etc/modprobe.d/a.conf:1: hashsize.",
    )


FREE = {"pins": 0, "holders": []}


@pytest.mark.parametrize(
    ("modules", "entries", "state", "is_unused"),
    [
        ({"nf_conntrack": FREE}, 0, "loaded", True),
        ({"nf_conntrack": {"pins": 0, "holders": ["nf_nat"]}, "nf_nat": FREE}, 0, "loaded", True),
        (
            {"nf_conntrack": {"pins": 0, "holders": ["nf_nat"]}, "nf_nat": {"pins": 2, "holders": []}},
            0,
            "loaded",
            False,
        ),
        ({"nf_conntrack": {"pins": None, "holders": []}}, 0, "loaded", False),
        ({"nf_conntrack": FREE}, 5, "loaded", False),
        ({"nf_conntrack": FREE}, None, "loaded", False),
        ({}, 0, "built_in", False),
        (
            {"a": {"pins": 0, "holders": ["nf_conntrack"]}, "nf_conntrack": {"pins": 0, "holders": ["a"]}},
            0,
            "loaded",
            True,
        ),
    ],
)
def test_tracking_that_nothing_uses_is_a_note(modules, entries, state, is_unused):
    verdict = judge(modules=modules, entries=entries, state=state)
    assert bool(verdict["reasons"]) is is_unused
    if is_unused:
        assert said(verdict) == (
            "unused",
            "note",
            "nf_conntrack is loaded and nothing uses it: there is no entry, and no rule of any network namespace needs"
            " it; its hash table takes 2 MiB.",
        )


def test_the_table_of_another_namespace_is_judged_by_the_same_limits():
    namespaces = [
        {"name": "lab", "here": False, "entries": 200000},
        {"name": None, "here": True, "entries": 262144},
        {"name": "of process 8 (haproxy)", "here": False, "entries": 262000},
        {"name": "x", "here": False, "entries": None},
    ]
    found = judge(namespaces=namespaces)["reasons"]
    assert [(entry["severity"], entry["message"]) for entry in found] == [
        (
            "critical",
            "The table of network namespace of process 8 (haproxy) is 99 % full (262,000 of 262,144 entries).",
        ),
        ("warning", "The table of network namespace lab is 76 % full (200,000 of 262,144 entries)."),
    ]


def test_the_worst_reason_comes_first_and_gives_the_status():
    verdict = judge(max=0, statistics=counters(drop=1), rates={"drops_per_second": 3.0, "early_drops_per_second": 1.0})
    assert verdict["status"] == "critical"
    assert [entry["severity"] for entry in verdict["reasons"]] == ["critical", "warning", "warning"]


NUMBER = st.none() | st.integers(-5, 2**31)
REAL = st.none() | st.floats(0, 1e10) | st.integers(0, 3)
NAMES = st.sampled_from(["udp", "nf_conntrack", "nf_nat", "x"])


def some(fields):
    """Any selection of fields, or nothing at all in their place."""
    return st.none() | st.fixed_dictionaries({}, optional=fields)


FACTS = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from([None, "loaded", "built_in", "absent"]),
        "initial_namespace": st.booleans() | st.none(),
        "entries": st.none() | st.integers(0, 2**31),
        "max": st.none() | st.integers(0, 2**31),
        "entries_per_bucket": REAL,
        "timeouts": st.none() | st.dictionaries(NAMES, NUMBER),
        "statistics": some({name: st.integers(0, 2**40) for name in counters() if name != "per_cpu"}),
        "rates": some(
            {
                **{name: REAL for name in RATES if name != "seconds_to_full"},
                "entries_per_second": st.none() | st.floats(-1e9, 1e9),
            }
        ),
        "memory": some(dict.fromkeys(("entry_bytes", "buckets_bytes", "host_bytes"), NUMBER)),
        "kernel_log": some({name: st.none() | st.integers(0, 10**9) for name in WELL["kernel_log"]}),
        "modules": st.none()
        | st.dictionaries(NAMES, st.fixed_dictionaries({"pins": NUMBER, "holders": st.lists(NAMES, max_size=2)})),
        "persistent": st.none() | st.just({}),
        "persistent_problem": st.none() | st.text(),
        "load_problem": st.none() | st.text(),
        "drift": st.none()
        | st.lists(
            st.builds(item, st.sampled_from(["runtime", "not_read", "former_name", "new"]), st.text()), max_size=3
        ),
        "namespaces": st.none()
        | st.lists(
            st.fixed_dictionaries(
                {"name": st.none() | st.text(), "here": st.booleans(), "entries": st.none() | st.integers(0, 2**31)}
            ),
            max_size=3,
        ),
    },
)


@given(FACTS, st.integers(1, 100), st.integers(1, 100))
def test_whatever_was_read_gets_a_verdict_in_whole_sentences(facts, one, other):
    verdict = health.judge(facts, Limits(min(one, other), max(one, other)))
    severities = [reason["severity"] for reason in verdict["reasons"]]
    assert severities == sorted(severities, key=["critical", "warning", "note"].index)
    assert verdict["status"] == next((severity for severity in severities if severity != "note"), "ok")
    for reason in verdict["reasons"]:
        assert reason["message"].endswith(".") and reason["remedy"].endswith(".")
        assert "None" not in reason["remedy"]


@given(FACTS)
def test_the_past_alone_is_never_critical(facts):
    facts = {**facts, "entries": 1, "max": 1000, "rates": None, "kernel_log": None, "namespaces": None}
    assert health.judge(facts, LIMITS)["status"] != "critical"


@given(FACTS, st.integers(1, 100), st.integers(1, 100))
def test_what_is_taken_for_ordinary_has_no_reason(facts, one, other):
    limits = Limits(min(one, other), max(one, other))
    # Mostly as on a host on which all is well, which then differs in a few ways.
    for few in (facts, {**WELL, **dict(sorted(facts.items())[:2])}, {**WELL, **dict(sorted(facts.items())[-2:])}):
        if health._is_ordinary(few, limits):
            assert list(reasons.look(few, limits)) == []


def test_a_host_on_which_all_is_well_is_ordinary():
    assert health._is_ordinary(WELL, LIMITS)
