# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What boots, and later loads of nf_conntrack, set by the files of a host."""

from __future__ import annotations

import typing as t

import pytest
from conf_files import boot_files
from fake_kernel import FakeKernel
from runs import LOAD_FILE, MODPROBE_FILE, SYSCTL_FILE, UDEV_FILE, live, tune

from ansible_collections.netops.conntrack.plugins.module_utils._boot import outcome
from ansible_collections.netops.conntrack.plugins.module_utils._boot.sysctl_program import SysctlProgram
from ansible_collections.netops.conntrack.plugins.module_utils._config import procps_sysctl
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import last
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._host import TEMPORARY
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, KEYS, MAX

A, B, Z = "/etc/sysctl.d/a.conf", "/usr/lib/sysctl.d/b.conf", "/etc/sysctl.d/z.conf"
PROCPS = SysctlProgram(procps_sysctl.READING, procps_sysctl.BootValues, "sysctl")

# --- sysctl lines


class Line(t.NamedTuple):
    """Sysctl files, and the line that sets max when a host boots and when the module is loaded later."""

    about: str
    files: dict[str, str]
    at_boot: str | None
    at_load: str | None


LINES = [
    Line("no file", {}, None, None),
    Line("other keys", {A: "net.netfilter.nf_conntrack_acct = 1\n"}, None, None),
    Line("one line", {A: "# a\nnet.netfilter.nf_conntrack_max = 5\n"}, A + ":2 (5)", A + ":2 (5)"),
    Line(
        "the last file of all directories wins",
        {Z: "net/netfilter/nf_conntrack_max=7\n", B: "net.netfilter.nf_conntrack_max=6\n"},
        Z + ":1 (7)",
        Z + ":1 (7)",
    ),
    Line(
        "of two lines systemd writes the last alone, so one that the kernel refuses sets nothing",
        {A: "net.netfilter.nf_conntrack_max=5\n", Z: "net.netfilter.nf_conntrack_max=five\n"},
        None,
        None,
    ),
    Line(
        "two names of the variable are written both, so one that is refused leaves the other",
        {A: "net.netfilter.nf_conntrack_max=5\n", Z: "net.nf_conntrack_max=2147483648\n"},
        A + ":1 (5)",
        A + ":1 (5)",
    ),
    Line(
        "another name of the variable counts at boot, and is not set by the rule",
        {A: "net.netfilter.nf_conntrack_max=5\n", Z: "net.nf_conntrack_max=6\n"},
        Z + ":1 (6)",
        A + ":1 (5)",
    ),
    Line("a pattern sets what no line names", {A: "net.netfilter.nf_conntrack_ma*=5\n"}, A + ":1 (5)", A + ":1 (5)"),
    Line(
        "a line that names the key wins over a later pattern",
        {A: "net.netfilter.nf_conntrack_max=5\n", Z: "net.netfilter.*=6\n"},
        A + ":1 (5)",
        A + ":1 (5)",
    ),
    Line(
        "a key that is taken out is set by no pattern",
        {A: "-net.netfilter.nf_conntrack_max\n", Z: "net.netfilter.nf_conntrack_ma*=6\n"},
        None,
        None,
    ),
    Line("a former name sets nothing", {A: "net.ipv4.ip_conntrack_max=5\n"}, None, None),
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.about)
def test_the_line_that_sets_a_key_at_boot_and_at_a_later_load_is_known(line):
    files = boot_files(line.files)
    told = outcome.value_origin(files, KEYS[MAX]), last(outcome.load_origins(files, KEYS[MAX]))
    assert tuple(origin and str(origin) for origin in told) == (line.at_boot, line.at_load)


def test_procps_writes_every_line_so_the_last_one_that_the_kernel_takes_is_in_force():
    texts = {A: "net.netfilter.nf_conntrack_max=5\n", Z: "net.netfilter.nf_conntrack_max=five\n"}
    assert str(outcome.value_origin(boot_files(texts, program=PROCPS), KEYS[MAX])) == A + ":1 (5)"


class Number(t.NamedTuple):
    """A value in a line, and the number that it sets, where that is allowed."""

    key: str
    value: str
    number: int | None


