# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of this machine's own kernel to test and measure with: network namespaces, filled by ctnetlink itself.

Needs root, and connection tracking built in or loaded. What is changed on the machine, the limit of all namespaces, is
put back, also when a test fails.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

from ansible_collections.netops.conntrack.plugins.module_utils import _ctnetlink as netlink
from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump, reading, tables
from ansible_collections.netops.conntrack.plugins.module_utils._entries.filter import Filter
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

LIMIT = Path("/proc/sys/net/netfilter/nf_conntrack_max")

_numbers = itertools.count()


def _end(number: int, _frame: t.Any) -> None:
    raise SystemExit(128 + number)


# What ends a run from outside, such as a time limit, is to leave nothing behind either.
signal.signal(signal.SIGTERM, _end)


def run(*command: str) -> str:
    """The standard output of a program that must succeed."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextlib.contextmanager
def namespace() -> t.Iterator[str]:
    """The name of a new network namespace, with loopback up, that is gone at the end with all its entries."""
    name = f"entries-{os.getpid()}-{next(_numbers)}"
    run("ip", "netns", "add", name)
    try:
        run("ip", "-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        run("ip", "netns", "delete", name)


@contextlib.contextmanager
def room_for(entries: int) -> t.Iterator[None]:
    """A limit that many entries fit in, for all network namespaces."""
    before = LIMIT.read_text(encoding="ascii").strip()
    if int(before) == 0 or int(before) >= entries:
        yield
        return
    LIMIT.write_text(f"{entries}\n", encoding="ascii")
    try:
        yield
    finally:
        LIMIT.write_text(f"{before}\n", encoding="ascii")


def add(name: str, entries: t.Iterable[dump.Entry]) -> int:
    """Have the kernel make entries in a namespace; how many it made.

    :raises AssertionError: it refused one.
    """
    table = tables.connect(Host(), name)
    assert table is not None
    with table.socket as socket:
        bodies = ((entry.original.family, dump.encode(entry)) for entry in entries)
        codes = socket.requests(netlink.NEW, bodies, netlink.CREATE)
    refused = [os.strerror(code) for code in codes if code]
    assert not refused, f"{len(refused)} refused, the first for: {refused[0]}"
    return len(codes)


def raw(name: str, meant: Filter | None = None) -> list[dump.Entry]:
    """The entries of a dump as the careful parser reads them; with a filter those that the kernel gives."""
    table = tables.connect(Host(), name)
    assert table is not None
    with table.socket as socket:
        datagrams = reading.dump(socket, meant or Filter())
        return [dump.parse(message) for data in datagrams for message in netlink.split(data)]


def send(name: str, port: int, numbers: range) -> None:
    """Send a UDP packet from each of some source ports, in a namespace, over loopback."""
    code = (
        "import socket, sys\n"
        "for number in range(int(sys.argv[2]), int(sys.argv[3])):\n"
        "    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:\n"
        "        s.bind(('127.0.0.1', number)); s.sendto(b'x', ('127.0.0.2', int(sys.argv[1])))\n"
    )
    run("ip", "netns", "exec", name, sys.executable, "-c", code, str(port), str(numbers.start), str(numbers.stop))


def track(name: str, *more: str) -> None:
    """Have connection tracking see all packets of a namespace. Nobody answers, and nobody says so by ICMP."""
    for rule in (
        "add table ip t", "add chain ip t sent { type filter hook output priority 0; }",
        "add rule ip t sent ct state new counter", "add rule ip t sent icmp type destination-unreachable drop", *more,
    ):  # fmt: skip
        run("ip", "netns", "exec", name, "nft", rule)
