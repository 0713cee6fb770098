# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs molecule's scenarios on one or two lanes of machines; tools/molecule says how it is called."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import parts

ROOT = Path(__file__).resolve().parents[1]
SCENARIOS = ROOT / "extensions" / "molecule"
UML = "-uml"

# What these need is in Debian's User Mode Linux: anything but nftables, and a second processor.
WITHOUT_NFT = ("boot", "faults")

# What differs most between kernels: this one runs on $OLDEST too, in a lane of its own, when all scenarios run.
ON_OLDEST = "entries"

# These have machines of their own, with more packages: FLAVOURS in testhost/image.py has them by the scenario's name.
OWN_MACHINES = ("neighbours",)

_STEP = re.compile(r"INFO +\[(\S+) > (\S+)\] Executing$")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Lane:
    """Machines of one kind, and the scenarios that run on them one after the other."""

    name: str
    suites: list[str]
    scenarios: list[str]
    status: int = -1
    process: subprocess.Popen[str] | None = field(default=None, repr=False)

    def run(self, *, keep: bool, alone: bool) -> None:
        """Run the lane, print what molecule says, and remember how long each scenario took.

        :param alone: whether no other lane's lines have to be told from these.
        """
        # What molecule remembers of a run that was killed would keep this one from creating its machines.
        memory = ROOT / ".build" / f"molecule-{self.name}"
        shutil.rmtree(memory, ignore_errors=True)
        environment = {
            **os.environ,
            "SUITES": " ".join(self.suites),
            "MOLECULE_EPHEMERAL_DIRECTORY": str(memory),
        }
        environment.update({"MOLECULE_COMMAND_BORDERS": "false", "PYTHONUNBUFFERED": "1"})
        if sys.stdout.isatty():
            environment.update({"FORCE_COLOR": "1", "ANSIBLE_FORCE_COLOR": "1"})
        else:
            environment.update({"NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1"})
        command = ["molecule", "test", *(["--destroy=never"] if keep else [])]
        command += [f"--scenario-name={scenario}" for scenario in self.scenarios]
        # The lane without which the whole run would not be longer gives way to the other one.
        nice = 0 if alone or self.name == "vm" else 5
        self.process = subprocess.Popen(
            ["nice", f"-n{nice}", *command],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        assert self.process.stdout is not None
        scenario, began = "", time.time()
        for line in self.process.stdout:
            print(line if alone else f"{self.name} | {line}", end="", flush=True)
            step = _STEP.search(_COLOURS.sub("", line).rstrip())
            if step and step[1] != scenario:
                self._done(scenario, began, passed=True)
                scenario, began = step[1], time.time()
        self.status = self.process.wait()
        self._done(scenario, began, passed=self.status == 0)

    def _done(self, scenario: str, began: float, *, passed: bool) -> None:
        # `default` makes the machines and removes them; only the first is of interest.
        if scenario and not (scenario == "default" and passed and self.process and self.process.poll() is not None):
            what = "machines" if scenario == "default" else scenario
            parts.record(f"{what} on {' '.join(self.suites)}", began, passed=passed)


def lanes(suites: list[str], scenarios: list[str]) -> list[Lane]:
    """Say what runs where.

    :raises SystemExit: when that cannot be, with the reason.
    """
    there = sorted(path.parent.name for path in SCENARIOS.glob("*/molecule.yml") if path.parent.name != "default")
    unknown = [scenario for scenario in scenarios if scenario not in there]
    if unknown:
        sys.exit(f"tools/molecule: no such scenario: {' '.join(unknown)}; there are {' '.join(there)}")
    wanted = scenarios or [scenario for scenario in there if scenario not in OWN_MACHINES]
    as_process = [suite for suite in suites if suite.endswith(UML)]
    virtual = [suite for suite in suites if not suite.endswith(UML)]
    apart = [scenario for scenario in wanted if scenario in WITHOUT_NFT]
    if as_process and scenarios != [scenario for scenario in scenarios if scenario in apart]:
        sys.exit(f"tools/molecule: on {' '.join(as_process)} there is no nftables; {' '.join(WITHOUT_NFT)} run there")
    if virtual and apart and _uml_wanted(virtual[0]):
        as_process = [suite + UML for suite in virtual] + as_process
        wanted = [scenario for scenario in wanted if scenario not in apart]
    oldest = [suite for suite in os.environ.get("OLDEST", "").split() if not scenarios and suite not in virtual]
    all_lanes = [
        Lane("vm", virtual, wanted),
        Lane("uml", list(dict.fromkeys(as_process)), apart),
        Lane("oldest", oldest, [ON_OLDEST]),
    ]
    return [lane for lane in all_lanes if lane.suites and lane.scenarios]


def machines_for(suites: list[str], scenarios: list[str]) -> list[str]:
    """Name the machines that these scenarios run on.

    :raises SystemExit: when one has to run alone.
    """
    own = [scenario for scenario in scenarios if scenario in OWN_MACHINES]
    if own and len(scenarios) > 1:
        sys.exit(f"tools/molecule: {own[0]} has machines of its own; run it alone")
    return [f"{suite}-{own[0]}" for suite in suites] if own else suites


def _uml_wanted(suite: str) -> bool:
    choice = os.environ.get("UML") or "auto"
    if choice not in ("yes", "no", "auto"):
        sys.exit(f"tools/molecule: UML={choice} is not one of yes, no, auto")
    if choice == "auto":
        asked = subprocess.run(
            ["tools/vm", "accelerator", suite],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return asked.stdout.splitlines()[-1] == "emulation"
    return choice == "yes"


def _run_side_by_side(wanted: list[Lane], *, keep: bool) -> None:
    options = {"keep": keep, "alone": len(wanted) == 1}
    threads = [threading.Thread(target=lane.run, kwargs=options, daemon=True) for lane in wanted]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        # Each molecule still ends what it began.
        for lane in wanted:
            if lane.process:
                lane.process.send_signal(signal.SIGINT)
        for thread in threads:
            thread.join(60)
        raise


def main() -> int:
    """Run all lanes side by side; 0 when all passed."""
    suites = os.environ.get("SUITES", "").split()
    if not suites:
        sys.exit("tools/molecule: SUITES is to name the suites to test on")
    wanted = lanes(machines_for(suites, sys.argv[1:]), sys.argv[1:])
    machines = [suite for lane in wanted for suite in lane.suites]
    keep = bool(os.environ.get("KEEP"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Here, where one sees it: building takes a minute, and a playbook is silent until it is done.
    subprocess.run(["tools/vm", "image", *machines], cwd=ROOT, check=True)
    if any(lane.name == "uml" for lane in wanted):
        subprocess.run(["tools/setup", "uml"], cwd=ROOT, check=True)
    try:
        _run_side_by_side(wanted, keep=keep)
    except KeyboardInterrupt:
        return 130
    finally:
        # Whatever ends this, no machine is left.
        if not keep:
            subprocess.run(["tools/vm", "destroy", *machines], cwd=ROOT, check=True)
    failed = [lane.name for lane in wanted if lane.status != 0]
    if failed:
        print(f"tools/molecule: failed: {' and '.join(failed)}", file=sys.stderr)
    if "uml" in failed:
        print(
            "tools/molecule: UML=no runs the same scenarios on virtual machines",
            file=sys.stderr,
        )
    return int(bool(failed))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