NUMBERS = [
    Number(MAX, "262144", 262144),
    Number(MAX, "0x40000 # a quarter of a million", 262144),
    Number(MAX, "0", None),
    Number(MAX, "-1", None),
    Number(MAX, "2147483648", None),
    Number(MAX, "auto", None),
    Number(BUCKETS, "65536", 65536),
    Number(BUCKETS, "0", None),
    Number("nf_conntrack_udp_timeout", "30", 30),
    # The kernel takes these two, and the collection does not count on them.
    Number("nf_conntrack_udp_timeout", "0", None),
    Number("nf_conntrack_udp_timeout", "-1", None),
]


@pytest.mark.parametrize("case", NUMBERS)
def test_a_number_counts_as_set_where_it_is_within_the_limits(case):
    files = boot_files({A: f"{KEYS[case.key].sysctl} = {case.value}\n"})
    assert outcome.number_set(files, KEYS[case.key]) == outcome.number_at_load(files, KEYS[case.key]) == case.number


def test_the_number_that_a_boot_sets_may_be_another_than_that_of_a_later_load():
    files = boot_files({A: "net.netfilter.nf_conntrack_max=5\n", Z: "net.nf_conntrack_max=6\n"})
    assert (outcome.number_set(files, KEYS[MAX]), outcome.number_at_load(files, KEYS[MAX])) == (6, 5)


def test_nothing_sets_no_number():
    assert outcome.number(None) is None and outcome.buckets(None) is None
    assert (
        outcome.number_set(boot_files(), KEYS[MAX]) is None and outcome.number_at_load(boot_files(), KEYS[MAX]) is None
    )


# --- the hashsize

OPTIONS, VENDOR, INSTALL = "/etc/modprobe.d/a.conf", "/usr/lib/modprobe.d/v.conf", "/etc/modprobe.d/i.conf"
LOADS = "install nf_conntrack modprobe --ignore-install nf_conntrack "


class Given(t.NamedTuple):
    """What gives nf_conntrack a hashsize, in the order in which the kernel gets it, and what it makes of that."""

    about: str
    files: dict[str, str]
    command_line: str
    origins: list[str]
    hashsize: int | None


GIVEN = [
    Given("nothing", {}, "quiet", [], None),
    Given(
        "an option", {OPTIONS: "# a\noptions nf-conntrack acct=1 hashsize=4096\n"}, "", [OPTIONS + ":2 (4096)"], 4096
    ),
    Given(
        "options add up, by file name",
        {VENDOR: "options nf_conntrack hashsize=2\n", OPTIONS: "options nf_conntrack hashsize=1 hashsize=3\n"},
        "",
        [OPTIONS + ":1 (1)", OPTIONS + ":1 (3)", VENDOR + ":1 (2)"],
        2,
    ),
    Given(
        "the kernel's command line comes after all files",
        {VENDOR: "options nf_conntrack hashsize=2\n"},
        "ro nf_conntrack.hashsize=+8 nf-conntrack.hashsize=0x10",
        [VENDOR + ":1 (2)", "/proc/cmdline:1 (+8)", "/proc/cmdline:1 (0x10)"],
        16,
    ),
    Given(
        "a command in place of the load gives its own before and after the options",
        {OPTIONS: "options nf_conntrack hashsize=2\n", INSTALL: LOADS + "hashsize=1 $CMDLINE_OPTS hashsize=3\n"},
        "nf_conntrack.hashsize=4",
        [INSTALL + ":1 (1)", OPTIONS + ":1 (2)", "/proc/cmdline:1 (4)", INSTALL + ":1 (3)"],
        3,
    ),
    Given(
        "what the kernel refuses is none",
        {OPTIONS: "options nf_conntrack hashsize=64K\n"},
        "",
        [OPTIONS + ":1 (64K)"],
        None,
    ),
    Given("nor is one of no buckets", {OPTIONS: "options nf_conntrack hashsize=0\n"}, "", [OPTIONS + ":1 (0)"], None),
    Given("options of another module are none", {OPTIONS: "options nf_conntrack_ftp hashsize=4\n"}, "", [], None),
    Given(
        "a command that loads nothing gives nothing",
        {INSTALL: "install nf_conntrack /bin/true hashsize=3\n"},
        "",
        [],
        None,
    ),
]


