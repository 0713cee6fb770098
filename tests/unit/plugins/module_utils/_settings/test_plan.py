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
    "other_keys": "keep",
    "keep_larger": False,
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


def test_the_files_hold_what_is_documented():
    kernel = FakeKernel("trixie-6.12-nat")
    result = tune(kernel, max=100000, hashsize=100000, timeouts={"udp": 20})
    header = "# Written by Ansible: netops.conntrack.conntrack_settings\n"
    assert kernel.text(SYSCTL_FILE) == header + (
        "net.netfilter.nf_conntrack_max = 100000\nnet.netfilter.nf_conntrack_udp_timeout = 20\n"
    )
    assert kernel.text(MODPROBE_FILE) == header + "options nf_conntrack hashsize=100352\n"
    assert 'RUN+="/usr/lib/systemd/systemd-sysctl --prefix=/net/netfilter"' in kernel.text(UDEV_FILE)
    assert kernel.text(LOAD_FILE) is None
    assert result["settings"]["nf_conntrack_max"] == {
        "runtime": 100000,
        "boot": 100000,
        "file": SYSCTL_FILE,
        "line": 2,
    }
    assert result["settings"]["nf_conntrack_buckets"] == {
        "runtime": 100352,
        "boot": 100352,
        "file": MODPROBE_FILE,
        "line": 2,
    }
    assert [block["after_header"] for block in result["diff"]] == [
        "live kernel",
        SYSCTL_FILE,
        MODPROBE_FILE,
        UDEV_FILE,
    ]


def test_a_running_udevd_is_told_of_the_rule():
    kernel = FakeKernel("trixie-6.12-nat", {UDEV_SOCKET: b""})
    tune(kernel, max=100000)
    assert kernel.ran == ["udevadm control --reload"]
    tune(kernel, max=200000, force=True)
    assert kernel.ran == ["udevadm control --reload"]


@pytest.mark.parametrize(("hashsize", "buckets"), [(1, 512), (1000, 1024), (4096, 4096)])
def test_a_hashsize_is_compared_after_the_kernels_rounding(hashsize, buckets):
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, hashsize=hashsize)
    assert live(kernel, "buckets") == (buckets,)
    assert not tune(kernel, hashsize=hashsize)["changed"]
    assert not tune(kernel, hashsize=buckets)["changed"]


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


def test_a_max_alone_leaves_the_buckets_alone():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=100000)
    assert live(kernel, "max", "buckets") == (100000, 4096)
    assert kernel.text(MODPROBE_FILE) is None


def test_an_automatic_hashsize_never_shrinks_the_live_table_and_is_no_ratchet_for_boots():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=4194304, hashsize="auto", force=True)
    tune(kernel, max=65536, hashsize="auto")
    assert live(kernel, "max", "buckets") == (65536, 4194304)
    assert kernel.text(MODPROBE_FILE).endswith("options nf_conntrack hashsize=65536\n")
    assert not tune(kernel, max=65536, hashsize="auto")["changed"]
    kernel.reboot()
    assert live(kernel, "max", "buckets") == (65536, 65536)


@pytest.mark.parametrize("name", [*LOADED, BUILT_IN])
def test_buckets_that_somebody_else_made_are_not_written_for_boots(name):
    kernel = FakeKernel(name)
    kernel.put(KEYS["nf_conntrack_buckets"].path, b"1048576\n")
    result = tune(kernel, max=65536, hashsize="auto")
    assert result["settings"]["nf_conntrack_buckets"]["runtime"] == 1048576
    assert result["settings"]["nf_conntrack_buckets"]["boot"] <= 65536


@pytest.mark.parametrize(
    ("name", "per_bucket", "buckets"),
    [
        ("bullseye-5.10-nat", "auto", 25088),
        ("trixie-6.12-nat", "auto", 100352),
        ("trixie-6.12-nat", 8, 12800),
    ],
)
def test_an_automatic_hashsize_follows_max(name, per_bucket, buckets):
    kernel = FakeKernel(name)
    tune(kernel, max=100000, hashsize="auto", entries_per_bucket=per_bucket)
    assert live(kernel, "buckets") == (buckets,)


@pytest.mark.parametrize("name", LOADED + ABSENT + [BUILT_IN])
def test_automatic_sizes_are_the_same_on_every_run_and_after_a_boot(name):
    kernel = FakeKernel(name)
    first = tune(kernel, max="auto", hashsize="auto")
    assert first["sizing"]["max"] == first["sizing"]["automatic_max"]
    kernel.reboot()
    assert live(kernel, "max")[0] == first["sizing"]["max"]
    assert live(kernel, "buckets")[0] == first["sizing"]["hashsize"]
    assert not tune(kernel, max="auto", hashsize="auto")["changed"]


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


def test_a_wrong_value_of_a_file_alone_changes_that_file_alone():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=100000, timeouts={"udp": 20})
    kernel.put(SYSCTL_FILE, (kernel.text(SYSCTL_FILE) + "kernel.panic = 5\n").replace("100000", "5").encode())
    kernel.writes.clear()
    result = tune(kernel, max=100000, timeouts={"udp": 20})
    assert subjects(result) == [SYSCTL_FILE]
    assert not kernel.writes
    assert "kernel.panic = 5" in sysctl_lines(kernel)


def test_keys_that_are_not_named_are_left_alone():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, timeouts={"udp": 20})
    tune(kernel, timeouts={"udp_stream": 60})
    assert live(kernel, "udp_timeout", "udp_timeout_stream") == (20, 60)
    assert len(sysctl_lines(kernel)) == 2


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
        "kept_live": [],
        "unsearched": [],
        "writers": [],
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


@pytest.mark.parametrize("name", ABSENT)
def test_hashsize_alone_before_a_load_keeps_the_kernels_own_max(name):
    kernel = FakeKernel(name)
    default = FakeKernel(name)
    default.load()
    tune(kernel, hashsize=100000)
    kernel.load()
    assert live(kernel, "max") == live(default, "max")


def test_an_automatic_hashsize_before_a_load_follows_the_max_that_the_load_will_set():
    kernel = FakeKernel("trixie-6.12-absent")
    tune(kernel, max=65536)
    tune(kernel, hashsize="auto")
    kernel.load()
    assert live(kernel, "max", "buckets") == (65536, 65536)
    assert not tune(kernel, hashsize="auto")["changed"]


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


