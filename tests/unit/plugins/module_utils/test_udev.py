# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What udevd does to values after a load is shown with the settings, in _settings/test_plan.py."""

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils import _udev
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError

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
        "cannot wait for udev: its rules were to end within 30 s after nf_nat was loaded, and until then they may set values"
        " again (exit code 1). See what it is busy with (udevadm monitor, journalctl -u systemd-udevd), then run this again"
    )
