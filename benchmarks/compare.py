# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a run takes that has nothing to change, beside what one would run instead. `make bench` runs this.

    benchmarks/compare.py [--suite trixie] [--rounds 5]

All ways set the same values on one virtual machine, one after the other; each is brought to "nothing to change" before
it is measured. Then they take turns, so that what slows the machine down slows all of them. Printed is the median of
each as a multiple of a bare `ansible -m ping`, which is what reaching the host and starting Python there costs.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import statistics
import subprocess
import time
import typing as t

TOP = pathlib.Path(__file__).resolve().parents[1]
PLAYS = TOP / "benchmarks"
WORK = TOP / ".build" / "bench"
MACHINE = "bench"

PING = ["ansible", "all", "-m", "ansible.builtin.ping"]
FACTS = ["ansible", "all", "-m", "netops.conntrack.conntrack_facts"]


def play(name: str) -> list[str]:
    """The command that runs a playbook of this folder."""
    return ["ansible-playbook", str(PLAYS / f"{name}.yml")]


#: What is measured, and what is run first so that it has nothing to change.
WAYS = {
    "ansible -m ping": PING,
    "conntrack_facts": FACTS,
    "role conntrack_tuning": play("role"),
    "a copy for each file": play("copy"),
    "loop over ansible.posix.sysctl": play("loop"),
}


def main() -> None:
    """Measure each way on a test machine, and print the table."""
    parser = argparse.ArgumentParser(description="Compare the time of a run with nothing to change.")
    parser.add_argument("--suite", default="trixie")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()

    WORK.mkdir(parents=True, exist_ok=True)
    inventory = WORK / "inventory"
    inventory.write_text(f"#!/bin/sh\nexec {TOP}/tools/vm inventory {MACHINE}\n", encoding="utf-8")
    inventory.chmod(0o755)
    environment = dict(
        os.environ,
        ANSIBLE_INVENTORY=str(inventory),
        ANSIBLE_HOST_KEY_CHECKING="false",
        ANSIBLE_PIPELINING="true",
        ANSIBLE_DEPRECATION_WARNINGS="false",
    )

    def run(command: list[str]) -> str:
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=TOP)
        if result.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed:\n{result.stdout}{result.stderr}")
        return result.stdout

    subprocess.run([TOP / "tools/vm", "start", MACHINE, "--suite", arguments.suite], check=True)
    try:
        seconds = measure(run, arguments.rounds)
    finally:
        subprocess.run([TOP / "tools/vm", "destroy", MACHINE], check=True)

    ping = statistics.median(seconds["ansible -m ping"])
    print(f"\n{'with nothing to change':34}{'times ping':>11}{'seconds':>10}   (median of {arguments.rounds})")
    for name, taken in seconds.items():
        median = statistics.median(taken)
        print(f"{name:34}{median / ping:11.1f}{median:10.1f}")


def measure(run: t.Callable[[list[str]], str], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way, in rounds."""
    # The role goes last: it takes lines of the same keys out of the others' files, and they would not get them back.
    order = ["loop over ansible.posix.sysctl", "a copy for each file", "role conntrack_tuning"]
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for name in order:
        print(f"bringing the host to its state: {name}", flush=True)
        run(WAYS[name])
    for number in range(1, rounds + 1):
        for name, command in WAYS.items():
            began = time.monotonic()
            output = run(command)
            seconds[name].append(time.monotonic() - began)
            if "changed=" in output and "changed=0" not in output:
                raise SystemExit(f"{name} changed something, so this is no measurement:\n{output}")
        print(f"round {number} of {rounds} done", flush=True)
    return seconds


if __name__ == "__main__":
    main()
