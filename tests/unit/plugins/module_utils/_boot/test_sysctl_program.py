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
from ansible_collections.netops.conntrack.plugins.module_utils._settings.request import Request

HOST = "trixie-6.12-nat"
UNIT = "/usr/lib/systemd/system/systemd-sysctl.service"


def problem(**files):
    return sysctl_program.find(FakeKernel(HOST, files)).problem


@pytest.mark.parametrize(
    ("files", "place"),
    [
        (
            {"/etc/systemd/system/systemd-sysctl.service": "/dev/null"},
            "/etc/systemd/system/systemd-sysctl.service leads",
        ),
        (
            {"/run/systemd/system/systemd-sysctl.service": "/dev/null"},
            "/run/systemd/system/systemd-sysctl.service leads",
        ),
        ({"/etc/systemd/system/systemd-sysctl.service": b""}, "/etc/systemd/system/systemd-sysctl.service is empty"),
        ({"/proc/cmdline": b"quiet systemd.mask=systemd-sysctl.service\n"}, "/proc/cmdline: systemd.mask="),
        ({UNIT: "/dev/null"}, UNIT + " leads"),
    ],
)
def test_a_masked_service_sets_nothing_at_boot_and_the_mask_is_named(files, place):
    kernel = FakeKernel(
        HOST, {UNIT: b"[Service]\n", "/etc/sysctl.d/a.conf": b"net.netfilter.nf_conntrack_max = 5\n", **files}
    )
    found = sysctl_program.find(kernel)
    assert found.problem.startswith("systemd-sysctl.service is masked (" + place)
    assert "systemctl unmask systemd-sysctl.service" in found.problem
    assert persistent.gather(kernel) == {"persistent": {}, "drift": []}


@pytest.mark.parametrize(
    "files",
    [
        {},
        {UNIT: b"[Service]\n"},
        # An administrator's own unit hides what a package masks; the alias of Debian is another unit.
        {UNIT: "/dev/null", "/etc/systemd/system/systemd-sysctl.service": b"[Service]\n"},
        {UNIT: b"[Service]\n", "/etc/systemd/system/procps.service": "/dev/null"},
        {UNIT: b"[Service]\n", "/proc/cmdline": b"rd.systemd.mask=systemd-sysctl.service\n"},
    ],
)
def test_a_service_that_something_else_is_masked_beside_runs(files):
    assert problem(**files) == ""


@pytest.mark.parametrize(
    ("mark", "name"),
    [("/usr/sbin/openrc", "OpenRC"), ("/etc/openwrt_release", "OpenWrt"), ("/etc/runit/1", "runit")],
)
def test_a_host_that_boots_by_something_else_is_told_by_its_name(mark, name):
    kernel = FakeKernel(HOST, {mark: b""})
    for path in sysctl_program.SYSTEMD_SYSCTL:
        kernel.tree.pop(path, None)
    assert name in sysctl_program.find(kernel).problem


def test_what_sets_nothing_at_boot_is_refused_with_the_reason_before_anything_is_written():
    kernel = FakeKernel(HOST, {"/etc/systemd/system/systemd-sysctl.service": "/dev/null"})
    before = kernel.state()
    request = Request(
        absent=False,
        max=60000,
        hashsize=None,
        entries_per_bucket=None,
        memory_percent=5,
        values={},
        runtime=True,
        boot=True,
        sysctl_file=None,
        skip_missing=False,
        keep_others=False,
        load=False,
        force=False,
    )
    with pytest.raises(Refused, match=r"systemd-sysctl\.service is masked .*; set scope: runtime"):
        settings_plan.run(kernel, request, False)
    assert kernel.state() == before