BLOCKS = [
    ("/etc/modprobe.d/bl.conf", b"# a\ninstall nf_conntrack /bin/false\n"),
    ("/usr/lib/modprobe.d/bl.conf", b"# a\ninstall nf-conntrack /bin/true\n"),
    ("/etc/modprobe.d/bl.conf", b"# a\ninstall nf_* /bin/false\n"),
    ("/etc/modprobe.d/bl.conf", b"# a\ninstall nf_defrag_ipv6 /bin/false\n"),
]
BLACKLISTS = [
    ("/etc/modprobe.d/bl.conf", b"# a\nblacklist nf_conntrack\n"),
    ("/usr/lib/modprobe.d/bl.conf", b"# a\nblacklist nf-conntrack\n"),
]


@pytest.mark.parametrize("scope", ["both", "boot"])
@pytest.mark.parametrize(("path", "text"), BLOCKS + BLACKLISTS)
@pytest.mark.parametrize("name", ["trixie-6.12-absent", "trixie-6.12-nat"])
def test_a_line_that_keeps_the_boot_from_loading_is_named_with_what_takes_it_away(name, path, text, scope):
    kernel = FakeKernel(name, {path: text})
    refusal(kernel, path + ":2 keeps nf_conntrack out", "conntrack_modules", "state: present", load=True, scope=scope)
    assert tune(kernel, max=60000, scope=scope)["changed"]


@pytest.mark.parametrize(("path", "text"), BLOCKS)
def test_a_line_that_keeps_the_module_out_now_is_named_before_anything_is_written(path, text):
    kernel = FakeKernel("trixie-6.12-absent", {path: text})
    refusal(kernel, path + ":2 keeps nf_conntrack out", max=60000, load=True, scope="runtime")
    assert tune(FakeKernel("trixie-6.12-nat", {path: text}), max=60000, load=True, scope="runtime")["changed"]


def test_a_blacklist_is_none_of_a_load_that_is_asked_for_now():
    kernel = FakeKernel("trixie-6.12-absent", dict(BLACKLISTS))
    tune(kernel, max=60000, load=True, scope="runtime")
    assert live(kernel, "max") == (60000,)


@pytest.mark.parametrize(
    "text",
    [
        b"install nf_conntrack /sbin/modprobe --ignore-install nf_conntrack $CMDLINE_OPTS\n",
        b"install nf_nat /bin/false\nblacklist nf_nat\nblacklist nf_conntrack_ftp\n",
    ],
)
def test_what_keeps_nothing_of_it_out_is_no_obstacle_to_a_load(text):
    kernel = FakeKernel("trixie-6.12-absent", {"/etc/modprobe.d/x.conf": text})
    tune(kernel, max=60000, load=True)
    kernel.reboot(then_load=False)
    assert live(kernel, "max") == (60000,)


def test_a_host_that_was_kept_from_tracking_is_predicted_as_it_will_be_tuned():
    host = FakeModules("trixie-6.12-absent")
    stacks_plan.run(host, stacks_plan.Request("conntrack", "absent"), False)
    wanted = {"max": 60000, "load": True}

    def role(check):
        stacks_plan.run(host, stacks_plan.Request("conntrack", "unmanaged"), check)
        return tune(host, check=check, **wanted)

    # The block is there still, and the task that would have lifted it changed nothing.
    predicted = role(True)
    refusal(host, BLOCK_FILE + ":2 keeps nf_conntrack out", **wanted)
    assert subjects(role(False)) == subjects(predicted)
    host.reboot(then_load=False)
    assert host.is_loaded and not role(False)["changed"]


@pytest.mark.parametrize(("path", "text"), BLOCKS + BLACKLISTS)
def test_a_line_of_another_is_predicted_to_keep_the_boot_from_loading(path, text):
    kernel = FakeKernel("trixie-6.12-absent", {path: text, BLOCK_FILE: b"install nf_conntrack /bin/false\n"})
    refusal(kernel, path + ":2 keeps nf_conntrack out", load=True, check=True)


@pytest.mark.parametrize("load", [False, True])
def test_keys_that_an_unloaded_kernel_will_not_have_can_be_skipped(load):
    kernel = FakeKernel("trixie-6.12-absent")
    wanted = {
        "sysctls": {"nf_conntrack_helper": 1},
        "timeouts": {"udp": 20},
        "missing_keys": "skip",
        "load": load,
    }
    tune(kernel, **wanted)
    kernel.load()
    tune(kernel, **wanted)
    assert live(kernel, "udp_timeout") == (20,)
    assert sysctl_lines(kernel) == ["net.netfilter.nf_conntrack_udp_timeout = 20"]
    assert not tune(kernel, **wanted)["changed"]


def test_what_a_load_showed_to_be_missing_is_no_change():
    kernel = FakeKernel("trixie-6.12-absent")
    result = tune(kernel, sysctls={"nf_conntrack_helper": 1}, timeouts={"udp": 20}, missing_keys="skip", load=True)
    assert len(subjects(result)) == len(set(subjects(result)))
    assert "nf_conntrack_helper" not in subjects(result) and result["skipped"] == ["nf_conntrack_helper"]


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


def test_the_other_door_is_taken_where_the_sysctl_is_read_only():
    kernel = FakeKernel("trixie-6.12-nat")
    kernel.read_only.add(BUCKETS)
    tune(kernel, hashsize=8192)
    assert kernel.writes == [("hashsize", "8192")]
    assert HASHSIZE in kernel.tree and live(kernel, "buckets") == (8192,)


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


def test_a_key_this_kernel_lacks_is_named_with_the_kernels_that_have_it():
    refusal(
        FakeKernel("trixie-6.12-nat"),
        "6.12",
        "nf_conntrack_helper (Linux up to 5.19)",
        "missing_keys: skip",
        sysctls={"nf_conntrack_helper": 1},
    )


def test_a_missing_key_is_skipped_and_taken_out_of_the_drop_in():
    kernel = FakeKernel("trixie-6.12-nat", {SYSCTL_FILE: b"net.netfilter.nf_conntrack_helper = 1\n"})
    wanted = {
        "sysctls": {"nf_conntrack_helper": 1, "nf_conntrack_acct": 1},
        "missing_keys": "skip",
    }
    result = tune(kernel, **wanted)
    assert result["skipped"] == ["nf_conntrack_helper"] and "nf_conntrack_helper" not in result["settings"]
    assert sysctl_lines(kernel) == ["net.netfilter.nf_conntrack_acct = 1"]
    assert not tune(kernel, **wanted)["changed"]


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


