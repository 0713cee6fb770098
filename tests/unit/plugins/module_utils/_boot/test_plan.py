# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files to change so that boots, and later loads of nf_conntrack, set what is wished."""

from __future__ import annotations

import typing as t

import pytest
from conf_files import SYSTEMD, boot_files, drop_ins
from fake_kernel import UDEV_SOCKET, FakeKernel
from fake_modules import FakeModules
from hypothesis import given
from hypothesis import strategies as st
from runs import (
    BLOCK_FILE,
    LOAD_FILE,
    LOADED,
    MODPROBE_FILE,
    SYSCTL_FILE,
    UDEV_FILE,
    ask,
    live,
    procps_host,
    refusal,
    subjects,
    sysctl_lines,
    tune,
)

from ansible_collections.netops.conntrack.plugins.module_utils._boot import plan
from ansible_collections.netops.conntrack.plugins.module_utils._config import udev_files, udev_rules
from ansible_collections.netops.conntrack.plugins.module_utils._errors import Refused
from ansible_collections.netops.conntrack.plugins.module_utils._facts import persistent
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, MAX

# --- which files a wish takes


def wanted(**fields):
    """What boots shall set: nothing but these."""
    nothing = {
        "values": {},
        "implied": {},
        "gone": (),
        "hashsize": None,
        "only_these": False,
        "buckets_per_page": 512,
        "at_load": True,
        "load": False,
        "keep_others": False,
    }
    return plan.BootSettings(**{**nothing, **fields})


class Wish(t.NamedTuple):
    """What boots shall set on a host without a line about it, and the files that make them do so."""

    about: str
    wanted: dict[str, t.Any]
    texts: dict[str, str]


HEADER = "# Written by Ansible: netops.conntrack.conntrack_settings\n"
RULE = plan.udev_rule(SYSTEMD.at_load)
WISHES = [
    Wish("nothing", {}, {}),
    Wish(
        "a value, at boots and at loads",
        {"values": {MAX: 5}},
        {SYSCTL_FILE: HEADER + "net.netfilter.nf_conntrack_max = 5\n", UDEV_FILE: RULE},
    ),
    Wish(
        "a value of what is built in, which nothing loads",
        {"values": {MAX: 5}, "at_load": False},
        {SYSCTL_FILE: HEADER + "net.netfilter.nf_conntrack_max = 5\n"},
    ),
    Wish(
        "a hashsize and the max that it would change",
        {"hashsize": 1024, "implied": {MAX: 5}},
        {
            SYSCTL_FILE: HEADER + "net.netfilter.nf_conntrack_max = 5\n",
            MODPROBE_FILE: HEADER + "options nf_conntrack hashsize=1024\n",
            UDEV_FILE: RULE,
        },
    ),
    Wish("a load", {"load": True}, {LOAD_FILE: HEADER + "nf_conntrack\n"}),
    Wish("a key that shall not stand there, and does not", {"gone": ["nf_conntrack_helper"]}, {}),
]


@pytest.mark.parametrize("wish", WISHES, ids=lambda wish: wish.about)
def test_a_wish_takes_these_files_and_no_other(wish):
    planned = plan.plan(boot_files(), wanted(**wish.wanted))
    assert {change.subject: change.after for change in planned.changes} == wish.texts
    assert all(change.before is None and not change.reload for change in planned.changes)
    then = {conf.path: conf.text for conf in (*planned.files.sysctl_d.files, *planned.files.modprobe_d.files)}
    assert then == {path: text for path, text in wish.texts.items() if path in (SYSCTL_FILE, MODPROBE_FILE)}


def test_a_rule_that_is_there_is_not_written_again():
    assert not plan.plan(
        boot_files({SYSCTL_FILE: HEADER + "net.netfilter.nf_conntrack_max = 5\n"}, udev_rule=RULE),
        wanted(values={MAX: 5}),
    ).changes


def test_the_rule_runs_at_the_load_of_that_module_alone():
    rules = drop_ins(udev_files.KIND, {UDEV_FILE: RULE}, udev_files.READING)
    (command,) = udev_rules.commands(rules, "nf_conntrack")
    assert " ".join(command.words) == SYSTEMD.at_load
    assert udev_rules.commands(rules, "nf_conntrack_ftp") == []


def test_the_rule_waits_for_the_keys_only_where_the_kernel_is_not_done_with_the_module():
    lines = [line for line in RULE.splitlines() if not line.startswith("#")]
    assert ['ATTR{initstate}=="coming"' in line for line in lines] == [True, False]
    assert all('KERNEL=="nf_conntrack"' in line and 'ACTION=="add"' in line for line in lines)
    # udev takes a dollar for what it puts in, unless there are two.
    assert "$" not in lines[0].replace("$$", "")


def test_where_the_boot_is_not_known_no_file_is_planned():
    unknown = SYSTEMD._replace(problem="nothing is known")
    with pytest.raises(Refused, match="nothing is known; set scope: runtime"):
        plan.plan(boot_files(program=unknown), wanted(values={MAX: 5}))


@pytest.mark.parametrize("is_there", [False, True])
def test_nothing_more_to_set_takes_the_collections_own_files_away_and_no_other(is_there):
    theirs = {"/etc/sysctl.d/50-mine.conf": "net.netfilter.nf_conntrack_max = 6\n"}
    own = {SYSCTL_FILE: "net.netfilter.nf_conntrack_max = 5\n"} if is_there else {}
    options = {MODPROBE_FILE: "options nf_conntrack hashsize=512\n"} if is_there else {}
    planned = plan.plan_absence(boot_files({**theirs, **own}, options, udev_rule=RULE if is_there else None), [], True)
    assert {change.subject: change.after for change in planned.changes} == (
        dict.fromkeys([SYSCTL_FILE, MODPROBE_FILE, UDEV_FILE]) if is_there else {}
    )
    assert [conf.path for conf in planned.files.sysctl_d.files] == list(theirs)