@pytest.mark.parametrize("given", GIVEN, ids=lambda given: given.about)
def test_a_load_is_given_every_hashsize_in_order_and_the_last_is_in_force(given):
    files = boot_files(modprobe_files=given.files, command_line=given.command_line)
    assert [str(origin) for origin in outcome.hashsize_origins(files)] == given.origins
    last = outcome.hashsize_origin(files)
    assert (last and str(last)) == (given.origins[-1] if given.origins else None)
    assert outcome.hashsize_at_load(files) == given.hashsize


def test_a_built_in_conntrack_reads_no_file_of_modprobe():
    files = boot_files(
        modprobe_files={OPTIONS: "options nf_conntrack hashsize=2\n"}, command_line="nf_conntrack.hashsize=8"
    )
    assert [str(origin) for origin in outcome.hashsize_origins(files, built_in=True)] == ["/proc/cmdline:1 (8)"]


# --- what of it is the collection's own

HEADER = "# Written by Ansible: netops.conntrack.conntrack_settings\n"
MINE = "/etc/sysctl.d/90-mine.conf"


class Own(t.NamedTuple):
    """Files, the keys that the collection set in them, and what max and hashsize would be without it."""

    about: str
    sysctl_d: dict[str, str]
    modprobe_files: dict[str, str]
    keys: set[str]
    max: int | None
    hashsize: int | None


OWN = [
    Own("no file", {}, {}, set(), None, None),
    Own(
        "files of others",
        {A: "net.netfilter.nf_conntrack_max=5\n"},
        {OPTIONS: "options nf_conntrack hashsize=4096\n"},
        set(),
        5,
        4096,
    ),
    Own(
        "its own files",
        {SYSCTL_FILE: HEADER + "net.netfilter.nf_conntrack_max = 5\nkernel.panic = 1\n"},
        {MODPROBE_FILE: HEADER + "options nf_conntrack hashsize=512\n"},
        {MAX, BUCKETS},
        None,
        None,
    ),
    Own(
        "its own files, which win over those of others",
        {A: "net.netfilter.nf_conntrack_max=6\n", SYSCTL_FILE: HEADER + "net.netfilter.nf_conntrack_max = 5\n"},
        {OPTIONS: "options nf_conntrack hashsize=4096\n", MODPROBE_FILE: "options nf_conntrack hashsize=512\n"},
        {MAX, BUCKETS},
        6,
        4096,
    ),
    Own(
        "a file of another name that it made",
        {MINE: HEADER + "net.nf_conntrack_max = 5\nnet.netfilter.nf_conntrack_udp_timeout = 20\n"},
        {MODPROBE_FILE: HEADER},
        {MAX, "nf_conntrack_udp_timeout"},
        None,
        None,
    ),
    Own(
        "a file that quotes its header further down",
        {MINE: "# mine\n" + HEADER + "net.netfilter.nf_conntrack_max = 5\n"},
        {},
        set(),
        5,
        None,
    ),
]


@pytest.mark.parametrize("own", OWN, ids=lambda own: own.about)
def test_what_the_collection_set_is_told_from_what_others_set(own):
    files = boot_files(own.sysctl_d, own.modprobe_files)
    assert outcome.own_keys(files) == own.keys
    without = outcome.set_by_others(files)
    assert outcome.number_set(without, KEYS[MAX]) == own.max
    assert outcome.hashsize_at_load(without) == own.hashsize
    # It is a question alone: what was observed is as it was.
    assert files == boot_files(own.sysctl_d, own.modprobe_files)


def test_a_file_of_a_package_is_never_the_collections():
    path = "/usr/lib/sysctl.d/x.conf"
    files = boot_files({path: HEADER + "net.netfilter.nf_conntrack_max = 5\n"})
    assert not outcome.own_sysctl_files(files) and not outcome.own_keys(files)


# --- what is observed


