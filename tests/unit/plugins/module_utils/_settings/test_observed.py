# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What conntrack_settings observes of a host."""

from __future__ import annotations

import typing as t

import pytest
from fake_kernel import BUCKETS, COUNT, HASHSIZE, MAX, NETFILTER, FakeKernel
from runs import CONTAINER, LOAD_FILE, SYSCTL_FILE, live, tune, wish

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel
from ansible_collections.netops.conntrack.plugins.module_utils._settings.observed import observe


def test_the_other_door_is_taken_where_the_sysctl_is_read_only():
    kernel = FakeKernel("trixie-6.12-nat")
    kernel.read_only.add(BUCKETS)
    tune(kernel, hashsize=8192)
    assert kernel.writes == [("hashsize", "8192")]
    assert HASHSIZE in kernel.tree and live(kernel, "buckets") == (8192,)


class Case(t.NamedTuple):
    """A recorded host, and what it is taken for."""

    name: str
    presence: str
    initial_namespace: bool
    is_module: bool
    max: int | None


CASES = [
    Case("trixie-6.12-nat", _kernel.LOADED, True, True, 4096),
    Case("trixie-6.12-absent", _kernel.ABSENT, True, True, None),
    Case("linux-6.18-built-in", _kernel.BUILT_IN, True, False, 262144),
    Case(CONTAINER, _kernel.BUILT_IN, False, False, 262144),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_host_is_taken_for_what_it_is(case):
    kernel = FakeKernel(case.name)
    observed = observe(kernel, wish(max=5))
    assert (observed.presence, observed.initial_namespace, observed.is_module) == case[1:4]
    assert observed.live.get("nf_conntrack_max") == case.max
    assert observed.hardware.kernel == _kernel.version(observed.release)
    assert observed.hardware.memory_bytes == _kernel.memory_bytes(kernel)
    assert not kernel.writes and not kernel.ran


def test_only_the_keys_in_question_are_read_and_those_that_the_kernel_lacks_are_not_there():
    kernel = FakeKernel("trixie-6.12-nat", {NETFILTER + "nf_conntrack_acct": b"1\n", COUNT: b"7\n"})
    observed = observe(kernel, wish(sysctls={"nf_conntrack_acct": 0, "nf_conntrack_helper": 1}))
    assert set(observed.live) == {"nf_conntrack_max", "nf_conntrack_buckets", "nf_conntrack_count", "nf_conntrack_acct"}
    assert (observed.live["nf_conntrack_acct"], observed.live["nf_conntrack_count"]) == (1, 7)
    assert observed.paths == {name: NETFILTER + name for name in observed.live}


def test_what_cannot_be_written_is_known_before_anything_is():
    kernel = FakeKernel("trixie-6.12-nat")
    kernel.read_only.update([MAX, LOAD_FILE])
    observed = observe(kernel, wish(max=5))
    assert observed.read_only == {"nf_conntrack_count", "nf_conntrack_max"}
    assert observed.boot is not None and observed.boot.unwritable == {LOAD_FILE}
    kernel.is_root = False
    assert not observe(kernel, wish(max=5)).is_root


@pytest.mark.parametrize(
    ("params", "is_read"),
    [
        ({"scope": "both"}, True),
        ({"scope": "boot"}, True),
        ({"scope": "runtime"}, False),
        ({"scope": "runtime", "load": True}, True),
    ],
)
def test_files_are_read_where_they_are_to_be_changed_or_a_load_will_read_them(params, is_read):
    kernel = FakeKernel("trixie-6.12-nat", {SYSCTL_FILE: b"net.netfilter.nf_conntrack_max = 5\n"})
    observed = observe(kernel, wish(max=5, **params))
    assert (observed.boot is not None) is is_read
    assert (SYSCTL_FILE in kernel.read_unlocked) is is_read


@pytest.mark.parametrize(
    ("path", "content", "may"),
    [
        ("/proc/sys/kernel/modules_disabled", b"1\n", False),
        ("/proc/self/status", b"CapEff:\t00000000a80425fb\n", False),
        ("/proc/self/status", b"CapEff:\t000001ffffffffff\n", True),
    ],
)
def test_whether_modules_can_be_loaded_is_known_before_one_is(path, content, may):
    assert observe(FakeKernel("trixie-6.12-absent", {path: content}), wish(load=True)).may_load is may
