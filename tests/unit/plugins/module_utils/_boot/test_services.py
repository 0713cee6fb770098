# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each service needs of a stack, by its own files."""

from __future__ import annotations

import time

import pytest
from boot_services import (
    ENABLED,
    NAT_RULES,
    PERSISTENT,
    PLAIN_RULES,
    STATE_RULES,
    SYSTEMD,
    UFW,
    UNITS,
    enabled,
    host_of,
    host_with_modes,
)
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._boot import needs, services

NAT, CONNTRACK = "nat", "conntrack"
BOTH, TRACKING, NONE = {NAT, CONNTRACK}, {CONNTRACK}, set()


def find(tree):
    return needs.find(host_of(tree), {})


def stacks(tree, certain=None):
    return {need.stack for need in find(tree) if certain in (None, need.certain)}


def place(tree, stack):
    return [(need.file, need.line) for need in find(tree) if need.stack == stack]


DOCKER = enabled("docker")
LIBVIRT = enabled("libvirtd")
NETWORK = "/etc/libvirt/qemu/networks/autostart/default.xml"
FIREWALLD = "/etc/firewalld/firewalld.conf"
NFT = {
    **enabled("nftables"),
    "/etc/nftables.conf": b'#!/usr/sbin/nft -f\nflush ruleset\ninclude "/etc/nftables.d/*.nft"\n',
}
STATEFUL = (
    b"table inet f {\n  chain i {\n    type filter hook input priority 0;\n    ct state established accept\n  }\n}\n"
)
KEEPALIVED = "/etc/keepalived/keepalived.conf"
VRRP = b"vrrp_instance a {\n  state MASTER\n}\n"
VIRTUAL = b"virtual_server 10.0.0.1 80 {\n  lb_algo rr\n}\n"
FAIL2BAN = {**enabled("fail2ban"), "/etc/fail2ban/jail.conf": b"[DEFAULT]\nbanaction = iptables-multiport\n"}
ACTION = "/etc/fail2ban/action.d/iptables-multiport.conf"
K8S = enabled("kubelet")


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (UFW, TRACKING),
        ({**UFW, "/etc/ufw/before.rules": b"*filter\nCOMMIT\n"}, TRACKING),
        ({**UFW, "/etc/ufw/before.rules": NAT_RULES}, BOTH),
        ({**UFW, "/etc/ufw/after6.rules": NAT_RULES}, BOTH),
        ({**UFW, "/etc/ufw/after6.rules": NAT_RULES, "/etc/default/ufw": b"IPV6=no\n"}, TRACKING),
        ({**UFW, "/etc/ufw/ufw.conf": b'ENABLED="yes"\n'}, TRACKING),
        ({**UFW, "/etc/ufw/ufw.conf": b"ENABLED=yes\nENABLED=no\n"}, NONE),
        ({**UFW, "/etc/ufw/ufw.conf": b"#ENABLED=yes\n"}, NONE),
        ({**enabled("firewalld"), FIREWALLD: b"FirewallBackend=nftables\n"}, BOTH),
        (DOCKER, BOTH),
        ({**DOCKER, "/etc/docker/daemon.json": b"{}"}, BOTH),
        ({**DOCKER, "/etc/docker/daemon.json": b'{"iptables": false, "ip6tables": true}'}, NONE),
        ({**DOCKER, "/etc/docker/daemon.json": b'{"iptables": false, "ip6tables": false}'}, NONE),
        ({**DOCKER, "/etc/default/docker": b'#DOCKER_OPTS="--iptables=false --ip6tables=false"\n'}, BOTH),
        ({**DOCKER, "/etc/default/docker": b'DOCKER_OPTS="--iptables=false --ip6tables=false"\n'}, NONE),
        ({**LIBVIRT, NETWORK: b"<network>\n  <forward mode='nat'>\n</network>\n"}, BOTH),
        ({**LIBVIRT, NETWORK: b"<network><forward/></network>\n"}, BOTH),
        ({**LIBVIRT, NETWORK: b'<network><forward mode="bridge"/></network>\n'}, NONE),
        ({**LIBVIRT, NETWORK: b"<network><forward mode='open'/></network>\n"}, NONE),
        (LIBVIRT, NONE),
        (enabled("openvswitch-switch"), BOTH),
        (enabled("openvswitch"), BOTH),
        (enabled("conntrackd"), TRACKING),
        ({**enabled("keepalived"), KEEPALIVED: VRRP}, NONE),
        ({**enabled("keepalived"), KEEPALIVED: VRRP + VIRTUAL}, TRACKING),
        ({**enabled("keepalived"), KEEPALIVED: b"# virtual_server\n! virtual_server\n"}, NONE),
        ({**enabled("keepalived"), KEEPALIVED: b"include conf.d/*.conf\n", "/etc/keepalived/conf.d/a.conf": VIRTUAL},
         TRACKING),
        ({**enabled("ipvsadm"), "/etc/default/ipvsadm": b'AUTO="true"\n', "/etc/ipvsadm.rules": b"-A -t 10.0.0.1:80\n"},
         TRACKING),
        ({**enabled("ipvsadm"), "/etc/default/ipvsadm": b'AUTO="false"\n',
          "/etc/ipvsadm.rules": b"-A -t 10.0.0.1:80\n"}, NONE),
        ({**enabled("ipvsadm"), "/etc/sysconfig/ipvsadm": b"-A -t 10.0.0.1:80\n"}, TRACKING),
        ({**PERSISTENT, "/etc/iptables/rules.v4": NAT_RULES}, BOTH),
        ({**PERSISTENT, "/etc/iptables/rules.v6": STATE_RULES}, TRACKING),
        ({**PERSISTENT, "/etc/iptables/rules.v4": PLAIN_RULES}, NONE),
        ({**enabled("netfilter-persistent"), "/etc/iptables/rules.v4": NAT_RULES}, NONE),
        ({**enabled("iptables", command="/usr/libexec/iptables/iptables.init start"),
          "/etc/sysconfig/iptables": NAT_RULES}, BOTH),
        ({**enabled("ip6tables", command="/x start"), "/etc/sysconfig/ip6tables": STATE_RULES}, TRACKING),
        ({**enabled("iptables", command="/usr/bin/iptables-restore /etc/iptables/iptables.rules"),
          "/etc/iptables/iptables.rules": NAT_RULES}, BOTH),
        ({**enabled("iptables", command="/x start"),
          "/etc/sysconfig/iptables-config": b'IPTABLES_MODULES="nf_conntrack_ftp"\n'}, TRACKING),
        (NFT, NONE),
        ({**NFT, "/etc/nftables.d/a.nft": STATEFUL}, TRACKING),
        ({**NFT, "/etc/nftables.d/.a.nft": STATEFUL, "/etc/nftables.d/a.conf": STATEFUL}, NONE),
        ({**NFT, "/etc/nftables.conf": b'include "site/*/a.nft"\n', "/etc/site/x/a.nft": STATEFUL}, TRACKING),
        ({**enabled("nftables", command="/sbin/nft -f /etc/sysconfig/nftables.conf"),
          "/etc/sysconfig/nftables.conf": STATEFUL}, TRACKING),
        ({**enabled("site", command="-/usr/sbin/nft -ef /srv/site.nft"), "/srv/site.nft": STATEFUL}, TRACKING),
        ({**enabled("site", command="/usr/sbin/nft --file=/srv/site.nft"), "/srv/site.nft": STATEFUL}, TRACKING),
        (enabled("site", command="/usr/sbin/nft add rule ip nat post masquerade"), BOTH),
        (enabled("shorewall"), TRACKING),
        ({**enabled("shorewall"), "/etc/shorewall/shorewall.conf": b"STARTUP_ENABLED=No\n"}, NONE),
        ({**enabled("shorewall"), "/etc/shorewall/snat": b"#ACTION\n?FORMAT 2\n"}, TRACKING),
        ({**enabled("shorewall"), "/etc/shorewall/snat": b"?FORMAT 2\nMASQUERADE - eth0\n"}, BOTH),
        ({**enabled("shorewall"), "/etc/shorewall/rules": b"ACCEPT net fw tcp 22\nDNAT net loc:10.0.0.2\n"}, BOTH),
        ({**enabled("shorewall6"), "/etc/shorewall/snat": b"MASQUERADE - eth0\n"}, TRACKING),
        ({**enabled("pve-firewall"), "/etc/pve/firewall/cluster.fw": b"[OPTIONS]\n\nenable: 1\n"}, TRACKING),
        ({**enabled("pve-firewall"), "/etc/pve/firewall/cluster.fw": b"[OPTIONS]\n\nenable: 0\n"}, NONE),
        ({**enabled("systemd-networkd"), "/etc/systemd/network/a.network": b"[Network]\nIPMasquerade=ipv4\n"}, BOTH),
        ({**enabled("systemd-networkd"), "/etc/systemd/network/a.network": b"[Network]\nIPMasquerade=no\n"}, NONE),
        ({**enabled("systemd-networkd"),
          "/usr/lib/systemd/network/80-container-ve.network": b"[Network]\nIPMasquerade=both\n"}, NONE),
        (enabled("containerd"), NONE),
        (enabled("ssh"), NONE),
    ],
)  # fmt: skip
def test_what_a_service_certainly_needs(tree, expected):
    assert stacks(tree, certain=True) == expected


