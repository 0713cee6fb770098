# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which program sets sysctl lines when a host boots."""

from __future__ import annotations

import re
import typing as t

import pytest
from fake_kernel import FakeKernel
from runs import LOADED, SYSCTL_FILE, UDEV_FILE, live, procps_host, refusal, sysvinit_host, tune

from ansible_collections.netops.conntrack.plugins.module_utils._boot.sysctl_program import find
from ansible_collections.netops.conntrack.plugins.module_utils._config import procps_sysctl
from ansible_collections.netops.conntrack.plugins.module_utils._facts import persistent

SYSTEMD, SCRIPT, SYSCTL, UDEVADM = (
    "/usr/lib/systemd/systemd-sysctl",
    "/etc/init.d/procps",
    "/usr/sbin/sysctl",
    "/usr/bin/udevadm",
)
PROCPS = {SCRIPT: "", SYSCTL: "", UDEVADM: ""}


class Case(t.NamedTuple):
    """What a host has, the command that applies sysctl lines at a load, and the words of a problem."""

    about: str
    entries: dict[str, t.Any]
    at_load: str
    problem: str = ""


BY_SYSTEMD = SYSTEMD + " --prefix=/net/netfilter"
BY_PROCPS = f"{SYSCTL} --quiet --pattern '{procps_sysctl.PATTERN}' --system"
CASES = [
    Case("systemd", {SYSTEMD: "", "/sbin/init": {"link": "../lib/systemd/systemd"}}, BY_SYSTEMD),
    Case(
        "systemd below /lib",
        {"/lib/systemd/systemd-sysctl": ""},
        "/lib/systemd/systemd-sysctl --prefix=/net/netfilter",
    ),
    Case("systemd in a container without an init, beside procps", {SYSTEMD: "", **PROCPS}, BY_SYSTEMD),
    Case(
        "systemd that runs, whatever init is", {SYSTEMD: "", "/sbin/init": "", "/run/systemd/system": None}, BY_SYSTEMD
    ),
    Case("sysvinit beside an installed systemd", {SYSTEMD: "", "/sbin/init": "", **PROCPS}, BY_PROCPS),
    Case("procps alone", PROCPS, BY_PROCPS),
    Case(
        "procps by its older script",
        {**{k: v for k, v in PROCPS.items() if k != SCRIPT}, SCRIPT + ".sh": ""},
        BY_PROCPS,
    ),
    Case("nothing", {}, "", "runs neither systemd-sysctl nor an init script of procps"),
    Case("a script without its program", {SCRIPT: ""}, "", "runs neither"),
    Case("a program without a script", {SYSCTL: "", UDEVADM: ""}, "", "runs neither"),
    Case(
        "busybox",
        {**PROCPS, SYSCTL: {"link": "../bin/busybox"}, "/usr/bin/busybox": ""},
        "",
        "not that of procps but",
    ),
    Case("no udev", {SCRIPT: "", SYSCTL: ""}, "", "no udev, .*; /etc/init.d/procps sets them only once"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.about)
def test_the_program_is_told_by_what_the_host_has(tree, case):
    found = find(tree(case.entries))
    assert found.at_load == case.at_load
    assert re.search(case.problem, found.problem) if case.problem else found.problem == ""
    by_procps = found.at_load == BY_PROCPS
    assert (found.values is procps_sysctl.BootValues) is by_procps
    assert (found.reading == procps_sysctl.READING) is by_procps


# --- seen by a whole run


def test_a_host_without_systemd_sysctl_keeps_runtime_values_alone():
    kernel = FakeKernel("trixie-6.12-nat")
    del kernel.tree["/usr/lib/systemd/systemd-sysctl"]
    refusal(kernel, "neither systemd-sysctl nor", "/etc/init.d/procps", "scope: runtime", max=100000)
    assert tune(kernel, max=100000, scope="runtime")["changed"]


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


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"/etc/init.d/procps": None}, ["neither systemd-sysctl nor", "/etc/init.d/procps.sh"]),
        ({"/usr/sbin/sysctl": None}, ["neither systemd-sysctl nor"]),
        ({"/usr/sbin/sysctl": "/usr/bin/busybox"}, ["/usr/sbin/sysctl is not that of procps but /usr/bin/busybox"]),
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
    program = find(FakeKernel("trixie-6.12-nat", {UNIT: b"[Service]\n", **files}))
    assert program.masked == masked and program.problem == ""


MASKED = {"/etc/systemd/system/systemd-sysctl.service": "/dev/null"}
LINE = {"/etc/sysctl.d/a.conf": b"net.netfilter.nf_conntrack_max = 5000\n"}


def test_behind_a_mask_the_boot_sets_nothing_but_udev_runs_the_program_at_loads_all_the_same():
    kernel = FakeKernel("trixie-6.12-nat", {**MASKED, **LINE})
    assert persistent.gather(kernel)["persistent"] == {}
    tune(kernel, max=60000)
    assert persistent.gather(kernel)["persistent"]["nf_conntrack_max"]["boot"] == 60000
    kernel.unload()
    kernel.load()
    assert kernel.value("nf_conntrack_max") == 60000


@pytest.mark.parametrize(
    ("mark", "name"),
    [("/usr/sbin/openrc", "OpenRC"), ("/etc/openwrt_release", "OpenWrt"), ("/etc/runit/1", "runit")],
)
def test_a_host_that_boots_by_something_else_is_told_by_its_name(mark, name):
    kernel = FakeKernel("trixie-6.12-nat", {mark: b""})
    for path in (SYSTEMD, "/lib/systemd/systemd-sysctl"):
        kernel.tree.pop(path, None)
    assert name in find(kernel).problem


def test_where_no_load_follows_the_boot_a_mask_is_refused_and_named_before_anything_is_written():
    kernel = FakeKernel("linux-6.18-built-in", MASKED)
    refusal(kernel, "masked by /etc/systemd/system/", "systemctl unmask", "scope: runtime", max=60000)
