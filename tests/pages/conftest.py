# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the playbooks for people, and of the report's page in a browser without a screen. `make pages` runs them."""

from __future__ import annotations

import shutil
import sys
import typing as t
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "unit")]

import collection_path  # noqa: E402  # what is before it lets it be found

collection_path.make_importable()

from browser import Browser  # noqa: E402

#: What is needed that tools/setup installs.
PROGRAMS = ("chromium", "chromedriver")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip all of them, and say why, where there is no browser."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    for item in items if missing else ():
        item.add_marker(pytest.mark.skip(reason=f"missing here: {', '.join(missing)}: `make pages` installs them"))


@pytest.fixture(scope="session")
def started() -> t.Iterator[Browser]:
    """One browser for all tests: its start takes longest."""
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def browser(started: Browser) -> t.Iterator[Browser]:
    """A browser as wide as a desk's, which says nothing on its console."""
    started.screen(1400)
    yield started
    assert started.said() == []
