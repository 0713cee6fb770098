# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a sample says, and how often it is right. On tables of a real kernel: tests/namespaces."""

from __future__ import annotations

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._entries.sampling import Sample, deviations


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.995, 0.9999])
def test_deviations_are_those_of_the_normal_distribution(confidence):
    assert deviations(confidence) == pytest.approx(statistics.NormalDist().inv_cdf((1 + confidence) / 2), abs=1e-6)


def test_half_of_fifty_thousand_is_within_less_than_half_a_point():
    sample = Sample(50_000, 10**7, complete=False)
    assert sample.widest == pytest.approx(0.44, abs=0.011)
    assert sample.estimate(5000) == 10**6 and sample.percent(5000) == 10.0


def test_what_was_read_whole_has_no_margin_but_what_the_counter_lost():
    sample = Sample(1000, 990, complete=True)
    assert sample.widest == 0.0 and sample.margin(10, error=3) == 0.3 and sample.estimate(10) == 10


def test_the_number_in_the_table_is_not_guessed_where_it_is_not_known():
    assert Sample(1000, None, complete=False).estimate(10) is None
    assert Sample(0, 10, complete=False).estimate(0) is None


def test_nothing_read_is_no_division_by_zero():
    sample = Sample(0, 0, complete=True)
    assert (sample.percent(0), sample.margin(0), sample.widest) == (0.0, 0.0, 0.0)


def test_a_sample_in_which_nothing_is_meant_says_nothing():
    assert Sample(0, None, complete=False).widest == 100.0


@given(st.integers(1, 10**6), st.data(), st.integers(1, 100), st.integers(0, 50))
def test_a_margin_is_never_negative_nor_more_than_everything_twice(matched, data, of_many, error):
    count = data.draw(st.integers(0, matched))
    population = data.draw(st.none() | st.integers(0, 10**7))
    margin = Sample(matched, population, complete=False).margin(count, of_many, min(error, matched))
    assert 0 <= margin <= 200
    alone = Sample(matched, population, complete=False).margin(count)
    assert margin >= alone or of_many == 1


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01, 0.002])
@pytest.mark.parametrize("read", [200, 1000])
def test_shares_are_within_the_margin_as_often_as_it_claims(share, read):
    chance = random.Random(f"{share} {read}")
    population, trials = 2000, 800
    true = int(population * share)
    table = [1] * true + [0] * (population - true)
    within = 0
    for _unused in range(trials):
        count = sum(chance.sample(table, read))
        sample = Sample(read, population, complete=False)
        within += abs(100 * count / read - 100 * true / population) <= sample.margin(count)
    # 800 trials of what holds in 95 of 100 give less than 92.5 % in one of a thousand.
    assert within / trials > 0.925