def test_a_max_below_the_entries_in_use_needs_force():
    kernel = FakeKernel("trixie-6.12-nat", {COUNT: b"5000\n"})
    refusal(kernel, "max 4999", "5000 entries in use", "force: true", max=4999)
    assert tune(FakeKernel("trixie-6.12-nat", {COUNT: b"5000\n"}), max=5000)["changed"]
    assert tune(FakeKernel("trixie-6.12-nat", {COUNT: b"5000\n"}), max=4999, scope="boot")["changed"]
    tune(kernel, max=4999, force=True)
    assert live(kernel, "max") == (4999,)
    assert not tune(kernel, max=4999)["changed"]


@pytest.mark.parametrize("params", [{"max": 2000000}, {"hashsize": 2**27}, {"max": "auto", "memory_percent": 90}])
@pytest.mark.parametrize("name", ["trixie-6.12-nat", "trixie-6.12-absent"])
def test_a_table_above_a_quarter_of_memory_needs_force(name, params):
    refusal(FakeKernel(name), "MiB", "464 MiB of memory", "quarter", "force: true", **params)


@pytest.mark.parametrize("name", ["trixie-6.12-nat", "trixie-6.12-absent"])
def test_a_hashsize_with_which_the_module_could_not_be_loaded_is_refused(name):
    kernel = FakeKernel(name)
    before = kernel.state()
    with pytest.raises(InvalidInput, match="hashsize is 268435456, but this kernel can allocate 268434944 buckets"):
        tune(kernel, hashsize=2**28, force=True)
    assert kernel.state() == before


def test_a_table_that_gets_smaller_needs_no_force():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=2000000, force=True)
    assert tune(kernel, max=1900000)["changed"]


def test_a_large_max_is_forced():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=2000000, force=True)
    assert live(kernel, "max") == (2000000,)


# --- where the sysctl lines go


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/etc/sysctl.d", ["not a .conf file in"]),
        ("/etc/sysctl.d/90-conntrack", ["not a .conf file in", "/etc/sysctl.d"]),
        ("/etc/sysctl.d/.90-conntrack.conf", ["not a .conf file"]),
        ("/etc/90-conntrack.conf", ["not a .conf file"]),
        ("/etc/50-pid-max.conf", ["not a .conf file"]),
        ("/run/sysctl.d/90-conntrack.conf", ["/run is empty after a reboot"]),
        ("/usr/local/lib/sysctl.d/80-hidden.conf", ["hidden by /etc/sysctl.d/80-hidden.conf"]),
        ("/usr/lib/sysctl.d/90-conntrack.conf", ["belong to packages"]),
        ("/etc/sysctl.d/80-masked.conf", ["masked by a link to /dev/null"]),
        ("/etc/sysctl.conf", ["no file in sysctl.d links to it", "Debian 13"]),
        ("/etc/sysctl.d/80-run.conf", ["it leads to /run/ct.conf, and /run is empty after a reboot"]),
        (
            "/etc/sysctl.d/80-package.conf",
            ["it leads to /usr/lib/sysctl.d/80-of-package.conf, and files there belong to packages"],
        ),
        ("/etc/sysctl.d/80-of-package.conf", ["it would hide /usr/lib/sysctl.d/80-of-package.conf"]),
    ],
)
def test_a_file_that_the_boot_does_not_read_is_refused(path, words):
    kernel = FakeKernel(
        "trixie-6.12-nat",
        {
            "/usr/local/lib/sysctl.d/80-hidden.conf": b"",
            "/etc/sysctl.d/80-hidden.conf": b"",
            "/etc/sysctl.d/80-masked.conf": "/dev/null",
            "/etc/sysctl.d/80-run.conf": "/run/ct.conf",
            "/usr/lib/sysctl.d/80-of-package.conf": b"kernel.kptr_restrict = 2\n",
            "/etc/sysctl.d/80-package.conf": "/usr/lib/sysctl.d/80-of-package.conf",
        },
    )
    refusal(kernel, "sysctl_file " + path + " would not hold at boot", *words, max=100000, sysctl_file=path)


def test_sysctl_conf_is_taken_where_the_boot_reads_it():
    kernel = FakeKernel("bookworm-6.1-nat")
    before = kernel.text("/etc/sysctl.conf")
    tune(kernel, max=100000, sysctl_file="/etc/sysctl.conf")
    assert kernel.text("/etc/sysctl.conf") == before + "net.netfilter.nf_conntrack_max = 100000\n"
    assert kernel.tree["/etc/sysctl.d/99-sysctl.conf"] == "../sysctl.conf"
    assert kernel.text(SYSCTL_FILE) is None
    kernel.reboot()
    assert live(kernel, "max") == (100000,)
    assert not tune(kernel, max=100000, sysctl_file="/etc/sysctl.conf")["changed"]
    assert not tune(kernel, max=100000, sysctl_file="/etc/sysctl.d/99-sysctl.conf")["changed"]


@pytest.mark.parametrize("path", ["/etc/sysctl.conf", "/etc/sysctl.d/99-sysctl.conf"])
def test_sysctl_conf_may_itself_be_the_link(path):
    kernel = FakeKernel(
        "trixie-6.12-nat",
        {
            "/etc/sysctl.conf": "sysctl.d/99-sysctl.conf",
            "/etc/sysctl.d/99-sysctl.conf": b"vm.swappiness = 1\n",
        },
    )
    predicted = tune(kernel, check=True, max=100000, sysctl_file=path)
    assert tune(kernel, max=100000, sysctl_file=path)["changes"] == predicted["changes"]
    assert kernel.text("/etc/sysctl.d/99-sysctl.conf") == "vm.swappiness = 1\nnet.netfilter.nf_conntrack_max = 100000\n"
    assert not tune(kernel, max=100000, sysctl_file=path)["changed"]


@pytest.mark.parametrize("path", [SYSCTL_FILE, MODPROBE_FILE, "/etc/sysctl.d/zzz.conf"])
@pytest.mark.parametrize("there", [b"# there\n", None])
def test_a_link_in_the_place_of_a_file_stays_and_its_target_comes_and_goes(path, there):
    kernel = FakeKernel("trixie-6.12-nat", {path: "/etc/managed/ct.conf"})
    if there is not None:
        kernel.put("/etc/managed/ct.conf", there)
    wanted = {"max": 100000, "hashsize": 65536}
    wanted["sysctl_file"] = path if path.startswith("/etc/sysctl.d") else None
    tune(kernel, **wanted)
    assert not tune(kernel, **wanted)["changed"]
    assert kernel.text("/etc/managed/ct.conf")
    predicted = tune(kernel, check=True, state="absent", **wanted)
    assert tune(kernel, state="absent", **wanted)["changes"] == predicted["changes"]
    assert not tune(kernel, state="absent", **wanted)["changed"]
    assert kernel.tree[path] == "/etc/managed/ct.conf"


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


