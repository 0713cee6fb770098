# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What conntrack_entries_info costs on a table of a million entries, beside what else one could do.

    benchmarks/entries.py [--entries 1000000] [--rounds 5]

Runs as root on this machine's own kernel, in a network namespace: `make bench-entries`. In each round all ways take
turns, so that what slows the machine down slows all of them. The unit is reading the dump and throwing it away, which
is the kernel's part of the work and copying. Printed are medians: of elapsed time, and of processor time of both sides
of the system call.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import struct
import subprocess
import sys
import time
import typing as t
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TOP / "tests" / "namespaces"), str(TOP / "tests" / "unit")]

import collection_path

collection_path.make_importable()

from netns import add, namespace, room_for

from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump, tables
from ansible_collections.netops.conntrack.plugins.module_utils._entries.gather import gather
from ansible_collections.netops.conntrack.plugins.module_utils._entries.request import parse
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

INET = 2
#: Protocol, state, status, and the most seconds that are left; of 10 entries so many are like this.
KINDS = ((6, 3, 14, 432000), (6, 7, 14, 86400), (17, None, 8, 86400), (17, None, 14, 86400))
WEIGHTS = (5, 2, 2, 1)


def gateway(first: int, last: int) -> t.Iterator[dump.Entry]:
    """Entries as a gateway has them: some clients and servers have many, most have few."""
    chance = random.Random(first)
    for number in range(first, last):
        protocol, state, status, left = chance.choices(KINDS, WEIGHTS)[0]
        source = struct.pack(">I", 0x0A000000 + int(chance.random() ** 3 * 100_000))
        destination = struct.pack(">I", 0xC0A80000 + int(chance.random() ** 3 * 20_000))
        port, service = number % 64000 + 1024, chance.choice((53, 80, 443, 443, 8000 + number // 64000))
        original = dump.Tuple(INET, protocol, source, destination, port, service)
        yield untranslated(original, state, status, 43200 + int(chance.random() * (left - 43200)))


def distinct(last: int) -> t.Iterator[dump.Entry]:
    """Entries of which no two have a source, a destination or a mark in common."""
    for number in range(last):
        source, destination = struct.pack(">I", 0x0A000000 + number), struct.pack(">I", 0x40000000 + number)
        original = dump.Tuple(INET, 17, source, destination, 5000, number % 65535 + 1)
        made = untranslated(original, None, 14, 43200 + number % 40000)
        yield made._replace(mark=number)


def untranslated(original: dump.Tuple, state: int | None, status: int, left: int) -> dump.Entry:
    """One entry without translation."""
    sides = (original.destination, original.source, original.destination_port, original.source_port)
    reply = dump.Tuple(original.family, original.protocol, *sides)
    return dump.Entry(original, reply, status=status, timeout=left, state=state)


def read(name: str) -> None:
    """Read the dump and throw it away."""
    table = tables.connect(Host(), name)
    assert table is not None
    with table.socket:
        for _unused in table.socket.dump():
            pass


def tell(name: str, sample: str) -> dict[str, t.Any]:
    """What the module does, without the start of a Python on the host."""
    params = {
        "sample": sample,
        "top": 10,
        "prefix": None,
        "filter": None,
        "entries": 0,
        "namespace": name,
        "what_if": None,
    }
    return gather(Host(), parse(params))


def pipeline(name: str) -> None:
    """The busiest source, as one finds it without a tool for that."""
    count = "{for (i = 1; i <= NF; i++) if ($i ~ /^src=/) {n[$i]++; break}} END {for (s in n) print n[s], s}"
    command = f"conntrack -L 2>/dev/null | awk '{count}' | sort -rn | head"
    subprocess.run(["ip", "netns", "exec", name, "sh", "-c", command], check=True, stdout=subprocess.DEVNULL)


def processor() -> float:
    """Seconds of processor time of this process and of those it waited for."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in both)


def measure(ways: dict[str, t.Callable[[], t.Any]], rounds: int) -> dict[str, tuple[float, float]]:
    """Medians of elapsed and processor time of each way."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _unused in range(rounds):
        for name, way in ways.items():
            began, used = time.monotonic(), processor()
            way()
            taken[name].append((time.monotonic() - began, processor() - used))
    return {name: tuple(map(statistics.median, zip(*times))) for name, times in taken.items()}


def run_module(module: str, arguments: dict[str, t.Any], inside: t.Sequence[str] = ()) -> float:
    """Run a module as a whole, without Ansible; the MiB that it had resident at most."""
    done = subprocess.run(
        [*inside, sys.executable, str(TOP / "tests" / "namespaces" / "resident.py"), module],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return int(done.stdout.split()[-1]) / 1024


def facts(name: str) -> None:
    """All that conntrack_facts returns by default, read in the namespace."""
    run_module("conntrack_facts", {}, ["ip", "netns", "exec", name])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Compare ways to see what a table of connections holds.")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("this makes network namespaces, which needs root: run `make bench-entries`, which asks sudo")
    most, tenth = arguments.entries, arguments.entries // 10
    with room_for(most + most // 10):
        with namespace() as name:
            # A table that is there, and empty.
            subprocess.run(["ip", "netns", "exec", name, "conntrack", "-F"], check=True, capture_output=True)
            facts_of_none = measure({"": lambda: facts(name)}, arguments.rounds)[""]
            print(f"making {tenth} entries", flush=True)
            add(name, gateway(0, tenth))
            sample_of_tenth = measure({"": lambda: tell(name, "50000")}, arguments.rounds)[""]
            print(f"making {most - tenth} more", flush=True)
            add(name, gateway(tenth, most))
            found = measure(
                {
                    "reading and throwing away": lambda: read(name),
                    "whole table, all counts": lambda: tell(name, "all"),
                    "sample of 50000": lambda: tell(name, "50000"),
                    "conntrack -L | awk, one count": lambda: pipeline(name),
                    "conntrack_facts, with Python's start": lambda: facts(name),
                },
                arguments.rounds,
            )
        with namespace() as name:
            print(f"making {most} entries of as many sources", flush=True)
            add(name, distinct(most))
            found["whole table, all distinct"] = measure({"": lambda: tell(name, "all")}, arguments.rounds)[""]
            memory = run_module("conntrack_entries_info", {"namespace": name, "sample": "all"})
    found[f"sample of 50000, of {tenth}"] = sample_of_tenth
    found["conntrack_facts, of an empty table"] = facts_of_none
    elapsed, used = found["reading and throwing away"]
    print(f"\n{most} entries, median of {arguments.rounds}".ljust(41) + "elapsed  processor   seconds")
    for way, (seconds, of_processor) in found.items():
        print(f"{way:40}{seconds / elapsed:7.2f}{of_processor / used:11.2f}{seconds:10.2f}")
    print(f"{'resident, all distinct':40}{memory:7.1f} MiB")


if __name__ == "__main__":
    main()
