# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from fake_kernel import FakeKernel
from fake_modules import FakeModules
from runs import ABSENT, live, tune

from ansible_collections.netops.conntrack.plugins.module_utils import _udev
from ansible_collections.netops.conntrack.plugins.module_utils._errors import ApplyError, HostError

SETTLE = "udevadm settle --timeout=30"


@pytest.mark.parametrize("socket", ["/run/udev/control", "/run/udev/io.systemd.Udev"])
def test_a_udevd_of_any_version_is_waited_for(recorded_host, socket):
    host = recorded_host("trixie-6.12-nat", {socket: ""})
    assert _udev.runs(host)
    _udev.settle(host, "nf_conntrack")
    assert host.ran == [SETTLE]


def test_without_a_udevd_no_program_is_run(recorded_host):
    host = recorded_host("trixie-6.12-nat")
    assert not _udev.runs(host)
    _udev.settle(host, "nf_conntrack")
    assert host.ran == []


def test_a_udevd_that_does_not_come_to_an_end_is_an_error_that_says_what_may_follow_and_what_to_do(recorded_host):
    host = recorded_host("trixie-6.12-nat", {"/run/udev/control": ""})
    host.answers[SETTLE] = HostError("run", SETTLE, "exit code 1")
    with pytest.raises(HostError) as raised:
        _udev.settle(host, "nf_nat")
    assert raised.value.message == (
        "cannot wait for udev: it did not finish its rules within 30 s after nf_nat was loaded, and they may still set"
        " values"
        " (exit code 1). See what it is doing (udevadm monitor, journalctl -u systemd-udevd), then run this again"
    )


@pytest.mark.parametrize("name", ABSENT)
@pytest.mark.parametrize("load", [FakeKernel, FakeModules])
def test_values_that_are_asked_for_with_a_load_are_not_undone_by_a_udev_that_comes_late(name, load):
    kernel = load(name, late_udev=True)
    tune(kernel, max=100000, hashsize=65536, timeouts={"udp": 20})
    result = tune(kernel, max=200000, timeouts={"udp": 40}, scope="runtime", load=True, force=True)
    assert result["settings"]["nf_conntrack_max"]["runtime"] == 200000
    assert live(kernel, "max", "udp_timeout") == (200000, 40)
    assert [words for words in kernel.ran if words.startswith("udevadm settle")] == ["udevadm settle --timeout=30"]


def test_where_no_udev_runs_none_is_waited_for():
    kernel = FakeKernel("trixie-6.12-absent")
    tune(kernel, max=100000, load=True)
    assert live(kernel, "max") == (100000,) and kernel.ran == ["modprobe nf_conntrack"]


def test_a_udev_that_does_not_come_to_an_end_is_named_and_the_load_reverted(monkeypatch):
    kernel = FakeKernel("trixie-6.12-absent", late_udev=True)
    before = kernel.state()

    def settle():
        raise HostError("run", "udevadm settle --timeout=30", "exit code 1")

    effect = kernel._effect
    monkeypatch.setattr(kernel, "_effect", lambda command: settle if "settle" in command else effect(command))
    with pytest.raises(ApplyError) as raised:
        tune(kernel, max=200000, scope="runtime", load=True, force=True)
    assert kernel.state() == before
    for words in ("udev", "30 s", "nf_conntrack was loaded", "exit code 1", "udevadm monitor", "as it was before"):
        assert words in raised.value.message