def test_a_host_without_systemd_sysctl_keeps_runtime_values_alone():
    kernel = FakeKernel("trixie-6.12-nat")
    del kernel.tree["/usr/lib/systemd/systemd-sysctl"]
    refusal(kernel, "neither systemd-sysctl nor", "/etc/init.d/procps", "scope: runtime", max=100000)
    assert tune(kernel, max=100000, scope="runtime")["changed"]


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


@pytest.mark.parametrize("name", LOADED)
def test_on_a_host_without_systemd_values_hold_after_a_boot_by_procps_and_after_a_reload(name):
    kernel = procps_host(name)
    wanted = (100000, 16384)
    result = tune(kernel, max=100000, hashsize=16384, timeouts={"udp": 20})
    assert "RUN+=\"/usr/sbin/sysctl --quiet --pattern '^" in kernel.text(UDEV_FILE)
    assert result["settings"]["nf_conntrack_max"]["file"] == SYSCTL_FILE
    kernel.reboot()
    assert live(kernel, "max", "buckets", "udp_timeout") == (*wanted, 20)
    kernel.unload()
    kernel.load()
    assert live(kernel, "max", "buckets", "udp_timeout") == (*wanted, 20)
    assert not tune(kernel, max=100000, hashsize=16384, timeouts={"udp": 20})["changed"]


def test_procps_reads_sysctl_conf_last_so_stale_lines_go_from_there():
    stale = {"/etc/sysctl.conf": b"# mine\nnet.netfilter.nf_conntrack_max=5\nkernel.panic=1"}
    for kernel in (procps_host(**stale), procps_host("trixie-6.12-nat", **stale)):
        changed = [change["subject"] for change in tune(kernel, max=100000)["changes"] if change["layer"] == "boot"]
        assert len(changed) == 3, changed
        assert kernel.tree["/etc/sysctl.conf"] == b"# mine\nkernel.panic=1"
        kernel.reboot()
        assert live(kernel, "max") == (100000,)


@pytest.mark.parametrize("name", LOADED)
@pytest.mark.parametrize("path", ["/etc/sysctl.conf", "/etc/sysctl.d/99-sysctl.conf"])
def test_where_procps_boots_sysctl_conf_is_taken_by_either_name_and_outranks_all(name, path):
    kernel = procps_host(
        name, **{"/etc/sysctl.d/zzz.conf": b"net.netfilter.nf_conntrack_max=5\n", "/etc/sysctl.conf": b""}
    )
    if path != "/etc/sysctl.conf":
        kernel.put(path, "../sysctl.conf")
    tune(kernel, max=100000, sysctl_file=path)
    assert kernel.text("/etc/sysctl.conf").endswith("net.netfilter.nf_conntrack_max = 100000\n")
    assert kernel.tree["/etc/sysctl.d/zzz.conf"] == b"net.netfilter.nf_conntrack_max=5\n"
    kernel.reboot()
    assert live(kernel, "max") == (100000,)
    assert not tune(kernel, max=100000, sysctl_file=path)["changed"]
    tune(kernel, state="absent", sysctl_file=path, max=1)
    assert "nf_conntrack" not in kernel.text("/etc/sysctl.conf")


def test_a_vendor_file_that_procps_reads_later_is_named():
    vendor = "/usr/lib/sysctl.d/zzz-vendor.conf"
    kernel = procps_host(**{vendor: b"\nnet/netfilter/nf_conntrack_max = 5\n"})
    refusal(kernel, vendor + ":2 (5)", max=100000)
    # What the kernel refuses leaves the value as it is.
    tune(procps_host(**{vendor: b"net.netfilter.nf_conntrack_max = none\n"}), max=100000)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"/etc/init.d/procps": None}, ["neither systemd-sysctl nor", "/etc/init.d/procps.sh"]),
        ({"/usr/sbin/sysctl": None}, ["neither systemd-sysctl nor"]),
        ({"/usr/sbin/sysctl": "/usr/bin/busybox"}, ["/usr/sbin/sysctl is no program of procps but /usr/bin/busybox"]),
        ({"/usr/bin/udevadm": None}, ["no udev", "whenever nf_conntrack is loaded"]),
    ],
)
def test_a_host_of_which_nothing_is_known_says_what_was_looked_for(changes, words):
    kernel = procps_host()
    for path, entry in changes.items():
        del kernel.tree[path]
        if entry is not None:
            kernel.put(entry, b"")
            kernel.put(path, entry)
    refusal(kernel, "scope: runtime", *words, max=100000)


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


@pytest.mark.parametrize("name", LOADED)
def test_where_systemd_is_installed_and_not_what_boots_its_rules_do_not_hold(name):
    kernel = sysvinit_host(name, **{"/etc/sysctl.conf": b"net.netfilter.nf_conntrack_max = 5000\n"})
    told = persistent.gather(kernel)["persistent"]
    assert told["nf_conntrack_max"] == {"boot": 5000, "file": "/etc/sysctl.conf", "line": 1}
    tune(kernel, max=100000)
    assert kernel.text("/etc/sysctl.conf") == ""
    assert "/usr/sbin/sysctl --quiet" in kernel.text(UDEV_FILE)
    kernel.reboot()
    assert live(kernel, "max") == (100000,)
    assert not tune(kernel, max=100000)["changed"]


def test_where_systemd_is_installed_and_something_unknown_boots_nothing_is_known():
    kernel = sysvinit_host("trixie-6.12-nat")
    del kernel.tree["/etc/init.d/procps"]
    refusal(kernel, "neither systemd-sysctl nor", "/etc/init.d/procps", "scope: runtime", max=100000)


