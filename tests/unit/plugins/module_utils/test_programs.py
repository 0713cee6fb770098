# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs are found where hosts have them, and only where there is one."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils import _programs


class Case(t.NamedTuple):
    """What a host has, and where ``sysctl`` is found."""

    about: str
    entries: dict[str, t.Any]
    found: str | None


CASES = [
    Case("none", {}, None),
    Case("usr sbin", {"/usr/sbin/sysctl": ""}, "/usr/sbin/sysctl"),
    Case("sbin before they were one", {"/sbin/sysctl": ""}, "/sbin/sysctl"),
    Case("bin", {"/bin/sysctl": ""}, "/bin/sysctl"),
    Case("the first of two", {"/bin/sysctl": "", "/usr/bin/sysctl": "", "/sbin/sysctl": ""}, "/usr/bin/sysctl"),
    Case("what is for the administrator first", {"/usr/bin/sysctl": "", "/usr/sbin/sysctl": ""}, "/usr/sbin/sysctl"),
    Case("a link is a program", {"/usr/sbin/sysctl": {"link": "../bin/box"}, "/usr/bin/box": ""}, "/usr/sbin/sysctl"),
    Case("a link to nowhere is none", {"/usr/sbin/sysctl": {"link": "nowhere"}, "/bin/sysctl": ""}, "/bin/sysctl"),
    Case("a directory is none", {"/usr/sbin/sysctl": None, "/usr/bin/sysctl": ""}, "/usr/bin/sysctl"),
    Case("another name is none", {"/usr/sbin/sysctl.bak": "", "/usr/sbin/mysysctl": ""}, None),
    Case("nowhere else", {"/usr/local/sbin/sysctl": "", "/root/sysctl": ""}, None),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.about)
def test_a_program_is_found_in_the_directories_of_the_system(tree, case):
    assert _programs.find(tree(case.entries), "sysctl") == case.found
