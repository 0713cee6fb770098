# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest

from ansible_collections.netops.conntrack.plugins.plugin_utils._report import destination


def test_a_path_in_a_directory_that_can_be_written_is_taken(tmp_path, monkeypatch):
    assert destination.problem(str(tmp_path / "report.html")) == ""
    monkeypatch.chdir(tmp_path)
    assert destination.problem("report.html") == ""


def test_a_missing_directory_is_named(tmp_path):
    assert f"there is no directory {tmp_path}/none." in destination.problem(str(tmp_path / "none" / "report.html"))


def test_a_directory_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert f"the directory {tmp_path} cannot be written" in destination.problem(str(tmp_path / "report.html"))


@pytest.mark.parametrize("name", ["report", "report.json", "report.csv", "report.HTML"])
def test_a_name_that_would_fall_together_with_the_files_beside_it_is_refused(tmp_path, name):
    assert "has to end in .html" in destination.problem(str(tmp_path / name))


@pytest.mark.parametrize("ending", [".html", ".json", ".csv"])
def test_a_directory_in_the_place_of_a_file_is_named(tmp_path, ending):
    (tmp_path / ("report" + ending)).mkdir()
    assert f"report{ending} is a directory" in destination.problem(str(tmp_path / "report.html"))
