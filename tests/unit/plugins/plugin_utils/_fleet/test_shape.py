# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host gave, held against what its module returns."""

from __future__ import annotations

import fleets
import pytest
import yaml
from conftest import HOST_NAMES
from fleet_made import FULL, NAT_PORTS, entries

from ansible_collections.netops.conntrack.plugins.modules import conntrack_entries_info, conntrack_facts
from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet import shape


def misfits(value, expected):
    return list(shape.misfits(value, expected, "it"))


@pytest.mark.parametrize("name", HOST_NAMES)
def test_facts_of_every_recorded_host_are_taken(name, recorded_host, run_module):
    facts = run_module("conntrack_facts", recorded_host(name))["ansible_facts"]["conntrack"]
    assert misfits(facts, shape.FACTS) == []


@pytest.mark.parametrize(
    ("module", "expected"), [(conntrack_facts, shape.FACTS), (conntrack_entries_info, shape.ENTRIES)]
)
def test_every_name_is_one_that_the_module_returns(module, expected):
    returned = yaml.safe_load(module.RETURN)
    returned = returned.get("ansible_facts", {"contains": {"conntrack": {"contains": returned}}})
    assert set(expected) <= set(returned["contains"]["conntrack"]["contains"])


def test_hosts_of_a_made_fleet_are_taken():
    for host in fleets.fleet(20)["hosts"]:
        assert misfits(host["facts"], shape.Maybe(shape.FACTS)) == []
        assert misfits(host["entries"], shape.Maybe(shape.ENTRIES)) == []


def test_what_was_made_for_these_tests_is_taken():
    assert misfits(FULL, shape.FACTS) == misfits({}, shape.FACTS) == []
    assert misfits(entries(nat_ports=[NAT_PORTS]), shape.ENTRIES) == []


@pytest.mark.parametrize(
    ("facts", "place"),
    [
        ([], "it"),
        ({"max": "65536"}, "it.max"),
        ({"entries": float("nan")}, "it.entries"),
        ({"entries": 10**400}, "it.entries"),
        ({"health": {}}, "it.health.status"),
        ({"health": {"status": "ok", "reasons": [{}]}}, "it.health.reasons[0].reason"),
        ({"drift": {"message": "x"}}, "it.drift"),
        ({"persistent": {"nf_conntrack_max": 5}}, "it.persistent.nf_conntrack_max"),
    ],
)
def test_what_is_something_else_is_told_with_its_place(facts, place):
    assert misfits(facts, shape.FACTS)[0] == place
