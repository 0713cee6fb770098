# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tests are a mirror of plugins/: who changes a file finds its test by its name."""

from __future__ import annotations

from collection_path import ROOT


def rooms():
    """Each file of plugins/, and where its test file is."""
    for file in sorted((ROOT / "plugins").rglob("*.py")):
        above = file.relative_to(ROOT).parent
        yield file.relative_to(ROOT), ROOT / "tests" / "unit" / above / f"test_{file.stem.lstrip('_')}.py"


def test_each_file_of_plugins_has_its_test_file():
    without = [str(file) for file, test in rooms() if not test.is_file()]
    assert not without, "no test file in the same place below tests/unit"


def test_each_test_file_below_plugins_is_that_of_a_file():
    known = {test for _file, test in rooms()}
    astray = [path for path in (ROOT / "tests" / "unit" / "plugins").rglob("test_*.py") if path not in known]
    assert not astray, "no file of that name in the same place below plugins"