@pytest.mark.parametrize(
    ("names", "gone"),
    [
        ([], []),
        ([MAX], []),
        ([BUCKETS], [MODPROBE_FILE]),
        ([MAX, "nf_conntrack_udp_timeout"], [SYSCTL_FILE]),
        ([MAX, "nf_conntrack_udp_timeout", BUCKETS], [SYSCTL_FILE, MODPROBE_FILE, UDEV_FILE]),
    ],
)
def test_of_the_collections_own_files_those_go_that_hold_nothing_more(names, gone):
    lines = "net.netfilter.nf_conntrack_max = 5\nnet.netfilter.nf_conntrack_udp_timeout = 6\n"
    options = {MODPROBE_FILE: HEADER + "options nf_conntrack hashsize=512\n"}
    planned = plan.plan_absence(boot_files({SYSCTL_FILE: HEADER + lines}, options, udev_rule=RULE), names, False)
    assert [change.subject for change in planned.changes if change.after is None] == gone
    (left,) = [change.after for change in planned.changes if change.after is not None] or [None]
    assert left == (HEADER + lines.splitlines(True)[1] if names == [MAX] else None)


# --- the collection's own files


def test_the_files_hold_what_is_documented():
    kernel = FakeKernel("trixie-6.12-nat")
    result = tune(kernel, max=100000, hashsize=100000, timeouts={"udp": 20})
    header = "# Written by Ansible: netops.conntrack.conntrack_settings\n"
    assert kernel.text(SYSCTL_FILE) == header + (
        "net.netfilter.nf_conntrack_max = 100000\nnet.netfilter.nf_conntrack_udp_timeout = 20\n"
    )
    assert kernel.text(MODPROBE_FILE) == header + "options nf_conntrack hashsize=100352\n"
    assert 'RUN+="/usr/lib/systemd/systemd-sysctl --prefix=/net/netfilter"' in kernel.text(UDEV_FILE)
    assert kernel.text(LOAD_FILE) is None
    assert result["settings"]["nf_conntrack_max"] == {
        "runtime": 100000,
        "boot": 100000,
        "file": SYSCTL_FILE,
        "line": 2,
    }
    assert result["settings"]["nf_conntrack_buckets"] == {
        "runtime": 100352,
        "boot": 100352,
        "file": MODPROBE_FILE,
        "line": 2,
    }
    assert [block["after_header"] for block in result["diff"]] == [
        "live kernel",
        SYSCTL_FILE,
        MODPROBE_FILE,
        UDEV_FILE,
    ]


def test_a_running_udevd_is_told_of_the_rule():
    kernel = FakeKernel("trixie-6.12-nat", {UDEV_SOCKET: b""})
    tune(kernel, max=100000)
    assert kernel.ran == ["udevadm control --reload"]
    tune(kernel, max=200000, force=True)
    assert kernel.ran == ["udevadm control --reload"]


def test_a_wrong_value_of_a_file_alone_changes_that_file_alone():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=100000, timeouts={"udp": 20})
    kernel.put(SYSCTL_FILE, (kernel.text(SYSCTL_FILE) + "kernel.panic = 5\n").replace("100000", "5").encode())
    kernel.writes.clear()
    result = tune(kernel, max=100000, timeouts={"udp": 20})
    assert subjects(result) == [SYSCTL_FILE]
    assert not kernel.writes
    assert "kernel.panic = 5" in sysctl_lines(kernel)


def test_keys_that_are_not_named_are_left_alone():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, timeouts={"udp": 20})
    tune(kernel, timeouts={"udp_stream": 60})
    assert live(kernel, "udp_timeout", "udp_timeout_stream") == (20, 60)
    assert len(sysctl_lines(kernel)) == 2


@pytest.mark.parametrize("path", [MODPROBE_FILE, UDEV_FILE, LOAD_FILE])
def test_a_mask_in_the_place_of_an_own_file_is_refused(path):
    refusal(
        FakeKernel("trixie-6.12-absent", {path: "/dev/null"}), path, "/dev/null", max=65536, hashsize=65536, load=True
    )


# --- the file for sysctl lines


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/etc/sysctl.d", ["not a .conf file in"]),
        ("/etc/sysctl.d/90-conntrack", ["not a .conf file in", "/etc/sysctl.d"]),
        ("/etc/sysctl.d/.90-conntrack.conf", ["not a .conf file"]),
        ("/etc/90-conntrack.conf", ["not a .conf file"]),
        ("/etc/50-pid-max.conf", ["not a .conf file"]),
        ("/run/sysctl.d/90-conntrack.conf", ["/run is empty after a reboot"]),
        ("/usr/local/lib/sysctl.d/80-hidden.conf", ["hidden by /etc/sysctl.d/80-hidden.conf"]),
        ("/usr/lib/sysctl.d/90-conntrack.conf", ["belong to packages"]),
        ("/etc/sysctl.d/80-masked.conf", ["masked by a link to /dev/null"]),
        ("/etc/sysctl.conf", ["no file in sysctl.d links to it", "Debian 13"]),
        ("/etc/sysctl.d/80-run.conf", ["it leads to /run/ct.conf, and /run is empty after a reboot"]),
        (
            "/etc/sysctl.d/80-package.conf",
            ["it leads to /usr/lib/sysctl.d/80-of-package.conf, and files there belong to packages"],
        ),
        ("/etc/sysctl.d/80-of-package.conf", ["it would hide /usr/lib/sysctl.d/80-of-package.conf"]),
    ],
)
def test_a_file_that_the_boot_does_not_read_is_refused(path, words):
    kernel = FakeKernel(
        "trixie-6.12-nat",
        {
            "/usr/local/lib/sysctl.d/80-hidden.conf": b"",
            "/etc/sysctl.d/80-hidden.conf": b"",
            "/etc/sysctl.d/80-masked.conf": "/dev/null",
            "/etc/sysctl.d/80-run.conf": "/run/ct.conf",
            "/usr/lib/sysctl.d/80-of-package.conf": b"kernel.kptr_restrict = 2\n",
            "/etc/sysctl.d/80-package.conf": "/usr/lib/sysctl.d/80-of-package.conf",
        },
    )
    refusal(kernel, "sysctl_file " + path + " cannot be used for boots", *words, max=100000, sysctl_file=path)


