# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from fleet_made import entries

from ansible_collections.netops.conntrack.plugins.filter.fleet import FilterModule

fleet = FilterModule().filters()["fleet"]


VARIABLES = {
    "a": {"read": {"ansible_facts": {"conntrack": {"health": {"status": "ok"}}}}, "who": entries()},
    "b": {"who": {"failed": True, "msg": "that needs root"}},
}


def test_a_document_is_made_of_what_tasks_registered():
    about = fleet(VARIABLES, ["a", "b"], "read", "who", time="2026-12-01T02:00:00Z")
    assert (about["version"], about["time"]) == (1, "2026-12-01T02:00:00Z")
    assert [(host["name"], host["status"]) for host in about["hosts"]] == [("b", "skipped"), ("a", "ok")]
    assert about["hosts"][1]["entries"] == entries()


def test_entries_may_be_asked_for_alone():
    about = fleet(VARIABLES, ["a", "b"], entries="who")
    assert [(host["name"], host["status"], host["reason"]) for host in about["hosts"]] == [
        ("b", "failed", "that needs root"),
        ("a", "ok", None),
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((["a"],), "give facts, entries or both"), ((["c"], "read"), "there is no host c")],
)
def test_what_cannot_be_meant_is_refused(arguments, words):
    with pytest.raises(AnsibleFilterError, match=words):
        fleet(VARIABLES, *arguments)
