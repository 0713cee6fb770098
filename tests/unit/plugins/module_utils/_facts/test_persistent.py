# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the facts say of the next boot, held against kernels that boot."""

from __future__ import annotations

import pytest
from fake_kernel import FakeKernel
from hypothesis import given
from hypothesis import strategies as st
from runs import tune

from ansible_collections.netops.conntrack.plugins.module_utils._facts import persistent
from ansible_collections.netops.conntrack.plugins.module_utils._kernel import parse_number, parse_parameter

MAX = "net.netfilter.nf_conntrack_max"
RULE = "/etc/udev/rules.d/99-netops-conntrack.rules"
RULE_TEXT = (
    b'ACTION=="add", SUBSYSTEM=="module", KERNEL=="nf_conntrack", RUN+="/lib/systemd/systemd-sysctl'
    b' --prefix=/net/netfilter"\n'
)
EARLY = {"/etc/modules-load.d/nf.conf": b"nf_conntrack\n"}
BY_RULE = {RULE: RULE_TEXT}


def gather(name, *changes):
    files = {}
    for change in changes:
        files.update(change)
    kernel = FakeKernel(name, files)
    before = kernel.state()
    found = persistent.gather(kernel)
    assert kernel.state() == before and not kernel.ran and not kernel.writes
    return found


def kinds(found):
    return [(item["kind"], item["key"], item["file"], item["line"]) for item in found["drift"]]


def test_an_untouched_host_has_no_drift_and_sets_nothing():
    for name in ("trixie-6.12-absent", "trixie-6.12-nat", "bookworm-6.1-nat", "linux-6.18-built-in"):
        assert gather(name) == {"persistent": {}, "persistent_problem": None, "load_problem": None, "drift": []}


@pytest.mark.parametrize("name", ["trixie-6.12-nat", "bookworm-6.1-absent"])
def test_a_tuned_host_has_every_value_with_file_and_line_and_no_drift(name):
    kernel = FakeKernel(name)
    tune(kernel, max=100000, hashsize=25000, timeouts={"udp": 20})
    found = persistent.gather(kernel)
    assert found["drift"] == []
    own = "/etc/sysctl.d/zz-netops-conntrack.conf"
    assert found["persistent"] == {
        "nf_conntrack_max": {"boot": 100000, "file": own, "line": 2},
        "nf_conntrack_udp_timeout": {"boot": 20, "file": own, "line": 3},
        "nf_conntrack_buckets": {"boot": 25088, "file": "/etc/modprobe.d/zz-netops-conntrack.conf", "line": 2},
    }


def test_a_live_value_that_the_boot_will_not_set_is_told_with_both_and_the_line():
    found = gather("trixie-6.12-nat", BY_RULE, {"/etc/sysctl.d/50-a.conf": b"# a\n" + MAX.encode() + b" = 1234\n"})
    (item,) = found["drift"]
    assert (item["kind"], item["key"], item["value"]) == ("runtime", "nf_conntrack_max", 1234)
    assert item["runtime"] == FakeKernel("trixie-6.12-nat").value("nf_conntrack_max")
    assert item["message"] == "nf_conntrack_max is {0}, but the boot sets 1234 (/etc/sysctl.d/50-a.conf:2)".format(
        item["runtime"]
    )


def test_the_blog_posts_line_on_debian_13_is_in_a_file_that_the_boot_does_not_read():
    found = gather("trixie-6.12-nat", {"/etc/sysctl.conf": MAX.encode() + b"=1048576\nkernel.panic = 1\n"})
    assert found["persistent"] == {}
    (item,) = found["drift"]
    assert (item["kind"], item["value"]) == ("not_read", 1048576)
    assert item["message"].startswith("/etc/sysctl.conf:1 (" + MAX + " = 1048576): ")


def test_the_same_line_on_debian_12_is_read_and_lost_at_a_later_load():
    link = {"/etc/sysctl.conf": MAX.encode() + b"=65536\n", "/etc/sysctl.d/99-sysctl.conf": "../sysctl.conf"}
    lost = ("not_at_load", "nf_conntrack_max", "/etc/sysctl.d/99-sysctl.conf", 1)
    for name in ("bookworm-6.1-nat", "bookworm-6.1-absent"):
        assert lost in kinds(gather(name, link))
        assert lost not in kinds(gather(name, link, BY_RULE))
        assert lost not in kinds(gather(name, link, EARLY))


