# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""kill -9 at every step, and runs at once: real processes, on a real file system.

Wherever a run is stopped, each file is the old or the new one, and the next run completes the change.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import traceback
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import Entry, RecordedHost

from ansible_collections.netops.conntrack.plugins.module_utils._host import TEMPORARY

_STOPS = Path(__file__).resolve().parents[2] / "extensions/molecule/faults/files/stops.py"
_spec = importlib.util.spec_from_file_location("stops", str(_STOPS))
assert _spec is not None and _spec.loader is not None
stops = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(stops)

SETTINGS, MODULES = "conntrack_settings", "conntrack_modules"

WHOLE = {
    "max": 60000,
    "hashsize": 16384,
    "timeouts": {"udp": 20, "tcp_established": 500000},
    "sysctls": {"nf_conntrack_acct": 1},
    "load": True,
}
OTHER = {"max": 70001, "hashsize": 20000, "timeouts": {"udp": 50}, "sysctl_file": "/etc/sysctl.d/zzz-mine.conf"}
NO_TRACKING = {"stack": "conntrack", "state": "absent"}

#: What others left: lines that would win, former names, files that end with the last line taken out.
STALE: dict[str, Entry] = {
    "/run/udev/control": "",
    "/etc/sysctl.conf": "# long ago\nnet.ipv4.ip_conntrack_max = 1\nnet.ipv4.ip_forward = 1\n",
    "/etc/sysctl.d/99-sysctl.conf": {"link": "../sysctl.conf"},
    "/etc/sysctl.d/10-old.conf": "net.ipv4.netfilter.ip_conntrack_max=5\nvm.swappiness = 10\n",
    "/etc/sysctl.d/zzzz.conf": "net.netfilter.nf_conntrack_max=5\n",
    "/etc/modprobe.d/zzz.conf": "options nf_conntrack hashsize=5 acct=1\n",
    "/etc/modprobe.d/install.conf": "install nf_nat /bin/true\n",
    "/etc/modules": "nf_conntrack\nloop\n",
    "/etc/modules-load.d/old.conf": "nf_nat\n",
}


@dataclass
class Case:
    """A change of a whole host.

    :ivar first: runs that make the host what it is before, as (module, arguments).
    :ivar at_least: fewer stops than this would show that they are not found any more.
    """

    host: str
    module: str
    arguments: dict[str, t.Any]
    at_least: int
    entries: dict[str, Entry] = field(default_factory=dict)
    first: t.Sequence[tuple[str, dict[str, t.Any]]] = ()


CASES = {
    "from never tuned": Case("trixie-6.12-nat", SETTINGS, WHOLE, 70, {"/etc/udev/rules.d": None}),
    "from what others left": Case("bookworm-6.1-nat", SETTINGS, WHOLE, 110, STALE),
    "from others' and own values": Case("bookworm-6.1-nat", SETTINGS, OTHER, 35, STALE, [(SETTINGS, WHOLE)]),
    "to nothing": Case("bookworm-6.1-nat", SETTINGS, {"state": "absent"}, 20, STALE, [(SETTINGS, WHOLE)]),
    "to no tracking": Case(
        "trixie-6.12-absent", MODULES, NO_TRACKING, 40, STALE, [(SETTINGS, dict(WHOLE, load=False))]
    ),
    "to tracking again": Case(
        "trixie-6.12-absent", MODULES, dict(NO_TRACKING, state="unmanaged"), 10, {}, [(MODULES, NO_TRACKING)]
    ),
}


class KernelHost(RecordedHost):
    """A recorded host whose kernel, like a real one, takes a value whole.

    :ivar stops: where its next run may be stopped.
    """

    stops: t.Any = None

    def write_value(self, path: str, value: str) -> None:
        def take() -> None:
            (self.root / self.resolve(path).lstrip("/")).write_bytes(value.encode("ascii") + b"\n")

        if self.stops is None:
            take()
        else:
            self.stops.around("write " + path, take)


def _share(source: str, target: str) -> None:
    """Copy a file. A configuration file is replaced and never written to, so it need not be there twice."""
    (shutil.copyfile if "/proc/" in source else os.link)(source, target)


@pytest.fixture
def bench(recorded_host, run_module, tmp_path):
    return Bench(recorded_host, run_module, tmp_path)


