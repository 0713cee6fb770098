# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables of files that a shell reads."""

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._writers import shell_variables


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ('A="b c"', "b c"),
        ("A='b c'  # why", "b c"),
        ("export A=b", "b"),
        ("  A=b;B=c", "b"),
        ("A=", ""),
        ("A=b#c", "b"),
        ("#A=b", None),
        ("A = b", None),
        ("AA=b", None),
    ],
)
def test_a_line_sets_a_variable(line, value):
    found = shell_variables.parse("\n" + line + "\n").get("A")
    assert (None if found is None else found.value) == value
    assert found is None or found.line == 2


def test_the_last_line_is_in_force():
    assert shell_variables.parse("A=1\nA=2\n")["A"] == (2, "2")


@pytest.mark.parametrize(("value", "known"), [("/etc/x", True), ("$X", False), ("`x`", False), ("$(x)", False)])
def test_what_a_shell_would_have_to_compute_is_not_known(value, known):
    assert shell_variables.is_known(value) is known
