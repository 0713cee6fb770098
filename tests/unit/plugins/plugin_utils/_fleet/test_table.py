# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import csv
import io

from fleet_made import reason
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet import document, table

FACTS = {
    "state": "loaded", "entries": 5, "max": 10, "usage_percent": 50.0, "statistics": {"drop": 3},
    "drift": [{"message": "a"}, {"message": "b"}],
    "rates": None,
    "health": {"status": "warning", "reasons": [reason("drift", "warning")]},
}  # fmt: skip


def rows(results):
    return list(csv.DictReader(io.StringIO(table.text(document.make(results, "")))))


def test_a_host_is_a_line_with_what_is_known_of_it():
    (row,) = rows({"gw1": {"ansible_facts": {"conntrack": FACTS}}})
    assert tuple(row) == table.COLUMNS
    known = {name: value for name, value in row.items() if value}
    assert known == {
        "host": "gw1", "status": "ok", "health": "warning", "state": "loaded", "entries": "5", "max": "10",
        "usage_percent": "50.0", "drop": "3", "drift": "2", "reasons": "drift:warning",
    }  # fmt: skip


def test_a_host_that_did_not_answer_is_a_line_too():
    (row,) = rows({"gw1": {"unreachable": True, "msg": "no route"}})
    assert (row["host"], row["status"], row["reason"], row["max"]) == ("gw1", "unreachable", "no route", "")


def test_a_text_of_a_host_is_no_formula_of_a_spreadsheet():
    (row,) = rows({"=cmd|x": {"failed": True, "msg": "@SUM(1)"}})
    assert (row["host"], row["reason"]) == ("'=cmd|x", "'@SUM(1)")


def test_nothing_that_a_terminal_acts_on_is_left_where_it_is_printed():
    about = document.make({"a\x1b]0;x\x07": {"failed": True, "msg": "\x1b[31mred"}}, "")
    assert table.text(about).replace("\n", "").isprintable()


@given(st.text(), st.text())
def test_any_name_and_reason_stays_in_its_cell(name, reason):
    about = {"a": {"failed": True, "msg": reason}, name: None}
    assert len(rows(about)) == len(about)