@pytest.mark.parametrize(
    ("init", "runs"),
    [
        ("/lib/systemd/systemd", False),  # an image that is being built
        (None, False),  # a container
        (b"", True),  # init= on the kernel's command line
    ],
)
def test_where_systemd_boots_or_nothing_says_what_does_systemd_sysctl_sets_the_values(init, runs):
    kernel = sysvinit_host("trixie-6.12-nat")
    place = kernel.resolve("/sbin/init")
    del kernel.tree[place]
    if init is not None:
        kernel.put(place, init)
    if runs:
        kernel.put("/run/systemd/system", None)
    tune(kernel, max=100000)
    assert "systemd-sysctl" in kernel.text(UDEV_FILE)


@pytest.mark.parametrize("path", [MODPROBE_FILE, UDEV_FILE, LOAD_FILE])
def test_a_mask_in_the_place_of_an_own_file_is_refused(path):
    refusal(
        FakeKernel("trixie-6.12-absent", {path: "/dev/null"}), path, "/dev/null", max=65536, hashsize=65536, load=True
    )


@pytest.mark.parametrize("name", LOADED)
def test_a_file_that_belongs_to_a_package_is_not_edited_through_a_link(name):
    kernel = FakeKernel(
        name,
        {
            "/usr/share/vendor.conf": b"net.netfilter.nf_conntrack_max = 5\n",
            "/etc/sysctl.d/zzz.conf": "/usr/share/vendor.conf",
        },
    )
    refusal(kernel, "/etc/sysctl.d/zzz.conf:1 (5)", max=100000)


@pytest.mark.parametrize("name", LOADED)
def test_stale_lines_below_etc_that_would_win_are_removed_and_nothing_else(name):
    stale = (
        b"# mine\r\nnet/netfilter/nf_conntrack_max=5\r\nkernel.panic = 5 \xff\r\n-net.netfilter.nf_conntrack_max\r\n"
        b"net.ipv4.netfilter.ip_conntrack_max = 6\r\nnet.ipv4.ip_conntrack_max=7\r\nnet.nf_conntrack_max=8\r\n"
    )
    kernel = FakeKernel(name, {"/etc/sysctl.d/zzz.conf": stale})
    tune(kernel, max=100000)
    assert kernel.tree["/etc/sysctl.d/zzz.conf"] == b"# mine\r\nkernel.panic = 5 \xff\r\n"
    kernel.reboot()
    assert live(kernel, "max") == (100000,)


def test_what_is_outranked_stays_but_former_and_other_names_go():
    kernel = FakeKernel(
        "bookworm-6.1-nat",
        {
            "/etc/sysctl.d/10-old.conf": (
                b"net.netfilter.nf_conntrack_max=5\nnet.nf_conntrack_max=6\nnet.ipv4.netfilter.ip_conntrack_max=7\n"
            )
        },
    )
    tune(kernel, max=100000)
    assert kernel.tree["/etc/sysctl.d/10-old.conf"] == b"net.netfilter.nf_conntrack_max=5\n"
    assert not tune(kernel, max=100000)["changed"]


def test_the_other_name_of_max_between_two_equal_lines_does_not_win():
    # systemd-sysctl leaves a value that is repeated where it stood first, so the line between is written last.
    kernel = FakeKernel(
        "bookworm-6.1-nat",
        {
            "/etc/sysctl.d/10-a.conf": b"net.netfilter.nf_conntrack_max=50000\n",
            "/etc/sysctl.d/20-b.conf": b"net.nf_conntrack_max=60000\n",
        },
    )
    tune(kernel, max=50000)
    kernel.load()
    kernel.reboot()
    assert live(kernel, "max") == (50000,)


def test_the_file_that_debian_13_no_longer_reads_loses_lines_that_sysctl_p_would_apply():
    kernel = FakeKernel(
        "trixie-6.12-nat",
        {
            "/etc/sysctl.conf": b"net.netfilter.nf_conntrack_max=5\nnet.ipv4.ip_conntrack_max=6\nkernel.panic=1\n",
        },
    )
    tune(kernel, max=100000)
    assert kernel.tree["/etc/sysctl.conf"] == b"kernel.panic=1\n"
    assert not tune(kernel, max=100000)["changed"]


@pytest.mark.parametrize(
    "line",
    [
        "net.netfilter.nf_conntrack_max = 5",
        "net.nf_conntrack_max = 5",
        "net.nf_conntrack_ma? = 5",
        "-net.netfilter.nf_conntrack_max",
    ],
)
def test_a_vendor_file_that_would_win_is_named_by_file_and_line(line):
    vendor = "/usr/lib/sysctl.d/zzz-vendor.conf"
    kernel = FakeKernel("trixie-6.12-nat", {vendor: ("\n" + line + "\n").encode()})
    refusal(kernel, vendor + ":2", "net.netfilter.nf_conntrack_max would not be 100000", max=100000)
    tune(kernel, max=100000, sysctl_file="/etc/sysctl.d/zzzz.conf")
    kernel.reboot()
    assert live(kernel, "max") == (100000,)


def test_a_vendor_file_of_an_earlier_name_is_outranked():
    kernel = FakeKernel("trixie-6.12-nat", {"/usr/lib/sysctl.d/99-zz.conf": b"net.netfilter.nf_conntrack_max=5\n"})
    tune(kernel, max=100000)
    kernel.reboot()
    assert live(kernel, "max") == (100000,)


def test_another_file_takes_over_and_leaves_no_residue():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=100000)
    tune(kernel, max=100000, sysctl_file="/etc/sysctl.d/90-conntrack.conf")
    assert kernel.text(SYSCTL_FILE) is None
    kernel.reboot()
    assert live(kernel, "max") == (100000,)
    assert not tune(kernel, max=100000, sysctl_file="/etc/sysctl.d/90-conntrack.conf")["changed"]


def test_a_hashsize_that_would_win_is_removed_below_etc_and_other_options_stay():
    kernel = FakeKernel(
        "trixie-6.12-nat",
        {
            "/etc/modprobe.d/nf.conf": b"options nf_conntrack hashsize=5\n",
            "/etc/modprobe.d/zzy.conf": b"options nf_conntrack acct=1 hashsize=5\n",
            "/etc/modprobe.d/zzz.conf": b"options nf-conntrack hashsize=6\n# end",
        },
    )
    tune(kernel, hashsize=8192)
    assert kernel.tree["/etc/modprobe.d/nf.conf"] == b"options nf_conntrack hashsize=5\n"
    assert kernel.tree["/etc/modprobe.d/zzy.conf"] == b"options nf_conntrack acct=1\n"
    assert kernel.tree["/etc/modprobe.d/zzz.conf"] == b"# end"
    kernel.reboot()
    assert live(kernel, "buckets") == (8192,)


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