@pytest.mark.parametrize(
    ("line", "kind", "key", "words"),
    [
        ("net.ipv4.netfilter.ip_conntrack_max = 5", "former_name", "nf_conntrack_max", "its name is now " + MAX),
        ("net.ipv4.ip_conntrack_max = 5", "former_name", "nf_conntrack_max", "its name is now " + MAX),
        (
            "net/ipv4/netfilter/ip_conntrack_tcp_timeout_established=5",
            "former_name",
            "nf_conntrack_tcp_timeout_established",
            "net.netfilter.nf_conntrack_tcp_timeout_established",
        ),
        (
            "net.ipv4.netfilter.ip_conntrack_nonsense = 5",
            "former_name",
            "nf_conntrack_nonsense",
            "nothing replaced it",
        ),
        ("net.ipv4.netfilter.nf_conntrack_max = 5", "former_name", "nf_conntrack_max", "its name is now " + MAX),
        ("net.ipv4.nf_conntrack_max = 5", "former_name", "nf_conntrack_max", "its name is now " + MAX),
        ("net.netfilter.ip_conntrack_max = 5", "former_name", "nf_conntrack_max", "its name is now " + MAX),
        ("net.ip_conntrack_max = 5", "former_name", "nf_conntrack_max", "its name is now " + MAX),
        (
            MAX + " 5",
            "malformed",
            "nf_conntrack_max",
            "no = between name and value, so it sets nothing; " + MAX + " = 5",
        ),
        (MAX, "malformed", "nf_conntrack_max", MAX + " = VALUE was meant"),
        (MAX + ": 5", "malformed", "nf_conntrack_max", MAX + " = 5 was meant"),
        (MAX + " := 5", "malformed", "nf_conntrack_max", MAX + " = 5 was meant"),
        ("sysctl -w " + MAX + "=5", "malformed", "nf_conntrack_max", "a shell command has no effect"),
        ("/sbin/sysctl -q -w " + MAX + "=5", "malformed", "nf_conntrack_max", MAX + " = 5 was meant"),
        ("export " + MAX + "=5", "malformed", "nf_conntrack_max", MAX + " = 5 was meant"),
        ('"' + MAX + '" = 5', "malformed", "nf_conntrack_max", "in quotes"),
        ("net.ipv4.ip_conntrack_max 5", "malformed", "nf_conntrack_max", MAX + " = 5 was meant"),
        ("net.netfilter.nf_conntrack_maximum = 5", "unknown_key", "nf_conntrack_maximum", "no such key"),
        ("net.netfilter.nf_conntrack_helper = 1", "unknown_key", "nf_conntrack_helper", "this kernel (6.12"),
        ("net.netfilter.nf_conntrack_count = 1", "unknown_key", "nf_conntrack_count", "cannot be set"),
        (MAX + " = lots", "invalid_value", "nf_conntrack_max", "does not accept this value"),
        ("net.nf_conntrack_max = 5", "not_at_load", "nf_conntrack_max", "sets only " + MAX),
    ],
)
def test_a_line_that_can_never_apply_says_why(line, kind, key, words):
    path = "/etc/sysctl.d/50-a.conf"
    found = gather("trixie-6.12-nat", BY_RULE, {path: ("# a\n\n" + line + "\n").encode()})
    (item,) = found["drift"]
    assert (item["kind"], item["key"], item["file"], item["line"]) == (kind, key, path, 3)
    assert item["message"].startswith(f"{path}:3 (") and words in item["message"]


def test_a_byte_order_mark_before_the_first_key_is_told_and_before_a_remark_is_no_matter():
    path = "/etc/sysctl.d/50-a.conf"
    live = FakeKernel("trixie-6.12-nat").value("nf_conntrack_max")
    found = gather("trixie-6.12-nat", BY_RULE, {path: f"\ufeff{MAX} = {live}\n".encode()})
    assert found["persistent"] == {} and kinds(found) == [("malformed", "nf_conntrack_max", path, 1)]
    assert (
        "byte order mark" in found["drift"][0]["message"]
        and f"{MAX} = {live} was meant" in found["drift"][0]["message"]
    )
    assert gather("trixie-6.12-nat", BY_RULE, {path: f"\ufeff# a\n{MAX} = {live}\n".encode()})["drift"] == []


@pytest.mark.parametrize(
    "line",
    [
        "see " + MAX + " for more",
        "kernel.core_pattern = |/bin/x " + MAX + " 5",
        "-" + MAX,
        "-net.netfilter.nf_conntrack_maximum",
        "net.netfilter.nf_conntrack_ma* = 262144",
        "kernel.panic = 5",
        "# " + MAX,
        "net.netfilter.nf_conntrack_frag6_timeout = 5",
        "net.netfilter.nf_log_all_netns = 1",
    ],
)
def test_a_line_that_is_none_of_connection_trackings_or_sets_nothing_is_no_drift(line):
    live = FakeKernel("trixie-6.12-nat").value("nf_conntrack_max")
    line = line.replace("262144", str(live))
    assert gather("trixie-6.12-nat", BY_RULE, {"/etc/sysctl.d/50-a.conf": line.encode()})["drift"] == []


