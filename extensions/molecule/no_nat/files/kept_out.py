# SPDX-License-Identifier: GPL-3.0-or-later
"""Show that a stack is not loaded and that nothing loads it.

    kept_out.py nat          and rules by connection state match
    kept_out.py conntrack    and no setting for it is left

Runs what is known to load the stack. Fails and names what did load something, or did not fail.
"""

from __future__ import annotations

import glob
import json
import re
import socket
import subprocess
import sys
import threading

NAT = r"nf_nat|.*_nat|.*_masq|.*MASQUERADE|.*_redir|.*_nat_.*"
CONNTRACK = NAT + r"|nf_conntrack.*|nf_defrag.*|nft_ct|xt_conntrack|xt_state|xt_CT"

TRIGGERS = {
    "nat": [
        "iptables-legacy -t nat -L -n",
        "modprobe iptable_nat",
        "nft add table ip t && nft 'add chain ip t c { type nat hook postrouting priority 100; }'",
    ],
    "conntrack": [
        "iptables-legacy -t nat -L -n",
        "iptables-legacy -A INPUT -m conntrack --ctstate NEW -j ACCEPT",
        "nft add table ip t && nft 'add chain ip t i { type filter hook input priority 0; }'"
        " && nft add rule ip t i ct state new accept",
        "conntrack -L",
        "nft add table ip t && nft 'add chain ip t c { type nat hook postrouting priority 100; }'",
        "modprobe iptable_nat",
        "modprobe nf_conntrack",
    ],
}

RULE = (
    "table inet keep { chain incoming { type filter hook input priority 0;"
    " ct state established,related counter accept; }; }"
)


def main() -> None:
    stack = sys.argv[1]
    pattern = re.compile(NAT if stack == "nat" else CONNTRACK)
    wrong = ["loaded: " + name for name in loaded(pattern)]
    for trigger in TRIGGERS[stack]:
        if subprocess.run(trigger, shell=True, capture_output=True, check=False).returncode == 0:
            wrong.append("did not fail: " + trigger)
        wrong += [f"{trigger} loaded {name}" for name in loaded(pattern)]
    subprocess.run(["nft", "delete", "table", "ip", "t"], check=True)
    if stack == "nat":
        subprocess.run(
            ["nft", "-f", "-"], input=b"table inet keep\ndelete table inet keep\n" + RULE.encode(), check=True
        )
        talk()
        if matches() == 0:
            wrong.append("no packet of an established connection matched")
        subprocess.run(["nft", "delete", "table", "inet", "keep"], check=True)
    else:
        wrong += ["left: " + path for path in glob.glob("/etc/sysctl.d/*netops-conntrack*")]
        wrong += ["left: " + path for path in glob.glob("/etc/udev/rules.d/*netops-conntrack*")]
    if wrong:
        sys.exit("; ".join(wrong))


def loaded(pattern: re.Pattern[str]) -> list[str]:
    with open("/proc/modules") as stream:
        names = [line.split()[0] for line in stream]
    return [name for name in names if pattern.fullmatch(name)]


def talk() -> None:
    """A connection over loopback, with something said both ways."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = threading.Thread(target=lambda: server.accept()[0].sendall(b"yes"))
        answering.start()
        with socket.create_connection(server.getsockname()) as client:
            client.sendall(b"is anybody there")
            client.recv(3)
        answering.join()


def matches() -> int:
    """Packets that the rule has counted."""
    listed = subprocess.run(["nft", "-j", "list", "table", "inet", "keep"], capture_output=True, check=True).stdout
    rules = [item["rule"] for item in json.loads(listed)["nftables"] if "rule" in item]
    return sum(part["counter"]["packets"] for rule in rules for part in rule["expr"] if "counter" in part)


if __name__ == "__main__":
    main()
