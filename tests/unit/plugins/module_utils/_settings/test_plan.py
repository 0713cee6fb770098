# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""conntrack_settings against kernels that answer as real ones, through boots and reloads."""

from __future__ import annotations

import pytest
from fake_kernel import ALIAS, BUCKETS, COUNT, HASHSIZE, MAX, NETFILTER, UDEV_SOCKET, FakeKernel
from fake_modules import FakeModules
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils import _keys
from ansible_collections.netops.conntrack.plugins.module_utils._errors import (
    ApplyError,
    ConntrackError,
    HostError,
    InvalidInput,
    Refused,
)
from ansible_collections.netops.conntrack.plugins.module_utils._facts import persistent
from ansible_collections.netops.conntrack.plugins.module_utils._keys import KEYS, TIMEOUTS
from ansible_collections.netops.conntrack.plugins.module_utils._settings import plan as settings_plan
from ansible_collections.netops.conntrack.plugins.module_utils._settings.request import parse
from ansible_collections.netops.conntrack.plugins.module_utils._stacks import plan as stacks_plan

LOADED = ["bullseye-5.10-nat", "bookworm-6.1-nat", "trixie-6.12-nat"]
ABSENT = ["bullseye-5.10-absent", "bookworm-6.1-absent", "trixie-6.12-absent"]
BUILT_IN = "linux-6.18-built-in"
CONTAINER = "linux-6.18-netns"

BLOCK_FILE = "/etc/modprobe.d/00-netops-conntrack-modules.conf"
SYSCTL_FILE = "/etc/sysctl.d/zz-netops-conntrack.conf"
MODPROBE_FILE = "/etc/modprobe.d/zz-netops-conntrack.conf"
UDEV_FILE = "/etc/udev/rules.d/99-netops-conntrack.rules"
LOAD_FILE = "/etc/modules-load.d/netops-conntrack.conf"

DEFAULTS = {
    "state": "present",
    "max": None,
    "hashsize": None,
    "entries_per_bucket": "auto",
    "memory_percent": 5,
    "timeouts": {},
    "sysctls": {},
    "scope": "both",
    "sysctl_file": None,
    "missing_keys": "fail",
    "conflicting_entries": "replace",
    "load": False,
    "force": False,
}


def tune(kernel, check=False, **params):
    return settings_plan.run(kernel, parse(dict(DEFAULTS, **params)), check)


def refusal(kernel, *words, **params):
    """The request is refused with these words before anything is written."""
    before = kernel.state()
    with pytest.raises(Refused) as raised:
        tune(kernel, **params)
    for word in words:
        assert word in raised.value.message
    assert kernel.state() == before and not kernel.writes and not kernel.ran
    return raised.value.message


def subjects(result, layer=None):
    return [change["subject"] for change in result["changes"] if layer in (None, change["layer"])]


def live(kernel, *names):
    return tuple(kernel.value("nf_conntrack_" + name) for name in names)


def sysctl_lines(kernel, path=SYSCTL_FILE):
    return [line for line in (kernel.text(path) or "").splitlines() if not line.startswith("#")]


# --- a loaded module


@pytest.mark.parametrize("name", LOADED)
def test_values_hold_live_after_a_reboot_and_after_a_reload(name):
    kernel = FakeKernel(name)
    wanted = (100000, 25088, 90, 1)
    result = tune(kernel, max=100000, hashsize=25000, timeouts={"tcp_time_wait": 90}, sysctls={"nf_conntrack_acct": 1})

    def values():
        return live(kernel, "max", "buckets", "tcp_timeout_time_wait", "acct")

    assert result["changed"] and not result["pending"]
    assert values() == wanted
    kernel.reboot()
    assert values() == wanted
    kernel.unload()
    kernel.load()
    assert values() == wanted
    assert not tune(
        kernel, max=100000, hashsize=25000, timeouts={"tcp_time_wait": 90}, sysctls={"nf_conntrack_acct": 1}
    )["changed"]


