# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who will need a stack at its next start, and what keeps it from coming back."""

from __future__ import annotations

import pytest
from boot_services import (
    ENABLED,
    NAT_RULES,
    PERSISTENT,
    SYSTEMD,
    UFW,
    UNITS,
    enabled,
    host_of,
    host_with_modes,
    installed,
)

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
        ({**installed("ovs-vswitchd"), **enabled("outer"),
          f"{UNITS}/outer.service": b"[Unit]\nRequires=ovs-vswitchd.service\n"},
         "systemctl disable --now outer.service"),
        ({**SYSTEMD, "/etc/rc2.d/S01ferm": "../init.d/ferm", "/etc/init.d/ferm": b"#!/bin/sh\n",
          "/etc/ferm/ferm.conf": b"table nat\n"},
         "update-rc.d ferm disable"),
        ({"/run/openrc": None, "/etc/runlevels/default/docker": "/etc/init.d/docker", "/etc/init.d/docker": b""},
         "rc-update delete docker"),
        ({**enabled("systemd-networkd"), "/etc/systemd/network/a.network": b"[Network]\nIPMasquerade=ipv4\n"},
         "remove the line from /etc/systemd/network/a.network"),
        ({"/run/openrc": None, "/etc/runlevels/boot/networking": "/etc/init.d/networking",
          "/etc/init.d/networking": b"",
          "/etc/network/interfaces": b" up iptables -t nat -F\n"}, "remove the line from /etc/network/interfaces"),
        (enabled("walinuxagent"), "set OS.EnableFirewall=n in /etc/waagent.conf"),
        ({**SYSTEMD, "/etc/rc.local": b"iptables -t nat -F\n"}, "remove the line from /etc/rc.local"),
    ],
)  # fmt: skip
def test_what_keeps_it_from_coming_back_is_said(tree, remedy):
    assert {need.remedy for need in find(tree)} == {remedy}


RC_LOCAL = b"#!/bin/sh\niptables -t nat -A POSTROUTING -j MASQUERADE\n"


@pytest.mark.parametrize("path", ["/etc/rc.local", "/etc/rc.d/rc.local"])
@pytest.mark.parametrize("unit", [{}, enabled("rc-local")], ids=["by the generator", "enabled"])
def test_an_rc_local_counts_only_while_it_is_executable(path, unit):
    tree = {**SYSTEMD, **unit, path: RC_LOCAL}
    assert {(need.unit, need.file) for need in find(tree)} == {("rc-local.service", path)}
    assert needs.find(host_with_modes(tree, path), {}) == []


def test_rc_local_has_the_name_of_what_boots_the_host():
    host = host_of({"/run/openrc": None, "/etc/rc.local": RC_LOCAL})
    assert {(need.unit, need.remedy) for need in needs.find(host, {})} == {
        ("rc.local", "remove the line from /etc/rc.local")
    }


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


# --- hosts as they are installed

#: What stock hosts have enabled, with the commands of their units.
STOCK = {
    "NetworkManager": "/usr/sbin/NetworkManager --no-daemon",
    "apparmor": "/lib/apparmor/apparmor.systemd reload",
    "auditd": "/usr/sbin/auditd",
    "chrony": "/usr/sbin/chronyd -F 1 $DAEMON_OPTS",
    "chronyd": "/usr/sbin/chronyd -F 2 $OPTIONS",
    "cloud-config": "/usr/bin/cloud-init modules --mode=config",
    "cloud-final": "/usr/bin/cloud-init modules --mode=final",
    "cloud-init": "/usr/bin/cloud-init init",
    "cloud-init-local": "/usr/bin/cloud-init init --local",
    "cron": "/usr/sbin/cron -f $EXTRA_OPTS",
    "crond": "/usr/sbin/crond -n $CRONDARGS",
    "dbus": "/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile",
    "getty@tty1": "-/sbin/agetty --noclear - $TERM",
    "networking": "/sbin/ifup -a --read-environment",
    "rsyslog": "/usr/sbin/rsyslogd -n -iNONE",
    "snapd": "/usr/lib/snapd/snapd",
    "ssh": "/usr/sbin/sshd -D $SSHD_OPTS",
    "sshd": "/usr/sbin/sshd -D $OPTIONS",
    "systemd-networkd": "!!/usr/lib/systemd/systemd-networkd",
    "systemd-resolved": "!!/usr/lib/systemd/systemd-resolved",
    "systemd-timesyncd": "!!/usr/lib/systemd/systemd-timesyncd",
    "tuned": "/usr/sbin/tuned -l -P",
    "ufw": "/usr/lib/ufw/ufw-init start quiet",
    "unattended-upgrades": "/usr/share/unattended-upgrades/unattended-upgrade-shutdown --wait-for-signal",
}

#: And what they have besides, none of which is used.
_STOCK_FILES = {
    "/etc/ufw/ufw.conf": b"ENABLED=no\nLOGLEVEL=low\n",
    "/etc/ufw/before.rules": UFW["/etc/ufw/before.rules"],
    "/etc/firewalld/firewalld.conf": b"FirewallBackend=nftables\n",
    "/etc/nftables.conf": b"flush ruleset\ntable inet f {\n chain i {\n  ct state new drop\n }\n}\n",
    "/etc/network/interfaces": b"source /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n",
    "/etc/network/if-up.d/ethtool": b"#!/bin/sh\nethtool -G eth0\n",
    "/etc/NetworkManager/system-connections/eth0.nmconnection": b"[ipv4]\nmethod=auto\n",
    "/etc/systemd/network/10-eth0.network": b"[Network]\nDHCP=yes\n",
    "/usr/sbin/tuned": b"#!/usr/bin/python3 -Es\nimport tuned\n",
    f"{UNITS}/ssh.socket": b"[Socket]\nListenStream=22\nAccept=no\n",
    f"{ENABLED}/sockets.target.wants/ssh.socket": f"{UNITS}/ssh.socket",
}


def stock_host():
    tree = {**installed("firewalld"), **installed("nftables"), **_STOCK_FILES}
    for name, command in STOCK.items():
        tree.update(enabled(name, command=command))
    return tree


def test_stock_hosts_need_nothing_and_so_are_not_refused():
    unreadable = {}
    assert needs.find(host_of(stock_host()), unreadable) == [] and unreadable == {}


@pytest.mark.parametrize("name", ["firewalld", "nftables"])
def test_a_stock_host_with_a_firewall_that_is_enabled_needs_it(name):
    assert {need.unit for need in find({**stock_host(), **enabled(name)})} == {f"{name}.service"}