#: What is told by no more than its name.
BY_NAME = (
    "snap.docker.dockerd", "snap.lxd.daemon", "incus", "lxd", "tailscaled", "csf", "lfd", "firehol", "apf",
    "apf-firewall",
    "podman-restart",
)  # fmt: skip


@pytest.mark.parametrize("name", [*BY_NAME, "walinuxagent"])
def test_what_only_its_name_tells_is_no_more_than_possible(name):
    found = find(enabled(name))
    assert found and not any(need.certain for need in found)
    assert all(f"{name}.service possibly needs" in need.message for need in found)
    assert f"{name}.service, possibly (" in needs.describe(found)
    assert find({**enabled(name), f"{ENABLED}/{name}.service": "/dev/null"}) == []


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({**enabled("firewalld"), FIREWALLD: b"FirewallBackend=iptables\n"}, {NAT}),
        (enabled("firewalld"), {NAT}),
        ({**DOCKER, "/etc/docker/daemon.json": b'{"iptables": false}'}, BOTH),
        ({**LIBVIRT, NETWORK: b"<network><forward mode='route'/></network>\n"}, BOTH),
        ({**LIBVIRT, NETWORK: b"<network><!-- <forward mode='nat'/> --></network>\n"}, BOTH),
        (K8S, BOTH),
        (enabled("k3s"), BOTH),
        ({**enabled("ferm"), "/etc/ferm/ferm.conf": b"table filter chain INPUT {\n mod state state NEW ACCEPT;\n}\n"},
         TRACKING),
        ({**enabled("ferm"), "/etc/ferm/ferm.conf": b"@include 'ferm.d/';\n",
          "/etc/ferm/ferm.d/a": b"table nat chain X MASQUERADE;\n"}, BOTH),
        ({**enabled("ferm"), "/etc/ferm/ferm.conf": b"# mod state\n"}, NONE),
        ({**enabled("ferm"), "/etc/ferm/ferm.conf": b"table nat\n", "/etc/default/ferm": b"ENABLED=no\n"}, NONE),
        ({**FAIL2BAN, ACTION: b"[Definition]\nactionban = <iptables> -I f2b -s <ip> -j REJECT\n"}, NONE),
        ({**FAIL2BAN, ACTION: b"[Definition]\n# conntrack -D\nactionban = conntrack -D -s <ip>\n"}, TRACKING),
        ({**FAIL2BAN, ACTION.replace("multiport", "new"): b"actionban = iptables -m state --state NEW\n"}, NONE),
        ({**enabled("lxc-net"), "/etc/default/lxc-net": b'USE_LXC_BRIDGE="true"\n'}, BOTH),
        ({**enabled("lxc-net"), "/etc/default/lxc-net": b'USE_LXC_BRIDGE="false"\n'}, NONE),
        ({**SYSTEMD, f"{UNITS}/wg-quick@.service": b"[Service]\nExecStart=/usr/bin/wg-quick up %i\n",
          f"{ENABLED}/multi-user.target.wants/wg-quick@wg0.service": f"{UNITS}/wg-quick@.service",
          "/etc/wireguard/wg0.conf": b"PostUp = iptables -t nat -A POSTROUTING -j MASQUERADE\n"}, BOTH),
        ({**enabled("NetworkManager"), "/etc/NetworkManager/system-connections/a": b"[ipv4]\nmethod=shared\n"}, BOTH),
        ({**enabled("networking"),
          "/etc/network/interfaces": b"iface a inet dhcp\n up iptables -A INPUT -m state --state NEW\n"}, TRACKING),
        ({**enabled("networking"), "/etc/network/if-pre-up.d/fw": b"#!/bin/sh\niptables-restore < /etc/fw.rules\n",
          "/etc/fw.rules": NAT_RULES}, BOTH),
        ({**SYSTEMD, "/etc/rc.local": b"#!/bin/sh\niptables -t nat -A POSTROUTING -j MASQUERADE\n"}, BOTH),
        ({**enabled("fw", command="/usr/local/sbin/fw start"),
          "/usr/local/sbin/fw": b"#!/bin/sh\niptables -t nat -F\n"}, BOTH),
        ({**enabled("fw", command="/usr/sbin/fw start"), "/usr/sbin/fw": b"#!/bin/sh\niptables -t nat -F\n"}, BOTH),
        ({**enabled("fw", command="-/bin/bash /sbin/fw"), "/sbin": "/usr/sbin",
          "/usr/sbin/fw": b"#!/bin/sh\niptables -t nat -F\n"}, BOTH),
        ({**enabled("fw", command="/usr/sbin/fw start"), "/usr/sbin/fw": b"\x7fELF iptables -t nat -F\n"}, NONE),
        ({**enabled("fw", command="/usr/local/sbin/fw start"), "/usr/local/sbin/fw": b"\x7fELF iptables -t nat -F\n"},
         NONE),
        *[(enabled(name), BOTH) for name in BY_NAME],
        (enabled("walinuxagent"), TRACKING),
        ({**enabled("waagent"), "/etc/waagent.conf": b"OS.EnableFirewall=y\n"}, TRACKING),
        ({**enabled("waagent"), "/etc/waagent.conf": b"OS.EnableFirewall=n\n"}, NONE),
        (enabled("fw", command="/bin/sh -c 'iptables -t nat -A POSTROUTING -j MASQUERADE'"), BOTH),
    ],
)  # fmt: skip
def test_what_it_possibly_needs_is_told_as_such(tree, expected):
    assert stacks(tree, certain=False) == expected


