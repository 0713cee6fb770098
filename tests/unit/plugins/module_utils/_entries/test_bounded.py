# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counting in bounded memory, with the error stated."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._entries.bounded import Bounded


@given(st.lists(st.lists(st.integers(0, 60), max_size=20), max_size=40), st.integers(2, 40))
def test_no_count_is_too_high_or_lower_than_the_error_says(batches, capacity):
    bounded, true = Bounded(capacity), Counter()
    for batch in batches:
        bounded.update(batch)
        true.update(batch)
    known = dict(bounded.items())
    assert len(known) <= capacity
    assert all(true[thing] - bounded.error <= known.get(thing, 0) <= true[thing] for thing in true)
    assert bounded.error * capacity <= 4 * sum(true.values())
    assert bounded.error == 0 or len(true) > capacity


def test_one_thing_can_be_counted_many_times_at_once():
    bounded = Bounded(2)
    for thing in "abc":
        bounded.add(thing, 5)
    assert len(dict(bounded.items())) <= 2 and bounded.error == 5


def test_what_comes_often_is_found_among_a_hundred_thousand_that_come_once():
    bounded = Bounded(1000)
    for number in range(1000):
        bounded.update([*range(number * 100, number * 100 + 100), "often"])
    assert 1000 - bounded.error <= dict(bounded.items())["often"] <= 1000
    assert bounded.error <= 4 * 101_000 / 1000