def test_a_vendors_hashsize_that_would_win_is_named():
    vendor = "/usr/lib/modprobe.d/zzz-vendor.conf"
    refusal(
        FakeKernel("trixie-6.12-nat", {vendor: b"# a\noptions nf_conntrack hashsize=6\n"}), vendor + ":2", hashsize=8192
    )


REFUSED = ["64K", "", '"5 6"', "-1", "4294967296"]


@pytest.mark.parametrize("value", REFUSED)
def test_an_outranked_hashsize_that_keeps_the_module_from_loading_goes_and_other_options_stay(value):
    kernel = FakeKernel(
        "trixie-6.12-absent",
        {
            "/etc/modprobe.d/10.conf": f"options nf_conntrack acct=1 hashsize={value} hashsize=4096\n# end".encode(),
        },
    )
    wanted = {"max": 300000, "hashsize": 65536, "scope": "boot", "force": True}
    refusal(kernel, "/etc/modprobe.d/10.conf:1", conflicting_entries="fail", **wanted)
    tune(kernel, **wanted)
    assert kernel.tree["/etc/modprobe.d/10.conf"] == b"options nf_conntrack acct=1 hashsize=4096\n# end"
    assert not tune(kernel, **wanted)["changed"]
    kernel.load()
    assert live(kernel, "max", "buckets") == (300000, 65536)


@pytest.mark.parametrize(
    ("place", "entry"),
    [
        ("/usr/lib/modprobe.d/10-vendor.conf:2 (64K)", b"# a\noptions nf_conntrack hashsize=64K\n"),
        ("/proc/cmdline:1 (64K)", b"nf_conntrack.hashsize=64K nf_conntrack.hashsize=65536\n"),
        ("/proc/cmdline:1 ()", b"nf_conntrack.hashsize nf_conntrack.hashsize=65536\n"),
    ],
)
@pytest.mark.parametrize("wanted", [{"hashsize": 65536}, {"load": True}, {"load": True, "scope": "runtime"}])
def test_a_refused_hashsize_that_cannot_be_taken_away_is_named(place, entry, wanted):
    kernel = FakeKernel("trixie-6.12-absent", {place.partition(":")[0]: entry})
    refusal(kernel, "nf_conntrack cannot be loaded", place, "Take it away", max=60000, **wanted)
    tune(kernel, max=60000)


INSTALL = "install nf_conntrack /sbin/modprobe --ignore-install nf_conntrack $CMDLINE_OPTS hashsize={0}\n"


@pytest.mark.parametrize("path", ["/etc/modprobe.d/nf.conf", "/usr/lib/modprobe.d/nf.conf"])
def test_a_hashsize_in_a_command_that_is_run_in_place_of_the_load_is_named_since_it_wins(path):
    kernel = FakeKernel("trixie-6.12-nat", {path: ("# a\n" + INSTALL.format(4096)).encode()})
    refusal(kernel, "hashsize=65536", path + ":2 (4096) wins over", hashsize=65536, max=60000)
    tune(kernel, hashsize=4096, max=60000)
    kernel.reboot()
    assert live(kernel, "buckets", "max") == (4096, 60000)


def test_a_hashsize_in_such_a_command_before_the_options_is_outranked():
    command = b"install nf_conntrack /sbin/modprobe --ignore-install nf_conntrack hashsize=4096 $CMDLINE_OPTS\n"
    kernel = FakeKernel("trixie-6.12-nat", {"/etc/modprobe.d/nf.conf": command})
    tune(kernel, hashsize=65536, max=60000)
    kernel.reboot()
    assert live(kernel, "buckets", "max") == (65536, 60000)


def test_a_hashsize_in_such_a_command_that_the_kernel_refuses_is_named():
    kernel = FakeKernel("trixie-6.12-absent", {"/etc/modprobe.d/nf.conf": INSTALL.format("64K").encode()})
    refusal(kernel, "nf_conntrack cannot be loaded", "/etc/modprobe.d/nf.conf:1 (64K)", hashsize=65536)


def test_one_file_by_two_names_keeps_the_hashsize_that_was_asked_for():
    kernel = FakeKernel(
        "trixie-6.12-nat",
        {
            "/etc/modprobe.d/10.conf": "zz-netops-conntrack.conf",
            MODPROBE_FILE: b"options nf_conntrack hashsize=64K\n",
        },
    )
    tune(kernel, hashsize=8192)
    kernel.reboot()
    assert live(kernel, "buckets") == (8192,)
    assert not tune(kernel, hashsize=8192)["changed"]


def test_a_hashsize_with_a_plus_is_what_the_kernel_makes_of_it():
    kernel = FakeKernel("trixie-6.12-nat", {"/proc/cmdline": b"nf_conntrack.hashsize=+65536\n"})
    assert tune(kernel, hashsize=65536)["settings"]["nf_conntrack_buckets"]["boot"] == 65536


# --- conflicting_entries: fail


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/etc/sysctl.d/zzz.conf", "net/netfilter/nf_conntrack_max=5"),
        ("/etc/sysctl.d/zzz.conf", "-net.netfilter.nf_conntrack_max"),
        ("/etc/sysctl.d/10-old.conf", "net.nf_conntrack_max = 5"),
        ("/etc/sysctl.d/10-old.conf", "net.ipv4.netfilter.ip_conntrack_max = 5"),
        ("/etc/sysctl.d/10-old.conf", "net.ipv4.ip_conntrack_max = 5"),
        ("/etc/sysctl.conf", "net.netfilter.nf_conntrack_max = 5"),
        ("/etc/modprobe.d/zzz.conf", "options nf_conntrack acct=1 hashsize=5"),
    ],
)
@pytest.mark.parametrize("name", ["trixie-6.12-nat", "bookworm-6.1-nat"])
def test_a_conflicting_line_is_named_by_file_and_line_and_stays(name, path, line):
    kernel = FakeKernel(name, {path: f"# mine\n{line}\n".encode()})
    wanted = {"max": 100000, "hashsize": 25000}
    refusal(kernel, f"{path}:2 ({line})", "conflicting_entries: replace", conflicting_entries="fail", **wanted)
    tune(kernel, **wanted)
    assert not tune(kernel, conflicting_entries="fail", **wanted)["changed"]


