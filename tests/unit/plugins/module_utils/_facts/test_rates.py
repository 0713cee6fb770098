# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._facts.rates import Reading, between

COUNTERS = {"drop": [5, 10], "early_drop": [0, 0], "insert_failed": [1, 1], "chain_too_long": [0, 3]}
LATER = {"drop": [15, 20], "early_drop": [4, 0], "insert_failed": [1, 1], "chain_too_long": [0, 4]}


def test_two_readings_give_what_happens_in_a_second():
    assert between(Reading(10.0, 1000, COUNTERS), Reading(12.0, 5000, LATER), 65000) == {
        "seconds": 2.0,
        "entries_per_second": 2000.0,
        "seconds_to_full": 30,
        "drops_per_second": 10.0,
        "early_drops_per_second": 2.0,
        "insert_failures_per_second": 0.0,
        "chain_too_long_per_second": 0.5,
    }


@pytest.mark.parametrize(
    ("before", "now", "limit", "seconds"),
    [
        (100, 100, 1000, None),
        (200, 100, 1000, None),
        (100, 200, 0, None),
        (100, 200, None, None),
        (100, 1000, 1000, 0),
        (1200, 1100, 1000, 0),
        (None, 100, 1000, None),
        (100, None, 1000, None),
        (100, 999, 1000, 0),
        (100, 101, 1000, 899),
    ],
)
def test_when_the_table_is_full_is_told_where_it_grows_and_has_a_limit(before, now, limit, seconds):
    assert between(Reading(0.0, before, None), Reading(1.0, now, None), limit)["seconds_to_full"] == seconds


def test_a_counter_that_began_again_at_0_by_its_width_counts_on():
    first = Reading(0.0, 1, {"drop": [2**32 - 2, 0]})
    assert between(first, Reading(1.0, 1, {"drop": [3, 0]}), 9)["drops_per_second"] == 5.0


@pytest.mark.parametrize(
    "later", [{"drop": [0, 0]}, {"drop": [7]}, {}, None], ids=["set back", "other CPUs", "gone", "no statistics"]
)
def test_counters_that_are_not_those_of_before_give_no_rate(later):
    rates = between(Reading(0.0, 1, {"drop": [7, 9]}), Reading(1.0, 2, later), 9)
    assert rates["drops_per_second"] is None
    assert rates["entries_per_second"] == 1.0


NUMBERS = st.lists(st.integers(0, 2**32 - 1), max_size=3)
READING = st.builds(
    Reading,
    st.floats(0, 1e9),
    st.none() | st.integers(0, 2**31),
    st.none() | st.dictionaries(st.sampled_from([*COUNTERS, "found"]), NUMBERS),
)


@given(READING, READING, st.none() | st.integers(0, 2**31))
def test_no_two_readings_are_a_crash_and_no_counter_runs_backwards(first, second, limit):
    rates = between(first, second, limit)
    for name, rate in rates.items():
        if name.endswith("_per_second") and name != "entries_per_second":
            assert rate is None or rate >= 0
    assert rates["seconds_to_full"] is None or rates["seconds_to_full"] >= 0
