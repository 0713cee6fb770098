# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flow keeps other runs out from before the first look until after the last one."""

from __future__ import annotations

import errno
import os

import pytest
from fake_kernel import FakeKernel
from fake_modules import FakeModules

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError

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
        (errno.EROFS, "has to be writable"),
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
    with kernel.alone():  # which fails when it is asked for twice
        run_module(module, kernel, arguments, check=True)


def test_without_root_a_host_that_is_as_wanted_needs_no_lock(run_module):
    kernel = host(FakeKernel)
    run_module("conntrack_settings", kernel, {"max": 60000})
    kernel.is_root = False
    with kernel.alone():
        assert not run_module("conntrack_settings", kernel, {"max": 60000})["changed"]
