# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was gathered of a fleet, of hosts that answered and of others."""

from __future__ import annotations

import json

import pytest
from fleet_made import entries
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet import document

TIME = "2026-12-01T02:00:00Z"


def facts(status="ok", **more):
    return {"ansible_facts": {"conntrack": {"health": {"status": status, "reasons": []}, **more}}}


def names(results):
    return [host["name"] for host in document.make(results, TIME)["hosts"]]


def test_the_worst_host_comes_first_and_one_that_is_not_known_before_those_that_are_well():
    results = {
        "well": facts(usage_percent=1.0),
        "warned": facts("warning"),
        "full": facts("critical", usage_percent=99.0),
        "fuller": facts("critical", usage_percent=100.0),
        "soon": facts("critical", usage_percent=80.0, rates={"seconds_to_full": 60}),
        "silent": {"unreachable": True, "msg": "no route"},
        "broken": {"failed": True, "msg": "no Python"},
        "left out": None,
        "busy": facts(usage_percent=50.0),
    }
    assert names(results) == ["fuller", "soon", "full", "warned", "silent", "broken", "left out", "busy", "well"]


@pytest.mark.parametrize(
    ("result", "status", "reason"),
    [
        ({"unreachable": True, "msg": "Task failed: no\nroute"}, "unreachable", "no route"),
        ({"failed": True, "msg": "", "module_stderr": "killed"}, "failed", "killed"),
        (
            {
                "failed": True,
                "msg": "MODULE FAILURE\nSee stdout/stderr for the exact error",
                "module_stderr": "sh: no python\n\nInstall it.\n",
            },
            "failed",
            "MODULE FAILURE: sh: no python",
        ),
        (
            {
                "failed": True,
                "msg": "Module result deserialization failed: No start of json char found",
                "module_stderr": "Traceback:\n  File x\nMemoryError\r\nShared connection to gw1 closed.\r\n",
            },
            "failed",
            "Module result deserialization failed: No start of json char found: MemoryError",
        ),
        ({"failed": True, "msg": "that needs root", "module_stderr": "a warning"}, "failed", "that needs root"),
        ({"failed": True}, "failed", "no reason is given"),
        ({"skipped": True, "skip_reason": "Conditional result was False"}, "skipped", "Conditional result was False"),
        (None, "skipped", "it was not asked"),
        ({}, "skipped", "it was not asked"),
        ({"ansible_facts": {}}, "failed", "the host gave no facts"),
        (facts(max="many"), "failed", "the host gave what the module does not return: facts.max"),
    ],
)
def test_a_host_that_gave_nothing_is_told_with_the_reason(result, status, reason):
    (host,) = document.make({"a": result}, TIME)["hosts"]
    assert host == {"name": "a", "status": status, "reason": reason, "facts": None, "entries": None}


def test_entries_are_beside_the_facts_and_alone_without_them():
    told = {**entries(), "changed": False}
    about = document.make({"a": facts(), "b": told}, TIME, {"a": told, "b": told})
    assert [host["entries"] for host in about["hosts"]] == [entries()] * 2
    assert {host["name"]: host["status"] for host in about["hosts"]} == {"a": "ok", "b": "ok"}


def test_entries_that_were_refused_leave_the_facts():
    refused = {"failed": True, "msg": "that needs root"}
    (host,) = document.make({"a": facts()}, TIME, {"a": refused})["hosts"]
    assert host["facts"] and host["entries"] is None
    assert host["reason"] == "its entries are not known: that needs root"


def test_entries_that_are_something_else_leave_the_facts():
    (host,) = document.make({"a": facts()}, TIME, {"a": {**entries(), "total": None}})["hosts"]
    assert host["facts"] and host["entries"] is None
    assert host["reason"].endswith("the host gave what the module does not return: entries.total")


@pytest.mark.parametrize(
    ("given_document", "words"),
    [
        (None, "not a document of a fleet"),
        ([], "not a document of a fleet"),
        ({"format": "another"}, "not a document of a fleet"),
        ({"format": document.FORMAT, "version": 2}, "its version is 2, and this collection reads version 1"),
        ({"format": document.FORMAT, "version": 1, "hosts": {}}, "not a list of hosts"),
        ({"format": document.FORMAT, "version": 1, "hosts": [{}]}, "not a list of hosts"),
    ],
)
def test_what_is_no_document_of_this_version_is_told(given_document, words):
    assert words in document.problem(given_document)


RESULTS = st.one_of(
    st.none(),
    st.fixed_dictionaries({}, optional={
        "failed": st.booleans(), "unreachable": st.booleans(), "skipped": st.booleans(), "msg": st.text(),
        "ansible_facts": st.fixed_dictionaries({}, optional={"conntrack": st.fixed_dictionaries({}, optional={
            "usage_percent": st.none() | st.floats(0, 100), "health": st.just({"status": "warning", "reasons": []}),
            "rates": st.none() | st.fixed_dictionaries({"seconds_to_full": st.none() | st.integers(0)}),
        })}),
    }),
)  # fmt: skip


@given(st.dictionaries(st.text(), RESULTS))
def test_every_host_is_in_it_once_whatever_it_gave(results):
    about = document.make(results, TIME)
    assert sorted(host["name"] for host in about["hosts"]) == sorted(results)
    assert document.problem(json.loads(json.dumps(about))) == ""