@pytest.mark.parametrize(
    ("tree", "stack", "expected"),
    [
        (UFW, CONNTRACK, ("/etc/ufw/before.rules", 5)),
        ({**UFW, "/etc/ufw/before.rules": b""}, CONNTRACK, ("/etc/ufw/ufw.conf", 2)),
        ({**enabled("firewalld"), FIREWALLD: b"# x\nFirewallBackend=nftables\n"}, NAT, (FIREWALLD, 2)),
        (DOCKER, NAT, (f"{ENABLED}/multi-user.target.wants/docker.service", None)),
        ({**LIBVIRT, NETWORK: b"<network>\n  <forward mode='nat'>\n</network>\n"}, NAT, (NETWORK, 2)),
        ({**NFT, "/etc/nftables.d/a.nft": STATEFUL}, CONNTRACK, ("/etc/nftables.d/a.nft", 4)),
        ({**PERSISTENT, "/etc/iptables/rules.v4": NAT_RULES}, CONNTRACK, ("/etc/iptables/rules.v4", 4)),
        (enabled("site", command="/usr/sbin/nft add rule ip nat post masquerade"), NAT, (f"{UNITS}/site.service", 4)),
    ],
)  # fmt: skip
def test_it_is_told_where_that_stands(tree, stack, expected):
    assert place(tree, stack) == [expected]


