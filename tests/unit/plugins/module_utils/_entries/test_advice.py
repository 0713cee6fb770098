# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operator is told, from results as gather() makes them."""

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._entries import advice
from ansible_collections.netops.conntrack.plugins.module_utils._entries.tables import Keys


def item(share, margin=0.5, **more):
    return {"entries": 500, "share_percent": share, "margin_percent": margin, "estimate": 500, **more}


@pytest.fixture
def result():
    """A table of which there is nothing to say."""
    return {
        "read": 500, "matched": 500, "complete": True, "early_drop_percent": 12.5, "nat_ports": [],
        "sources": [item(5, source="10.0.0.1")], "destinations": [item(5, destination="10.0.0.2")],
        "counts": {"unreplied": item(3)},
        "timeouts": {"udp": {**item(50), "seconds": 30, "what_if": [item(2, seconds=10)]}},
    }  # fmt: skip


def given(result, entries=500, limit=1000, resized=False, filtered=False):
    return advice.give(result, Keys(entries, limit, 1024, {}), resized, filtered)


def test_where_all_is_well_nothing_is_said(result):
    assert given(result) == given(result, limit=0) == []


def test_a_table_that_is_nearly_full_is_told_with_what_the_kernel_may_evict(result):
    line, *_more = given(result, entries=900)
    assert line.startswith("The table holds 900 of 1000 entries (90 %)") and "12.5 % of those counted" in line


def test_how_full_it_is_is_rounded_down_as_in_the_words_of_its_health(result):
    assert "(94 %)" in given(result, entries=3799, limit=4000)[0]


def test_one_that_has_a_large_part_is_named_with_the_margin(result):
    result["sources"], result["destinations"] = [item(40, source="10.0.0.9")], [item(30, 0.0, destination="::5")]
    assert given(result) == [
        "40 % of the entries come from 10.0.0.9 (± 0.5). See what runs there before you make the table larger.",
        "30 % of the entries go to ::5. See what runs there before you make the table larger.",
    ]


def test_many_without_an_answer_are_told(result):
    result["counts"]["unreplied"] = item(60)
    assert "60 % of the entries have seen no answer (± 0.5)" in given(result)[0]


@pytest.mark.parametrize(
    ("freed", "advised"), [([30, 25, 12], 20), ([30, 14, 11], 10), ([10, 9, 1], 10), ([9, 8, 7], None)]
)
def test_of_values_that_free_much_the_longest_is_told(result, freed, advised):
    judged = [item(share, seconds=seconds) for share, seconds in zip(freed, (10, 20, 25))]
    result["timeouts"]["udp"]["what_if"] = judged
    lines = given(result)
    assert len(lines) == (advised is not None)
    assert all(f"udp is 30 s. With {advised} s" in line and f"{{udp: {advised}}}" in line for line in lines)


@pytest.mark.parametrize(("port", "words"), [(443, "towards 10.0.0.2 port 443."), (None, "towards 10.0.0.2.")])
def test_a_range_of_ports_that_is_nearly_used_up_is_told(result, port, words):
    full = {"address": "10.0.0.9", "protocol": "udp", "destination": "10.0.0.2", "port": port, "first_port": 1024}
    result["nat_ports"] = [item(9, used_percent=80.0, last_port=65535, **full), item(9, used_percent=79.9)]
    (line,) = given(result)
    assert "has used 80.0 % of the 64512 udp ports" in line and words in line


def test_a_table_of_a_few_entries_is_nobody_s_incident(result):
    result.update(read=99, matched=99, sources=[item(100, source="10.0.0.1")])
    assert given(result, entries=99) == []


@pytest.mark.parametrize(
    ("entries", "filtered", "told"), [(600, False, 0), (601, False, 1), (601, True, 0), (100, False, 1)]
)
def test_a_table_of_which_much_more_or_less_could_be_read_is_told(result, entries, filtered, told):
    lines = given(result, entries, limit=0, filtered=filtered)
    assert len(lines) == told and all(
        f"kernel counted {entries} entries, but 500 could be read" in line for line in lines
    )


def test_a_resize_while_it_was_read_is_told(result):
    assert given(result, resized=True)[0].startswith("The hash table was resized while it was read")


def test_a_sample_with_few_that_are_meant_is_told(result):
    result.update(matched=200, complete=False)
    assert given(result) == [
        "Only 200 of the 500 entries that were read match the filter. Read more of them with sample: all."
    ]
