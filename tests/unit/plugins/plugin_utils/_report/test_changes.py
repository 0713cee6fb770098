# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy

import fleets
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.plugin_utils._report.changes import Was, compare


def two(*changes):
    """A fleet of two hosts before and after what each of these does to the first host's facts."""
    before = fleets.document([fleets.host("a", fleets.facts(1000)), fleets.host("b", fleets.facts(1000))])
    after = copy.deepcopy(before)
    for change in changes:
        change(after["hosts"][0])
    return before, after


def test_a_fleet_in_which_nothing_changed_says_nothing():
    changes = compare(*two())
    assert changes[1:] == ([], [], [], [], [], [])
    assert changes.since == "2026-12-01T01:40:00Z"


def test_hosts_that_came_and_went_are_named():
    before, after = two()
    changes = compare(before, dict(after, hosts=[after["hosts"][1], fleets.host("c", None)]))
    assert (changes.new, changes.gone) == (["c"], ["a"])


def test_a_host_that_is_worse_is_told_apart_from_one_that_is_better():
    before, after = two(lambda host: host["facts"]["health"].update(status="critical"))
    assert compare(before, after).worse == [Was("a", "ok", "critical")]
    assert compare(after, before).better == [Was("a", "critical", "ok")]


def test_a_host_that_no_longer_answers_is_worse_and_its_settings_have_not_changed():
    changes = compare(*two(lambda host: host.update(status="unreachable", facts=None)))
    assert changes.worse == [Was("a", "ok", "no answer")]
    assert changes.settings == changes.usage == []


def test_max_buckets_and_timeouts_with_another_value_are_told():
    def change(host):
        host["facts"].update(max=8192, buckets=1024)
        host["facts"]["timeouts"]["udp"] = 60

    changes = compare(*two(change))
    assert changes.settings == [
        Was("a", "262,144", "8,192", "max"),
        Was("a", "262,144", "1,024", "buckets"),
        Was("a", "30", "60", "udp"),
    ]


def test_a_part_that_one_run_did_not_read_has_not_changed():
    assert compare(*two(lambda host: host["facts"].pop("timeouts"))).settings == []


def test_the_usage_that_changed_most_is_first_and_what_hardly_changed_is_left_out():
    names = ["a", "b", "c"]
    before = fleets.document([fleets.host(name, {"usage_percent": 10.0}) for name in names])
    usage = [30.0, 10.9, 80.5]
    after = fleets.document([fleets.host(name, {"usage_percent": now}) for name, now in zip(names, usage)])
    assert [was.host for was in compare(before, after).usage] == ["c", "a"]
    assert compare(before, after).usage[0].now.replace("\u00a0", " ") == "80 %"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(JSON, JSON)
def test_whatever_a_document_holds_can_be_compared(facts, others):
    before = fleets.document([fleets.host("a", facts)])
    assert compare(before, fleets.document([fleets.host("a", others)])).gone == []