def test_all_conflicting_lines_are_named_at_once():
    kernel = FakeKernel(
        "trixie-6.12-nat",
        {
            "/etc/sysctl.d/zzz.conf": b"net.netfilter.nf_conntrack_max = 5\nnet.ipv4.ip_conntrack_max = 6\n",
            "/etc/modprobe.d/zzz.conf": b"options nf_conntrack hashsize=7\n",
        },
    )
    refusal(
        kernel,
        "/etc/sysctl.d/zzz.conf:1",
        "/etc/sysctl.d/zzz.conf:2",
        "/etc/modprobe.d/zzz.conf:1",
        max=100000,
        hashsize=25000,
        conflicting_entries="fail",
    )


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/etc/sysctl.d/10-old.conf", b"net.netfilter.nf_conntrack_max = 5\n"),
        ("/usr/lib/sysctl.d/10-vendor.conf", b"net.netfilter.nf_conntrack_max = 5\n"),
        ("/etc/sysctl.d/zzz.conf", b"# net.netfilter.nf_conntrack_max = 5\nnet.netfilter.nf_conntrack_acct = 1\n"),
        ("/etc/modprobe.d/nf.conf", b"options nf_conntrack hashsize=5\n"),
        (SYSCTL_FILE, b"net.ipv4.ip_conntrack_max = 5\nnet.netfilter.nf_conntrack_max = 6\n"),
    ],
)
def test_what_is_outranked_or_in_an_own_file_is_no_conflict(path, content):
    kernel = FakeKernel("trixie-6.12-nat", {path: content})
    tune(kernel, max=100000, hashsize=25000, conflicting_entries="fail")
    kernel.reboot()
    assert live(kernel, "max", "buckets") == (100000, 25088)


def test_another_file_takes_over_from_the_collections_own_without_a_conflict():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=100000)
    tune(kernel, max=100000, sysctl_file="/etc/sysctl.d/90-conntrack.conf", conflicting_entries="fail")
    assert kernel.text(SYSCTL_FILE) is None


def test_sysctl_conf_that_the_boot_reads_first_loses_lines_that_sysctl_p_would_apply():
    kernel = FakeKernel(
        "bookworm-6.1-nat",
        {
            "/etc/sysctl.conf": b"net.netfilter.nf_conntrack_max=5\nkernel.panic=1\n",
            "/etc/sysctl.d/99-sysctl.conf": "../sysctl.conf",
        },
    )
    refusal(kernel, "/etc/sysctl.d/99-sysctl.conf -> /etc/sysctl.conf:1", max=100000, conflicting_entries="fail")
    tune(kernel, max=100000)
    assert kernel.tree["/etc/sysctl.conf"] == b"kernel.panic=1\n"
    assert kernel.tree["/etc/sysctl.d/99-sysctl.conf"] == "../sysctl.conf"


def test_one_file_by_two_names_is_changed_once():
    kernel = FakeKernel(
        "trixie-6.12-nat",
        {
            "/etc/sysctl.d/zzz-a.conf": b"net.netfilter.nf_conntrack_max=5\nkernel.panic=1\n",
            "/etc/sysctl.d/zzz-b.conf": "zzz-a.conf",
        },
    )
    changes = tune(kernel, max=100000)["changes"]
    assert sorted(change["subject"] for change in changes if "zzz" in change["subject"]) == ["/etc/sysctl.d/zzz-a.conf"]
    assert kernel.tree["/etc/sysctl.d/zzz-a.conf"] == b"kernel.panic=1\n"
    assert not tune(kernel, max=100000)["changed"]


# --- a write that fails

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
    assert "cannot change /some/thing: Input/output error. The host is as it was before" in raised.value.message
    assert raised.value.details["not_reverted"] == []
    kernel.fails = {}
    tune(kernel, **params)
    assert not tune(kernel, **params)["changed"]


@pytest.mark.parametrize("position", range(8))
def test_an_interrupt_reverts_and_stays_an_interrupt(position):
    kernel = FakeKernel("bookworm-6.1-nat", STALE)
    before = kernel.state()
    kernel.fails = {position: KeyboardInterrupt()}
    kernel.fails_late = True
    with pytest.raises(KeyboardInterrupt):
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
    with pytest.raises(ApplyError, match=f"{name} is {value} instead of "):
        wanted = {"max": 60000, "hashsize": 60000, "timeouts": {"udp": 20}}
        # What it was, it may be again.
        original = kernel._kernel_write

        def write(action, path, text):
            if int(text) == int(before.get(path, b"-1")):
                kernel.clamps = {}
            original(action, path, text)

        kernel._kernel_write = write
        tune(kernel, **wanted)
    assert kernel.state() == before


def test_a_load_that_is_prevented_leaves_nothing():
    kernel = FakeKernel("trixie-6.12-absent")
    before = kernel.state()
    kernel.load = lambda: None
    with pytest.raises(ApplyError):
        tune(kernel, max=100000, load=True)
    assert kernel.state() == before


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
        assert values() == {key: result["settings"][key]["runtime"] for key in wanted}
        # All but a live table that was larger before.
        smaller = {key for key in wanted if values()[key] < wanted[key]}
        assert not smaller and {key for key in wanted if values()[key] != wanted[key]} <= {"nf_conntrack_buckets"}
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