def test_sysctl_conf_is_taken_where_the_boot_reads_it():
    kernel = FakeKernel("bookworm-6.1-nat")
    before = kernel.text("/etc/sysctl.conf")
    tune(kernel, max=100000, sysctl_file="/etc/sysctl.conf")
    assert kernel.text("/etc/sysctl.conf") == before + "net.netfilter.nf_conntrack_max = 100000\n"
    assert kernel.tree["/etc/sysctl.d/99-sysctl.conf"] == "../sysctl.conf"
    assert kernel.text(SYSCTL_FILE) is None
    kernel.reboot()
    assert live(kernel, "max") == (100000,)
    assert not tune(kernel, max=100000, sysctl_file="/etc/sysctl.conf")["changed"]
    assert not tune(kernel, max=100000, sysctl_file="/etc/sysctl.d/99-sysctl.conf")["changed"]


@pytest.mark.parametrize("path", ["/etc/sysctl.conf", "/etc/sysctl.d/99-sysctl.conf"])
def test_sysctl_conf_may_itself_be_the_link(path):
    kernel = FakeKernel(
        "trixie-6.12-nat",
        {
            "/etc/sysctl.conf": "sysctl.d/99-sysctl.conf",
            "/etc/sysctl.d/99-sysctl.conf": b"vm.swappiness = 1\n",
        },
    )
    predicted = tune(kernel, check=True, max=100000, sysctl_file=path)
    assert tune(kernel, max=100000, sysctl_file=path)["changes"] == predicted["changes"]
    assert kernel.text("/etc/sysctl.d/99-sysctl.conf") == "vm.swappiness = 1\nnet.netfilter.nf_conntrack_max = 100000\n"
    assert not tune(kernel, max=100000, sysctl_file=path)["changed"]


@pytest.mark.parametrize("path", [SYSCTL_FILE, MODPROBE_FILE, "/etc/sysctl.d/zzz.conf"])
@pytest.mark.parametrize("there", [b"# there\n", None])
def test_a_link_in_the_place_of_a_file_stays_and_its_target_comes_and_goes(path, there):
    kernel = FakeKernel("trixie-6.12-nat", {path: "/etc/managed/ct.conf"})
    if there is not None:
        kernel.put("/etc/managed/ct.conf", there)
    wanted = {"max": 100000, "hashsize": 65536}
    wanted["sysctl_file"] = path if path.startswith("/etc/sysctl.d") else None
    tune(kernel, **wanted)
    assert not tune(kernel, **wanted)["changed"]
    assert kernel.text("/etc/managed/ct.conf")
    predicted = tune(kernel, check=True, state="absent", **wanted)
    assert tune(kernel, state="absent", **wanted)["changes"] == predicted["changes"]
    assert not tune(kernel, state="absent", **wanted)["changed"]
    assert kernel.tree[path] == "/etc/managed/ct.conf"


def test_another_file_takes_over_and_leaves_no_residue():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=100000)
    tune(kernel, max=100000, sysctl_file="/etc/sysctl.d/90-conntrack.conf")
    assert kernel.text(SYSCTL_FILE) is None
    kernel.reboot()
    assert live(kernel, "max") == (100000,)
    assert not tune(kernel, max=100000, sysctl_file="/etc/sysctl.d/90-conntrack.conf")["changed"]


@pytest.mark.parametrize("name", LOADED)
@pytest.mark.parametrize("path", ["/etc/sysctl.conf", "/etc/sysctl.d/99-sysctl.conf"])
def test_where_procps_boots_sysctl_conf_is_taken_by_either_name_and_outranks_all(name, path):
    kernel = procps_host(
        name, **{"/etc/sysctl.d/zzz.conf": b"net.netfilter.nf_conntrack_max=5\n", "/etc/sysctl.conf": b""}
    )
    if path != "/etc/sysctl.conf":
        kernel.put(path, "../sysctl.conf")
    tune(kernel, max=100000, sysctl_file=path)
    assert kernel.text("/etc/sysctl.conf").endswith("net.netfilter.nf_conntrack_max = 100000\n")
    assert kernel.tree["/etc/sysctl.d/zzz.conf"] == b"net.netfilter.nf_conntrack_max=5\n"
    kernel.reboot()
    assert live(kernel, "max") == (100000,)
    assert not tune(kernel, max=100000, sysctl_file=path)["changed"]
    tune(kernel, state="absent", sysctl_file=path, max=1)
    assert "nf_conntrack" not in kernel.text("/etc/sysctl.conf")


# --- sysctl lines of others