@pytest.mark.parametrize("name", LOADED)
def test_hashsize_alone_keeps_the_live_max_for_boots(name):
    kernel = FakeKernel(name)
    tune(kernel, max=20000, scope="runtime")
    tune(kernel, hashsize=8192)
    assert live(kernel, "max", "buckets") == (20000, 8192)
    kernel.reboot()
    assert live(kernel, "max", "buckets") == (20000, 8192)
    assert not tune(kernel, hashsize=8192)["changed"]


@pytest.mark.parametrize(
    "line",
    [
        "net.netfilter.nf_conntrack_max = 30000",
        "net.nf_conntrack_max = 30000",
        "net.netfilter.nf_conntrack_ma? = 30000",
    ],
)
def test_hashsize_alone_keeps_a_max_that_the_boot_already_sets(line):
    kernel = FakeKernel("bookworm-6.1-nat", {"/etc/sysctl.d/50-mine.conf": (line + "\n").encode()})
    tune(kernel, max=30000, scope="runtime")
    tune(kernel, hashsize=8192)
    kernel.reboot()
    assert live(kernel, "max", "buckets") == (30000, 8192)
    assert not tune(kernel, hashsize=8192)["changed"]


@pytest.mark.parametrize(
    ("before", "after", "order"),
    [
        ((4096, 4096), {"max": 65536, "hashsize": 65536}, ["nf_conntrack_buckets", "nf_conntrack_max"]),
        ((65536, 65536), {"max": 4096, "hashsize": 4096}, ["nf_conntrack_max", "nf_conntrack_buckets"]),
        ((65536, 4096), {"max": 8192, "hashsize": 8192}, ["nf_conntrack_max", "nf_conntrack_buckets"]),
        (
            (65536, 4096),
            {"max": 4096, "timeouts": {"udp": 10, "tcp_established": 500000, "udp_stream": 60}},
            [
                "nf_conntrack_udp_timeout",
                "nf_conntrack_udp_timeout_stream",
                "nf_conntrack_max",
                "nf_conntrack_tcp_timeout_established",
            ],
        ),
    ],
)
def test_lowered_timeouts_first_then_never_more_entries_than_buckets_for_them(before, after, order):
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=before[0], hashsize=before[1], scope="runtime")
    kernel.writes.clear()
    tune(kernel, **after)
    assert [name for name, _value in kernel.writes] == order


def test_nothing_asked_changes_nothing():
    kernel = FakeKernel("trixie-6.12-nat")
    assert tune(kernel) == {
        "changed": False,
        "changes": [],
        "diff": [],
        "pending": False,
        "settings": {},
        "sizing": None,
        "skipped": [],
    }


# --- not loaded


@pytest.mark.parametrize("name", ABSENT)
def test_values_wait_in_files_until_something_loads_conntrack(name):
    kernel = FakeKernel(name)
    wanted = {"max": 100000, "hashsize": 100000, "timeouts": {"udp": 20}}
    result = tune(kernel, **wanted)
    assert result["pending"] and result["changed"] and subjects(result, "runtime") == []
    assert not kernel.is_loaded and not kernel.writes and kernel.ran == []
    assert result["settings"]["nf_conntrack_max"]["runtime"] is None
    again = tune(kernel, **wanted)
    assert again["pending"] and not again["changed"]
    for bring in (kernel.load, kernel.reboot):
        bring()
        assert live(kernel, "max", "buckets", "udp_timeout") == (100000, 100352, 20)
        after = tune(kernel, **wanted)
        assert not after["pending"] and not after["changed"]


def test_runtime_alone_has_nothing_to_set_where_conntrack_is_not_loaded():
    refusal(FakeKernel("trixie-6.12-absent"), "not loaded", "load: true", max=100000, scope="runtime")


