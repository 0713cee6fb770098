# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trees of hosts with services, as Debian 13 installs them, to be put on a recorded host."""

from __future__ import annotations

import typing as t

from fake_kernel import FakeKernel

if t.TYPE_CHECKING:
    from fake_kernel import Entry

    from ansible_collections.netops.conntrack.plugins.module_utils._host import Look

UNITS = "/usr/lib/systemd/system"
ENABLED = "/etc/systemd/system"

#: What every host has: targets, as systemd 257 ships them.
SYSTEMD: dict[str, t.Any] = {
    "/usr/lib/systemd/systemd": b"",
    f"{UNITS}/default.target": "graphical.target",
    f"{UNITS}/graphical.target": b"[Unit]\nRequires=multi-user.target\nWants=display-manager.service\n",
    f"{UNITS}/multi-user.target": b"[Unit]\nRequires=basic.target\n",
    f"{UNITS}/basic.target": b"[Unit]\nRequires=sysinit.target\nWants=sockets.target timers.target paths.target\n",
    f"{UNITS}/sysinit.target": b"[Unit]\nDescription=System Initialization\n",
    f"{UNITS}/sockets.target": b"[Unit]\nDescription=Socket Units\n",
    f"{UNITS}/timers.target": b"[Unit]\nDescription=Timer Units\n",
    f"{UNITS}/paths.target": b"[Unit]\nDescription=Path Units\n",
    f"{UNITS}/rescue.target": b"[Unit]\nRequires=sysinit.target\n",
}

#: What each unit runs, by its name.
COMMANDS = {
    "conntrackd": "/usr/sbin/conntrackd -C /etc/conntrackd/conntrackd.conf",
    "docker": "/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS",
    "firewalld": "/usr/sbin/firewalld --nofork --nopid",
    "netfilter-persistent": "/usr/sbin/netfilter-persistent start",
    "nftables": "/usr/sbin/nft -f /etc/nftables.conf",
    "ufw": "/usr/lib/ufw/ufw-init start quiet",
}


def enabled(name: str, by: str = "multi-user.target", command: str | None = None) -> dict[str, t.Any]:
    """A service that a target wants, with the systemd that boots it."""
    run = COMMANDS.get(name, f"/usr/sbin/{name}") if command is None else command
    unit = name if name.endswith((".service", ".socket")) else f"{name}.service"
    text = f"[Unit]\nDescription={name}\n[Service]\nExecStart={run}\n[Install]\nWantedBy={by}\n"
    return {
        **SYSTEMD,
        f"{UNITS}/{unit}": text.encode(),
        f"{ENABLED}/{by}.wants/{unit}": f"{UNITS}/{unit}",
    }


def installed(name: str) -> dict[str, t.Any]:
    """The same, but not enabled."""
    return {path: entry for path, entry in enabled(name).items() if not path.startswith(ENABLED)}


UFW = {
    **enabled("ufw"),
    "/etc/ufw/ufw.conf": b"# comment\nENABLED=yes\nLOGLEVEL=low\n",
    "/etc/default/ufw": b'IPV6=yes\nDEFAULT_INPUT_POLICY="DROP"\n',
    "/etc/ufw/before.rules": b"# rules\n*filter\n:ufw-before-input - [0:0]\n"
    b"-A ufw-before-input -i lo -j ACCEPT\n"
    b"-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\nCOMMIT\n",
}

NAT_RULES = (
    b"*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n*nat\n:POSTROUTING ACCEPT [1:60]\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n"
)
STATE_RULES = b"*filter\n-A INPUT -m state --state NEW -j ACCEPT\nCOMMIT\n"
PLAIN_RULES = b'*filter\n-A INPUT -p tcp -m tcp --dport 22 -m comment --comment "-m state -j SNAT" -j ACCEPT\nCOMMIT\n'

PERSISTENT = {
    **enabled("netfilter-persistent"),
    "/usr/share/netfilter-persistent/plugins.d/15-ip4tables": b"#!/bin/sh\n",
    "/usr/share/netfilter-persistent/plugins.d/25-ip6tables": b"#!/bin/sh\n",
}

#: modules.dep of Linux 6.12, as far as it goes here.
MODULES_DEP = (
    b"kernel/net/ipv4/tcp_diag.ko.xz: kernel/net/ipv4/inet_diag.ko.xz\n"
    b"kernel/net/openvswitch/openvswitch.ko.xz: kernel/net/netfilter/nf_nat.ko.xz "
    b"kernel/net/netfilter/nf_conntrack.ko.xz\n"
    b"kernel/net/netfilter/ipvs/ip_vs.ko.xz: kernel/net/netfilter/nf_conntrack.ko.xz\n"
    b"kernel/net/netfilter/ipvs/ip_vs_ftp.ko.xz: kernel/net/netfilter/ipvs/ip_vs.ko.xz "
    b"kernel/net/netfilter/nf_nat.ko.xz\n"
)


def host_of(tree: t.Mapping[str, Entry], name: str = "trixie-6.12-absent") -> FakeKernel:
    """A recorded host with these paths, and MODULES_DEP for its kernel."""
    host = FakeKernel(name, tree)
    release = host.read_value("/proc/sys/kernel/osrelease")
    host.put(host.resolve(f"/lib/modules/{release}/modules.dep"), MODULES_DEP)
    return host


class WithModes(FakeKernel):
    """A host some of whose files are not executable, as after ``chmod -x``.

    :ivar plain: their paths.
    """

    plain: frozenset[str] = frozenset()

    def look(self, path: str, most: int) -> Look | None:
        found = super().look(path, most)
        return found._replace(is_executable=False) if found is not None and path in self.plain else found


def host_with_modes(tree: t.Mapping[str, Entry], *plain: str) -> WithModes:
    """A recorded host with these paths, of which some are not executable."""
    host = WithModes("trixie-6.12-absent", tree)
    host.plain = frozenset(plain)
    return host