@pytest.mark.parametrize("name", LOADED)
def test_stale_lines_below_etc_that_would_win_are_removed_and_nothing_else(name):
    stale = (
        b"# mine\r\nnet/netfilter/nf_conntrack_max=5\r\nkernel.panic = 5 \xff\r\n-net.netfilter.nf_conntrack_max\r\n"
        b"net.ipv4.netfilter.ip_conntrack_max = 6\r\nnet.ipv4.ip_conntrack_max=7\r\nnet.nf_conntrack_max=8\r\n"
    )
    kernel = FakeKernel(name, {"/etc/sysctl.d/zzz.conf": stale})
    tune(kernel, max=100000)
    assert kernel.tree["/etc/sysctl.d/zzz.conf"] == b"# mine\r\nkernel.panic = 5 \xff\r\n"
    kernel.reboot()
    assert live(kernel, "max") == (100000,)


def test_what_is_outranked_stays_but_former_and_other_names_go():
    kernel = FakeKernel(
        "bookworm-6.1-nat",
        {
            "/etc/sysctl.d/10-old.conf": (
                b"net.netfilter.nf_conntrack_max=5\nnet.nf_conntrack_max=6\nnet.ipv4.netfilter.ip_conntrack_max=7\n"
            )
        },
    )
    tune(kernel, max=100000)
    assert kernel.tree["/etc/sysctl.d/10-old.conf"] == b"net.netfilter.nf_conntrack_max=5\n"
    assert not tune(kernel, max=100000)["changed"]


def test_the_other_name_of_max_between_two_equal_lines_does_not_win():
    # systemd-sysctl leaves a value that is repeated where it stood first, so the line between is written last.
    kernel = FakeKernel(
        "bookworm-6.1-nat",
        {
            "/etc/sysctl.d/10-a.conf": b"net.netfilter.nf_conntrack_max=50000\n",
            "/etc/sysctl.d/20-b.conf": b"net.nf_conntrack_max=60000\n",
        },
    )
    tune(kernel, max=50000)
    kernel.load()
    kernel.reboot()
    assert live(kernel, "max") == (50000,)


def test_the_file_that_debian_13_no_longer_reads_loses_lines_that_sysctl_p_would_apply():
    kernel = FakeKernel(
        "trixie-6.12-nat",
        {
            "/etc/sysctl.conf": b"net.netfilter.nf_conntrack_max=5\nnet.ipv4.ip_conntrack_max=6\nkernel.panic=1\n",
        },
    )
    tune(kernel, max=100000)
    assert kernel.tree["/etc/sysctl.conf"] == b"kernel.panic=1\n"
    assert not tune(kernel, max=100000)["changed"]


def test_procps_reads_sysctl_conf_last_so_stale_lines_go_from_there():
    stale = {"/etc/sysctl.conf": b"# mine\nnet.netfilter.nf_conntrack_max=5\nkernel.panic=1"}
    for kernel in (procps_host(**stale), procps_host("trixie-6.12-nat", **stale)):
        changed = [change["subject"] for change in tune(kernel, max=100000)["changes"] if change["layer"] == "boot"]
        assert len(changed) == 3, changed
        assert kernel.tree["/etc/sysctl.conf"] == b"# mine\nkernel.panic=1"
        kernel.reboot()
        assert live(kernel, "max") == (100000,)


@pytest.mark.parametrize("name", LOADED)
def test_a_file_that_belongs_to_a_package_is_not_edited_through_a_link(name):
    kernel = FakeKernel(
        name,
        {
            "/usr/share/vendor.conf": b"net.netfilter.nf_conntrack_max = 5\n",
            "/etc/sysctl.d/zzz.conf": "/usr/share/vendor.conf",
        },
    )
    refusal(kernel, "/etc/sysctl.d/zzz.conf:1 (5)", max=100000)


@pytest.mark.parametrize(
    "line",
    [
        "net.netfilter.nf_conntrack_max = 5",
        "net.nf_conntrack_max = 5",
        "net.nf_conntrack_ma? = 5",
        "-net.netfilter.nf_conntrack_max",
    ],
)
def test_a_vendor_file_that_would_win_is_named_by_file_and_line(line):
    vendor = "/usr/lib/sysctl.d/zzz-vendor.conf"
    kernel = FakeKernel("trixie-6.12-nat", {vendor: ("\n" + line + "\n").encode()})
    refusal(kernel, vendor + ":2", "net.netfilter.nf_conntrack_max would not be 100000", max=100000)
    tune(kernel, max=100000, sysctl_file="/etc/sysctl.d/zzzz.conf")
    kernel.reboot()
    assert live(kernel, "max") == (100000,)


def test_a_vendor_file_that_procps_reads_later_is_named():
    vendor = "/usr/lib/sysctl.d/zzz-vendor.conf"
    kernel = procps_host(**{vendor: b"\nnet/netfilter/nf_conntrack_max = 5\n"})
    refusal(kernel, vendor + ":2 (5)", max=100000)
    # What the kernel refuses leaves the value as it is.
    tune(procps_host(**{vendor: b"net.netfilter.nf_conntrack_max = none\n"}), max=100000)


def test_a_vendor_file_of_an_earlier_name_is_outranked():
    kernel = FakeKernel("trixie-6.12-nat", {"/usr/lib/sysctl.d/99-zz.conf": b"net.netfilter.nf_conntrack_max=5\n"})
    tune(kernel, max=100000)
    kernel.reboot()
    assert live(kernel, "max") == (100000,)


# --- the hashsize, and what others say of it


def test_a_hashsize_that_would_win_is_removed_below_etc_and_other_options_stay():
    kernel = FakeKernel(
        "trixie-6.12-nat",
        {
            "/etc/modprobe.d/nf.conf": b"options nf_conntrack hashsize=5\n",
            "/etc/modprobe.d/zzy.conf": b"options nf_conntrack acct=1 hashsize=5\n",
            "/etc/modprobe.d/zzz.conf": b"options nf-conntrack hashsize=6\n# end",
        },
    )
    tune(kernel, hashsize=8192)
    assert kernel.tree["/etc/modprobe.d/nf.conf"] == b"options nf_conntrack hashsize=5\n"
    assert kernel.tree["/etc/modprobe.d/zzy.conf"] == b"options nf_conntrack acct=1\n"
    assert kernel.tree["/etc/modprobe.d/zzz.conf"] == b"# end"
    kernel.reboot()
    assert live(kernel, "buckets") == (8192,)


