# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a stopped run left goes with the next run, as a change that is shown like any other."""

from __future__ import annotations

import pytest
from fake_kernel import FakeKernel
from fake_modules import FakeModules

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._host import TEMPORARY

WANTED = {"max": 60000, "hashsize": 16384}
BESIDE_SYSCTL_FILES = "/etc/sysctl.d/" + TEMPORARY
PLACES = [directory + "/" + TEMPORARY for directory in ("/etc/sysctl.d", "/etc/modprobe.d", "/etc/udev/rules.d")]


def left(result):
    return [change for change in result["changes"] if change["subject"].endswith(TEMPORARY)]


@pytest.mark.parametrize("place", [*PLACES, "/etc/" + TEMPORARY, "/etc/modules-load.d/" + TEMPORARY])
def test_what_is_left_beside_any_file_goes_also_when_nothing_else_has_to_change(run_module, place):
    kernel = FakeKernel("bookworm-6.1-nat", {"/etc": None})
    run_module("conntrack_settings", kernel, WANTED)
    as_wanted = kernel.state()
    kernel.put(place, b"hal\xff")
    before = kernel.state()
    predicted = run_module("conntrack_settings", kernel, WANTED, check=True, diff=True)
    assert kernel.state() == before
    done = run_module("conntrack_settings", kernel, WANTED, diff=True)
    assert done["changes"] == predicted["changes"]
    assert [change["subject"] for change in done["changes"]] == [place] and done["changes"][0]["after"] is None
    assert kernel.state() == as_wanted
    assert not run_module("conntrack_settings", kernel, WANTED)["changed"]


@pytest.mark.parametrize("arguments", [WANTED, {"state": "absent"}])
def test_what_is_left_is_no_obstacle_to_any_change(run_module, arguments):
    kernel = FakeKernel("trixie-6.12-nat", dict.fromkeys(PLACES, b"half"))
    result = run_module("conntrack_settings", kernel, arguments)
    assert len(left(result)) == len(PLACES)
    assert not any(path.endswith(TEMPORARY) for path in kernel.tree)


@pytest.mark.parametrize("state", ["absent", "unmanaged"])
def test_conntrack_modules_takes_away_what_was_left_too(run_module, state):
    arguments = {"stack": "conntrack", "state": state}
    host = FakeModules("trixie-6.12-absent", {"/etc/modules-load.d/" + TEMPORARY: b"half", PLACES[1]: b""})
    assert len(left(run_module("conntrack_modules", host, arguments))) == 2
    assert not run_module("conntrack_modules", host, arguments)["changed"]


def test_a_run_that_writes_no_file_removes_none(run_module):
    kernel = FakeKernel("trixie-6.12-nat", {BESIDE_SYSCTL_FILES: b"half"})
    assert not left(run_module("conntrack_settings", kernel, dict(WANTED, scope="runtime")))
    assert BESIDE_SYSCTL_FILES in kernel.tree


@pytest.mark.parametrize("entry", ["/etc/precious", None])
def test_links_and_directories_of_that_name_stay(run_module, entry):
    kernel = FakeKernel("trixie-6.12-nat", {"/etc/precious": b"", "/etc/sysctl.d/" + TEMPORARY: entry})
    assert not left(run_module("conntrack_settings", kernel, WANTED))
    assert kernel.tree[BESIDE_SYSCTL_FILES] == entry and "/etc/precious" in kernel.tree


def test_without_root_it_is_nobodys_business(run_module):
    kernel = FakeKernel("trixie-6.12-nat")
    run_module("conntrack_settings", kernel, WANTED)
    kernel.put(BESIDE_SYSCTL_FILES, b"half")
    kernel.is_root = False
    assert not run_module("conntrack_settings", kernel, WANTED)["changed"]


def test_a_failure_brings_back_even_that(run_module):
    kernel = FakeKernel("trixie-6.12-nat", dict.fromkeys(PLACES, b"half"))
    before = kernel.state()
    kernel.fails = {7: HostError("write", "/some/thing", "Input/output error")}
    assert run_module("conntrack_settings", kernel, WANTED)["failed"]
    assert kernel.state() == before