def test_keys_that_an_unloaded_kernel_may_have_are_not_called_unknown():
    lines = b"net.netfilter.nf_conntrack_helper = 1\nnet.netfilter.nf_conntrack_maximum = 5\n"
    found = gather("trixie-6.12-absent", BY_RULE, {"/etc/sysctl.d/50-a.conf": lines})
    assert kinds(found) == [("unknown_key", "nf_conntrack_maximum", "/etc/sysctl.d/50-a.conf", 2)]


@pytest.mark.parametrize(
    ("path", "content", "told"),
    [
        ("/etc/sysctl.d/conntrack", MAX.encode() + b" = 5\n", True),
        ("/etc/modprobe.d/conntrack", b"options nf_conntrack hashsize=5\n", True),
        ("/etc/modprobe.conf", b"options nf_conntrack acct=1 hashsize=5\n", True),
        ("/etc/modprobe.d/conntrack", b"options nf_conntrack acct=1\n", False),
        ("/etc/sysctl.d/conntrack", b"kernel.panic = 5\n", False),
        ("/etc/sysctl.d/conntrack.conf.dpkg-old", MAX.encode() + b" = 5\n", False),
        ("/etc/sysctl.d/.conntrack.conf.swp", MAX.encode() + b" = 5\n", False),
    ],
)
def test_files_that_only_look_as_if_the_boot_read_them(path, content, told):
    assert kinds(gather("trixie-6.12-nat", {path: content})) == (
        [("not_read", "nf_conntrack_max" if "sysctl" in path else "nf_conntrack_buckets", path, 1)] if told else []
    )


def test_a_hashsize_alone_sets_max_to_eight_times_as_many():
    found = gather("trixie-6.12-absent", {"/etc/modprobe.d/a.conf": b"options nf_conntrack hashsize=1000\n"})
    origin = {"file": "/etc/modprobe.d/a.conf", "line": 1}
    assert found["persistent"] == {
        "nf_conntrack_buckets": dict(origin, boot=1024),
        "nf_conntrack_max": dict(origin, boot=8192),
    }


def test_modprobe_d_means_nothing_to_a_kernel_that_has_it_built_in():
    option = {"/etc/modprobe.d/a.conf": b"options nf_conntrack hashsize=1000\n"}
    assert gather("linux-6.18-built-in", option)["persistent"] == {}
    found = gather("linux-6.18-built-in", option, {"/proc/cmdline": b"quiet nf_conntrack.hashsize=2000\n"})
    assert found["persistent"]["nf_conntrack_buckets"] == {"boot": 2048, "file": "/proc/cmdline", "line": 1}


def test_a_container_is_not_told_that_the_hosts_own_values_drift():
    lines = (MAX + " = 1234\nnet.netfilter.nf_conntrack_udp_timeout = 7\n").encode()
    found = gather("linux-6.18-netns", {"/etc/sysctl.d/50-a.conf": lines})
    assert [item["key"] for item in found["drift"]] == ["nf_conntrack_udp_timeout"]


NAMES = ["trixie-6.12-nat", "bookworm-6.1-nat", "bullseye-5.10-nat", "linux-6.18-built-in"]
LINES = st.lists(
    st.sampled_from(
        [
            b"net.netfilter.nf_conntrack_max=7777\n",
            b"net.nf_conntrack_max = 8888\n",
            b"net.ipv4.ip_conntrack_max=9999\n",
            b"-net.netfilter.nf_conntrack_udp_timeout\n",
            b"net.netfilter.nf_conntrack_udp_timeout = 33\n",
            b"net/netfilter/nf_conntrack_udp_timeout = 44\n",
            b"net.netfilter.nf_conntrack_buckets=999\n",
            b"# \xff\n",
            b"net.netfilter.nf_conntrack_udp* = 55\n",
            b"net.nf_conntrack_ma? = 6666\n",
        ]
    ),
    max_size=4,
).map(b"".join)
OPTIONS = st.sampled_from(
    [b"", b"options nf_conntrack hashsize=3333\n", b"options nf-conntrack acct=1 hashsize=4444\n"]
)
FILES = st.fixed_dictionaries(
    {},
    optional={
        "/etc/sysctl.d/10-a.conf": LINES,
        "/etc/sysctl.d/zzz.conf": LINES,
        "/usr/lib/sysctl.d/20-vendor.conf": LINES,
        "/usr/lib/sysctl.d/10-a.conf": LINES,
        "/etc/sysctl.conf": LINES,
        "/etc/modprobe.d/a.conf": OPTIONS,
        "/etc/modprobe.d/zz.conf": OPTIONS,
    },
)


