# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flow keeps other runs out from the first look to the last one, and leaves a host as it was when a step fails."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal

import pytest
from ansible.module_utils import basic
from conftest import RecordedHost
from fake_kernel import ALIAS, UDEV_SOCKET, FakeKernel
from fake_modules import FakeModules
from generated import HOSTS, REQUESTS, TREES, tree
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import (
    BLOCK_FILE,
    BUILT_IN,
    CONTAINER,
    LOAD_FILE,
    SYSCTL_FILE,
    UDEV_FILE,
    ask,
    ended,
    live,
    subjects,
    tune,
)

from ansible_collections.netops.conntrack.plugins.module_utils._errors import ApplyError, HostError
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

RUNS = [
    (FakeKernel, "conntrack_settings", {"max": 60000, "timeouts": {"udp": 20}}),
    (FakeKernel, "conntrack_settings", {"state": "absent"}),
    (FakeModules, "conntrack_modules", {"stack": "nat", "state": "absent"}),
]


def host(kind):
    made = kind("trixie-6.12-nat")
    made.read_unlocked = []
    return made


@pytest.mark.parametrize(("kind", "module", "arguments"), RUNS)
def test_a_run_looks_at_the_host_only_while_it_has_it_to_itself(run_module, kind, module, arguments):
    kernel = host(kind)
    run_module(module, kernel, arguments)
    assert kernel.read_unlocked == [] and not kernel.locked


def test_a_run_that_fails_lets_the_next_one_in(run_module):
    kernel = host(FakeKernel)
    kernel.fails = {0: HostError("write", "/some/thing", "Input/output error")}
    assert run_module("conntrack_settings", kernel, {"max": 60000})["failed"]
    assert kernel.read_unlocked == [] and not kernel.locked


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "Free some space there, then run this again"),
        (errno.EROFS, "must be writable"),
        (errno.EPERM, "immutable file (lsattr), SELinux"),
    ],
)
def test_the_error_says_what_was_reverted_and_what_to_do(run_module, code, words):
    kernel = host(FakeKernel)
    before = kernel.state()
    kernel.fails = {2: HostError("write", "/etc/x.conf", os.strerror(code), code)}
    result = run_module("conntrack_settings", kernel, {"max": 60000})
    assert kernel.state() == before
    assert result["msg"].startswith("cannot write /etc/x.conf: " + os.strerror(code) + ". The host is as it was before")
    assert "reverted " + ", ".join(result["reverted"]) in result["msg"] and words in result["msg"]


@pytest.mark.parametrize(("kind", "module", "arguments"), RUNS)
def test_check_mode_neither_waits_nor_has_others_wait(run_module, kind, module, arguments):
    kernel = host(kind)
    with kernel.lock():  # which fails when it is asked for twice
        run_module(module, kernel, arguments, check=True)


def test_without_root_a_host_that_is_as_wanted_needs_no_lock(run_module):
    kernel = host(FakeKernel)
    run_module("conntrack_settings", kernel, {"max": 60000})
    kernel.is_root = False
    with kernel.lock():
        assert not run_module("conntrack_settings", kernel, {"max": 60000})["changed"]


# --- what a run says that it changed


def test_what_a_load_showed_to_be_missing_is_no_change():
    kernel = FakeKernel("trixie-6.12-absent")
    result = tune(kernel, sysctls={"nf_conntrack_helper": 1}, timeouts={"udp": 20}, missing_keys="skip", load=True)
    assert len(subjects(result)) == len(set(subjects(result)))
    assert "nf_conntrack_helper" not in subjects(result) and result["missing"] == ["nf_conntrack_helper"]


# --- a step of conntrack_settings that fails

WHOLE = {
    "max": 60000,
    "hashsize": 16384,
    "timeouts": {"udp": 20, "tcp_established": 500000},
    "sysctls": {"nf_conntrack_acct": 1},
}
STALE = {
    UDEV_SOCKET: b"",
    "/etc/sysctl.d/zzz.conf": b"net.netfilter.nf_conntrack_max=5\n",
    "/etc/modprobe.d/a.conf": b"options nf_conntrack hashsize=5\n",
    SYSCTL_FILE: b"# mine, \xff\n",
}


