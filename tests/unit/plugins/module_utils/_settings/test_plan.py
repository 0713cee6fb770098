# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""conntrack_settings as a whole: what it sets live, for boots and for loads, and where it may not."""

from __future__ import annotations

import pytest
from fake_kernel import NETFILTER, FakeKernel
from generated import HOSTS, REQUESTS, TREES, tree
from hypothesis import assume, given
from hypothesis import strategies as st
from runs import (
    ABSENT,
    BUILT_IN,
    CONTAINER,
    LOAD_FILE,
    LOADED,
    MODPROBE_FILE,
    SYSCTL_FILE,
    UDEV_FILE,
    ended,
    live,
    refusal,
    subjects,
    sysctl_lines,
    tune,
)

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
    result = tune(kernel)
    assert result.pop("stacks")["nat"]["modules"]
    assert result == {
        "changed": False,
        "changes": [],
        "diff": [],
        "pending": False,
        "settings": {},
        "sizing": None,
        "missing": [],
        "kept_live": [],
        "unsearched": [],
        "writers": [],
    }


def test_settings_that_are_returned_were_read_back():
    kernel = FakeKernel("trixie-6.12-nat")
    returned = tune(kernel, max=100000)["settings"]["nf_conntrack_max"]
    assert returned == {"runtime": 100000, "boot": 100000, "file": SYSCTL_FILE, "line": 2}


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


# --- what may not be changed here


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


def test_no_root_is_told_as_no_root():
    kernel = FakeKernel("trixie-6.12-nat")
    kernel.is_root = False
    kernel.read_only.add("/etc")
    assert "read-only" not in refusal(kernel, "needs root", "become: true", max=100000)


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


def test_a_link_into_a_directory_that_cannot_be_made_is_refused():
    kernel = FakeKernel("trixie-6.12-nat", {SYSCTL_FILE: "/etc/managed/ct.conf"})
    kernel.read_only.add("/etc/managed")
    refusal(kernel, SYSCTL_FILE + " must be changed but cannot be written", max=100000)


def test_a_directory_in_the_place_of_a_file_is_refused():
    kernel = FakeKernel("trixie-6.12-nat", {"/etc/sysctl.d/90-a.conf/x": b""})
    refusal(
        kernel,
        "/etc/sysctl.d/90-a.conf must be changed",
        "a directory, or a link",
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


# --- properties


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


@given(HOSTS, TREES, REQUESTS, st.booleans())
def test_check_mode_writes_nothing_and_predicts_the_run_which_repeated_changes_nothing(name, entries, params, late):
    kernel = FakeKernel(name, tree(entries), late_udev=late)
    before = kernel.state()
    predicted = ended(lambda: tune(kernel, check=True, force=True, **params))
    assert kernel.state() == before and not kernel.writes and not kernel.ran
    done = ended(lambda: tune(kernel, force=True, **params))
    assert done == predicted
    if isinstance(done, dict):
        again = tune(kernel, force=True, **params)
        assert not again["changed"] and again["changes"] == [] and again["diff"] == []
        assert again["settings"] == done["settings"]
    else:
        assert kernel.state() == before


@given(HOSTS, TREES, REQUESTS, st.booleans())
def test_values_hold_after_a_reboot_and_a_reload(name, entries, params, late_udev):
    params = {option: value for option, value in params.items() if option != "scope"}
    kernel = FakeKernel(name, tree(entries), late_udev=late_udev)
    result = ended(lambda: tune(kernel, force=True, **params))
    assume(isinstance(result, dict))
    wanted = {key: result["settings"][key]["boot"] for key in managed(params)}
    kept = live(kernel, "max") if kernel.is_loaded else None

    def values():
        return {key: kernel.value(key) for key in wanted}

    if kernel.is_loaded:
        assert values() == {key: result["settings"][key]["runtime"] for key in wanted}
        # All but a live table that was larger before.
        smaller = {key for key in wanted if values()[key] < wanted[key]}
        assert not smaller and {key for key in wanted if values()[key] != wanted[key]} <= {"nf_conntrack_buckets"}
    kernel.reboot()
    assert values() == wanted
    kernel.unload()
    kernel.load()
    kernel.settle()
    assert values() == wanted
    # An automatic hashsize follows a max that is left to lines of others.
    if params.get("hashsize") != "auto" or params.get("max") is not None:
        assert not tune(kernel, force=True, **params)["changed"]
    if kept and "nf_conntrack_buckets" in wanted and "nf_conntrack_max" not in wanted and not entries:
        assert live(kernel, "max") == kept


# --- links


@pytest.mark.parametrize("name", ["a.conf", "zzz.conf"])
@pytest.mark.parametrize("path", [SYSCTL_FILE, MODPROBE_FILE, "/etc/sysctl.d/mine.conf"])
def test_check_mode_and_the_run_name_the_same_files_where_a_link_leads_to_a_missing_file_beside_it(path, name):
    kernel = FakeKernel("trixie-6.12-nat", {path: name})
    wanted = {
        "max": 100000,
        "hashsize": 65536,
        "timeouts": {"udp": 20},
        "sysctl_file": path if "mine" in path else None,
    }
    predicted = tune(kernel, check=True, **wanted)
    assert tune(kernel, **wanted) == predicted
    assert kernel.tree[path] == name and f"/{name}" in "".join(kernel.tree)
    again = tune(kernel, **wanted)
    assert not again["changed"] and again["settings"] == predicted["settings"]


def test_a_sysctl_file_whose_link_would_hide_a_packages_file_is_refused():
    kernel = FakeKernel(
        "trixie-6.12-nat", {"/etc/sysctl.d/a.conf": "b.conf", "/usr/lib/sysctl.d/b.conf": b"kernel.panic = 1\n"}
    )
    refusal(kernel, "it would hide /usr/lib/sysctl.d/b.conf", max=100000, sysctl_file="/etc/sysctl.d/a.conf")