@pytest.mark.parametrize("name", ABSENT)
def test_load_loads_now_and_at_every_boot(name):
    kernel = FakeKernel(name)
    result = tune(kernel, max=100000, hashsize=50000, load=True)
    assert kernel.is_loaded and not result["pending"]
    assert live(kernel, "max", "buckets") == (100000, 50176)
    assert kernel.text(LOAD_FILE).splitlines()[-1] == "nf_conntrack"
    assert not tune(kernel, max=100000, hashsize=50000, load=True)["changed"]
    kernel.reboot(then_load=False)
    assert live(kernel, "max", "buckets") == (100000, 50176)


def test_load_alone_loads_and_writes_one_file():
    kernel = FakeKernel("trixie-6.12-absent")
    assert subjects(tune(kernel, load=True)) == [LOAD_FILE, "nf_conntrack"]
    assert not tune(kernel, load=True)["changed"]


def test_load_for_the_running_kernel_alone_writes_no_file():
    kernel = FakeKernel("trixie-6.12-absent")
    result = tune(kernel, max=100000, load=True, scope="runtime")
    assert subjects(result) == ["nf_conntrack", "nf_conntrack_max"]
    assert live(kernel, "max") == (100000,)
    kernel.reboot()
    assert live(kernel, "max") == (4096,)


def test_load_for_boots_alone_loads_nothing_now():
    kernel = FakeKernel("trixie-6.12-absent")
    tune(kernel, max=100000, load=True, scope="boot")
    assert not kernel.is_loaded and kernel.ran == []
    kernel.reboot(then_load=False)
    assert live(kernel, "max") == (100000,)


# --- built in


def test_a_built_in_conntrack_keeps_its_hashsize_as_a_sysctl():
    kernel = FakeKernel(BUILT_IN)
    tune(kernel, max=500000, hashsize=300000, load=True)
    assert live(kernel, "max", "buckets") == (500000, 300032)
    assert kernel.text(MODPROBE_FILE) is None and kernel.text(UDEV_FILE) is None and kernel.text(LOAD_FILE) is None
    assert "net.netfilter.nf_conntrack_buckets = 300032" in sysctl_lines(kernel)
    kernel.reboot()
    assert live(kernel, "max", "buckets") == (500000, 300032)
    assert not tune(kernel, max=500000, hashsize=300000, load=True)["changed"]
    result = tune(kernel, hashsize=300000)
    assert result["settings"]["nf_conntrack_buckets"]["file"] == SYSCTL_FILE


# --- scopes


def test_runtime_writes_no_file_and_boot_no_live_value():
    kernel = FakeKernel("trixie-6.12-nat")
    files = {path: entry for path, entry in kernel.tree.items() if path.startswith("/etc")}
    result = tune(kernel, max=100000, scope="runtime")
    assert {path: entry for path, entry in kernel.tree.items() if path.startswith("/etc")} == files
    assert result["settings"]["nf_conntrack_max"]["boot"] is None
    kernel.writes.clear()
    result = tune(kernel, max=200000, scope="boot")
    assert not kernel.writes and live(kernel, "max") == (100000,)
    assert result["settings"]["nf_conntrack_max"] == {"runtime": 100000, "boot": 200000, "file": SYSCTL_FILE, "line": 2}
    kernel.reboot()
    assert live(kernel, "max") == (200000,)


# --- what is refused


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"max": 500000}, ["max", "whole host"]),
        ({"hashsize": 65536}, ["hashsize", "whole host"]),
        ({"max": "auto", "hashsize": "auto"}, ["hashsize and max"]),
        ({"sysctls": {"nf_conntrack_expect_max": 1}}, ["nf_conntrack_expect_max"]),
    ],
)
def test_a_container_cannot_set_what_belongs_to_the_whole_host(params, words):
    refusal(FakeKernel(CONTAINER), "network namespace", "on the host itself", *words, **params)


def test_a_container_sets_its_own_timeouts():
    kernel = FakeKernel(CONTAINER)
    result = tune(kernel, timeouts={"udp": 20}, sysctls={"nf_conntrack_acct": 1})
    assert live(kernel, "udp_timeout", "acct") == (20, 1)
    assert subjects(result, "boot") == [SYSCTL_FILE]
    assert not tune(kernel, timeouts={"udp": 20}, sysctls={"nf_conntrack_acct": 1})["changed"]


