# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``other_keys: remove``: an inventory describes a host completely; and ``state: absent`` for some keys alone."""

from __future__ import annotations

import pytest
import runs
from fake_kernel import FakeKernel
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._errors import InvalidInput, Refused
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, MAX
from ansible_collections.netops.conntrack.plugins.module_utils._own_files import (
    LOAD_FILE,
    MODPROBE_FILE,
    SYSCTL_FILE,
    UDEV_FILE,
)

#: What every call here says, unless it says otherwise.
ONLY_THESE = {"other_keys": "remove", "missing_keys": "skip", "force": True}
MINE = "/etc/sysctl.d/90-mine.conf"
HOSTS = ["bullseye-5.10-nat", "trixie-6.12-nat", "sid-7.2-nat", "linux-6.18-built-in"]

#: Files of others, which are there from the beginning and which nothing asks to take out.
OTHERS = [
    {},
    {"/etc/sysctl.d/10-site.conf": b"net.netfilter.nf_conntrack_udp_timeout = 77\n"},
    {"/etc/modprobe.d/10-site.conf": b"options nf_conntrack hashsize=9000\n"},
]

INVENTORIES = st.fixed_dictionaries(
    {},
    optional={
        "max": st.sampled_from([8192, 65536, "auto"]),
        "hashsize": st.sampled_from([4096, 16384, "auto"]),
        "timeouts": st.dictionaries(st.sampled_from(["udp", "tcp_established", "udp_stream"]), st.integers(1, 9)),
        "sysctls": st.dictionaries(
            st.sampled_from(["nf_conntrack_tcp_be_liberal", "nf_conntrack_acct", "nf_conntrack_tcp_loose"]),
            st.integers(0, 1),
        ),
        "sysctl_file": st.sampled_from([MINE, SYSCTL_FILE]),
        "load": st.booleans(),
    },
)


def tune(kernel, check=False, **params):
    return runs.tune(kernel, check, **{**ONLY_THESE, **params})


def after_boot(kernel):
    """Every value that a boot and a load give the host as it is now; the host itself is booted."""
    kernel.reboot()
    return live(kernel)


def live(kernel):
    return {path: value for path, value in kernel.state().items() if path.startswith("/proc/sys/net/netfilter/nf_c")}


def files(kernel):
    return {path: content for path, content in kernel.state().items() if path.startswith("/etc/")}


# Each example is up to nine runs and two boots.
@settings(max_examples=settings.default.max_examples * 2 // 5)
@given(st.sampled_from(HOSTS), st.sampled_from(OTHERS), st.lists(INVENTORIES, min_size=1, max_size=3), INVENTORIES)
def test_a_host_is_what_its_inventory_says_whatever_it_said_before(name, others, before, inventory):
    lived, fresh = FakeKernel(name, others), FakeKernel(name, others)
    for earlier in before:
        tune(lived, **earlier)
    tune(lived, **inventory)
    assert not tune(lived, **inventory)["changed"]
    tune(fresh, **inventory)
    assert files(lived) == files(fresh)
    lived_boot, fresh_boot = after_boot(lived), after_boot(fresh)
    assert lived_boot == fresh_boot


@pytest.mark.parametrize("name", HOSTS)
def test_a_variable_taken_out_of_the_inventory_is_taken_off_the_running_kernel(name):
    kernel, untouched = FakeKernel(name), FakeKernel(name)
    all_of_it = {
        "max": 50000,
        "timeouts": {"udp": 20, "tcp_established": 3600},
        "sysctls": {"nf_conntrack_tcp_be_liberal": 1, "nf_conntrack_tcp_max_retrans": 5},
        "sysctl_file": MINE,
    }
    tune(kernel, **all_of_it)
    del all_of_it["sysctl_file"]
    tune(kernel, **all_of_it)
    assert kernel.text(MINE) is None and "udp_timeout = 20" in kernel.text(SYSCTL_FILE)
    all_of_it["sysctls"] = {"nf_conntrack_tcp_max_retrans": 5}
    result = tune(kernel, **all_of_it)
    assert kernel.value("nf_conntrack_tcp_be_liberal") == 0 and result["kept_live"] == []
    all_of_it["timeouts"] = {"udp": 20}
    tune(kernel, **all_of_it)
    assert kernel.value("nf_conntrack_tcp_timeout_established") == 432000
    tune(kernel)
    assert live(kernel) == live(untouched)
    assert all(kernel.text(path) is None for path in (SYSCTL_FILE, MODPROBE_FILE, UDEV_FILE, LOAD_FILE))


def test_a_value_whose_default_is_not_known_stays_until_the_next_boot_and_is_named():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, sysctls={"nf_conntrack_events": 0}, timeouts={"sctp_established": 60})
    result = tune(kernel)
    assert result["kept_live"] == ["nf_conntrack_events", "nf_conntrack_sctp_timeout_established"]
    assert kernel.value("nf_conntrack_events") == 0
    kernel.reboot()
    assert kernel.value("nf_conntrack_events") == 2


