# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's own services beside the collection, on a machine that has them installed.

    neighbours.py enable          enables them, with files as their users write them, and starts none
    neighbours.py start broken    starts each for which a stack is kept out: all must fail, or have no rules
    neighbours.py start whole     starts each: all must come up with their rules

Fails and names what was not as said. The real programs are the judges of what the facts say of them.
"""

from __future__ import annotations

import subprocess
import sys
import typing as t
from pathlib import Path

FILES = {
    "/etc/nftables.conf": '#!/usr/sbin/nft -f\nflush ruleset\ninclude "/etc/nftables.d/*.nft"\n',
    "/etc/nftables.d/site.nft": "# ct state in a comment\ntable inet site {\n  chain input {\n"
    "    type filter hook input priority 0;\n    ct state established,related accept\n  }\n}\n",
    "/etc/iptables/rules.v4": "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 9 -j DROP\nCOMMIT\n"
    "*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -o nowhere -j MASQUERADE\nCOMMIT\n",
    "/etc/keepalived/keepalived.conf": "! virtual_server in a comment\ninclude /etc/keepalived/site/*.conf\n",
    "/etc/keepalived/site/web.conf": "virtual_server 192.0.2.1 80 {\n  lb_algo rr\n  protocol TCP\n}\n",
    "/etc/libvirt/qemu/networks/autostart/default.xml": "<network>\n  <name>default</name>\n"
    "  <forward mode='nat'/>\n  <bridge name='virbr9' stp='on'/>\n"
    "  <ip address='192.0.2.129' netmask='255.255.255.192'/>\n</network>\n",
}

UNITS = [
    "conntrackd.service",
    "docker.service",
    "docker.socket",
    "fail2ban.service",
    "firewalld.service",
    "keepalived.service",
    "libvirtd.service",
    "netfilter-persistent.service",
    "nftables.service",
    "openvswitch-switch.service",
    "tuned.service",
    "ufw.service",
]

#: How each is started, and what shows that it has come up with all that it needs.
STARTS = {
    "conntrackd": ("systemctl start conntrackd", "systemctl is-active conntrackd"),
    "firewalld": ("systemctl start firewalld", "firewall-cmd --state && nft list table inet firewalld"),
    "ip_vs of keepalived": ("modprobe ip_vs", "grep '^ip_vs ' /proc/modules"),
    "netfilter-persistent": ("systemctl start netfilter-persistent", "iptables -t nat -S | grep MASQUERADE"),
    "nftables": ("systemctl start nftables", "nft list table inet site | grep 'ct state'"),
    "openvswitch": ("modprobe openvswitch", "grep '^openvswitch ' /proc/modules"),
    "ufw": ("systemctl start ufw", "iptables -S ufw-before-input | grep ctstate"),
}

#: What takes back whatever a start left, above all a policy that keeps the next ssh out; and a lock that conntrackd
#: leaves when it is stopped in the middle of one.
STOPS = (
    "systemctl stop firewalld conntrackd nftables ufw netfilter-persistent; "
    "for table in iptables ip6tables; do $table -P INPUT ACCEPT; $table -P FORWARD ACCEPT; done; "
    "rm -f /var/lock/conntrackd.lock; nft flush ruleset; systemctl reset-failed; modprobe -r openvswitch; "
    "modprobe -r ip_vs; true"
)


def main() -> None:
    if sys.argv[1] == "enable":
        enable()
        return
    wrong = []
    for name, (start, shows) in STARTS.items():
        shell(start)
        came_up = shell(shows).returncode == 0
        shell(STOPS)
        if came_up != (sys.argv[2] == "whole"):
            wrong.append(f"{name} {'came up' if came_up else 'did not come up'}")
        print(f"{name}: {'came up' if came_up else 'did not come up'}")
    if wrong:
        sys.exit("; ".join(wrong))


def enable() -> None:
    for path, text in FILES.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="ascii")
    must("ufw allow 22/tcp && sed -i s/^ENABLED=.*/ENABLED=yes/ /etc/ufw/ufw.conf")
    # ufw's package excludes this one, whose files can be there all the same.
    must("for archive in /srv/*.deb; do dpkg-deb --extract $archive /; done")
    # Not by way of init scripts too, which takes an emulated machine two minutes.
    must("SYSTEMCTL_SKIP_SYSV=1 systemctl --quiet enable " + " ".join(UNITS))
    # ufw tried what its iptables can, which loaded tracking.
    must("nft flush ruleset && modprobe --remove xt_conntrack nf_conntrack")


def shell(command: str) -> subprocess.CompletedProcess[bytes]:
    # A firewall without rules may take this script's own output away, not what it runs.
    return subprocess.run(command, shell=True, check=False, capture_output=True, timeout=120)


def must(command: str) -> t.Any:
    done = shell(command)
    if done.returncode:
        sys.exit(f"{command}: {done.stderr.decode(errors='replace')}")


if __name__ == "__main__":
    main()