HOOK = b"#!/bin/sh\niptables -t nat -F\n"
UP = b"iface eth0 inet dhcp\n up iptables -t nat -F\n"
INTERFACES = "/etc/network/interfaces"


@pytest.mark.parametrize("path", ["if-pre-up.d/iptables.bak", "if-up.d/fw~", "if-up.d/.fw", "interfaces.d/old"])
def test_ifupdown_neither_runs_nor_sources_it(path):
    assert find({**enabled("networking"), INTERFACES: b"auto lo\n", f"/etc/network/{path}": HOOK}) == []


def test_a_hook_of_ifupdown_counts_only_while_it_is_executable():
    path = "/etc/network/if-up.d/fw"
    tree = {**enabled("networking"), path: HOOK}
    assert stacks(tree) == BOTH and needs.find(host_with_modes(tree, path), {}) == []


@pytest.mark.parametrize(
    ("line", "path", "expected"),
    [
        (b"source /etc/network/interfaces.d/*\n", "interfaces.d/a.cfg", BOTH),
        (b"source interfaces.d/*\n", "interfaces.d/a.cfg", BOTH),
        (b"  source \\\n /etc/network/interfaces.d/*.cfg\n", "interfaces.d/a.cfg", BOTH),
        (b"source /etc/network/interfaces.d/*.cfg\n", "interfaces.d/a.old", NONE),
        (b"source /etc/network/interfaces.d/*\n", "interfaces.d/.a", NONE),
        (b"source-directory /etc/network/interfaces.d\n", "interfaces.d/a", BOTH),
        (b"source-directory interfaces.d/\n", "interfaces.d/a", BOTH),
        (b"source-directory /etc/network/interfaces.d\n", "interfaces.d/a.bak", NONE),
        (b"#source /etc/network/interfaces.d/*\n", "interfaces.d/a", NONE),
        (b"source /etc/network/interfaces\nsource b\nsource-directory c\n", "c/a", BOTH),
    ],
)
def test_what_interfaces_sources_is_read_and_nothing_else(line, path, expected):
    assert stacks({**enabled("networking"), INTERFACES: line, f"/etc/network/{path}": UP}) == expected


