# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""conntrack_modules on hosts whose services will need at their next start what is to be taken out."""

from __future__ import annotations

import pytest
from boot_services import (
    ENABLED,
    NAT_RULES,
    PERSISTENT,
    PLAIN_RULES,
    STATE_RULES,
    UFW,
    enabled,
    installed,
)
from fake_modules import FakeModules

from ansible_collections.netops.conntrack.plugins.module_utils._errors import Refused
from ansible_collections.netops.conntrack.plugins.module_utils._own_files import BLOCK_FILE
from ansible_collections.netops.conntrack.plugins.module_utils._stacks import plan as stacks_plan
from ansible_collections.netops.conntrack.plugins.module_utils._stacks.observed import Request

FIREWALLD = {**enabled("firewalld"), "/etc/firewalld/firewalld.conf": b"FirewallBackend=nftables\n"}


def ask(host, stack="conntrack", state="absent", check=False, force=False):
    return stacks_plan.run(host, Request(stack, state, force), check)


def refused(host, stack="conntrack", check=False):
    before, loaded = host.state(), host.loaded
    with pytest.raises(Refused) as caught:
        ask(host, stack, check=check)
    assert host.state() == before and host.loaded == loaded
    return caught.value


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("name", ["trixie-6.12-absent", "trixie-6.12-nat"])
def test_a_stopped_but_enabled_service_is_found_before_anything_is_changed(name, check):
    error = refused(FakeModules(name, UFW), check=check)
    assert "ufw.service (/etc/ufw/before.rules:5: -A ufw-before-input -m conntrack" in error.message
    assert "starts again at the next boot" in error.message and "ufw disable" in error.message
    assert "force: true" in error.message and "Nothing was changed" in error.message
    (need,) = error.details["needed_by"]
    assert (need["unit"], need["stack"], need["certain"]) == ("ufw.service", "conntrack", True)
    assert (need["file"], need["line"]) == ("/etc/ufw/before.rules", 5)


def test_a_service_that_needs_the_other_stack_alone_is_no_obstacle():
    host = FakeModules("trixie-6.12-nat", UFW)
    result = ask(host, "nat")
    assert result["changed"] is True and result["needed_by"] == [] and "nf_nat" not in host.loaded


@pytest.mark.parametrize("stack", ["nat", "conntrack"])
def test_what_needs_nat_needs_tracking_too(stack):
    assert (
        "firewalld.service (/etc/firewalld/firewalld.conf:1"
        in refused(FakeModules("trixie-6.12-absent", FIREWALLD), stack).message
    )


@pytest.mark.parametrize(
    "tree",
    [
        {**UFW, "/etc/ufw/ufw.conf": b"ENABLED=no\n"},
        installed("firewalld"),
        {**FIREWALLD, f"{ENABLED}/firewalld.service": "/dev/null"},
        {**PERSISTENT, "/etc/iptables/rules.v4": PLAIN_RULES},
    ],
    ids=["switched off", "not enabled", "masked", "without state"],
)
def test_a_service_that_needs_nothing_or_does_not_come_back_is_no_obstacle(tree):
    assert ask(FakeModules("trixie-6.12-nat", tree))["needed_by"] == []


@pytest.mark.parametrize("stack", ["nat", "conntrack"])
def test_what_is_only_possible_is_refused_as_such(stack):
    error = refused(FakeModules("trixie-6.12-absent", enabled("tailscaled")), stack)
    assert "tailscaled.service, possibly (" in error.message and "systemctl disable --now tailscaled" in error.message
    assert [need["certain"] for need in error.details["needed_by"]] == [False]


@pytest.mark.parametrize(
    ("rules", "stack", "line"),
    [(NAT_RULES, "nat", 4), (NAT_RULES, "conntrack", 4), (STATE_RULES, "conntrack", 2)],
)
def test_saved_rules_are_named_with_their_line(rules, stack, line):
    message = refused(FakeModules("trixie-6.12-absent", {**PERSISTENT, "/etc/iptables/rules.v4": rules}), stack).message
    assert f"/etc/iptables/rules.v4:{line}" in message and "remove the lines from /etc/iptables/rules.v4" in message


@pytest.mark.parametrize("name", ["trixie-6.12-absent", "trixie-6.12-nat"])
def test_force_goes_on_and_tells_what_is_broken_by_it(name):
    host = FakeModules(name, UFW)
    result = ask(host, force=True)
    assert result["changed"] is True and "nf_conntrack" not in host.loaded and host.exists(BLOCK_FILE)
    assert [need["unit"] for need in result["needed_by"]] == ["ufw.service"]
    assert any("ufw.service" in notice and "will not start" in notice for notice in result["notices"])


def test_a_host_that_is_kept_out_already_stays_green_and_is_warned():
    host = FakeModules("trixie-6.12-absent", UFW)
    ask(host, force=True)
    for check in (True, False):
        result = ask(host, check=check)
        assert result["changed"] is False and [need["unit"] for need in result["needed_by"]] == ["ufw.service"]
        assert any("ufw.service" in notice for notice in result["notices"])


def test_what_was_loaded_in_spite_of_a_block_is_not_unloaded_under_a_service():
    host = FakeModules("trixie-6.12-nat", {**UFW, BLOCK_FILE: b"install nf_conntrack /bin/false\n"})
    assert "ufw.service" in refused(host).message


def test_force_passes_over_no_pin():
    host = FakeModules("trixie-6.12-nat", UFW, pins={"xt_conntrack": 3})
    with pytest.raises(Refused) as caught:
        ask(host, force=True)
    assert "xt_conntrack (3 references)" in caught.value.message and caught.value.details["pins"]
    assert "ufw.service" in caught.value.message and caught.value.details["needed_by"]


@pytest.mark.parametrize("state", ["present", "unmanaged"])
def test_other_states_need_no_look_at_services(state):
    host = FakeModules("trixie-6.12-absent", UFW)
    assert ask(host, state=state)["needed_by"] == []
    assert "/etc/ufw/ufw.conf" not in host.read_unlocked


def test_conntrackd_that_somebody_started_is_named_for_tracking_alone():
    tree = {**installed("conntrackd"), "/usr/sbin/conntrackd": b"", "/proc/4711/comm": b"conntrackd\n"}
    assert "conntrackd.service (/proc/4711/comm" in refused(FakeModules("trixie-6.12-nat", tree)).message
    assert ask(FakeModules("trixie-6.12-nat", tree), "nat")["needed_by"] == []


def test_the_advice_on_rules_says_that_an_enabled_service_comes_back():
    host = FakeModules("trixie-6.12-nat", pins={"nft_ct": 1}, also=["nft_ct"])
    host.answers = {"nft -s list ruleset": "table inet t {\n\tchain c {\n\t\tct state new accept\n\t}\n}\n"}
    assert "starts again at the next boot" in refused(host).message