@given(st.sampled_from(NAMES), FILES, st.sampled_from([BY_RULE, EARLY]))
def test_what_the_facts_say_is_what_the_next_boot_sets(name, files, applied):
    kernel = FakeKernel(name, dict(files, **applied))
    found = persistent.gather(kernel)
    # What the boot sets in vain is told with it, and as drift.
    lost = {item["key"] for item in found["drift"] if item["kind"] == "not_at_load"}
    told = {key: value for key, value in found["persistent"].items() if key not in lost}
    kernel.reboot()
    assert {key: value["boot"] for key, value in told.items()} == {key: kernel.value(key) for key in told}
    # Then nothing drifts any more but lines that have no effect, and keys that nobody sets are as the kernel made them.
    assert all(item["kind"] != "runtime" for item in persistent.gather(kernel)["drift"])
    untouched = FakeKernel(name)
    untouched.reboot()
    for key in ("nf_conntrack_max", "nf_conntrack_buckets", "nf_conntrack_udp_timeout"):
        assert key in told or key in lost or kernel.value(key) == untouched.value(key)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5),
        (" 5\n", 5),
        ("5 # why", 5),
        ("5 6", 5),
        ("010", 8),
        ("0x10", 16),
        ("-1", -1),
        ("0", 0),
        ("", None),
        ("08", None),
        ("5x", None),
        ("+5", None),
        ("5,6", None),
        ("lots", None),
        ("0x", None),
    ],
)
def test_numbers_are_read_as_the_kernel_reads_them(text, number):
    # Each was written to nf_conntrack_udp_timeout of Linux 6.18.
    assert parse_number(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5),
        ("+5", 5),
        ("0", 0),
        ("+0", 0),
        ("010", 8),
        ("+010", 8),
        ("0x10", 16),
        ("0XfF", 255),
        ("5\n", 5),
        ("00000000007", 7),
        ("4294967295", 2**32 - 1),
        ("0xffffffff", 2**32 - 1),
        ("0" * 5000 + "1", 1),
        ("+65536", 65536),
        ("", None),
        ("+", None),
        ("-5", None),
        ("-0", None),
        ("++5", None),
        (" 5", None),
        ("5 ", None),
        ("5 # why", None),
        ("64K", None),
        ("5\n\n", None),
        ("\n", None),
        ("08", None),
        ("0x", None),
        ("0xg", None),
        ("1e3", None),
        ("5,6", None),
        ("4294967296", None),
        ("0x100000000", None),
        ("9" * 5000, None),
        ("\u0665", None),
    ],
)
def test_parameters_of_a_module_are_read_as_the_kernel_reads_them(text, number):
    # kstrtouint(), of base 0.
    assert parse_parameter(text) == number


def test_where_nothing_is_known_to_apply_the_files_nothing_is_said_of_them():
    lines = {"/etc/sysctl.d/50-a.conf": MAX.encode() + b" = 5\n", "/etc/sysctl.conf": MAX.encode() + b" = 6\n"}
    kernel = FakeKernel("trixie-6.12-nat", lines)
    for path in ("/usr/lib/systemd/systemd-sysctl", "/lib/systemd/systemd-sysctl"):
        kernel.tree.pop(path, None)
    assert persistent.gather(kernel) == {
        "persistent": {},
        "persistent_problem": (
            "this host's boot runs neither systemd-sysctl nor an init script of procps (/etc/init.d/procps or"
            " /etc/init.d/procps.sh), so it is not known here what applies sysctl files at boot"
        ),
        "load_problem": None,
        "drift": [],
    }


MASK = "/etc/systemd/system/systemd-sysctl.service"
MASKED = {MASK: {"link": "/dev/null"}}
LINE = {"/etc/sysctl.d/50-a.conf": MAX + " = 5\n"}


def observed_host(host, files):
    for path, entry in files.items():
        host.put(path, entry)
    return persistent.gather(host)


@pytest.mark.parametrize(
    "mask",
    [MASKED, {MASK: ""}],
    ids=["a link to /dev/null", "an empty file"],
)
def test_where_systemd_sysctl_is_masked_nothing_is_set_and_the_reason_is_told(recorded_host, mask):
    found = observed_host(recorded_host("trixie-6.12-nat"), {**LINE, **mask})
    assert found["persistent"] == {}
    assert kinds(found) == [("not_read", "nf_conntrack_max", "/etc/sysctl.d/50-a.conf", 1)]
    assert found["drift"][0]["message"] == (
        "/etc/sysctl.d/50-a.conf:1 (net.netfilter.nf_conntrack_max = 5): systemd-sysctl, which would set it at boot, is"
        f" masked by {MASK}"
    )
    assert found["persistent_problem"] == (
        f"systemd-sysctl, which sets sysctl lines at boot, is masked by {next(iter(mask))}, and no udev rule runs it"
        " when nf_conntrack is loaded, so no line of sysctl.d is set"
    )


def test_where_systemd_sysctl_is_masked_a_udev_rule_still_sets_the_lines(recorded_host):
    found = observed_host(recorded_host("trixie-6.12-nat"), {**LINE, **MASKED, RULE: RULE_TEXT.decode()})
    assert found["persistent_problem"] is None
    assert found["persistent"]["nf_conntrack_max"]["boot"] == 5


