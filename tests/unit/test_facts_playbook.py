# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines that the playbook ``facts`` shows of a host, by Ansible's own templating."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from collection_path import ROOT

NEED = {
    "unit": "ufw.service",
    "stack": "conntrack",
    "file": "/etc/ufw/before.rules",
    "line": 5,
    "reason": "-A c -m state --state NEW -j {{ x }}",
    "certain": True,
    "remedy": "ufw disable",
    "message": "ufw.service needs it",
}
BLOCK = {"file": "/etc/modprobe.d/00-x.conf", "line": 2}
ABSENT: dict[str, t.Any] = {
    "state": "absent",
    "blocked": {"nat": None, "conntrack": None},
    "needed_by": [],
    "persistent": {},
    "persistent_problem": None,
    "drift": [],
    "statistics": None,
    "health": {"status": "ok", "reasons": []},
}


def shown(facts: dict[str, t.Any]) -> list[str]:
    play = yaml.safe_load((ROOT / "playbooks" / "facts.yml").read_text(encoding="utf-8"))[0]
    task = next(task for task in play["tasks"] if "ansible.builtin.set_fact" in task)
    variables = {**task["vars"], "ansible_facts": {"conntrack": {**ABSENT, **facts}}, "inventory_hostname": "gw1"}
    try:
        from ansible.template import trust_as_template
    except ImportError:  # an ansible-core before 2.19
        trusted = variables
        template = task["ansible.builtin.set_fact"]["conntrack_lines"]
    else:
        trusted = {**variables, **{name: trust_as_template(text) for name, text in task["vars"].items()}}
        template = trust_as_template(task["ansible.builtin.set_fact"]["conntrack_lines"])
    return t.cast("list[str]", Templar(DataLoader(), variables=trusted).template(template))


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        ({}, []),
        ({"needed_by": [NEED]}, []),
        ({"blocked": None, "needed_by": None}, []),
        ({"blocked": {"nat": BLOCK, "conntrack": None}}, ["  NAT is blocked by /etc/modprobe.d/00-x.conf:2"]),
        (
            {"blocked": {"nat": BLOCK, "conntrack": BLOCK}},
            ["  connection tracking is blocked by /etc/modprobe.d/00-x.conf:2"],
        ),
        (
            {
                "blocked": {"nat": BLOCK, "conntrack": BLOCK},
                "needed_by": [
                    NEED,
                    dict(NEED, stack="nat", message="docker.service needs it"),
                    dict(NEED, message="k3s.service possibly needs it"),
                ],
                "drift": [{"message": "max is 1"}],
            },
            [
                "  connection tracking is blocked by /etc/modprobe.d/00-x.conf:2; these services need it, and do"
                " not start, or start without their rules:",
                "  ufw.service needs it",
                "  k3s.service possibly needs it",
                "  max is 1",
            ],
        ),
    ],
)
def test_a_host_that_lacks_a_stack_says_by_what_and_who_misses_it(facts, lines):
    assert shown(facts) == ["gw1: nf_conntrack is not loaded: ok", *lines]


def reason(name, severity):
    return {"reason": name, "severity": severity, "message": f"What {name} is.", "remedy": f"What helps {name}."}


def test_what_is_not_well_is_shown_with_what_helps_and_notes_are_not():
    reasons = [reason("usage", "critical"), reason("no_limit", "warning"), reason("drops", "note")]
    lines = shown({"health": {"status": "critical", "reasons": reasons}})
    assert lines == [
        "gw1: nf_conntrack is not loaded: critical",
        "  What usage is. What helps usage.",
        "  What no_limit is. What helps no_limit.",
    ]


def test_drift_is_shown_once():
    facts = {
        "health": {"status": "warning", "reasons": [reason("drift", "warning")]},
        "drift": [{"message": "max is 1"}],
    }
    assert shown(facts) == ["gw1: nf_conntrack is not loaded: warning", "  max is 1"]


@pytest.mark.parametrize(
    ("persistent", "words"),
    [
        (None, "boot values unknown: /etc/sysctl.d/a.conf: permission denied; run with -b to read it"),
        ({}, "no boot values: masked"),
    ],
)
def test_a_host_whose_next_boot_is_not_known_does_not_look_clean(persistent, words):
    problem = words.split(": ", 1)[1]
    facts = {"persistent": persistent, "persistent_problem": problem, "drift": None}
    assert shown(facts)[1:] == ["  " + words]
