# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill this host's connection tracking table, and tell what became of it.

    flood.py FLOWS [--max ENTRIES]

Opens FLOWS connections over loopback, each one UDP packet, under a firewall rule that makes the kernel track them.
With --max, loads nf_conntrack first and sets that limit, as a host that was never tuned would have it.
Prints JSON: what the kernel logged meanwhile, by how much its counters rose, and the entries in use at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess

TABLE_FULL = re.compile(r"nf_conntrack: (nf_conntrack: )?table full( in netns \d+)?, dropping packet")

# The ssh connection that this runs over is no part of the experiment.
RULES = """
table inet flood {
    chain incoming { type filter hook prerouting priority -300; tcp dport 22 notrack; }
    chain untracked { type filter hook output priority -300; tcp sport 22 notrack; }
    chain outgoing { type filter hook output priority 0; ct state new counter accept; }
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Fill the connection tracking table.")
    parser.add_argument("flows", type=int)
    parser.add_argument("--max", type=int)
    arguments = parser.parse_args()

    if arguments.max is not None:
        subprocess.run(["modprobe", "nf_conntrack"], check=True)
        write_value("nf_conntrack_max", arguments.max)
        # The table stays full until somebody looks.
        write_value("nf_conntrack_udp_timeout", 3600)

    kernel_log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    os.lseek(kernel_log, 0, os.SEEK_END)
    subprocess.run(["nft", "-f", "-"], input=RULES.encode(), check=True)
    try:
        before = statistics()
        send(arguments.flows)
        after = statistics()
    finally:
        subprocess.run(["nft", "delete", "table", "inet", "flood"], check=True)
    log = [line for line in records(kernel_log) if TABLE_FULL.search(line)]
    print(
        json.dumps(
            {
                "log": log,
                "drop": after["drop"] - before["drop"],
                "early_drop": after["early_drop"] - before["early_drop"],
                "entries": read_value("nf_conntrack_count"),
                "max": read_value("nf_conntrack_max"),
            }
        )
    )


def send(flows: int) -> None:
    """One packet for each of so many connections; the last part of the address and the port tell them apart."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(flows):
            try:
                sender.sendto(b"", (f"127.1.{number // 256 % 256}.{number % 256}", 9))
            except PermissionError:
                continue  # how a sender learns that conntrack dropped its packet


def statistics() -> dict[str, int]:
    """The kernel's counters, over all processors."""
    with open("/proc/net/stat/nf_conntrack") as stream:
        names = stream.readline().split()
        rows = [[int(value, 16) for value in line.split()] for line in stream]
    return {name: sum(column) for name, column in zip(names, zip(*rows))}


def records(kernel_log: int) -> list[str]:
    """The kernel's log lines since the descriptor was opened."""
    lines = []
    while True:
        try:
            lines.append(os.read(kernel_log, 8192).decode("utf-8", "replace").partition(";")[2].rstrip())
        except BlockingIOError:
            return lines


def read_value(key: str) -> int:
    with open("/proc/sys/net/netfilter/" + key) as stream:
        return int(stream.read())


def write_value(key: str, value: int) -> None:
    with open("/proc/sys/net/netfilter/" + key, "w") as stream:
        stream.write(str(value))


if __name__ == "__main__":
    main()