def test_where_systemd_sysctl_is_masked_and_tracking_is_built_in_no_rule_helps(recorded_host):
    host = recorded_host("linux-6.18-built-in", {"/usr/lib/systemd/systemd-sysctl": "", "/run/systemd/system/x": ""})
    found = observed_host(host, {**LINE, **MASKED, RULE: RULE_TEXT.decode()})
    assert found["persistent"] == {} and "masked" in found["persistent_problem"]


def test_a_unit_of_the_administrator_in_the_place_of_systemd_sysctl_is_no_mask(recorded_host):
    unit = {MASK: "[Service]\nExecStart=/usr/lib/systemd/systemd-sysctl\n"}
    until_the_boot = {MASK.replace("/etc/", "/run/"): {"link": "/dev/null"}}
    found = observed_host(recorded_host("trixie-6.12-nat"), {**LINE, **unit, **until_the_boot, **EARLY_TEXT})
    assert found["persistent_problem"] is None and "nf_conntrack_max" in found["persistent"]


EARLY_TEXT = {"/etc/modules-load.d/nf.conf": "nf_conntrack\n"}


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("hashsize=262144", None),
        ("hashsize=0", None),
        ("hashsize=64K", "hashsize=64K"),
        ("hashsize = 262144", "hashsize = 262144: no blanks are allowed beside the ="),
        ("hashsize", "hashsize="),
        ("hashsize=4294967295", "hashsize=4294967295"),
    ],
)
def test_a_hashsize_that_stops_every_load_is_told_with_file_and_line(option, problem):
    found = gather("trixie-6.12-absent", {"/etc/modprobe.d/a.conf": f"# a\noptions nf_conntrack {option}\n".encode()})
    words = ", so every load of nf_conntrack fails: the kernel does not accept this hashsize"
    assert found["load_problem"] == (problem and f"/etc/modprobe.d/a.conf:2 ({problem}){words}")
    assert bool(found["drift"]) is bool(problem)


def test_a_refused_hashsize_stops_no_kernel_that_has_tracking_built_in():
    option = {"/proc/cmdline": b"nf_conntrack.hashsize=64K\n"}
    found = gather("linux-6.18-built-in", option)
    assert found["load_problem"] is None and found["drift"][0]["kind"] == "invalid_value"


def test_a_line_that_a_load_undoes_is_told_once_and_does_not_outlive_the_hashsize():
    lines = {"/etc/sysctl.d/50-a.conf": MAX.encode() + b" = 262144\n"}
    option = {"/etc/modprobe.d/a.conf": b"options nf_conntrack hashsize=65536\n"}
    kernel = FakeKernel("trixie-6.12-nat", dict(lines, **option))
    kernel.reboot()
    found = persistent.gather(kernel)
    assert found["persistent"]["nf_conntrack_max"]["boot"] == kernel.value("nf_conntrack_max") == 524288
    assert kinds(found) == [("not_at_load", "nf_conntrack_max", "/etc/sysctl.d/50-a.conf", 1)]
    assert kinds(gather("trixie-6.12-nat", lines)) == kinds(found)


def test_a_tuned_container_has_no_drift_and_no_hashsize_of_its_own():
    found = gather(
        "linux-6.18-netns",
        {
            "/etc/sysctl.d/50-a.conf": b"net.netfilter.nf_conntrack_udp_timeout = 30\n",
            "/etc/modprobe.d/a.conf": b"options nf_conntrack hashsize=65536\n",
        },
    )
    assert found["drift"] == [] and list(found["persistent"]) == ["nf_conntrack_udp_timeout"]


REFUSED = ["64k", "-1", "99999999999999999999", "", '"5 6"']


@pytest.mark.parametrize("value", REFUSED)
def test_a_hashsize_with_which_nothing_can_be_loaded_is_told(value):
    option = f"options nf_conntrack hashsize={value}\n".encode()
    found = gather("trixie-6.12-absent", {"/etc/modprobe.d/a.conf": option})
    assert found["persistent"] == {}
    assert kinds(found) == [("invalid_value", "nf_conntrack_buckets", "/etc/modprobe.d/a.conf", 1)]
    assert "refuses to load nf_conntrack" in found["drift"][0]["message"]
    assert found["drift"][0]["value"] == value.strip('"')


@pytest.mark.parametrize("value", REFUSED)
@pytest.mark.parametrize("name", ["trixie-6.12-nat", "bookworm-6.1-absent"])
def test_a_later_hashsize_does_not_save_the_load_from_a_refused_one(name, value):
    changes = {
        "/etc/modprobe.d/a.conf": f"# a\noptions nf_conntrack hashsize={value}\n".encode(),
        "/etc/modprobe.d/b.conf": b"options nf_conntrack hashsize=65536\n",
    }
    kernel = FakeKernel(name, changes)
    kernel.reboot()
    assert not kernel.is_loaded
    found = gather(name, changes)
    assert found["persistent"] == {}
    assert kinds(found) == [("invalid_value", "nf_conntrack_buckets", "/etc/modprobe.d/a.conf", 2)]


