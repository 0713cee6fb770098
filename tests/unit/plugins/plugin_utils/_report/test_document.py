# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fleets
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.plugin_utils._report.document import document
from ansible_collections.netops.conntrack.plugins.plugin_utils._report.earlier import parse

TIME = "2026-12-01T01:40:00Z"


def answer(facts):
    """What a task registers of a host that answers."""
    return {"changed": False, "failed": False, "ansible_facts": {"conntrack": facts}}


def made(**results):
    return {host["name"]: host for host in document(results, TIME)["hosts"]}


def test_what_the_tasks_returned_is_in_the_document_and_nothing_of_ansibles_own():
    facts, entries = fleets.facts(10), fleets.entries(10, {"10.0.0.1": 0.5})
    host = made(gw1={"facts": answer(facts), "entries": dict(entries, changed=False, failed=False)})["gw1"]
    assert host == {"name": "gw1", "status": "ok", "reason": None, "facts": facts, "entries": entries}


def test_a_host_that_did_not_answer_is_there_with_the_reason():
    hosts = made(
        a={"facts": {"unreachable": True, "msg": "timed out"}, "entries": {"skipped": True}},
        b={"facts": {"failed": True, "msg": "no Python"}},
        c={"facts": None},
        d={"facts": {"failed": True}},
    )
    told = {name: (host["status"], host["reason"], host["facts"]) for name, host in hosts.items()}
    assert told == {
        "a": ("unreachable", "timed out", None),
        "b": ("failed", "no Python", None),
        "c": ("skipped", "This host was not asked", None),
        "d": ("failed", "No reason was given", None),
    }


def test_a_host_whose_entries_could_not_be_read_keeps_its_facts_and_says_why():
    host = made(a={"facts": answer(fleets.facts(10)), "entries": {"failed": True, "msg": "Missing sudo password"}})["a"]
    assert (host["status"], host["entries"]) == ("ok", None) and host["facts"]["entries"] == 10
    assert host["reason"] == "Who fills the table could not be read: Missing sudo password"


def test_the_worst_is_first_and_then_who_is_nearest_to_a_full_table():
    results = {
        "silent": {"facts": {"unreachable": True, "msg": "x"}},
        "empty": {"facts": answer(fleets.facts(10))},
        "half": {"facts": answer(fleets.facts(131072))},
        "fast": {"facts": answer(fleets.facts(1310, growth=100.0))},
        "warning": {"facts": answer(fleets.facts(209715))},
        "full": {"facts": answer(fleets.facts(262144))},
        "filling": {"facts": answer(fleets.facts(200000, growth=500.0))},
        "slow": {"facts": answer(fleets.facts(2000, growth=0.1))},
    }
    order = ["full", "filling", "warning", "silent", "fast", "half", "slow", "empty"]
    assert [host["name"] for host in document(results, TIME)["hosts"]] == order


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(JSON, JSON)
def test_whatever_tasks_returned_makes_a_document_that_can_be_compared(facts, entries):
    import json

    found = document({"a": {"facts": facts, "entries": entries}, "b": {"facts": answer(facts)}}, TIME)
    assert parse(json.dumps(found), "x")["version"] == 1