def test_a_vendors_hashsize_that_would_win_is_named():
    vendor = "/usr/lib/modprobe.d/zzz-vendor.conf"
    refusal(
        FakeKernel("trixie-6.12-nat", {vendor: b"# a\noptions nf_conntrack hashsize=6\n"}), vendor + ":2", hashsize=8192
    )


REFUSED = ["64K", "", '"5 6"', "-1", "4294967296"]


@pytest.mark.parametrize("value", REFUSED)
def test_an_outranked_hashsize_that_keeps_the_module_from_loading_goes_and_other_options_stay(value):
    kernel = FakeKernel(
        "trixie-6.12-absent",
        {
            "/etc/modprobe.d/10.conf": f"options nf_conntrack acct=1 hashsize={value} hashsize=4096\n# end".encode(),
        },
    )
    wanted = {"max": 300000, "hashsize": 65536, "scope": "boot", "force": True}
    refusal(kernel, "/etc/modprobe.d/10.conf:1", conflicting_entries="fail", **wanted)
    tune(kernel, **wanted)
    assert kernel.tree["/etc/modprobe.d/10.conf"] == b"options nf_conntrack acct=1 hashsize=4096\n# end"
    assert not tune(kernel, **wanted)["changed"]
    kernel.load()
    assert live(kernel, "max", "buckets") == (300000, 65536)


@pytest.mark.parametrize(
    ("place", "entry"),
    [
        ("/usr/lib/modprobe.d/10-vendor.conf:2 (hashsize=64K)", b"# a\noptions nf_conntrack hashsize=64K\n"),
        ("/proc/cmdline:1 (hashsize=64K)", b"nf_conntrack.hashsize=64K nf_conntrack.hashsize=65536\n"),
        ("/proc/cmdline:1 (hashsize=)", b"nf_conntrack.hashsize nf_conntrack.hashsize=65536\n"),
    ],
)
@pytest.mark.parametrize("wanted", [{}, {"hashsize": 65536}, {"load": True}, {"load": True, "scope": "runtime"}])
def test_a_refused_hashsize_that_cannot_be_taken_away_is_named(place, entry, wanted):
    kernel = FakeKernel("trixie-6.12-absent", {place.partition(":")[0]: entry})
    refusal(kernel, "nf_conntrack cannot be loaded", place, "Remove it there", max=60000, **wanted)


PARTED = ["hashsize = 262144", "hashsize= 262144", "hashsize =262144", "hashsize\t=\t262144"]


@pytest.mark.parametrize("parted", PARTED)
@pytest.mark.parametrize("name", ["trixie-6.12-absent", "trixie-6.12-nat"])
def test_a_hashsize_that_blanks_part_ends_every_load_whatever_is_asked_for_and_is_named_with_its_blanks(name, parted):
    line = f"# a\noptions nf_conntrack {parted} acct=1\n".encode()
    kernel = FakeKernel(name, {"/etc/modprobe.d/nf.conf": line})
    place = "/etc/modprobe.d/nf.conf:2 ({0}: no blanks are allowed beside the =".format(" ".join(parted.split()))
    refusal(kernel, "nf_conntrack cannot be loaded", place, "hashsize=65536", max=60000)
    refusal(kernel, place, timeouts={"udp": 20}, scope="boot")
    assert any(item["message"].startswith(place) for item in persistent.gather(kernel)["drift"])
    # Who asks for a hashsize has it taken out, the words behind the blanks too.
    tune(kernel, max=60000, hashsize=65536, force=True)
    assert kernel.text("/etc/modprobe.d/nf.conf") == "# a\noptions nf_conntrack acct=1\n"
    kernel.reboot()
    assert live(kernel, "max", "buckets") == (60000, 65536)


def test_a_refused_hashsize_is_no_matter_to_a_run_that_changes_no_file():
    kernel = FakeKernel("trixie-6.12-nat", {"/etc/modprobe.d/nf.conf": b"options nf_conntrack hashsize = 5\n"})
    tune(kernel, max=60000, scope="runtime")
    assert live(kernel, "max") == (60000,)


INSTALL = "install nf_conntrack /sbin/modprobe --ignore-install nf_conntrack $CMDLINE_OPTS hashsize={0}\n"


@pytest.mark.parametrize("path", ["/etc/modprobe.d/nf.conf", "/usr/lib/modprobe.d/nf.conf"])
def test_a_hashsize_in_a_command_that_is_run_in_place_of_the_load_is_named_since_it_wins(path):
    kernel = FakeKernel("trixie-6.12-nat", {path: ("# a\n" + INSTALL.format(4096)).encode()})
    refusal(kernel, "hashsize=65536", path + ":2 (4096) wins over", hashsize=65536, max=60000)
    tune(kernel, hashsize=4096, max=60000)
    kernel.reboot()
    assert live(kernel, "buckets", "max") == (4096, 60000)


def test_a_hashsize_in_such_a_command_that_the_kernel_refuses_is_named():
    kernel = FakeKernel("trixie-6.12-absent", {"/etc/modprobe.d/nf.conf": INSTALL.format("64K").encode()})
    refusal(kernel, "nf_conntrack cannot be loaded", "/etc/modprobe.d/nf.conf:1 (hashsize=64K)", hashsize=65536)