@pytest.mark.parametrize("scope", ["both", "runtime", "boot"])
@pytest.mark.parametrize("check", [False, True])
def test_without_root_a_change_is_refused_and_a_host_as_wanted_is_not(scope, check):
    kernel = FakeKernel("trixie-6.12-nat")
    kernel.is_root = False
    refusal(kernel, "become: true", max=100000, scope=scope, check=check)
    kernel.is_root = True
    tune(kernel, max=100000, scope=scope)
    kernel.is_root = False
    assert not tune(kernel, max=100000, scope=scope, check=check)["changed"]


def test_a_read_only_proc_sys_is_named():
    kernel = FakeKernel("trixie-6.12-nat")
    kernel.read_only.add("/proc/sys")
    refusal(kernel, NETFILTER + "nf_conntrack_max", "read-only", "scope: boot", max=100000)
    assert tune(kernel, max=100000, scope="boot")["changed"]


def test_a_read_only_etc_is_named():
    kernel = FakeKernel("trixie-6.12-nat")
    kernel.read_only.add("/etc")
    refusal(kernel, SYSCTL_FILE, "read-only", "scope: runtime", max=100000)
    assert tune(kernel, max=100000, scope="runtime")["changed"]


# --- where the sysctl lines go


def test_a_link_into_a_directory_that_cannot_be_made_is_refused():
    kernel = FakeKernel("trixie-6.12-nat", {SYSCTL_FILE: "/etc/managed/ct.conf"})
    kernel.read_only.add("/etc/managed")
    refusal(kernel, SYSCTL_FILE + " must be changed but cannot be written", max=100000)


def test_a_directory_in_the_place_of_a_file_is_refused():
    kernel = FakeKernel("trixie-6.12-nat", {"/etc/sysctl.d/90-a.conf/x": b""})
    refusal(
        kernel,
        "/etc/sysctl.d/90-a.conf must be changed",
        "as a directory",
        max=1,
        force=True,
        sysctl_file="/etc/sysctl.d/90-a.conf",
    )


def test_a_file_outside_etc_that_cannot_be_written_is_refused_too():
    path = "/usr/local/lib/sysctl.d/90-a.conf"
    kernel = FakeKernel("trixie-6.12-nat")
    kernel.read_only.add("/usr")
    refusal(kernel, path + " must be changed but cannot be written", max=100000, sysctl_file=path)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/proc/sys/kernel/modules_disabled", b"1\n"),
        ("/proc/self/status", b"CapEff:\t00000000a80425fb\n"),
    ],
)
def test_a_load_that_cannot_be_is_refused_in_check_mode_too(path, content):
    kernel = FakeKernel("trixie-6.12-absent", {path: content})
    refusal(kernel, "no module can be loaded here", "scope: boot", check=True, max=100000, load=True)
    tune(kernel, max=100000, load=True, scope="boot")
    assert kernel.text(LOAD_FILE)


# --- a boot that runs procps


def procps_host(name="bookworm-6.1-nat", **changes):
    """A host without systemd, as Debian's packages make one."""
    kernel = FakeKernel(
        name,
        dict(
            {
                "/etc/init.d/procps": b"",
                "/usr/sbin/sysctl": b"",
                "/usr/bin/udevadm": b"",
            },
            **changes,
        ),
    )
    for path in ("/usr/lib/systemd/systemd-sysctl", "/lib/systemd/systemd-sysctl"):
        kernel.tree.pop(path, None)
    return kernel


def sysvinit_host(name, **changes):
    """A host that has systemd installed and boots by sysvinit."""
    kernel = FakeKernel(
        name,
        dict(
            {
                "/etc/init.d/procps": b"",
                "/usr/sbin/sysctl": b"",
                "/usr/bin/udevadm": b"",
            },
            **changes,
        ),
    )
    kernel.put(kernel.resolve("/sbin/init"), b"")
    kernel.tree.pop("/run/systemd/system", None)
    return kernel


