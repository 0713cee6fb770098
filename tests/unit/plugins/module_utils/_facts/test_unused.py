# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether connection tracking is loaded for nothing; ``test_health`` has the words."""

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._facts import unused

FACTS = {"entries": 0, "state": "loaded", "modules": {"nf_conntrack": {"pins": 0, "holders": []}}}


def test_a_table_without_entries_that_no_rule_needs_is_unused():
    (reason,) = unused.look(FACTS)
    assert (reason["reason"], reason["severity"]) == ("unused", "note")


@pytest.mark.parametrize(
    "changes",
    [
        {"entries": 1},
        {"state": "built_in"},
        {"modules": None},
        {"modules": {"nf_conntrack": {"pins": 1, "holders": []}}},
    ],
)
def test_any_other_is_not(changes):
    assert list(unused.look({**FACTS, **changes})) == []