def test_a_default_that_an_option_of_the_module_changes_is_not_taken_for_known():
    kernel = FakeKernel("trixie-6.12-nat", {"/etc/modprobe.d/a.conf": b"options nf_conntrack acct=1\n"})
    tune(kernel, sysctls={"nf_conntrack_acct": 0})
    assert tune(kernel)["kept_live"] == ["nf_conntrack_acct"]


def test_where_another_file_sets_a_key_its_value_comes_back():
    kernel = FakeKernel("trixie-6.12-nat", OTHERS[1])
    tune(kernel, timeouts={"udp": 20})
    tune(kernel)
    assert kernel.value("nf_conntrack_udp_timeout") == 77


def test_lines_that_somebody_added_to_the_file_of_the_collection_stay():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=50000)
    kernel.tree[SYSCTL_FILE] += b"vm.swappiness = 10\n"
    tune(kernel)
    assert kernel.text(SYSCTL_FILE).endswith("vm.swappiness = 10\n") and "conntrack_max" not in kernel.text(SYSCTL_FILE)


def test_lines_of_somebody_elses_file_stay_where_it_becomes_the_sysctl_file():
    kernel = FakeKernel("trixie-6.12-nat", {MINE: b"net.netfilter.nf_conntrack_udp_timeout = 77\n"})
    tune(kernel, timeouts={"udp": 50})
    tune(kernel, timeouts={"udp_stream": 60}, sysctl_file=MINE)
    assert "udp_timeout = 77" in kernel.text(MINE) and "udp_timeout_stream = 60" in kernel.text(MINE)
    assert kernel.text(SYSCTL_FILE) is None and kernel.value("nf_conntrack_udp_timeout") == 77


@pytest.mark.parametrize("file", [SYSCTL_FILE, "/usr/local/lib/sysctl.d/90-x.conf"])
def test_a_file_of_the_collection_is_known_below_other_lines_and_outside_etc(file):
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, sysctls={"nf_conntrack_tcp_be_liberal": 1}, sysctl_file=file)
    if file == SYSCTL_FILE:
        kernel.tree[file] = b"# of the site\n" + kernel.tree[file]
    tune(kernel, timeouts={"udp": 20}, sysctl_file=file)
    assert "be_liberal" not in kernel.text(file) and kernel.value("nf_conntrack_tcp_be_liberal") == 0
    tune(kernel, state="absent", other_keys="keep")
    assert "nf_conntrack" not in (kernel.text(file) or "")


def test_a_max_that_goes_back_below_the_entries_in_use_is_refused():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=50000)
    kernel.put("/proc/sys/net/netfilter/nf_conntrack_count", b"40000\n")
    before = kernel.state()
    with pytest.raises(
        Refused,
        match="max 4096, which is what a boot would set now that no max is asked for, is below the 40000 entries",
    ):
        tune(kernel, force=False)
    assert kernel.state() == before


def test_the_running_kernel_alone_cannot_be_the_whole_truth():
    with pytest.raises(InvalidInput, match=r"other_keys is remove.*scope is runtime.*both or boot"):
        runs.wish(**{**ONLY_THESE, "scope": "runtime"})


def test_nothing_live_is_touched_where_boots_alone_are_asked_for():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, timeouts={"udp": 20})
    tune(kernel, scope="boot")
    assert kernel.value("nf_conntrack_udp_timeout") == 20 and kernel.text(SYSCTL_FILE) is None