def test_a_kernel_module_is_told_by_modules_dep_and_its_line():
    (nat, tracking) = find(enabled("openvswitch-switch"))
    assert nat.file.endswith("/modules.dep") and nat.line == 2 and "depends on nf_nat" in nat.reason
    assert "depends on nf_conntrack" in tracking.reason


# --- hosts that mean no good


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("nftables", "/etc/nftables.conf"),
        ("netfilter-persistent", "/etc/iptables/rules.v4"),
        ("ufw", "/etc/ufw/ufw.conf"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_and_possibly_needs_both(recorded_host, name, path):
    tree = {**PERSISTENT, **UFW, **NFT, **enabled(name)}
    for other in {"nftables", "netfilter-persistent", "ufw"} - {name}:
        del tree[f"{ENABLED}/multi-user.target.wants/{other}.service"]
    tree[path] = b""
    changes = {key: {"link": entry} if isinstance(entry, str) else entry.decode() for key, entry in tree.items()}
    host = recorded_host("trixie-6.12-absent", changes)
    host.denied.add(path)
    unreadable = {}
    found = needs.find(host, unreadable)
    assert unreadable == {path: "Permission denied"}
    assert {(need.stack, need.file, need.certain) for need in found} == {(NAT, path, False), (CONNTRACK, path, False)}
    assert "Permission denied" in found[0].reason


def test_settings_of_docker_that_are_nested_too_deeply_count_as_unreadable():
    unreadable = {}
    host = host_of({**DOCKER, "/etc/docker/daemon.json": b'{"a": ' + b"[" * 200_000})
    found = needs.find(host, unreadable)
    assert unreadable == {"/etc/docker/daemon.json": "its JSON is nested too deeply"}
    assert {(need.stack, need.file, need.certain) for need in found} == {
        (stack, "/etc/docker/daemon.json", False) for stack in BOTH
    }


@pytest.mark.parametrize(
    "included",
    [b'include "/etc/nftables.conf"\n', b'include "/etc/*.conf"\n', b'include "/etc/nftables.d/b.nft"\n'],
)
def test_includes_that_lead_round_in_a_ring_end(included):
    tree = {
        **NFT,
        "/etc/nftables.d/a.nft": included,
        "/etc/nftables.d/b.nft": b'include "/etc/nftables.d/a.nft"\n' + STATEFUL,
    }
    assert place(tree, CONNTRACK) == [("/etc/nftables.d/b.nft", 5)]


@pytest.mark.parametrize(
    "entry",
    ["/etc/nftables.conf", None, "/dev/null", "/srv/nowhere", b""],
    ids=["ring", "directory", "null", "nowhere", "empty"],
)
def test_a_rules_file_that_is_none_needs_nothing(entry):
    unreadable = {}
    assert needs.find(host_of({**NFT, "/etc/nftables.conf": entry}), unreadable) == [] and unreadable == {}


@pytest.mark.parametrize("path", ["/usr/sbin/fw", "/opt/fw"])
def test_no_more_of_a_program_is_read_than_tells_that_it_is_no_script(path):
    host = host_of({**enabled("fw", command=path), path: b"\x7fELF"})
    needs.find(host, {})
    assert path not in host.read_unlocked


def test_a_huge_file_of_rules_is_read_in_bounded_time():
    rules = b"*filter\n" + b"-A INPUT -s 192.0.2.1/32 -p tcp -m tcp --dport 22 -j DROP\n" * 200_000 + b"COMMIT\n"
    elements = b"define bad = {\n" + b"192.0.2.1,\n" * 500_000 + b"}\n"
    tree = {**PERSISTENT, "/etc/iptables/rules.v4": rules, **NFT, "/etc/nftables.d/a.nft": elements}
    tree[f"{ENABLED}/multi-user.target.wants/netfilter-persistent.service"] = f"{UNITS}/netfilter-persistent.service"
    host = host_of(tree)
    began = time.process_time()
    assert needs.find(host, {}) == []
    assert time.process_time() - began < 20


@given(st.binary(max_size=300), st.sampled_from(sorted(services.READERS)))
def test_no_content_of_any_file_is_a_crash(content, name):
    paths = (
        "/etc/ufw/ufw.conf", "/etc/ufw/before.rules", "/etc/docker/daemon.json", NETWORK, KEEPALIVED,
        "/etc/nftables.conf",
        "/etc/iptables/rules.v4", "/etc/ferm/ferm.conf", "/etc/shorewall/rules", "/etc/pve/firewall/cluster.fw", ACTION,
        "/etc/fail2ban/jail.conf", "/etc/default/lxc-net", "/etc/network/interfaces", "/etc/rc.local", FIREWALLD,
        "/etc/sysconfig/iptables-config", "/etc/default/ipvsadm", "/etc/systemd/network/a.network",
    )  # fmt: skip
    find({**enabled(name), **dict.fromkeys(paths, content)})