def test_every_refused_hashsize_is_told():
    found = gather(
        "trixie-6.12-absent",
        {
            "/etc/modprobe.d/a.conf": b"options nf_conntrack hashsize=64K\n",
            "/etc/modprobe.d/b.conf": b"options nf_conntrack hashsize\n",
            "/proc/cmdline": b"nf_conntrack.hashsize=1e3 nf_conntrack.hashsize=512\n",
        },
    )
    assert [(item["file"], item["value"]) for item in found["drift"]] == [
        ("/etc/modprobe.d/a.conf", "64K"),
        ("/etc/modprobe.d/b.conf", ""),
        ("/proc/cmdline", "1e3"),
    ]


@pytest.mark.parametrize(("value", "boot"), [("+65536", 65536), ("0x10000", 65536), ("+0200000", 65536)])
def test_a_hashsize_that_the_kernel_takes_in_another_form_is_told_as_its_number(value, boot):
    found = gather(
        "trixie-6.12-absent",
        {
            "/etc/modprobe.d/a.conf": f"options nf_conntrack hashsize={value}\n".encode(),
        },
    )
    assert found["persistent"]["nf_conntrack_buckets"]["boot"] == boot
    assert found["persistent"]["nf_conntrack_max"]["boot"] == 8 * boot
    assert found["drift"] == []


def test_a_hashsize_in_a_command_that_is_run_in_place_of_the_load_is_what_the_load_gets():
    changes = {
        "/etc/modprobe.d/a.conf": b"options nf_conntrack hashsize=65536\n",
        "/etc/modprobe.d/b.conf": b"install nf_conntrack /sbin/modprobe -i nf_conntrack $CMDLINE_OPTS hashsize=8192\n",
    }
    kernel = FakeKernel("trixie-6.12-nat", changes)
    kernel.reboot()
    found = persistent.gather(kernel)
    assert found["persistent"]["nf_conntrack_buckets"] == {"boot": 8192, "file": "/etc/modprobe.d/b.conf", "line": 1}
    assert kernel.value("nf_conntrack_buckets") == 8192 and found["drift"] == []


@pytest.mark.parametrize("value", ["0", "4294967295"])
def test_an_outranked_hashsize_of_any_number_is_no_drift(value):
    changes = {
        "/etc/modprobe.d/a.conf": f"options nf_conntrack hashsize={value}\n".encode(),
        "/etc/modprobe.d/b.conf": b"options nf_conntrack hashsize=65536\n",
    }
    assert gather("trixie-6.12-absent", changes)["drift"] == []
    del changes["/etc/modprobe.d/b.conf"]
    assert bool(gather("trixie-6.12-absent", changes)["drift"]) == (value != "0")


def test_a_hashsize_of_0_leaves_the_size_to_the_kernel():
    option = {"/etc/modprobe.d/a.conf": b"options nf_conntrack hashsize=0\n"}
    found = gather("trixie-6.12-nat", option)
    assert (found["persistent"], found["drift"], found["load_problem"]) == ({}, [], None)


FIREWALLD = {
    "/usr/lib/modprobe.d/firewalld-sysctls.conf": (
        b"install nf_conntrack modprobe --ignore-install nf_conntrack $CMDLINE_OPTS"
        b" && sysctl --quiet --pattern 'net[.]netfilter[.]nf_conntrack.*' --system\n"
    ),
}


@pytest.mark.parametrize("name", ["trixie-6.12-nat", "bookworm-6.1-absent"])
def test_firewalld_applies_every_line_at_each_load_by_the_rules_of_procps_and_sysctl_conf_last(name):
    lines = {
        "/etc/sysctl.d/k8s.conf": MAX.encode() + b" = 1048576\nnet.netfilter.nf_conntrack_udp_timeout = 31\n",
        "/etc/sysctl.conf": b"# a\n" + MAX.encode() + b" = 65536\n",
    }
    found = gather(name, lines, FIREWALLD)
    assert found["persistent"] == {
        "nf_conntrack_max": {"boot": 65536, "file": "/etc/sysctl.conf", "line": 2},
        "nf_conntrack_udp_timeout": {"boot": 31, "file": "/etc/sysctl.d/k8s.conf", "line": 2},
    }
    assert {kind for kind, *_rest in kinds(found)} <= {"runtime"}
    # Where the boot loads it first, the boot has the last word; sysctl.conf is what an operator's program reads then.
    assert gather(name, lines, FIREWALLD, EARLY)["persistent"]["nf_conntrack_max"]["boot"] == 1048576