def hosts_for_failures():
    yield "trixie-6.12-nat", {}, WHOLE
    yield "bookworm-6.1-nat", STALE, WHOLE
    yield "trixie-6.12-absent", {}, dict(WHOLE, load=True)
    yield "bookworm-6.1-absent", STALE, dict(WHOLE, load=True)
    yield "bullseye-5.10-absent", STALE, WHOLE
    yield BUILT_IN, {}, dict(WHOLE, max=500000, hashsize=300000)
    yield CONTAINER, {}, {"timeouts": {"udp": 20, "udp_stream": 500}}


def steps(name, changes, params):
    kernel = FakeKernel(name, changes)
    if name in (CONTAINER, BUILT_IN):
        del kernel.tree["/etc/sysctl.d/99-sysctl.conf"]
    tune(kernel, **params)
    return kernel.steps


POSITIONS = [
    (name, changes, params, position)
    for name, changes, params in hosts_for_failures()
    for position in range(steps(name, changes, params))
]


@pytest.mark.parametrize("late", [False, True], ids=["refused", "after it took effect"])
@pytest.mark.parametrize(
    ("name", "changes", "params", "position"), POSITIONS, ids=[f"{case[0]}-{case[3]}" for case in POSITIONS]
)
def test_a_failure_at_any_position_leaves_runtime_and_files_as_they_were(name, changes, params, position, late):
    kernel = FakeKernel(name, changes)
    before = kernel.state()
    kernel.fails = {position: HostError("change", "/some/thing", "Input/output error")}
    kernel.fails_late = late
    with pytest.raises(ApplyError) as raised:
        tune(kernel, **params)
    assert kernel.state() == before
    # Where it is udev that cannot be waited for, there is more to be said.
    assert raised.value.message.startswith(
        ("cannot change /some/thing: Input/output error. ", "cannot wait for udev: ")
    )
    assert "Input/output error" in raised.value.message and ". The host is as it was before" in raised.value.message
    assert raised.value.details["not_reverted"] == []
    kernel.fails = {}
    tune(kernel, **params)
    assert not tune(kernel, **params)["changed"]


@pytest.mark.parametrize("position", range(8))
def test_an_interrupt_reverts_and_is_told_as_one(position):
    kernel = FakeKernel("bookworm-6.1-nat", STALE)
    before = kernel.state()
    kernel.fails = {position: KeyboardInterrupt()}
    kernel.fails_late = True
    with pytest.raises(ApplyError, match=r"^unexpected KeyboardInterrupt\. The host is as it was before: reverted "):
        tune(kernel, **WHOLE)
    assert kernel.state() == before


def test_what_could_not_be_reverted_is_named_and_the_rest_is_reverted():
    kernel = FakeKernel("trixie-6.12-nat")
    error = HostError("write 4096 to", "/proc/x", "Input/output error")
    # Three writes: the third fails, and then the first attempt to revert.
    kernel.fails = {2: error, 3: error}
    with pytest.raises(ApplyError) as raised:
        tune(kernel, timeouts={"udp": 20}, max=60000, hashsize=60000)
    assert live(kernel, "udp_timeout", "max", "buckets") == (30, 4096, 60416)
    assert "Could not be reverted: nf_conntrack_buckets (runtime): cannot write 4096 to /proc/x" in raised.value.message
    assert "by hand" in raised.value.message
    assert raised.value.details["reverted"] == ["nf_conntrack_max", "nf_conntrack_udp_timeout"]
    assert len(raised.value.details["not_reverted"]) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nf_conntrack_max", 50000),
        ("nf_conntrack_buckets", 8192),
        ("nf_conntrack_udp_timeout", 25),
    ],
)
def test_a_value_that_the_kernel_silently_changes_is_named_and_everything_reverted(name, value):
    kernel = FakeKernel("trixie-6.12-nat")
    before = kernel.state()
    kernel.clamps = {name: value}
    wanted = {"max": 60000, "hashsize": 60000, "timeouts": {"udp": 20}}
    # What it was, it may be again.
    original = kernel._kernel_write

    def write(action, path, text):
        if int(text) == int(before.get(path, b"-1")):
            kernel.clamps = {}
        original(action, path, text)

    kernel._kernel_write = write
    with pytest.raises(ApplyError, match=f"{name} is {value} instead of "):
        tune(kernel, **wanted)
    assert kernel.state() == before


def test_a_load_that_is_prevented_leaves_nothing():
    kernel = FakeKernel("trixie-6.12-absent")
    before = kernel.state()
    kernel.load = lambda: None
    with pytest.raises(ApplyError):
        tune(kernel, max=100000, load=True)
    assert kernel.state() == before


