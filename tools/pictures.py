# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The README's pictures of a report, from a real run of the playbook: `make pictures`. Needs root.

The hosts are network namespaces of this machine, each with a table of its own that its kernel fills. In one of them the
entries come from one client, one fills while the playbook looks, and one cannot be reached.
"""

from __future__ import annotations

import contextlib
import os
import random
import struct
import subprocess
import sys
import tempfile
import threading
import typing as t
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TOP / "tests" / name) for name in ("pages", "namespaces", "unit")]

import collection_path  # noqa: E402  # what is before it lets it be found

collection_path.make_importable()

import yaml  # noqa: E402
from browser import Browser  # noqa: E402
from directions import reply_of  # noqa: E402
from netns import LIMIT, add, namespace  # noqa: E402

from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump  # noqa: E402

PICTURES = TOP / "docs" / "pictures"
#: Wide enough for the fleet's table, and small enough for a README.
WIDTH, HEIGHT = 1180, 780

#: The hosts, and how full each is in percent of the machine's limit.
FULL, FILLING, SILENT = "gw-berlin-07", "nat-oslo-02", "lb-porto-05"
USAGE = {
    FULL: 96, FILLING: 62, "gw-berlin-01": 31, "gw-berlin-02": 28, "nat-oslo-01": 22, "edge-lyon-11": 19,
    "edge-lyon-12": 17, "gw-riga-01": 14, "gw-riga-02": 12, "lb-porto-01": 9, "lb-porto-02": 8, "lb-porto-03": 7,
    "edge-turin-01": 6, "edge-turin-02": 5, "gw-ghent-01": 4, "gw-ghent-02": 3, "lb-graz-01": 2, "lb-graz-02": 1,
}  # fmt: skip

#: Protocol, state, status and the most seconds that are left; of 10 entries so many are like this.
_KINDS = ((dump.TCP, 3, 14, 432000), (dump.TCP, 7, 14, 120), (dump.UDP, None, 8, 30), (dump.UDP, None, 14, 120))
_WEIGHTS = (5, 2, 2, 1)


def entries(first: int, last: int, scans: bool = False) -> t.Iterator[dump.Entry]:
    """Entries as a gateway has them; of one that is scanned through, every third is of one client."""
    chance = random.Random(first)
    for number in range(first, last):
        protocol, state, status, left = chance.choices(_KINDS, _WEIGHTS)[0]
        client = 0x0A140011 if scans and number % 3 == 0 else 0x0A000000 + int(chance.random() ** 3 * 60_000)
        server = 0xC6336400 + number // 60_000 * 256 + int(chance.random() ** 2 * 200)
        ports = number % 60_000 + 1024, chance.choice((443, 443, 443, 53, 80, 22))
        original = dump.Tuple(2, protocol, struct.pack(">I", client), struct.pack(">I", server), *ports)
        seconds = max(left // 2, 600) + int(chance.random() * left / 2)
        yield dump.Entry(original, reply_of(original), status=status, timeout=seconds, state=state)


def interpreter(directory: Path, name: str) -> str:
    """A program that runs Python in a namespace, for Ansible to take for a host's."""
    script = directory / name
    script.write_text(f'#!/bin/sh\nexec ip netns exec {name} {sys.executable} "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return str(script)


@contextlib.contextmanager
def filling(name: str, first: int) -> t.Iterator[None]:
    """A namespace whose table gains some hundred entries a second."""
    done = threading.Event()

    def fill() -> None:
        number = first
        while not done.wait(0.1):
            add(name, entries(number, number + 40))
            number += 40

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def report(directory: Path, hosts: dict[str, t.Any]) -> Path:
    """The page of a run of the playbook."""
    inventory = directory / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts}}), encoding="utf-8")
    extra = ("-e", "conntrack_who=true", "-e", "conntrack_interval=5")
    command = ("ansible-playbook", "-i", str(inventory), "--forks", "2", "netops.conntrack.report", *extra)
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(TOP / ".build" / "collections")}
    subprocess.run(command, check=True, cwd=directory, env=environment)
    return directory / "report.html"


def main() -> None:
    """Fill the tables, run the playbook, take the pictures."""
    limit = int(LIMIT.read_text(encoding="ascii"))
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        hosts: dict[str, t.Any] = {SILENT: {"ansible_host": "127.0.0.1", "ansible_port": 1}}
        for host, usage in USAGE.items():
            name = stack.enter_context(namespace())
            count = limit * usage // 100
            add(name, entries(0, count, scans=host == FULL))
            python = interpreter(directory, name)
            hosts[host] = {"ansible_connection": "local", "ansible_python_interpreter": python}
            if host == FILLING:
                stack.enter_context(filling(name, count))
        page = report(directory, hosts)
        browser = Browser()
        stack.callback(browser.close)
        for scheme in ("light", "dark"):
            browser.screen(WIDTH, scheme, height=HEIGHT)
            browser.open(page)
            browser.driver.save_screenshot(str(PICTURES / f"report-{scheme}.png"))


if __name__ == "__main__":
    main()