@pytest.mark.parametrize(
    "path",
    [
        "/etc/sysctl.d/10-a.conf",
        "/etc/sysctl.d/zzz.conf",
        "/usr/lib/sysctl.d/50-vendor.conf",
        SYSCTL_FILE,
    ],
)
def test_a_sysctl_line_for_the_buckets_does_not_undo_the_hashsize(path):
    kernel = FakeKernel("trixie-6.12-nat", {path: b"net.netfilter.nf_conntrack_buckets = 999\n"})
    tune(kernel, hashsize=8192)
    kernel.reboot()
    assert live(kernel, "buckets") == (8192,)
    assert not tune(kernel, hashsize=8192)["changed"]


# --- conflicting_entries: fail


# --- a write that fails


# --- properties

HOSTS = st.sampled_from(LOADED + ABSENT + [BUILT_IN])
STRAY_LINES = st.lists(
    st.sampled_from(
        [
            b"net.netfilter.nf_conntrack_max=7777\n",
            b"net.nf_conntrack_max = 8888\n",
            b"net.ipv4.ip_conntrack_max=9999\n",
            b"-net.netfilter.nf_conntrack_udp_timeout\n",
            b"net.netfilter.nf_conntrack_udp_timeout = 33\n",
            b"net.netfilter.nf_conntrack_buckets=999\n",
            b"# comment \xff\n",
            b"net.netfilter.nf_conntrack_udp* = 44\n",
            b"kernel.panic = 3\r\n",
        ]
    ),
    max_size=4,
).map(b"".join)
STRAY_OPTIONS = st.lists(
    st.sampled_from(
        [
            b"options nf_conntrack hashsize=3333\n",
            b"options nf-conntrack acct=1 hashsize=4444\n",
            b"# x\n",
            b"options nf_conntrack acct=1\n",
        ]
    ),
    max_size=3,
).map(b"".join)
TREES = st.fixed_dictionaries(
    {},
    optional={
        "/etc/sysctl.d/10-a.conf": STRAY_LINES,
        "/etc/sysctl.d/zzz.conf": STRAY_LINES,
        "/usr/lib/sysctl.d/20-vendor.conf": STRAY_LINES,
        "/etc/sysctl.conf": STRAY_LINES,
        SYSCTL_FILE: STRAY_LINES,
        "/etc/modprobe.d/a.conf": STRAY_OPTIONS,
        "/etc/modprobe.d/zzzz.conf": STRAY_OPTIONS,
        MODPROBE_FILE: STRAY_OPTIONS,
        "/lib/modprobe.d/10-vendor.conf": STRAY_OPTIONS,
    },
)
SIZES = st.one_of(st.none(), st.just("auto"), st.integers(200, 150000))
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "max": SIZES,
        "hashsize": SIZES,
        "entries_per_bucket": st.sampled_from(["auto", 1, 2, 8]),
        "memory_percent": st.integers(1, 25),
        "timeouts": st.dictionaries(
            st.sampled_from(["udp", "udp_stream", "tcp_established", "generic"]), st.integers(1, 2147483), max_size=3
        ),
        "sysctls": st.dictionaries(
            st.sampled_from(["nf_conntrack_acct", "nf_conntrack_tcp_loose", "nf_conntrack_log_invalid"]),
            st.integers(0, 1),
            max_size=2,
        ),
        "load": st.booleans(),
        "scope": st.sampled_from(["both", "both", "both", "runtime", "boot"]),
    },
)


def tree(entries):
    return {
        path.replace("/lib/", "/usr/lib/") if path.startswith("/lib/") else path: entry
        for path, entry in entries.items()
    }