def test_all_that_a_boot_reads_is_observed_once():
    kernel = FakeKernel(
        "trixie-6.12-nat",
        {
            "/etc/sysctl.d/90-a.conf": b"kernel.panic=1\n",
            "/etc/sysctl.conf": b"net.netfilter.nf_conntrack_max=5\n",
            "/proc/cmdline": b"quiet\n",
            UDEV_FILE: b"# rule \xff\n",
            LOAD_FILE: "/dev/null",
            "/run/udev/io.systemd.Udev": b"",
            "/etc/modprobe.d/" + TEMPORARY: b"half",
        },
    )
    files = outcome.observe(kernel, SYSCTL_FILE)
    assert "kernel.panic=1\n" in [conf.text for conf in files.sysctl_d.files]
    assert files.command_line == "quiet" and files.udev_runs and files.sysctl_file == SYSCTL_FILE
    # A link to /dev/null is no file of the collection's.
    assert files.own == {UDEV_FILE: "# rule \udcff\n", LOAD_FILE: None}
    assert [(conf.path, conf.text) for conf in files.unread] == [
        ("/etc/sysctl.conf", "net.netfilter.nf_conntrack_max=5\n")
    ]
    assert LOAD_FILE in files.unwritable and SYSCTL_FILE not in files.unwritable
    assert files.leftovers == {"/etc/modprobe.d/" + TEMPORARY: "half"}
    assert not kernel.writes and not kernel.ran


def test_where_nothing_will_be_changed_nothing_is_looked_at_for_changes():
    kernel = FakeKernel("trixie-6.12-nat", {"/etc/sysctl.conf": b"", "/etc/sysctl.d/" + TEMPORARY: b"half"})
    kernel.read_only.add("/etc")
    files = outcome.observe(kernel)
    assert not files.unread and not files.leftovers and not files.unwritable


@pytest.mark.parametrize("sockets", [["/run/udev/control"], ["/run/udev/io.systemd.Udev"], []])
def test_a_udevd_is_known_by_its_socket_of_either_name(sockets):
    kernel = FakeKernel("trixie-6.12-nat", dict.fromkeys(sockets, b""))
    for path in {"/run/udev/control", "/run/udev/io.systemd.Udev"} - set(sockets):
        kernel.tree.pop(path, None)
    assert outcome.observe(kernel).udev_runs is bool(sockets)


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(recorded_host):
    host = recorded_host("trixie-6.12-nat", {"/etc/modprobe.d/secret.conf": "options nf_conntrack hashsize=1\n"})
    host.denied.add("/etc/modprobe.d/secret.conf")
    with pytest.raises(HostError, match=r"cannot read /etc/modprobe\.d/secret\.conf: Permission denied"):
        outcome.observe(host)


def test_values_are_parsed_again_where_a_file_is_planned_to_change():
    files = boot_files({A: "net.netfilter.nf_conntrack_max=5\n"})
    assert outcome.number_set(files, KEYS[MAX]) == 5
    then = files._replace(sysctl_d=files.sysctl_d.with_text(A, "net.netfilter.nf_conntrack_max=6\n"))
    assert outcome.number_set(then, KEYS[MAX]) == 6 and outcome.number_set(files, KEYS[MAX]) == 5


# --- seen by a whole run


@pytest.mark.parametrize(
    "line", [b"net.netfilter.nf_conntrack_max = 99999999999\n", b"net.netfilter.nf_conntrack_max = x\n"]
)
def test_a_max_that_the_kernel_will_refuse_does_not_count_as_one(line):
    kernel = FakeKernel("trixie-6.12-nat", {"/etc/sysctl.d/1.conf": line})
    running = live(kernel, "max")
    tune(kernel, hashsize=512)
    kernel.reboot()
    assert live(kernel, "max") == running


def test_a_hashsize_with_a_plus_is_what_the_kernel_makes_of_it():
    kernel = FakeKernel("trixie-6.12-nat", {"/proc/cmdline": b"nf_conntrack.hashsize=+65536\n"})
    assert tune(kernel, hashsize=65536)["settings"]["nf_conntrack_buckets"]["boot"] == 65536


def test_a_hashsize_in_such_a_command_before_the_options_is_outranked():
    command = b"install nf_conntrack /sbin/modprobe --ignore-install nf_conntrack hashsize=4096 $CMDLINE_OPTS\n"
    kernel = FakeKernel("trixie-6.12-nat", {"/etc/modprobe.d/nf.conf": command})
    tune(kernel, hashsize=65536, max=60000)
    kernel.reboot()
    assert live(kernel, "buckets", "max") == (65536, 60000)