@settings(max_examples=settings.default.max_examples * 2 // 5)
@given(HOSTS, TREES, REQUESTS, st.integers(0, 12), st.booleans())
def test_a_failure_anywhere_leaves_any_host_as_it_was(name, entries, params, position, late):
    kernel = FakeKernel(name, tree(entries))
    before = kernel.state()
    kernel.fails = {position: HostError("change", "/some/thing", "Input/output error")}
    kernel.fails_late = late
    if not isinstance(outcome(lambda: tune(kernel, force=True, **params)), dict):
        assert kernel.state() == before


def test_the_double_has_both_doors_to_each_size():
    kernel = FakeKernel("trixie-6.12-nat")
    with kernel.alone():
        kernel.write_value(HASHSIZE, "1000")
        kernel.write_value(ALIAS, "5000")
    assert live(kernel, "buckets", "max") == (1024, 5000)
    assert kernel.text(MAX) == "5000\n" and kernel.text(HASHSIZE) == "1024\n"


@pytest.mark.parametrize("word", ["nf_conntrack.hashsize=4096", "nf-conntrack.hashsize=4096"])
def test_a_hashsize_on_the_kernel_command_line_is_named_since_it_wins(word):
    kernel = FakeKernel("trixie-6.12-nat", {"/proc/cmdline": b"root=/dev/vda quiet " + word.encode() + b"\n"})
    refusal(kernel, "hashsize=65536", "/proc/cmdline:1 (4096)", hashsize=65536)
    assert tune(kernel, hashsize=4096)["changed"]


def test_a_hashsize_that_others_fixed_unrounded_is_as_good_as_the_rounded_one():
    kernel = FakeKernel("trixie-6.12-nat", {"/proc/cmdline": b"nf_conntrack.hashsize=30000\n"})
    assert tune(kernel, hashsize=30000)["settings"]["nf_conntrack_buckets"]["boot"] == 30208
    kernel = FakeKernel("trixie-6.12-nat", {"/usr/lib/modprobe.d/zzz.conf": b"options nf_conntrack hashsize=30000\n"})
    assert tune(kernel, hashsize=30000)["changed"]


def test_an_automatic_hashsize_is_the_same_before_and_after_a_late_load():
    kernel = FakeKernel("trixie-6.12-absent", {"/etc/modprobe.d/old.conf": b"options nf_conntrack hashsize=262144\n"})
    wanted = {"max": 20000, "hashsize": "auto"}
    tune(kernel, **wanted)
    assert not tune(kernel, **wanted)["changed"]
    kernel.load()
    assert live(kernel, "buckets") == (20480,)
    assert not tune(kernel, **wanted)["changed"]


@pytest.mark.parametrize(
    "line", [b"net.netfilter.nf_conntrack_max = 99999999999\n", b"net.netfilter.nf_conntrack_max = x\n"]
)
def test_a_max_that_the_kernel_will_refuse_does_not_count_as_one(line):
    kernel = FakeKernel("trixie-6.12-nat", {"/etc/sysctl.d/1.conf": line})
    running = live(kernel, "max")
    tune(kernel, hashsize=512)
    kernel.reboot()
    assert live(kernel, "max") == running


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


def test_taking_away_leaves_the_other_lines_of_a_file_of_ones_own():
    mine = "/etc/sysctl.d/50-mine.conf"
    kernel = FakeKernel("trixie-6.12-nat", {mine: b"# mine\nkernel.panic = 5\n"})
    wanted = {"max": 100000, "timeouts": {"udp": 20}, "sysctl_file": mine}
    tune(kernel, **wanted)
    result = tune(kernel, state="absent", **wanted)
    assert kernel.tree[mine] == b"# mine\nkernel.panic = 5\n"
    assert result["settings"]["nf_conntrack_max"] == {"runtime": 100000, "boot": None, "file": None, "line": None}


def test_there_is_nothing_to_take_away_from_a_host_that_was_never_tuned():
    assert not tune(FakeKernel("trixie-6.12-nat"), state="absent", max="auto")["changed"]


def test_a_max_that_came_with_a_hashsize_goes_with_it():
    mine = "/etc/sysctl.d/90-mine.conf"
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, hashsize=25000, sysctl_file=mine, timeouts={"udp": 20})
    assert not tune(kernel, hashsize=25000, sysctl_file=mine, timeouts={"udp": 20})["changed"]
    assert "nf_conntrack_max" in kernel.text(SYSCTL_FILE) and "nf_conntrack_max" not in kernel.text(mine)
    tune(kernel, state="absent", hashsize=25000, sysctl_file=mine, timeouts={"udp": 20})
    assert kernel.text(mine) is None and kernel.text(SYSCTL_FILE) is None


def test_a_max_of_ones_own_stays_where_a_hashsize_is_taken_away():
    mine = "/etc/sysctl.d/50-site.conf"
    before = b"net.netfilter.nf_conntrack_max = 262144\n"
    kernel = FakeKernel("trixie-6.12-nat", {mine: before})
    tune(kernel, hashsize=25000, sysctl_file=mine)
    tune(kernel, state="absent", hashsize=25000, sysctl_file=mine)
    assert kernel.tree[mine] == before


def test_a_file_that_the_boot_does_not_read_loses_the_lines_of_what_is_asked_for_and_of_what_comes_with_it():
    kernel = FakeKernel(
        "trixie-6.12-nat",
        {
            "/etc/sysctl.d/zzz.conf": b"net.netfilter.nf_conntrack_buckets = 999\n",
            "/etc/sysctl.conf": b"net.netfilter.nf_conntrack_max = 7777\nnet.netfilter.nf_conntrack_buckets = 999\n# mine\n",
        },
    )
    predicted = tune(kernel, check=True, max=100000, hashsize=65536)
    assert tune(kernel, max=100000, hashsize=65536)["changes"] == predicted["changes"]
    assert kernel.tree["/etc/sysctl.conf"] == b"# mine\n"
    assert not tune(kernel, max=100000, hashsize=65536)["changed"]


def test_lines_are_taken_away_also_from_a_file_that_the_boot_no_longer_reads():
    kernel = FakeKernel("bookworm-6.1-nat", {"/etc/sysctl.conf": b"kernel.panic = 5\n"})
    wanted = {"max": 100000, "timeouts": {"udp": 20}, "sysctl_file": "/etc/sysctl.conf"}
    tune(kernel, **wanted)
    del kernel.tree["/etc/sysctl.d/99-sysctl.conf"]  # as an upgrade to Debian 13 does
    tune(kernel, state="absent", **wanted)
    assert kernel.tree["/etc/sysctl.conf"] == b"kernel.panic = 5\n"
    assert not tune(kernel, state="absent", **wanted)["changed"]


def test_values_are_not_looked_at_where_they_are_taken_away():
    wanted = {"max": 0, "hashsize": -1, "entries_per_bucket": 0, "timeouts": dict.fromkeys(TIMEOUTS, 10**12)}
    wanted["sysctls"] = {
        name: "x" for name, key in KEYS.items() if key.timeout is None and name not in (_keys.MAX, _keys.BUCKETS)
    }
    assert not tune(FakeKernel("trixie-6.12-nat"), state="absent", **wanted)["changed"]


@pytest.mark.parametrize("path", [SYSCTL_FILE, MODPROBE_FILE, UDEV_FILE, LOAD_FILE])
def test_a_mask_in_the_place_of_an_own_file_is_nothing_to_take_away(path):
    kernel = FakeKernel("trixie-6.12-nat", {path: "/dev/null"})
    assert not tune(kernel, state="absent")["changed"]
    assert kernel.tree[path] == "/dev/null"