def managed(params):
    """The keys that a request sets, by file name."""
    names = {"nf_conntrack_max"} if params.get("max") is not None else set()
    if params.get("hashsize") is not None:
        names.add("nf_conntrack_buckets")
    names.update(params.get("sysctls", {}))
    full = {
        "udp": "nf_conntrack_udp_timeout",
        "udp_stream": "nf_conntrack_udp_timeout_stream",
        "tcp_established": "nf_conntrack_tcp_timeout_established",
        "generic": "nf_conntrack_generic_timeout",
    }
    names.update(full[name] for name in params.get("timeouts", {}))
    return names


def outcome(call):
    try:
        return call()
    except ConntrackError as error:
        return type(error), error.message


@given(HOSTS, TREES, REQUESTS)
def test_check_mode_writes_nothing_and_predicts_the_run_which_repeated_changes_nothing(name, entries, params):
    kernel = FakeKernel(name, tree(entries))
    before = kernel.state()
    predicted = outcome(lambda: tune(kernel, check=True, force=True, **params))
    assert kernel.state() == before and not kernel.writes and not kernel.ran
    done = outcome(lambda: tune(kernel, force=True, **params))
    assert done == predicted
    if isinstance(done, dict):
        again = tune(kernel, force=True, **params)
        assert not again["changed"] and again["changes"] == [] and again["diff"] == []
        assert again["settings"] == done["settings"]
    else:
        assert kernel.state() == before


@given(HOSTS, TREES, REQUESTS)
def test_values_hold_after_a_reboot_and_a_reload(name, entries, params):
    params = {option: value for option, value in params.items() if option != "scope"}
    kernel = FakeKernel(name, tree(entries))
    result = outcome(lambda: tune(kernel, force=True, **params))
    assume(isinstance(result, dict))
    wanted = {key: result["settings"][key]["boot"] for key in managed(params)}
    kept = live(kernel, "max") if kernel.is_loaded else None

    def values():
        return {key: kernel.value(key) for key in wanted}

    if kernel.is_loaded:
        assert values() == wanted
    kernel.reboot()
    assert values() == wanted
    kernel.unload()
    kernel.load()
    assert values() == wanted
    # An automatic hashsize follows a max that is left to lines of others.
    if params.get("hashsize") != "auto" or params.get("max") is not None:
        assert not tune(kernel, force=True, **params)["changed"]
    if kept and "nf_conntrack_buckets" in wanted and "nf_conntrack_max" not in wanted and not entries:
        assert live(kernel, "max") == kept


def test_no_root_is_told_as_no_root():
    kernel = FakeKernel("trixie-6.12-nat")
    kernel.is_root = False
    kernel.read_only.add("/etc")
    assert "read-only" not in refusal(kernel, "takes root", "become: true", max=100000)


def test_settings_that_are_returned_were_read_back():
    kernel = FakeKernel("trixie-6.12-nat")
    returned = tune(kernel, max=100000)["settings"]["nf_conntrack_max"]
    assert returned == {"runtime": 100000, "boot": 100000, "file": SYSCTL_FILE, "line": 2}


# --- undo


@pytest.mark.parametrize("name", LOADED + ABSENT)
def test_what_was_set_for_the_boot_can_be_taken_away_again(name):
    kernel = FakeKernel(name)
    files = dict(kernel.tree)
    tune(kernel, max=100000, hashsize=25000, timeouts={"udp": 20}, load=True)
    running = live(kernel, "max", "buckets", "udp_timeout")
    predicted = tune(kernel, check=True, state="absent")
    result = tune(kernel, state="absent")
    assert result["changes"] == predicted["changes"]
    assert subjects(result) == [SYSCTL_FILE, MODPROBE_FILE, UDEV_FILE, LOAD_FILE]
    assert {path: entry for path, entry in kernel.tree.items() if path.startswith("/etc/")} == {
        path: entry for path, entry in files.items() if path.startswith("/etc/")
    }
    assert live(kernel, "max", "buckets", "udp_timeout") == running
    assert not tune(kernel, state="absent")["changed"]
