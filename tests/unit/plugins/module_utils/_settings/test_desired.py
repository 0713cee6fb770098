# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a request comes to on one host: sizes, keys that its kernel lacks, and what costs too much."""

from __future__ import annotations

import pytest
from fake_kernel import COUNT, FakeKernel
from runs import ABSENT, BUILT_IN, LOADED, MODPROBE_FILE, SYSCTL_FILE, live, refusal, sysctl_lines, tune

from ansible_collections.netops.conntrack.plugins.module_utils._errors import InvalidInput

# --- sizes


@pytest.mark.parametrize(("hashsize", "buckets"), [(1, 512), (1000, 1024), (4096, 4096)])
def test_a_hashsize_is_compared_after_the_kernels_rounding(hashsize, buckets):
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, hashsize=hashsize)
    assert live(kernel, "buckets") == (buckets,)
    assert not tune(kernel, hashsize=hashsize)["changed"]
    assert not tune(kernel, hashsize=buckets)["changed"]


def test_a_max_alone_leaves_the_buckets_alone():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=100000)
    assert live(kernel, "max", "buckets") == (100000, 4096)
    assert kernel.text(MODPROBE_FILE) is None


def test_an_automatic_hashsize_never_shrinks_the_live_table():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, hashsize=65536)
    tune(kernel, max=8192, hashsize="auto")
    assert live(kernel, "max", "buckets") == (8192, 65536)
    kernel.reboot()
    assert live(kernel, "max", "buckets") == (8192, 65536)


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


def test_an_automatic_hashsize_is_the_same_before_and_after_a_late_load():
    kernel = FakeKernel("trixie-6.12-absent", {"/etc/modprobe.d/old.conf": b"options nf_conntrack hashsize=262144\n"})
    wanted = {"max": 20000, "hashsize": "auto"}
    tune(kernel, **wanted)
    assert not tune(kernel, **wanted)["changed"]
    kernel.load()
    assert live(kernel, "buckets") == (262144,)
    assert not tune(kernel, **wanted)["changed"]


# --- keys that the kernel lacks


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


# --- what costs too much


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
