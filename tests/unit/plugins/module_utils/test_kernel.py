# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the running kernel is, and how it reads numbers."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError

NETFILTER = "/proc/sys/net/netfilter/"


class Presence(t.NamedTuple):
    """What a host has, and what that says of nf_conntrack."""

    about: str
    entries: dict[str, t.Any]
    presence: str


PRESENCES = [
    Presence("nothing at all", {}, _kernel.ABSENT),
    Presence(
        "other modules", {"/proc/modules": "nf_conntrack_ftp 1 0 - Live 0x0\nloop 1 0 - Live 0x0\n"}, _kernel.ABSENT
    ),
    Presence("a module", {"/sys/module/nf_conntrack/refcnt": "3\n"}, _kernel.LOADED),
    Presence(
        "a module, in a container without /sys",
        {
            "/proc/modules": "loop 1 0 - Live 0x0\nnf_conntrack 1 0 - Live 0x0\n",
            NETFILTER + "nf_conntrack_count": "5\n",
        },
        _kernel.LOADED,
    ),
    Presence("built in, with parameters", {"/sys/module/nf_conntrack/parameters/acct": "N\n"}, _kernel.BUILT_IN),
    Presence("built in, without parameters", {NETFILTER + "nf_conntrack_count": "5\n"}, _kernel.BUILT_IN),
    Presence(
        "built in, beside modules", {NETFILTER + "nf_conntrack_count": "5\n", "/proc/modules": ""}, _kernel.BUILT_IN
    ),
    Presence("only its defragmentation", {NETFILTER + "nf_conntrack_frag6_timeout": "60\n"}, _kernel.ABSENT),
]


@pytest.mark.parametrize("case", PRESENCES, ids=lambda case: case.about)
def test_loaded_built_in_and_absent_are_told_apart(tree, case):
    assert _kernel.presence(tree(case.entries)) == case.presence


@pytest.mark.parametrize(
    ("entries", "is_initial"),
    [({"/proc/sys/net/core/dev_weight": "64\n"}, True), ({"/proc/sys/net/core/somaxconn": "4096\n"}, False)],
    ids=["host", "container"],
)
def test_a_container_is_known_by_what_only_the_first_namespace_has(tree, entries, is_initial):
    assert _kernel.in_initial_namespace(tree(entries)) is is_initial


@pytest.mark.parametrize(
    ("status", "may"),
    [
        ("CapPrm:\t0000000000000000\nCapEff:\t000001ffffffffff\n", True),
        ("CapEff:\t0000000000010000\n", True),
        ("CapEff:\t0000000000000000\n", False),
        ("CapEff:\t00000000a80425fb\n", False),
        ("CapPrm:\t000001ffffffffff\nCapEff:\t000001fffffeffff\n", False),
        ("Name:\tpython3\n", True),
        (None, True),
    ],
    ids=["all", "that one alone", "none", "root in docker", "permitted is not effective", "not told", "no /proc"],
)
def test_who_may_change_modules(tree, status, may):
    assert _kernel.may_change_modules(tree({} if status is None else {"/proc/self/status": status})) is may


@pytest.mark.parametrize(("value", "disabled"), [("1\n", True), ("0\n", False), (None, False)])
def test_whether_modules_are_closed_until_the_next_boot(tree, value, disabled):
    entries = {} if value is None else {"/proc/sys/kernel/modules_disabled": value}
    assert _kernel.modules_disabled(tree(entries)) is disabled


@pytest.mark.parametrize(
    ("release", "version"),
    [
        ("6.12.48+deb13-amd64", (6, 12)),
        ("4.18.0-553.el8_10.x86_64", (4, 18)),
        ("5.10-rc1", (5, 10)),
        ("10.0.1", (10, 0)),
        ("6", (0, 0)),
        ("next-20261125", (0, 0)),
        ("", (0, 0)),
    ],
)
def test_the_version_is_the_beginning_of_a_release(release, version):
    assert _kernel.version(release) == version


def test_a_host_without_a_release_has_an_empty_one(tree):
    assert _kernel.release(tree({})) == ""


#: Seen on Linux 6.18, and read in proc_get_long() of kernel/sysctl.c.
NUMBERS: list[tuple[str, int | None]] = [
    ("5", 5),
    ("0", 0),
    ("-5", -5),
    (" \t\r\n5", 5),
    ("5\n", 5),
    ("5 # why", 5),
    ("5\t6", 5),
    ("0x1F", 31),
    ("-0x10", -16),
    ("010", 8),
    ("99999999999999999999", 99999999999999999999),
    ("", None),
    (" ", None),
    ("x", None),
    ("5x", None),
    ("5,6", None),
    ("5\r", None),
    ("+5", None),
    ("- 5", None),
    ("--5", None),
    ("08", None),
    ("0x", None),
    ("0xg", None),
    ("1e3", None),
    ("64K", None),
]


@pytest.mark.parametrize(("text", "number"), NUMBERS)
def test_a_value_is_the_number_that_the_kernel_reads(text, number):
    assert _kernel.parse_number(text) == number


#: As kstrtouint() of lib/kstrtox.c takes them.
PARAMETERS: list[tuple[str, int | None]] = [
    ("5", 5),
    ("0", 0),
    ("+5", 5),
    ("5\n", 5),
    ("0x1F", 31),
    ("+0x10", 16),
    ("010", 8),
    ("4294967295", 4294967295),
    ("4294967296", None),
    ("0x1ffffffff", None),
    ("", None),
    ("+", None),
    ("-5", None),
    ("++5", None),
    (" 5", None),
    ("5 ", None),
    ("5\n\n", None),
    ("08", None),
    ("64K", None),
    ("5 6", None),
]


@pytest.mark.parametrize(("text", "number"), PARAMETERS)
def test_a_parameter_is_the_number_that_the_kernel_reads(text, number):
    assert _kernel.parse_parameter(text) == number


@given(st.integers(0, 2**32 - 1), st.sampled_from(["{0}", "{0:#x}", "0{0:o}"]))
def test_a_number_is_the_same_in_every_base(number, form):
    written = form.format(number)
    assert _kernel.parse_number(written) == _kernel.parse_parameter(written) == number


@given(st.text())
def test_no_text_is_a_crash(text):
    _kernel.parse_number(text)
    _kernel.parse_parameter(text)
    _kernel.version(text)


def test_memory_is_what_the_kernel_manages(tree):
    lines = "MemFree:  1 kB\nMemTotal:       24689588 kB\nSwapTotal: 2 kB\n"
    assert _kernel.memory_bytes(tree({"/proc/meminfo": lines})) == 24689588 * 1024


@pytest.mark.parametrize("entries", [{}, {"/proc/meminfo": "MemFree: 1 kB\n"}], ids=["no file", "no line"])
def test_memory_that_nothing_tells_is_an_error_that_names_the_file(tree, entries):
    with pytest.raises(HostError, match=r"cannot read /proc/meminfo: it has no MemTotal line"):
        _kernel.memory_bytes(tree(entries))
