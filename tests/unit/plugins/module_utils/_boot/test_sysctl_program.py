# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which program sets sysctl lines at boot, and what is said where none is known to."""

from __future__ import annotations

import pytest
from fake_kernel import FakeKernel

from ansible_collections.netops.conntrack.plugins.module_utils._boot import sysctl_program
from ansible_collections.netops.conntrack.plugins.module_utils._errors import Refused
from ansible_collections.netops.conntrack.plugins.module_utils._facts import persistent
from ansible_collections.netops.conntrack.plugins.module_utils._settings import plan as settings_plan
from ansible_collections.netops.conntrack.plugins.module_utils._settings.request import parse

HOST = "trixie-6.12-nat"
UNIT = "/usr/lib/systemd/system/systemd-sysctl.service"


@pytest.mark.parametrize(
    ("files", "masked"),
    [
        ({"/etc/systemd/system/systemd-sysctl.service": "/dev/null"}, "/etc/systemd/system/systemd-sysctl.service"),
        ({"/etc/systemd/system/systemd-sysctl.service": b""}, "/etc/systemd/system/systemd-sysctl.service"),
        ({"/proc/cmdline": b"quiet systemd.mask=systemd-sysctl.service\n"}, "/proc/cmdline (systemd.mask=)"),
        ({UNIT: "/dev/null"}, UNIT),
        ({}, ""),
        ({UNIT: b"[Service]\n"}, ""),
        # An administrator's own unit hides what a package masks; the alias of Debian is another unit.
        ({UNIT: "/dev/null", "/etc/systemd/system/systemd-sysctl.service": b"[Service]\n"}, ""),
        ({"/etc/systemd/system/procps.service": "/dev/null"}, ""),
        ({"/proc/cmdline": b"rd.systemd.mask=systemd-sysctl.service\n"}, ""),
        # Gone by the next boot.
        ({"/run/systemd/system/systemd-sysctl.service": "/dev/null"}, ""),
    ],
)
def test_what_masks_the_service_is_named(files, masked):
    program = sysctl_program.find(FakeKernel(HOST, {UNIT: b"[Service]\n", **files}))
    assert program.masked == masked and program.problem == ""


MASKED = {"/etc/systemd/system/systemd-sysctl.service": "/dev/null"}
LINE = {"/etc/sysctl.d/a.conf": b"net.netfilter.nf_conntrack_max = 5000\n"}


def test_behind_a_mask_the_boot_sets_nothing_but_udev_runs_the_program_at_loads_all_the_same():
    kernel = FakeKernel(HOST, {**MASKED, **LINE})
    assert persistent.gather(kernel)["persistent"] == {}
    settings_plan.run(kernel, request(), False)
    assert persistent.gather(kernel)["persistent"]["nf_conntrack_max"]["boot"] == 60000
    kernel.unload()
    kernel.load()
    assert kernel.value("nf_conntrack_max") == 60000


@pytest.mark.parametrize(
    ("mark", "name"),
    [("/usr/sbin/openrc", "OpenRC"), ("/etc/openwrt_release", "OpenWrt"), ("/etc/runit/1", "runit")],
)
def test_a_host_that_boots_by_something_else_is_told_by_its_name(mark, name):
    kernel = FakeKernel(HOST, {mark: b""})
    for path in sysctl_program.SYSTEMD_SYSCTL:
        kernel.tree.pop(path, None)
    assert name in sysctl_program.find(kernel).problem


def request():
    return parse(
        {
            "state": "present",
            "max": 60000,
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
    )


def test_where_no_load_follows_the_boot_a_mask_is_refused_and_named_before_anything_is_written():
    kernel = FakeKernel("linux-6.18-built-in", MASKED)
    before = kernel.state()
    with pytest.raises(Refused, match=r"masked by /etc/systemd/system/.*unmask.*scope: runtime"):
        settings_plan.run(kernel, request(), False)
    assert kernel.state() == before
