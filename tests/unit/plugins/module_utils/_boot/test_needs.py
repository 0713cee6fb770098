# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who will need a stack at its next start, and what keeps it from coming back."""

from __future__ import annotations

import pytest
from boot_services import ENABLED, NAT_RULES, PERSISTENT, SYSTEMD, UFW, UNITS, enabled, host_of, installed

from ansible_collections.netops.conntrack.plugins.module_utils._boot import needs

NAT, CONNTRACK = "nat", "conntrack"
DOCKER = enabled("docker")


def find(tree):
    return needs.find(host_of(tree), {})


@pytest.mark.parametrize(
    ("tree", "remedy"),
    [
        (UFW, "ufw disable, then systemctl disable --now ufw.service"),
        ({**PERSISTENT, "/etc/iptables/rules.v4": NAT_RULES},
         "remove the lines from /etc/iptables/rules.v4, or systemctl disable --now netfilter-persistent.service"),
        ({**DOCKER, f"{UNITS}/docker.socket": b"[Socket]\nListenStream=/x\n",
          f"{ENABLED}/sockets.target.wants/docker.socket": f"{UNITS}/docker.socket"},
         "systemctl disable --now docker.service docker.socket"),
        ({**installed("ovs-vswitchd"), **enabled("outer"), f"{UNITS}/outer.service": b"[Unit]\nRequires=ovs-vswitchd.service\n"},
         "systemctl disable --now outer.service"),
        ({**SYSTEMD, "/etc/rc2.d/S01ferm": "../init.d/ferm", "/etc/init.d/ferm": b"#!/bin/sh\n", "/etc/ferm/ferm.conf": b"table nat\n"},
         "update-rc.d ferm disable"),
        ({"/run/openrc": None, "/etc/runlevels/default/docker": "/etc/init.d/docker", "/etc/init.d/docker": b""}, "rc-update delete docker"),
        ({**enabled("systemd-networkd"), "/etc/systemd/network/a.network": b"[Network]\nIPMasquerade=ipv4\n"},
         "remove the line from /etc/systemd/network/a.network"),
        ({"/run/openrc": None, "/etc/runlevels/boot/networking": "/etc/init.d/networking", "/etc/init.d/networking": b"",
          "/etc/network/interfaces": b" up iptables -t nat -F\n"}, "remove the line from /etc/network/interfaces"),
        ({**SYSTEMD, "/etc/rc.local": b"iptables -t nat -F\n"}, "remove the line from /etc/rc.local"),
    ],
)  # fmt: skip
def test_what_keeps_it_from_coming_back_is_said(tree, remedy):
    assert {need.remedy for need in find(tree)} == {remedy}


def test_a_service_that_two_units_are_parts_of_is_told_once():
    tree = {**enabled("openvswitch-switch"), **installed("ovs-vswitchd")}
    tree[f"{UNITS}/openvswitch-switch.service"] = b"[Unit]\nRequires=ovs-vswitchd.service\n"
    assert {need.unit for need in find(tree)} == {"openvswitch-switch.service"}


def test_conntrackd_that_runs_is_found_though_it_is_not_enabled():
    tree = {
        **installed("conntrackd"),
        "/usr/sbin/conntrackd": b"",
        "/proc/12/comm": b"sh\n",
        "/proc/13/comm": b"conntrackd\n",
    }
    (need,) = find(tree)
    assert (need.unit, need.stack, need.file) == ("conntrackd.service", CONNTRACK, "/proc/13/comm")


@pytest.mark.parametrize("count", [1, 12, 40])
def test_many_services_are_counted_in_words_and_listed_in_full(count):
    need = needs.Need("x", NAT, "/etc/x", 3, "why", True, "stop it")
    found = [needs.Need(f"u{number}.service", NAT, "/etc/x", None, "why", False, "stop it") for number in range(count)]
    text = needs.describe(found)
    assert text.count("possibly (/etc/x: why)") == min(count, 12) and ("see needed_by" in text) == (count > 12)
    assert needs.describe([need]) == "x (/etc/x:3: why)" and needs.remedies(found) == "stop it"
