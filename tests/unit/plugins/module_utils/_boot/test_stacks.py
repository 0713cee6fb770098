# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What conntrack_settings tells of the stacks: by it the role knows whether conntrack_modules has something to do."""

from __future__ import annotations

import pytest
from fake_modules import FakeModules
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import BLOCK_FILE, STACK_REQUESTS

from ansible_collections.netops.conntrack.plugins.module_utils._boot import stacks
from ansible_collections.netops.conntrack.plugins.module_utils._config import drop_ins, modprobe_d
from ansible_collections.netops.conntrack.plugins.module_utils._stacks import plan as stacks_plan
from ansible_collections.netops.conntrack.plugins.module_utils._stacks.observed import Request

HOSTS = ["bullseye-5.10-nat", "trixie-6.12-nat", "trixie-6.12-absent", "el8-4.18-by-hand"]
LOADS = "/etc/modules-load.d/site.conf"


def told(host):
    return stacks.observe(host, drop_ins.read(host, modprobe_d.KIND, modprobe_d.READING))


def has_work(found, kept_out):
    """As vars/main.yml of the role has it."""
    if kept_out == "conntrack":
        return not found["conntrack"]["is_out"]
    if kept_out == "nat":
        tracking = found["conntrack"]
        return not found["nat"]["is_out"] or (tracking["kept_out"] or {}).get("file", "") in tracking["own_files"]
    return bool(found["nat"]["own_files"] + found["conntrack"]["own_files"])


def bring_to(host, kept_out):
    request = Request(kept_out or "conntrack", "absent" if kept_out else "unmanaged")
    return stacks_plan.run(host, request, False)


@settings(max_examples=settings.default.max_examples * 2 // 5)
@given(
    st.sampled_from(HOSTS),
    st.lists(st.sampled_from(STACK_REQUESTS), max_size=2),
    st.sampled_from(["", "nf_nat\n", "nf_conntrack\n", "loop\n"]),
    st.sampled_from(["", "nat", "conntrack"]),
)
def test_where_nothing_is_to_do_conntrack_modules_changes_nothing(name, before, line, kept_out):
    host = FakeModules(name)
    for request in before:
        stacks_plan.run(host, request, False)
    if line:
        host.put(LOADS, line.encode())
    if not has_work(told(host), kept_out):
        assert not bring_to(host, kept_out)["changed"]
    bring_to(host, kept_out)
    assert not has_work(told(host), kept_out)


@pytest.mark.parametrize("name", ["trixie-6.12-nat", "trixie-6.12-absent"])
def test_a_host_is_told_as_it_is(name):
    host = FakeModules(name)
    before = told(host)
    is_loaded = name.endswith("-nat")
    assert ("nf_nat" in before["nat"]["modules"], "nf_conntrack" in before["conntrack"]["modules"]) == (is_loaded,) * 2
    assert before["nat"]["kept_out"] is None and not before["nat"]["is_out"]
    bring_to(host, "nat")
    host.put(LOADS, b"# mine\niptable_nat\n")
    after = told(host)
    assert after["nat"] == {
        "modules": [],
        "kept_out": {"file": BLOCK_FILE, "line": 2},
        "loaded_at_boot": [LOADS + ":2"],
        "own_files": [BLOCK_FILE],
        "is_out": False,
    }
    assert after["conntrack"]["own_files"] == [] and after["conntrack"]["kept_out"] is None


@pytest.mark.parametrize(("command", "is_out"), [("/bin/false", True), ("/bin/true", False)])
def test_only_a_load_that_fails_is_kept_out(command, is_out):
    host = FakeModules("trixie-6.12-absent", {"/etc/modprobe.d/cis.conf": f"install nf_conntrack {command}\n".encode()})
    found = told(host)
    assert (found["conntrack"]["is_out"], found["nat"]["is_out"]) == (is_out, is_out)
