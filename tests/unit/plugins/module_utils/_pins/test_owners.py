# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._pins.owners import of_module, of_rule, running
from ansible_collections.netops.conntrack.plugins.module_utils._rules.rule import Rule


@pytest.mark.parametrize(
    ("table", "chain", "text", "owner"),
    [
        ("nat", "PREROUTING", "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER", "docker"),
        ("ip nat", "KUBE-POSTROUTING", "counter masquerade", "kube-proxy"),
        ("inet firewalld", "filter_INPUT", "ct state { established, related } accept", "firewalld"),
        ("filter", "IN_public_allow", "-A IN_public_allow -m conntrack --ctstate NEW -j ACCEPT", "firewalld"),
        ("filter", "ufw-before-input", "-A ufw-before-input -m conntrack --ctstate INVALID -j DROP", "ufw"),
        ("nat", "LIBVIRT_PRT", "-A LIBVIRT_PRT -s 192.168.122.0/24 -j MASQUERADE", "libvirt"),
        ("ip libvirt_network", "guest_nat", "masquerade", "libvirt"),
        ("ip nat", "POSTROUTING", 'oifname "docker0" masquerade', "docker"),
        ("nat", "POSTROUTING", "-A POSTROUTING -o eth0 -j MASQUERADE", None),
        ("inet t", "c", 'ct state new tcp dport 5000 accept comment "docker registry"', None),
        ("filter", "INPUT", '-A INPUT -m comment --comment "docker registry" -m state --state NEW -j ACCEPT', None),
        (
            "filter",
            "INPUT",
            "-A INPUT -m comment --comment docker -m state --state NEW -j LOG --log-prefix docker",
            None,
        ),
    ],
)
def test_names_of_tables_and_chains_tell_the_owner(table, chain, text, owner):
    assert of_rule(Rule("nft", table, chain, text, frozenset())) == owner


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("ip_vs_rr", "ip_vs"),
        ("openvswitch", "openvswitch"),
        ("vport_vxlan", "openvswitch"),
        ("nf_nat", None),
    ],
)
def test_names_of_modules_tell_the_owner(name, owner):
    assert of_module(name) == owner


def test_processes_tell_which_services_run():
    assert running(["sshd", "dockerd", "ovs-vswitchd", "dockerd"]) == ["docker", "openvswitch"]