@pytest.mark.parametrize("word", ["nf_conntrack.hashsize=4096", "nf-conntrack.hashsize=4096"])
def test_a_hashsize_on_the_kernel_command_line_is_named_since_it_wins(word):
    kernel = FakeKernel("trixie-6.12-nat", {"/proc/cmdline": b"root=/dev/vda quiet " + word.encode() + b"\n"})
    refusal(kernel, "hashsize=65536", "/proc/cmdline:1 (4096)", hashsize=65536)
    assert tune(kernel, hashsize=4096)["changed"]


def test_a_hashsize_that_others_fixed_unrounded_is_as_good_as_the_rounded_one():
    kernel = FakeKernel("trixie-6.12-nat", {"/proc/cmdline": b"nf_conntrack.hashsize=30000\n"})
    assert tune(kernel, hashsize=30000)["settings"]["nf_conntrack_buckets"]["boot"] == 30208
    kernel = FakeKernel("trixie-6.12-nat", {"/usr/lib/modprobe.d/zzz.conf": b"options nf_conntrack hashsize=30000\n"})
    assert tune(kernel, hashsize=30000)["changed"]


def test_one_file_by_two_names_keeps_the_hashsize_that_was_asked_for():
    kernel = FakeKernel(
        "trixie-6.12-nat",
        {
            "/etc/modprobe.d/10.conf": "zz-netops-conntrack.conf",
            MODPROBE_FILE: b"options nf_conntrack hashsize=64K\n",
        },
    )
    tune(kernel, hashsize=8192)
    kernel.reboot()
    assert live(kernel, "buckets") == (8192,)
    assert not tune(kernel, hashsize=8192)["changed"]


def test_the_hashsize_of_an_alias_by_which_the_boot_loads_the_module_is_taken_out_where_it_would_win():
    release = FakeKernel("trixie-6.12-absent").read_value("/proc/sys/kernel/osrelease")
    kernel = FakeKernel(
        "trixie-6.12-absent",
        {
            f"/usr/lib/modules/{release}/modules.dep": b"",
            f"/usr/lib/modules/{release}/modules.alias": b"alias ip_conntrack nf_conntrack\n",
            "/etc/modules-load.d/a.conf": b"ip_conntrack\n",
            "/etc/modprobe.d/zzz.conf": b"options ip_conntrack hashsize=8192 acct=1\n",
        },
    )
    refusal(kernel, "/etc/modprobe.d/zzz.conf:1", max=60000, hashsize=65536, conflicting_entries="fail")
    tune(kernel, max=60000, hashsize=65536)
    assert kernel.text("/etc/modprobe.d/zzz.conf") == "options ip_conntrack acct=1\n"
    assert not tune(kernel, max=60000, hashsize=65536)["changed"]


# --- lines that set nothing

#: Lines that were meant to set max, and set nothing, by name or by form.
WITHOUT_EFFECT = [
    "net.ipv4.netfilter.nf_conntrack_max = 5",
    "net.ipv4.nf_conntrack_max=5",
    "net/netfilter/ip_conntrack_max = 5",
    "net.ip_conntrack_max = 5",
    "net.netfilter.nf_conntrack_max 5",
    "net.netfilter.nf_conntrack_max: 5",
    "net.netfilter.nf_conntrack_max",
    "  sysctl -w net.netfilter.nf_conntrack_max=5",
    "export net.netfilter.nf_conntrack_max=5",
    "sysctl -w net.ipv4.ip_conntrack_max=5",
]
#: What stays beside them.
STAYS = [
    "# sysctl -w net.netfilter.nf_conntrack_max=5",
    "vm.swappiness=59",
    "sysctl -w vm.swappiness=5",
    "net.netfilter.nf_conntrack_udp_timeout 5",
    "see net.netfilter.nf_conntrack_max",
]


@given(
    st.lists(st.sampled_from(WITHOUT_EFFECT + STAYS), max_size=6),
    st.sampled_from(["/etc/sysctl.d/00-a.conf", SYSCTL_FILE, "/etc/sysctl.conf"]),
    st.booleans(),
)
def test_lines_without_effect_go_wherever_they_stand_and_all_others_stay_byte_for_byte(lines, path, has_mark):
    text = ("\ufeff" if has_mark and lines else "") + "".join(line + "\n" for line in lines)
    kernel = FakeKernel("trixie-6.12-absent", {path: text.encode()})
    tune(kernel, max=60000)
    told = persistent.gather(kernel)["drift"]
    assert not [item for item in told if item["key"] == "nf_conntrack_max"]
    after = kernel.text(path).replace("net.netfilter.nf_conntrack_max = 60000\n", "")
    kept = [line + "\n" for line in lines if line in STAYS]
    if has_mark and lines and lines[0] in STAYS:
        kept[0] = "\ufeff" + kept[0]
    assert after == "".join(kept)
    assert not tune(kernel, max=60000)["changed"]


# --- conflicting_entries: fail


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/etc/sysctl.d/zzz.conf", "net/netfilter/nf_conntrack_max=5"),
        ("/etc/sysctl.d/zzz.conf", "-net.netfilter.nf_conntrack_max"),
        ("/etc/sysctl.d/10-old.conf", "net.nf_conntrack_max = 5"),
        ("/etc/sysctl.d/10-old.conf", "net.ipv4.netfilter.ip_conntrack_max = 5"),
        ("/etc/sysctl.d/10-old.conf", "net.ipv4.ip_conntrack_max = 5"),
        ("/etc/sysctl.conf", "net.netfilter.nf_conntrack_max = 5"),
        ("/etc/modprobe.d/zzz.conf", "options nf_conntrack acct=1 hashsize=5"),
    ],
)
@pytest.mark.parametrize("name", ["trixie-6.12-nat", "bookworm-6.1-nat"])
def test_a_conflicting_line_is_named_by_file_and_line_and_stays(name, path, line):
    kernel = FakeKernel(name, {path: f"# mine\n{line}\n".encode()})
    wanted = {"max": 100000, "hashsize": 25000}
    refusal(kernel, f"{path}:2 ({line})", "conflicting_entries: replace", conflicting_entries="fail", **wanted)
    tune(kernel, **wanted)
    assert not tune(kernel, conflicting_entries="fail", **wanted)["changed"]