def test_values_that_modprobe_and_udev_set_side_by_side_are_told_where_they_differ():
    lines = {"/etc/sysctl.d/a.conf": MAX.encode() + b" = 70000\n", "/etc/sysctl.conf": MAX.encode() + b" = 65536\n"}
    found = gather("trixie-6.12-nat", lines, FIREWALLD, BY_RULE)
    assert kinds(found) == [("race", "nf_conntrack_max", "/etc/sysctl.d/a.conf", 1)]
    assert "65536" in found["drift"][0]["message"] and "70000" in found["drift"][0]["message"]
    lines["/etc/sysctl.conf"] = MAX.encode() + b" = 70000\n"
    assert {kind for kind, *_rest in kinds(gather("trixie-6.12-nat", lines, FIREWALLD, BY_RULE))} == {"runtime"}


ALL_LINES = MAX + " = 1234\nnet.netfilter.nf_conntrack_udp_timeout = 77\n"


@pytest.mark.parametrize(
    ("program", "values"),
    [
        ("/lib/systemd/systemd-sysctl --prefix=/net/netfilter", {"max": 1234, "udp_timeout": 77}),
        ("/lib/systemd/systemd-sysctl --prefix=/net/netfilter/nf_conntrack_max", {"max": 1234}),
        ("/lib/systemd/systemd-sysctl --prefix=/net/core", {}),
        ("/sbin/sysctl -p /etc/other.conf", {"generic_timeout": 99}),
        ("/sbin/sysctl net.netfilter.nf_conntrack_max=5000", {"max": 5000}),
        ("/sbin/sysctl -w net.netfilter.nf_conntrack_udp_timeout=5", {"udp_timeout": 5}),
        ("/bin/sh -c 'sleep 1; sysctl -q net/netfilter/nf_conntrack_udp_timeout=5'", {"udp_timeout": 5}),
        ("/sbin/sysctl --system", {"max": 1234, "udp_timeout": 77}),
        # A program without a directory is looked for where udev has its own.
        ("sysctl --system", {}),
        ("/sbin/sysctl net.netfilter.nf_conntrack_max", {}),
    ],
)
@pytest.mark.parametrize("operator", ["=", "+="])
def test_a_rule_counts_for_what_its_own_program_and_arguments_apply(program, values, operator):
    rule = f'ACTION=="add", SUBSYSTEM=="module", KERNEL=="nf_conntrack", RUN{operator}"{program}"\n'.encode()
    changes = {
        "/etc/sysctl.d/50-a.conf": ALL_LINES.encode(),
        "/etc/other.conf": b"net.netfilter.nf_conntrack_generic_timeout = 99\n",
        "/etc/udev/rules.d/50-x.rules": rule,
    }
    found = gather("trixie-6.12-nat", changes)
    boot = {name: value["boot"] for name, value in found["persistent"].items()}
    lost = {item["key"] for item in found["drift"] if item["kind"] == "not_at_load"}
    assert {name for name in boot if name not in lost} == {"nf_conntrack_" + name for name in values}
    assert all(boot["nf_conntrack_" + name] == value for name, value in values.items())
    assert lost == {"nf_conntrack_max", "nf_conntrack_udp_timeout"} - {"nf_conntrack_" + name for name in values}


LOST = [("not_at_load", "nf_conntrack_max", "/etc/sysctl.d/50-a.conf", 1)]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"/usr/lib/udev/rules.d/60-nf.rules": RULE_TEXT}, []),
        ({"/usr/lib/udev/rules.d/60-nf.rules": RULE_TEXT, "/etc/udev/rules.d/60-nf.rules": "/dev/null"}, LOST),
        ({"/usr/lib/udev/rules.d/60-nf.rules": b"# " + RULE_TEXT}, LOST),
        ({"/etc/udev/rules.d/60-nf.rules": RULE_TEXT.replace(b"RUN", b"\\\n  RUN")}, []),
        ({"/etc/udev/rules.d/60-nf.rules": RULE_TEXT.replace(b'nf_conntrack"', b'nf_conntrack_ftp"')}, LOST),
        ({"/etc/udev/rules.d/.60-nf.rules": RULE_TEXT}, LOST),
        ({"/etc/modules-load.d/a.conf": b"iptable_nat\n"}, []),
        ({"/etc/modules-load.d/a.conf": b"nf_nat\n", "/etc/modprobe.d/b.conf": b"blacklist nf-nat\n"}, LOST),
        ({"/etc/modules-load.d/a.conf": b"nf_nat\n", "/etc/modprobe.d/b.conf": b"blacklist nf_conntrack\n"}, []),
        (
            {
                "/etc/modules-load.d/a.conf": b"nf_conntrack\n",
                "/etc/modprobe.d/b.conf": b"install nf_conntrack /bin/false\n",
            },
            LOST,
        ),
        (
            {"/etc/modules-load.d/a.conf": b"nf_conntrack\n", "/etc/modprobe.d/b.conf": b"blacklist nf_conntrack\n"},
            LOST,
        ),
        ({"/etc/modules-load.d/a.conf": b"loop\n"}, LOST),
    ],
)
def test_what_brings_a_line_into_force_at_a_late_load(files, told):
    live = FakeKernel("trixie-6.12-nat").value("nf_conntrack_max")
    line = {"/etc/sysctl.d/50-a.conf": f"{MAX} = {live}\n".encode()}
    assert kinds(gather("trixie-6.12-nat", line, files)) == told


