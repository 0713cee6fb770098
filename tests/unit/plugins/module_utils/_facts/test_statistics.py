# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._facts.statistics import (
    counters,
    entries,
    parse_columns,
    sums,
)


def parse_statistics(lines):
    columns = parse_columns(lines)
    return None if columns is None else sums(columns)


OLD = (
    b"entries  searched found new invalid ignore delete delete_list insert insert_failed drop early_drop icmp_error "
    b" expect_new expect_create expect_delete search_restart\n"
)
NEW = (
    b"entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error "
    b" expect_new expect_create expect_delete search_restart\n"
)


def test_counters_of_all_cpus_are_added():
    lines = [b"entries found drop\n", b"00000005  000000ff 00000001\n", b"00000005  00000001 00000010\n"]
    assert parse_statistics(lines) == {"found": 256, "drop": 17}


def test_the_number_of_entries_is_no_counter():
    assert "entries" not in parse_statistics([NEW, b"00000005 " * 17])


def test_counters_have_clear_names_on_a_recent_kernel():
    assert set(parse_statistics([NEW])) == {
        "clash_resolve",
        "found",
        "new",
        "invalid",
        "ignore",
        "delete",
        "chain_too_long",
        "insert",
        "insert_failed",
        "drop",
        "early_drop",
        "icmp_error",
        "expect_new",
        "expect_create",
        "expect_delete",
        "search_restart",
    }


def test_a_counter_of_an_old_kernel_is_not_taken_for_a_newer_one_in_the_same_column():
    counters = parse_statistics([OLD, b"00000001  00000002" + b" 00000000" * 5 + b" 00000007" + b" 00000000" * 9])
    assert counters["searched"] == 2
    assert counters["delete_list"] == 7
    assert "clash_resolve" not in counters and "chain_too_long" not in counters


def test_a_missing_file_gives_no_counters_rather_than_zeros():
    assert parse_statistics([]) is None


@given(
    st.lists(st.text("abcdefghij_", min_size=1), min_size=1, unique=True),
    st.lists(st.lists(st.integers(0, 2**32 - 1), min_size=12, max_size=12)),
)
def test_every_counter_is_the_sum_over_all_rows(names, rows):
    names = names[:11]
    header = " ".join(["entries", *names]).encode() + b"\n"
    lines = [header] + [" ".join(f"{value:08x}" for value in row).encode() for row in rows]
    expected = {name: sum(row[1 + place] for row in rows) for place, name in enumerate(names)}
    assert parse_statistics(lines) == expected


@given(st.lists(st.one_of(st.binary(), st.just(NEW), st.just(b"00000001 " * 17))))
def test_no_content_is_a_crash(lines):
    parse_statistics(lines)


def test_each_cpu_has_a_number_of_its_own_in_every_counter():
    lines = [b"entries found drop\n", b"00000005  000000ff 00000001\n", b"00000005  00000001 00000010\n"]
    columns = parse_columns(lines)
    assert counters(columns) == {"found": [255, 1], "drop": [1, 16]}
    assert entries(columns) == 5


def test_a_cut_row_counts_nothing_for_what_it_lacks():
    columns = parse_columns([b"entries found drop\n", b"5 1\n", b"5 2 3\n", b"5 zz\n"])
    assert counters(columns) == {"found": [1, 2], "drop": [0, 3]}


@pytest.mark.parametrize("columns", [None, {"entries": [], "drop": []}])
def test_without_a_row_the_number_of_entries_is_not_known(columns):
    assert entries(columns) is None