def test_all_conflicting_lines_are_named_at_once():
    kernel = FakeKernel(
        "trixie-6.12-nat",
        {
            "/etc/sysctl.d/zzz.conf": b"net.netfilter.nf_conntrack_max = 5\nnet.ipv4.ip_conntrack_max = 6\n",
            "/etc/modprobe.d/zzz.conf": b"options nf_conntrack hashsize=7\n",
        },
    )
    refusal(
        kernel,
        "/etc/sysctl.d/zzz.conf:1",
        "/etc/sysctl.d/zzz.conf:2",
        "/etc/modprobe.d/zzz.conf:1",
        max=100000,
        hashsize=25000,
        conflicting_entries="fail",
    )


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/etc/sysctl.d/10-old.conf", b"net.netfilter.nf_conntrack_max = 5\n"),
        ("/usr/lib/sysctl.d/10-vendor.conf", b"net.netfilter.nf_conntrack_max = 5\n"),
        ("/etc/sysctl.d/zzz.conf", b"# net.netfilter.nf_conntrack_max = 5\nnet.netfilter.nf_conntrack_acct = 1\n"),
        ("/etc/modprobe.d/nf.conf", b"options nf_conntrack hashsize=5\n"),
        (SYSCTL_FILE, b"net.ipv4.ip_conntrack_max = 5\nnet.netfilter.nf_conntrack_max = 6\n"),
    ],
)
def test_what_is_outranked_or_in_an_own_file_is_no_conflict(path, content):
    kernel = FakeKernel("trixie-6.12-nat", {path: content})
    tune(kernel, max=100000, hashsize=25000, conflicting_entries="fail")
    kernel.reboot()
    assert live(kernel, "max", "buckets") == (100000, 25088)


def test_another_file_takes_over_from_the_collections_own_without_a_conflict():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=100000)
    tune(kernel, max=100000, sysctl_file="/etc/sysctl.d/90-conntrack.conf", conflicting_entries="fail")
    assert kernel.text(SYSCTL_FILE) is None


def test_sysctl_conf_that_the_boot_reads_first_loses_lines_that_sysctl_p_would_apply():
    kernel = FakeKernel(
        "bookworm-6.1-nat",
        {
            "/etc/sysctl.conf": b"net.netfilter.nf_conntrack_max=5\nkernel.panic=1\n",
            "/etc/sysctl.d/99-sysctl.conf": "../sysctl.conf",
        },
    )
    refusal(kernel, "/etc/sysctl.d/99-sysctl.conf -> /etc/sysctl.conf:1", max=100000, conflicting_entries="fail")
    tune(kernel, max=100000)
    assert kernel.tree["/etc/sysctl.conf"] == b"kernel.panic=1\n"
    assert kernel.tree["/etc/sysctl.d/99-sysctl.conf"] == "../sysctl.conf"


# --- what keeps the module from being loaded


BLOCKS = [
    ("/etc/modprobe.d/bl.conf", b"# a\ninstall nf_conntrack /bin/false\n"),
    ("/usr/lib/modprobe.d/bl.conf", b"# a\ninstall nf-conntrack /bin/true\n"),
    ("/etc/modprobe.d/bl.conf", b"# a\ninstall nf_* /bin/false\n"),
    ("/etc/modprobe.d/bl.conf", b"# a\ninstall nf_defrag_ipv6 /bin/false\n"),
]


BLACKLISTS = [
    ("/etc/modprobe.d/bl.conf", b"# a\nblacklist nf_conntrack\n"),
    ("/usr/lib/modprobe.d/bl.conf", b"# a\nblacklist nf-conntrack\n"),
]


@pytest.mark.parametrize("scope", ["both", "boot"])
@pytest.mark.parametrize(("path", "text"), BLOCKS + BLACKLISTS)
@pytest.mark.parametrize("name", ["trixie-6.12-absent", "trixie-6.12-nat"])
def test_a_line_that_keeps_the_boot_from_loading_is_named_with_what_takes_it_away(name, path, text, scope):
    kernel = FakeKernel(name, {path: text})
    refusal(kernel, path + ":2 blocks nf_conntrack", "conntrack_modules", "state: present", load=True, scope=scope)
    assert tune(kernel, max=60000, scope=scope)["changed"]


@pytest.mark.parametrize(("path", "text"), BLOCKS)
def test_a_line_that_keeps_the_module_out_now_is_named_before_anything_is_written(path, text):
    kernel = FakeKernel("trixie-6.12-absent", {path: text})
    refusal(kernel, path + ":2 blocks nf_conntrack", max=60000, load=True, scope="runtime")
    assert tune(FakeKernel("trixie-6.12-nat", {path: text}), max=60000, load=True, scope="runtime")["changed"]


def test_a_blacklist_is_none_of_a_load_that_is_asked_for_now():
    kernel = FakeKernel("trixie-6.12-absent", dict(BLACKLISTS))
    tune(kernel, max=60000, load=True, scope="runtime")
    assert live(kernel, "max") == (60000,)