#: Debian's boots without systemd: an init of another name, and the scripts of its packages.
SYSVINIT = {
    "/usr/sbin/init": b"",
    "/etc/init.d/procps": b"",
    "/usr/sbin/sysctl": b"",
    "/usr/bin/udevadm": b"",
    "/run/systemd/system": b"",
}
BY_LINK = {"/etc/modules-load.d/modules.conf": "../modules"}
BESIDE = {"/etc/modules-load.d/modules.conf": b""}


@pytest.mark.parametrize("name", ["trixie-6.12-absent", "bookworm-6.1-absent"])
@pytest.mark.parametrize(
    ("boot", "told"),
    [
        (BY_LINK, []),
        (BESIDE, LOST),
        (dict(SYSVINIT, **BY_LINK), []),
        (dict(SYSVINIT, **BESIDE), []),
    ],
    ids=["systemd, linked", "systemd", "sysvinit, linked", "sysvinit"],
)
def test_etc_modules_counts_for_the_boots_that_read_it(name, boot, told):
    files = dict(
        boot, **{"/etc/modules": b"# mine\nnf_conntrack\n", "/etc/sysctl.d/50-a.conf": f"{MAX} = 60000\n".encode()}
    )
    kernel = FakeKernel(name, files)
    if "/usr/sbin/init" in boot:
        del kernel.tree["/run/systemd/system"]
    found = persistent.gather(kernel)
    assert found["persistent"]["nf_conntrack_max"] == {"boot": 60000, "file": "/etc/sysctl.d/50-a.conf", "line": 1}
    assert kinds(found) == told
    kernel.reboot()
    assert (kernel.value("nf_conntrack_max") == 60000) is (not told)


UFW = {
    "/etc/ufw/ufw.conf": b"ENABLED=yes\n",
    "/etc/default/ufw": b"IPT_SYSCTL=/etc/ufw/sysctl.conf\n",
    "/etc/ufw/sysctl.conf": b"net/netfilter/nf_conntrack_max=50000\n",
}
LOCAL = {"/etc/rc.local": b"#!/bin/sh\necho 50000 > /proc/sys/net/netfilter/nf_conntrack_max\n"}


def written(*changes):
    live = FakeKernel("trixie-6.12-nat").value("nf_conntrack_max")
    lines = {"/etc/sysctl.d/50-a.conf": f"{MAX} = {live}\n".encode()}
    return gather("trixie-6.12-nat", BY_RULE, lines, *changes)["drift"], live


def test_what_else_sets_another_value_than_the_boot_is_drift_with_both_places():
    (item,), live = written(UFW)
    assert (item["kind"], item["key"], item["value"], item["runtime"]) == ("writer", "nf_conntrack_max", 50000, live)
    assert (item["file"], item["line"]) == ("/etc/ufw/sysctl.conf", 1)
    assert item["message"] == (
        "ufw sets nf_conntrack_max to 50000 when ufw starts or reloads (/etc/ufw/sysctl.conf:1), but the boot sets"
        f" {live} (/etc/sysctl.d/50-a.conf:1), in a race with what applies sysctl.d"
    )


def test_a_script_that_names_another_value_may_set_it():
    (item,), _live = written(LOCAL)
    assert item["message"].startswith("rc.local may set nf_conntrack_max to 50000 at boot (/etc/rc.local:2: echo 50000")


def test_a_writer_of_the_same_value_or_of_a_key_that_no_boot_sets_is_no_drift():
    live = FakeKernel("trixie-6.12-nat").value("nf_conntrack_max")
    same = {"/etc/ufw/sysctl.conf": b"net/netfilter/nf_conntrack_max=%d\n" % live}
    other = {"/etc/ufw/sysctl.conf": b"net/netfilter/nf_conntrack_acct=1\n"}
    assert written(UFW, same)[0] == [] and written(UFW, other)[0] == []
    assert gather("trixie-6.12-nat", UFW)["drift"] == []


def test_a_hashsize_of_another_is_compared_as_the_kernel_rounds_it():
    options = {"/etc/modprobe.d/a.conf": b"options nf_conntrack hashsize=262144\n"}
    tuned = {"/etc/tuned/active_profile": b"gw\n"}

    def kinds_of(hashsize):
        profile = {"/etc/tuned/gw/tuned.conf": b"[net]\nnf_conntrack_hashsize=%d\n" % hashsize}
        found = gather("trixie-6.12-nat", options, tuned, profile)["drift"]
        return [(item["kind"], item["value"]) for item in found if item["kind"] == "writer"]

    assert kinds_of(262143) == [] and kinds_of(1048576) == [("writer", 1048576)]