@settings(max_examples=settings.default.max_examples * 2 // 5)
@given(HOSTS, TREES, REQUESTS, st.integers(0, 12), st.booleans(), st.booleans())
def test_a_failure_anywhere_leaves_any_host_as_it_was(name, entries, params, position, late, late_udev):
    kernel = FakeKernel(name, tree(entries), late_udev=late_udev)
    before = kernel.state()
    kernel.fails = {position: HostError("change", "/some/thing", "Input/output error")}
    kernel.fails_late = late
    if not isinstance(ended(lambda: tune(kernel, force=True, **params)), dict):
        assert kernel.state() == before


# --- a step of conntrack_modules that fails


@pytest.mark.parametrize("late", [False, True], ids=["without effect", "with effect"])
@pytest.mark.parametrize("name", ["trixie-6.12-nat", "el8-4.18-by-hand"])
@pytest.mark.parametrize(("stack", "state"), [("nat", "absent"), ("conntrack", "absent"), ("nat", "present")])
def test_a_failure_at_any_step_leaves_modules_and_files_as_they_were(name, stack, state, late):
    def fresh():
        host = FakeModules(
            name, {"/etc/modules-load.d/x.conf": b"nf_nat\n", BLOCK_FILE: b"install nf_nat /bin/false\n"}
        )
        if state == "present":
            host.reboot()
        return host

    whole = fresh()
    ask(whole, stack, state)
    assert whole.steps > 2
    for step in range(whole.steps):
        host = fresh()
        before, loaded = host.state(), host.loaded
        host.fails, host.fails_late = {step: HostError("do", "it", "no")}, late
        with pytest.raises(ApplyError) as failed:
            ask(host, stack, state)
        assert failed.value.details["not_reverted"] == []
        assert host.loaded == loaded
        assert {path: entry for path, entry in host.state().items() if path.startswith("/etc")} == {
            path: entry for path, entry in before.items() if path.startswith("/etc")
        }


OFF = {"/etc/modprobe.d/x.conf": b"alias nf_nat off\n"}


def test_a_load_that_loads_nothing_is_a_failure():
    host = FakeModules("trixie-6.12-absent", OFF)
    before = host.state()
    with pytest.raises(ApplyError) as failed:
        ask(host, "nat", "present")
    assert "cannot load nf_nat: modprobe loads nothing" in failed.value.message
    assert "modprobe --showconfig" in failed.value.message and failed.value.details["not_reverted"] == []
    assert host.state() == before


def test_a_module_that_does_not_come_back_is_named():
    host = FakeModules("trixie-6.12-nat", OFF)
    last = len(subjects(ask(host, "nat", "absent", check=True))) - 1
    host.fails, host.fails_late = {last: HostError("do", "it", "no")}, True
    with pytest.raises(ApplyError) as failed:
        ask(host, "nat", "absent")
    assert "nf_nat" not in host.loaded
    assert any("cannot load nf_nat" in why for why in failed.value.details["not_reverted"])
    assert "The host is as it was before" not in failed.value.message


@pytest.mark.parametrize("module", ["nf_conntrack", "nf_nat"])
def test_a_load_that_fails_half_way_takes_back_what_came_with_it_and_no_more(module):
    install = f"install {module} /usr/bin/it\n".encode()
    host = FakeModules("trixie-6.12-absent", {"/etc/modprobe.d/x.conf": install}, also=["nf_defrag_ipv6"])
    loaded = host.loaded
    with pytest.raises(ApplyError) as failed:
        ask(host, "nat", "present")
    assert "The host is as it was before" in failed.value.message
    assert host.loaded == loaded


def test_a_module_that_others_loaded_in_the_meantime_stays():
    host = FakeModules("trixie-6.12-absent")
    host.fails, host.fails_late = {2: HostError("do", "it", "no")}, True
    load = host.modprobe_by_name
    host.modprobe_by_name = lambda *arguments: (host._insert_all("usb_storage"), load(*arguments))
    with pytest.raises(ApplyError):
        ask(host, "nat", "present")
    assert "usb_storage" in host.loaded and "nf_conntrack" not in host.loaded


# --- what was begun is reverted, whatever ends the run

SETTINGS = ("conntrack_settings", {"max": 60000, "timeouts": {"udp": 20}, "sysctls": {"nf_conntrack_acct": 1}})


def steps_of(run_module):
    kernel = host(FakeKernel)
    run_module(*with_host(kernel))
    return kernel.steps


def with_host(kernel):
    module, arguments = SETTINGS
    return module, kernel, arguments


UNEXPECTED = [KeyboardInterrupt(), SystemExit(3), ValueError("what nobody thought of"), MemoryError()]


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("error", UNEXPECTED, ids=lambda error: type(error).__name__)
def test_whatever_ends_a_run_at_any_step_is_reverted_and_is_one_message(run_module, error, late):
    for step in range(steps_of(run_module)):
        kernel = host(FakeKernel)
        before = kernel.state()
        kernel.fails, kernel.fails_late = {step: error}, late
        result = run_module(*with_host(kernel))
        assert kernel.state() == before and not kernel.locked
        assert result["failed"] and type(error).__name__ in result["msg"]
        assert result["reverted"] and result["not_reverted"] == []


@pytest.mark.parametrize("second", UNEXPECTED, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("first", [HostError("write", "/x", "Input/output error"), KeyboardInterrupt()])
def test_a_revert_that_fails_in_any_way_ends_no_other_and_is_told(run_module, first, second):
    last = steps_of(run_module) - 1
    clean = host(FakeKernel)
    clean.fails = {last: first}
    run_module(*with_host(clean))
    before, reverts = host(FakeKernel).state(), clean.steps - last - 1
    assert reverts > 2
    for step in range(last + 1, last + 1 + reverts):
        kernel = host(FakeKernel)
        kernel.fails = {last: first, step: second}
        result = run_module(*with_host(kernel))
        (told,) = result["not_reverted"]
        subject = told.partition(" (")[0]
        assert type(second).__name__ in told and subject not in result["reverted"]
        assert f"Could not be reverted: {told}. Check these by hand" in result["msg"]
        differing = {path for path, entry in kernel.state().items() if entry != before.get(path)}
        assert differing and all(subject in path or path == ALIAS for path in differing)


SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def in_child(function):
    """What a function returns in a process of its own, or the signal that ended that."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            os.write(writing, json.dumps(function()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        output = stream.read()
    _pid, status = os.waitpid(child, 0)
    return json.loads(output) if output else status


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_at_any_step_reverts_all_that_was_begun(run_module, number):
    for step in range(steps_of(run_module)):
        # Another one while it reverts, as a shutdown and an impatient operator send, ends no revert.
        kernel = host(FakeKernel)
        before = kernel.state()
        kernel.signals = {step: number, step + 1: signal.SIGTERM, step + 2: signal.SIGINT}

        def run(kernel=kernel, before=before):
            result = run_module(*with_host(kernel))
            return result, kernel.state() == before

        result, is_as_before = in_child(run)
        assert is_as_before and result["failed"] and result["not_reverted"] == []
        assert result["msg"].startswith(f"this run was ended by {number.name}. The host is as it was before: reverted ")


@pytest.mark.parametrize(("kind", "module", "arguments"), RUNS)
def test_what_was_reverted_is_logged_too_since_a_broken_connection_tells_nobody(
    run_module, monkeypatch, kind, module, arguments
):
    logged = []
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda _module, message, **_options: logged.append(message))
    kernel = host(kind)
    kernel.fails = {1: HostError("write", "/some/thing", "Input/output error")}
    if arguments.get("state") == "absent" and kind is FakeKernel:
        kernel.put("/etc/sysctl.d/zz-netops-conntrack.conf", b"#\n")
        kernel.put("/etc/modprobe.d/zz-netops-conntrack.conf", b"#\n")
    result = run_module(module, kernel, arguments)
    assert result["reverted"] and logged[-1] == result["msg"]


@pytest.mark.parametrize("check", [False, True])
def test_a_signal_before_the_first_change_says_that_nothing_was_changed(run_module, monkeypatch, check):
    kernel = host(FakeKernel)
    look = kernel.names

    def names(path):
        os.kill(os.getpid(), signal.SIGTERM)
        return look(path)

    monkeypatch.setattr(kernel, "names", names)
    result = in_child(lambda: dict(run_module(*with_host(kernel), check=check), steps=kernel.steps))
    assert result["failed"] and result["msg"] == "this run was ended by SIGTERM. Nothing was changed"
    assert result["steps"] == 0


def test_a_signal_that_was_ignored_before_stays_ignored(run_module):
    # As nohup does, so that a run goes on without its terminal.
    def run():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        kernel = host(FakeKernel)
        kernel.signals = {0: signal.SIGHUP}
        return run_module(*with_host(kernel))

    assert not in_child(run).get("failed")


def test_after_a_run_signals_do_what_they_did_before(run_module):
    before = [signal.getsignal(number) for number in SIGNALS]
    run_module(*with_host(host(FakeKernel)))
    assert [signal.getsignal(number) for number in SIGNALS] == before


class Hanging(FakeModules):
    """Some of whose programs never end by themselves."""

    hang: tuple[str, ...] = ()

    def run(self, command, seconds=None):
        if " ".join(command).startswith(self.hang):
            self.steps += 1
            return Host().run(["sleep", "60"], seconds=0.3)
        return super().run(command, seconds)


@pytest.mark.parametrize("hangs_again", [False, True])
def test_a_program_that_hangs_ends_the_run_which_reverts_and_lets_the_next_one_in(run_module, hangs_again):
    kernel = host(Hanging)
    loaded = kernel.loaded
    kernel.hang = ("rmmod nf_nat", "modprobe --ignore-install xt_MASQUERADE") if hangs_again else ("rmmod nf_nat",)
    result = run_module("conntrack_modules", kernel, {"stack": "nat", "state": "absent"})
    assert result["msg"].startswith("cannot run sleep 60: it did not end within 0.3 s, and was ended. ")
    assert not kernel.locked
    if hangs_again:
        (told,) = result["not_reverted"]
        assert told.startswith("xt_MASQUERADE (runtime): cannot run ") and "xt_MASQUERADE" not in kernel.loaded
        assert BLOCK_FILE in result["reverted"]
    else:
        assert kernel.loaded == loaded and result["not_reverted"] == []
    assert kernel.text(BLOCK_FILE) is None


# --- directories that are made for a file


class Failing(RecordedHost):
    """On a real file system, where the last file of a plan cannot be written.

    :ivar before_it_fails: what happens then.
    """

    def __init__(self, other):
        super().__init__(other.root, other.about, other.page_size, other.pointer_bytes)
        self.is_root = True
        self.before_it_fails = None

    def replace(self, path, content):
        if path == LOAD_FILE:
            if self.before_it_fails is not None:
                self.before_it_fails()
            raise HostError("write", path, os.strerror(errno.ENOSPC), errno.ENOSPC)
        super().replace(path, content)


@pytest.fixture
def without_udev(recorded_host):
    """A host without any directory of udev's, so that the rule needs three."""
    made = Failing(recorded_host("trixie-6.12-nat", {"/run/udev/control": ""}))
    shutil.rmtree(str(made.root / "etc/udev"), ignore_errors=True)
    return made


BOOT = {"max": 60000, "hashsize": 16384, "scope": "boot", "load": True}


def test_directories_that_were_made_for_a_file_go_with_it_when_that_is_reverted(run_module, without_udev):
    before = without_udev.snapshot()
    made = []
    without_udev.before_it_fails = lambda: made.extend(without_udev.names("/etc/udev"))
    result = run_module("conntrack_settings", without_udev, BOOT)
    assert result["failed"] and UDEV_FILE in result["reverted"] and result["not_reverted"] == []
    assert made == ["rules.d"]
    assert without_udev.snapshot() == before
    assert without_udev.ran == ["udevadm control --reload"] * 2


def test_a_directory_that_somebody_else_uses_by_now_stays_and_is_told_and_the_rest_is_reverted(
    run_module, without_udev
):
    before = without_udev.snapshot()
    without_udev.before_it_fails = lambda: without_udev.put("/etc/udev/rules.d/mine.rules", "# mine\n")
    result = run_module("conntrack_settings", without_udev, BOOT)
    (told,) = result["not_reverted"]
    assert told == f"{UDEV_FILE} (boot): cannot remove directory /etc/udev/rules.d: Directory not empty"
    left = {path: entry for path, entry in without_udev.snapshot().items() if path not in before}
    assert sorted(left) == ["/etc/udev", "/etc/udev/rules.d", "/etc/udev/rules.d/mine.rules"]
    # udevd has to forget the rule all the same.
    assert without_udev.ran == ["udevadm control --reload"] * 2
