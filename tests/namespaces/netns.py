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
import typing as t
from pathlib import Path

from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump, netlink
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
    table = netlink.connect(Host(), name)
    assert table is not None
    with table.socket as socket:
        bodies = ((entry.original.family, dump.encode(entry)) for entry in entries)
        codes = socket.requests(netlink.NEW, bodies, netlink.CREATE)
    refused = [os.strerror(code) for code in codes if code]
    assert not refused, f"{len(refused)} refused, the first for: {refused[0]}"
    return len(codes)