@pytest.mark.parametrize("file", [None, MINE])
def test_absent_takes_the_named_keys_alone(file):
    kernel = FakeKernel("trixie-6.12-nat")
    where = {} if file is None else {"sysctl_file": file}
    keep = {"other_keys": "keep", **where}
    tune(kernel, max=50000, hashsize=16384, timeouts={"udp": 20, "udp_stream": 60}, **keep)
    tune(kernel, state="absent", timeouts={"udp": 1}, **keep)
    text = kernel.text(file or SYSCTL_FILE)
    assert "udp_timeout =" not in text and "udp_timeout_stream = 60" in text and "conntrack_max = 50000" in text
    assert "hashsize=16384" in kernel.text(MODPROBE_FILE) and kernel.text(UDEV_FILE)
    assert kernel.value("nf_conntrack_udp_timeout") == 20, "the running kernel stays as it is"
    tune(kernel, state="absent", hashsize="auto", **keep)
    assert kernel.text(MODPROBE_FILE) is None and kernel.text(UDEV_FILE)
    tune(kernel, state="absent", max="auto", timeouts={"udp_stream": 1}, **keep)
    assert kernel.text(file or SYSCTL_FILE) is None and kernel.text(UDEV_FILE) is None
    assert not tune(kernel, state="absent", max="auto", **keep)["changed"]


@pytest.mark.parametrize("others", [{"other_keys": "keep"}, {"other_keys": "remove", "max": 1}])
def test_absent_without_names_or_with_remove_takes_everything_away(others):
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=50000, hashsize=16384, timeouts={"udp": 20}, sysctl_file=MINE, load=True)
    tune(kernel, state="absent", **others)
    assert all(kernel.text(path) is None for path in (MINE, SYSCTL_FILE, MODPROBE_FILE, UDEV_FILE, LOAD_FILE))


# --- keep_larger


@pytest.mark.parametrize("name", ["bullseye-5.10-nat", "trixie-6.12-nat"])
def test_a_larger_live_table_is_left_where_that_is_asked_for(name):
    kernel = FakeKernel(name)
    tune(kernel, max=200000, hashsize=65536, scope="runtime", other_keys="keep")
    wanted = {"max": 50000, "hashsize": 16384, "keep_larger": True}
    tune(kernel, **wanted)
    assert (kernel.value(MAX), kernel.value(BUCKETS)) == (200000, 65536)
    assert "conntrack_max = 50000" in kernel.text(SYSCTL_FILE) and "hashsize=16384" in kernel.text(MODPROBE_FILE)
    assert not tune(kernel, **wanted)["changed"]
    tune(kernel, **{**wanted, "keep_larger": False})
    assert (kernel.value(MAX), kernel.value(BUCKETS)) == (50000, 16384)


@pytest.mark.parametrize("path", ["/etc/sysctl.d/10-site.conf", "/etc/sysctl.d/zzz-site.conf"])
def test_a_larger_size_of_other_files_is_left_for_boots(path):
    kernel = FakeKernel(
        "trixie-6.12-nat",
        {
            path: b"net.netfilter.nf_conntrack_max = 300000\n",
            "/etc/modprobe.d/zzz-site.conf": b"options nf_conntrack hashsize=131072\n",
        },
    )
    wanted = {"max": 50000, "hashsize": 16384, "timeouts": {"udp": 20}, "keep_larger": True}
    result = tune(kernel, **wanted)
    assert result["settings"]["nf_conntrack_max"]["file"] == path
    assert kernel.tree[path] == b"net.netfilter.nf_conntrack_max = 300000\n"
    assert not tune(kernel, **wanted)["changed"]
    kernel.reboot()
    assert (kernel.value(MAX), kernel.value(BUCKETS)) == (300000, 131072)
    assert not tune(kernel, **wanted)["changed"]
    kernel.put(path, b"net.netfilter.nf_conntrack_max = 10000\n")
    tune(kernel, **wanted)
    kernel.reboot()
    assert kernel.value(MAX) == 50000


def test_a_larger_size_of_an_earlier_run_is_no_reason_to_keep_it():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=300000, hashsize=131072)
    tune(kernel, max=50000, hashsize=16384, keep_larger=True)
    kernel.reboot()
    assert (kernel.value(MAX), kernel.value(BUCKETS)) == (50000, 16384)
