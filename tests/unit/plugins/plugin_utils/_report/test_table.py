# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import csv
import io

import fleets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.plugin_utils._report.table import COLUMNS, table


def lines(document):
    return list(csv.DictReader(io.StringIO(table(document))))


def test_each_host_has_a_line_in_the_documents_order():
    document = fleets.fleet(20)
    found = lines(document)
    assert [line["name"] for line in found] == [host["name"] for host in document["hosts"]]
    full = found[0]
    assert (full["health"], full["entries"], full["usage_percent"]) == ("critical", "262144", "100.0")
    assert (full["drop"], full["drops_per_second"], full["seconds_to_full"]) == ("48211", "310.2", "0")
    assert full["reasons"] == "usage drops kernel_log early_drops" and (found[2]["drift"], found[2]["writers"]) == (
        "1",
        "1",
    )


def test_what_is_not_known_is_empty():
    silent = lines(fleets.fleet(5))[3]
    assert silent["status"] == "unreachable" and "timed out" in silent["reason"]
    assert [silent[name] for name in COLUMNS[2:15]] == [""] * 13


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_no_name_is_a_formula_in_a_spreadsheet(name):
    assert lines(fleets.document([fleets.host(name, None)]))[0]["name"] == "'" + name.strip()


@given(st.text())
def test_any_name_stays_in_its_cell(name):
    found = lines(fleets.document([fleets.host(name, None), fleets.host("b", None)]))
    assert len(found) == 2 and found[1]["name"] == "b" and all(set(line) == set(COLUMNS) for line in found)
