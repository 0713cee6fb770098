# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import fleets
import pytest

from ansible_collections.netops.conntrack.plugins.filter.report_page import FilterModule
from ansible_collections.netops.conntrack.plugins.plugin_utils._report.earlier import NotComparable

report_page = FilterModule().filters()["report_page"]


def test_the_page_is_made_without_an_earlier_report():
    assert "Changed since" not in report_page(fleets.fleet(3))


def test_the_page_says_what_changed_since_an_earlier_report(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(fleets.fleet(2)), encoding="utf-8")
    assert f'<b>New:</b> <a href="#host-{fleets.DRIFTING}">' in report_page(
        fleets.fleet(3), earlier=str(tmp_path / "a.json")
    )


def test_a_file_that_is_no_report_is_an_error(tmp_path):
    with pytest.raises(NotComparable):
        report_page(fleets.fleet(1), str(tmp_path / "none.json"))