class Bench:
    """Hosts to run a case on, and to stop it."""

    def __init__(self, recorded_host: t.Any, run_module: t.Any, place: Path) -> None:
        self._recorded_host = recorded_host
        self._run_module = run_module
        self._place = place

    def before(self, case: Case) -> KernelHost:
        host = self.adopt(self._recorded_host(case.host, case.entries))
        if case.entries.get("/etc/udev/rules.d", "") is None:
            shutil.rmtree(str(host.root / "etc/udev"))
        for module, arguments in case.first:
            assert self.run(host, module, arguments)["changed"]
        return host

    @staticmethod
    def adopt(host: RecordedHost) -> KernelHost:
        made = KernelHost(host.root, host.about, host.page_size, host.pointer_bytes)
        made.is_root = True
        return made

    def copy(self, host: KernelHost) -> KernelHost:
        root = self._place / "copy"
        if root.exists():
            shutil.rmtree(str(root))
        shutil.copytree(str(host.root), str(root), symlinks=True, copy_function=_share)
        made = KernelHost(root, host.about, host.page_size, host.pointer_bytes)
        made.is_root = True
        return made

    def run(self, host: KernelHost, module: str, arguments: dict[str, t.Any]) -> dict[str, t.Any]:
        result = self._run_module(module, host, arguments)
        assert not result.get("failed"), result
        return t.cast("t.Dict[str, t.Any]", result)

    def killed(self, host: KernelHost, case: Case, at: int) -> str | None:
        """Run the case in a process of its own, killed at this stop.

        What it was doing, or None where it came through.
        """
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            status, write = 1, os.write

            def reach(number: int, what: str) -> None:
                if number == at:
                    write(writing, what.encode())
                    os.kill(os.getpid(), signal.SIGKILL)

            try:
                host.stops = stops.Stops([str(host.root)], reach)
                host.stops.install()
                self.run(host, case.module, case.arguments)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(writing)
        with os.fdopen(reading, "rb") as stream:
            what = stream.read().decode()
        _pid, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            return what
        assert os.WEXITSTATUS(status) == 0 and not what
        return None


#: Cases with many stops are looked at in shares, which run side by side.
SHARES = {"from never tuned": 4, "from what others left": 4}


@pytest.mark.parametrize(("name", "share"), [(name, share) for name in CASES for share in range(SHARES.get(name, 1))])
def test_a_run_killed_at_any_step_leaves_files_whole_and_the_next_run_completes_it(bench, name, share):
    case = CASES[name]
    before = bench.before(case)
    old = before.snapshot()
    done = bench.copy(before)
    assert bench.run(done, case.module, case.arguments)["changed"]
    new = done.snapshot()

    at, leftovers = share, 0
    while True:
        host = bench.copy(before)
        what = bench.killed(host, case, at)
        if what is None:
            assert host.snapshot() == new
            break
        at += SHARES.get(name, 1)

        stopped = host.snapshot()
        for path, entry in stopped.items():
            if os.path.basename(path) == TEMPORARY:
                leftovers += 1
            else:
                assert entry in (old.get(path), new.get(path)), what
        assert old.keys() & new.keys() <= stopped.keys(), what

        bench.run(host, case.module, case.arguments)
        assert host.snapshot() == new, what
        assert not bench.run(host, case.module, case.arguments)["changed"], what

    print(f"{name}: {at} stops, {leftovers} of them with a temporary file left")
    assert at >= case.at_least
    assert leftovers or name in ("to nothing", "to tracking again")


def test_runs_at_once_with_different_values_leave_the_host_wholly_as_one_of_them_wants(bench):
    case = CASES["from what others left"]
    before = bench.before(case)
    requests = [dict(WHOLE, max=60000 + number, timeouts={"udp": 20 + number}) for number in range(4)]
    wanted = []
    for arguments in requests:
        alone = bench.copy(before)
        bench.run(alone, SETTINGS, arguments)
        wanted.append(alone.snapshot())

    host = bench.copy(before)
    children = []
    for arguments in requests:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                bench.run(host, SETTINGS, arguments)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(requests)
    assert host.snapshot() in wanted
    winner = requests[wanted.index(host.snapshot())]
    assert not bench.run(host, SETTINGS, winner)["changed"]