@pytest.mark.parametrize(
    "text",
    [
        b"install nf_conntrack /sbin/modprobe --ignore-install nf_conntrack $CMDLINE_OPTS\n",
        b"install nf_nat /bin/false\nblacklist nf_nat\nblacklist nf_conntrack_ftp\n",
    ],
)
def test_what_keeps_nothing_of_it_out_is_no_obstacle_to_a_load(text):
    kernel = FakeKernel("trixie-6.12-absent", {"/etc/modprobe.d/x.conf": text})
    tune(kernel, max=60000, load=True)
    kernel.reboot(then_load=False)
    assert live(kernel, "max") == (60000,)


def test_a_host_that_was_kept_from_tracking_is_predicted_as_it_will_be_tuned():
    host = FakeModules("trixie-6.12-absent")
    ask(host, "conntrack", "absent")
    wanted = {"max": 60000, "load": True}

    def role(check):
        ask(host, "conntrack", "unmanaged", check)
        return tune(host, check=check, **wanted)

    # The block is there still, and the task that would have lifted it changed nothing.
    predicted = role(True)
    refusal(host, BLOCK_FILE + ":2 blocks nf_conntrack", **wanted)
    assert subjects(role(False)) == subjects(predicted)
    host.reboot(then_load=False)
    assert host.is_loaded and not role(False)["changed"]


@pytest.mark.parametrize(("path", "text"), BLOCKS + BLACKLISTS)
def test_a_line_of_another_is_predicted_to_keep_the_boot_from_loading(path, text):
    kernel = FakeKernel("trixie-6.12-absent", {path: text, BLOCK_FILE: b"install nf_conntrack /bin/false\n"})
    refusal(kernel, path + ":2 blocks nf_conntrack", load=True, check=True)


# --- undo


def test_taking_away_leaves_the_other_lines_of_a_file_of_ones_own():
    mine = "/etc/sysctl.d/50-mine.conf"
    kernel = FakeKernel("trixie-6.12-nat", {mine: b"# mine\nkernel.panic = 5\n"})
    wanted = {"max": 100000, "timeouts": {"udp": 20}, "sysctl_file": mine}
    tune(kernel, **wanted)
    result = tune(kernel, state="absent", **wanted)
    assert kernel.tree[mine] == b"# mine\nkernel.panic = 5\n"
    assert result["settings"]["nf_conntrack_max"] == {"runtime": 100000, "boot": None, "file": None, "line": None}


def test_there_is_nothing_to_take_away_from_a_host_that_was_never_tuned():
    assert not tune(FakeKernel("trixie-6.12-nat"), state="absent", max="auto")["changed"]


def test_a_max_that_came_with_a_hashsize_goes_with_it():
    mine = "/etc/sysctl.d/90-mine.conf"
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, hashsize=25000, sysctl_file=mine, timeouts={"udp": 20})
    assert not tune(kernel, hashsize=25000, sysctl_file=mine, timeouts={"udp": 20})["changed"]
    assert "nf_conntrack_max" in kernel.text(SYSCTL_FILE) and "nf_conntrack_max" not in kernel.text(mine)
    tune(kernel, state="absent", hashsize=25000, sysctl_file=mine, timeouts={"udp": 20})
    assert kernel.text(mine) is None and kernel.text(SYSCTL_FILE) is None


def test_a_max_of_ones_own_stays_where_a_hashsize_is_taken_away():
    mine = "/etc/sysctl.d/50-site.conf"
    before = b"net.netfilter.nf_conntrack_max = 262144\n"
    kernel = FakeKernel("trixie-6.12-nat", {mine: before})
    tune(kernel, hashsize=25000, sysctl_file=mine)
    tune(kernel, state="absent", hashsize=25000, sysctl_file=mine)
    assert kernel.tree[mine] == before


def test_a_file_that_the_boot_does_not_read_loses_the_lines_of_what_is_asked_for_and_of_what_comes_with_it():
    kernel = FakeKernel(
        "trixie-6.12-nat",
        {
            "/etc/sysctl.d/zzz.conf": b"net.netfilter.nf_conntrack_buckets = 999\n",
            "/etc/sysctl.conf": (
                b"net.netfilter.nf_conntrack_max = 7777\nnet.netfilter.nf_conntrack_buckets = 999\n# mine\n"
            ),
        },
    )
    predicted = tune(kernel, check=True, max=100000, hashsize=65536)
    assert tune(kernel, max=100000, hashsize=65536)["changes"] == predicted["changes"]
    assert kernel.tree["/etc/sysctl.conf"] == b"# mine\n"
    assert not tune(kernel, max=100000, hashsize=65536)["changed"]


def test_lines_are_taken_away_also_from_a_file_that_the_boot_no_longer_reads():
    kernel = FakeKernel("bookworm-6.1-nat", {"/etc/sysctl.conf": b"kernel.panic = 5\n"})
    wanted = {"max": 100000, "timeouts": {"udp": 20}, "sysctl_file": "/etc/sysctl.conf"}
    tune(kernel, **wanted)
    del kernel.tree["/etc/sysctl.d/99-sysctl.conf"]  # as an upgrade to Debian 13 does
    tune(kernel, state="absent", **wanted)
    assert kernel.tree["/etc/sysctl.conf"] == b"kernel.panic = 5\n"
    assert not tune(kernel, state="absent", **wanted)["changed"]


@pytest.mark.parametrize("path", [SYSCTL_FILE, MODPROBE_FILE, UDEV_FILE, LOAD_FILE])
def test_a_mask_in_the_place_of_an_own_file_is_nothing_to_take_away(path):
    kernel = FakeKernel("trixie-6.12-nat", {path: "/dev/null"})
    assert not tune(kernel, state="absent")["changed"]
    assert kernel.tree[path] == "/dev/null"
