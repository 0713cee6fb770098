# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import fleets

from ansible_collections.netops.conntrack.plugins.filter.report_problem import FilterModule

report_problem = FilterModule().filters()["report_problem"]


def test_paths_that_will_do_are_no_problem(tmp_path):
    (tmp_path / "report.json").write_text(json.dumps(fleets.fleet(1)), encoding="utf-8")
    assert report_problem(str(tmp_path / "report.html")) == ""
    assert report_problem(str(tmp_path / "report.html"), earlier=str(tmp_path / "report.json")) == ""


def test_what_would_fail_at_the_end_is_told_at_the_beginning(tmp_path):
    assert "there is no directory" in report_problem(str(tmp_path / "none" / "report.html"))
    message = report_problem(str(tmp_path / "report.html"), str(tmp_path / "none.json"))
    assert message.startswith(f"conntrack_compare: {tmp_path}/none.json cannot be read: No such file")
