# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a request comes to on one host: sizes, keys that its kernel lacks, and what costs too much."""

from __future__ import annotations

import typing as t

import pytest
from conf_files import boot_files
from fake_kernel import COUNT, FakeKernel
from hypothesis import given
from hypothesis import strategies as st
from runs import ABSENT, BUILT_IN, LOADED, MODPROBE_FILE, SYSCTL_FILE, live, refusal, sysctl_lines, tune, wish

from ansible_collections.netops.conntrack.plugins.module_utils._errors import InvalidInput, Refused
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, KEYS, MAX
from ansible_collections.netops.conntrack.plugins.module_utils._settings.desired import (
    after_boot,
    check_room,
    desire,
    expected_max,
)
from ansible_collections.netops.conntrack.plugins.module_utils._settings.observed import Observed
from ansible_collections.netops.conntrack.plugins.module_utils._sizing import Hardware

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._boot.outcome import BootFiles

GIB = 2**30
UDP = "nf_conntrack_udp_timeout"


def observed(presence="loaded", kernel=(6, 12), memory_bytes=GIB, boot=None, **live):
    """A host with these live values, by their names without ``nf_conntrack_``."""
    return Observed(
        presence=presence,
        initial_namespace=True,
        release="{}.{}.0".format(*kernel),
        hardware=Hardware(memory_bytes, 4096, 8, kernel),
        is_root=True,
        may_load=True,
        live={"nf_conntrack_" + name: value for name, value in live.items()},
        paths={},
        read_only=frozenset(),
        boot=boot,
        own=frozenset(),
        stacks=None,
    )


# --- the max that nobody asks for


class Max(t.NamedTuple):
    """A host, whether files may be written, and the max that it has or will have when nobody asks for another."""

    about: str
    host: Observed
    boot: bool
    max: int


LINE = {"/etc/sysctl.d/a.conf": "net.netfilter.nf_conntrack_max = 50000\n"}
OTHER_LINE = {"/etc/sysctl.d/a.conf": "net.nf_conntrack_max = 60000\n"}
OPTION = {"/etc/modprobe.d/a.conf": "options nf_conntrack hashsize=2000\n"}
RULE = "a rule that applies sysctl lines at a load"
MAXIMA = [
    Max("the live one", observed(max=7, boot=boot_files(LINE, OPTION, udev_rule=RULE)), True, 7),
    Max("the kernel's own", observed("absent"), False, 8192),
    Max("the kernel's own, before 5.15", observed("absent", (5, 10)), False, 8192 * 4),
    Max("a line that the rule will apply", observed("absent", boot=boot_files(LINE, OPTION)), True, 50000),
    Max("a line that no rule will apply", observed("absent", boot=boot_files(LINE)), False, 8192),
    Max("a line that a rule applies already", observed("absent", boot=boot_files(LINE, udev_rule=RULE)), False, 50000),
    Max("a line that the boot applies, by another name", observed("absent", boot=boot_files(OTHER_LINE)), True, 60000),
    Max("eight times a hashsize, rounded", observed("absent", boot=boot_files({}, OPTION)), True, 8 * 2048),
    Max(
        "a hashsize that the kernel refuses",
        observed("absent", boot=boot_files({}, {"/etc/modprobe.d/a.conf": "options nf_conntrack hashsize=1K\n"})),
        True,
        8192,
    ),
]


@pytest.mark.parametrize("case", MAXIMA, ids=lambda case: case.about)
def test_the_max_that_nobody_asks_for_is_known_before_a_load(case):
    assert expected_max(case.host, wish(scope="both" if case.boot else "runtime")) == case.max


# --- values


class Case(t.NamedTuple):
    """A host, a task's parameters, and the values that they come to: live, for boots, and as a hashsize for loads."""

    about: str
    host: Observed
    params: dict[str, t.Any]
    live: dict[str, int]
    boot: dict[str, int]
    hashsize: int | None


LIVE = observed(max=8192, buckets=8192, count=0, udp_timeout=30)
OTHERS = boot_files(LINE, {"/etc/modprobe.d/a.conf": "options nf_conntrack hashsize=70000\n"})
CASES = [
    Case("nothing", LIVE, {}, {}, {}, None),
    Case("numbers", LIVE, {"max": 5, "hashsize": 1}, {MAX: 5, BUCKETS: 512}, {MAX: 5}, 512),
    Case("digits", LIVE, {"max": "5", "hashsize": "513"}, {MAX: 5, BUCKETS: 1024}, {MAX: 5}, 1024),
    Case("a timeout", LIVE, {"timeouts": {"udp": 20}}, {UDP: 20}, {UDP: 20}, None),
    Case("five percent of memory", LIVE, {"max": "auto"}, {MAX: 131072}, {MAX: 131072}, None),
    Case("more memory", LIVE, {"max": "auto", "memory_percent": 20}, {MAX: 524288}, {MAX: 524288}, None),
    Case(
        "buckets for a max",
        LIVE,
        {"max": 100000, "hashsize": "auto"},
        {MAX: 100000, BUCKETS: 100352},
        {MAX: 100000},
        100352,
    ),
    Case("buckets for the live max", LIVE, {"hashsize": "auto"}, {BUCKETS: 8192}, {}, 8192),
    Case(
        "never fewer live than there are, and for boots what the max takes",
        LIVE,
        {"max": 512, "hashsize": "auto"},
        {MAX: 512, BUCKETS: 8192},
        {MAX: 512},
        512,
    ),
    Case(
        "what the max takes, whatever an option makes",
        observed("absent", boot=boot_files({}, OPTION)),
        {"max": 512, "hashsize": "auto"},
        {MAX: 512, BUCKETS: 512},
        {MAX: 512},
        512,
    ),
    Case("fewer where that is asked for in numbers", LIVE, {"hashsize": 512}, {BUCKETS: 512}, {}, 512),
    Case(
        "four entries a bucket before 5.15",
        observed(kernel=(5, 10), max=8192, buckets=2048),
        {"max": 100000, "hashsize": "auto"},
        {MAX: 100000, BUCKETS: 25088},
        {MAX: 100000},
        25088,
    ),
    Case(
        "as many entries a bucket as asked for",
        LIVE,
        {"max": 100000, "hashsize": "auto", "entries_per_bucket": 16},
        {MAX: 100000, BUCKETS: 8192},
        {MAX: 100000},
        6656,
    ),
    Case(
        "larger live sizes, which shall be kept",
        LIVE,
        {"max": 512, "hashsize": 512, "keep_larger": True},
        {MAX: 8192, BUCKETS: 8192},
        {MAX: 512},
        512,
    ),
    Case(
        "larger sizes of others for boots, which shall be kept",
        observed(max=8192, buckets=8192, boot=OTHERS),
        {"max": 512, "hashsize": 512, "keep_larger": True},
        {MAX: 8192, BUCKETS: 8192},
        {},
        None,
    ),
    Case(
        "smaller sizes of others for boots, which are none to keep",
        observed(max=8192, buckets=8192, boot=OTHERS),
        {"max": 60000, "hashsize": 80000, "keep_larger": True},
        {MAX: 60000, BUCKETS: 80384},
        {MAX: 60000},
        80384,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.about)
def test_a_request_comes_to_these_values(case):
    desired = desire(case.host, wish(**case.params))
    assert (desired.live, desired.boot, desired.hashsize, desired.missing) == (case.live, case.boot, case.hashsize, [])
    is_left = bool(case.params.get("keep_larger")) and not case.boot
    assert desired.left == ([MAX, BUCKETS] if is_left else [])
    assert (desired.sizing is None) == (not {MAX, BUCKETS} & set(desired.live))


def test_how_sizes_came_about_is_told_in_numbers():
    assert desire(LIVE, wish(max="auto", hashsize="auto")).sizing == {
        "max": 131072,
        "hashsize": 131072,
        "automatic_max": 131072,
        "kernel_default_max": 8192,
        "entries_per_bucket": 1,
        "memory_bytes": GIB,
        "memory_percent": 5,
        "entry_bytes": 384,
        "bucket_bytes": 8,
        "table_bytes": 131072 * (384 + 8),
    }


@given(st.integers(64 * 2**20, 2**42), st.integers(1, 100), st.sampled_from(["auto", 1, 4, 8, 1024]))
def test_automatic_sizes_never_go_below_the_kernels_own_max(memory_bytes, percent, per_bucket):
    host = observed("absent", memory_bytes=memory_bytes)
    desired = desire(
        host, wish(max="auto", hashsize="auto", memory_percent=percent, entries_per_bucket=per_bucket, force=True)
    )
    assert desired.sizing is not None
    assert desired.boot[MAX] >= desired.sizing["kernel_default_max"]
    assert desired.hashsize is not None and desired.hashsize % host.hardware.buckets_per_page == 0


class Guard(t.NamedTuple):
    """A host, a task's parameters, and the words with which they are refused; none where they are not."""

    about: str
    host: Observed
    params: dict[str, t.Any]
    words: str


GUARDS = [
    Guard("a quarter of memory", LIVE, {"max": (GIB // 4 - 8192 * 8) // 384}, ""),
    Guard("more than that", LIVE, {"max": GIB // 4 // 384}, "would take 256 MiB, .* Lower max or hashsize"),
    Guard("more than that, when asked to", LIVE, {"max": GIB // 4 // 384, "force": True}, ""),
    Guard("an automatic one above it", LIVE, {"max": "auto", "memory_percent": 50}, "Lower memory_percent or hashsize"),
    Guard("as much as the table may take now", observed(max=GIB, buckets=8192), {"max": GIB}, ""),
    Guard("timeouts cost nothing", observed(max=GIB, buckets=8192, udp_timeout=3), {"timeouts": {"udp": 20}}, ""),
]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.about)
def test_what_would_take_too_much_memory_needs_force(guard):
    if guard.words:
        with pytest.raises(Refused, match=guard.words + ".*force: true"):
            desire(guard.host, wish(**guard.params))
    else:
        desire(guard.host, wish(**guard.params))


IN_USE = observed(max=8192, buckets=8192, count=5000)


@pytest.mark.parametrize(
    ("new_max", "params", "is_refused"),
    [
        (5000, {}, False),
        (4999, {}, True),
        (4999, {"force": True}, False),
        (4999, {"scope": "boot"}, False),
        (8192, {}, False),
        (None, {}, False),
    ],
)
def test_a_max_below_the_entries_in_use_would_lose_connections(new_max, params, is_refused):
    if is_refused:
        with pytest.raises(Refused, match=r"max 4999 is below the 5000 entries in use.*force: true"):
            check_room(IN_USE, wish(max=new_max, **params), new_max)
    else:
        check_room(IN_USE, wish(**params), new_max)


def test_a_max_that_is_in_force_already_is_no_change_to_refuse():
    check_room(observed(max=4000, count=5000), wish(), 4000)


class Default(t.NamedTuple):
    """A key that nobody asks for, the files and the kernel, and its value after a boot.

    None where that is not known.
    """

    about: str
    name: str
    files: BootFiles
    value: int | None
    kernel: tuple[int, int] = (6, 12)


ACCT_OPTION = {"/etc/modprobe.d/a.conf": "options nf_conntrack acct=1\n"}
AFTER_BOOT = [
    Default("a line", MAX, boot_files(LINE, OPTION), 50000),
    Default(
        "a line about buckets",
        BUCKETS,
        boot_files({"/etc/sysctl.d/a.conf": "net.netfilter.nf_conntrack_buckets = 513\n"}),
        1024,
    ),
    Default("the kernel's own max", MAX, boot_files(), 8192),
    Default("the kernel's own max before 5.15", MAX, boot_files(), 32768, (5, 10)),
    Default("the max of a hashsize", MAX, boot_files({}, OPTION), 8 * 2048),
    Default("the kernel's own buckets", BUCKETS, boot_files(), 8192),
    Default("buckets of a hashsize", BUCKETS, boot_files({}, OPTION), 2048),
    Default("a timeout", UDP, boot_files(), 30),
    Default("a flag", "nf_conntrack_acct", boot_files(), 0),
    Default("a flag that an option sets", "nf_conntrack_acct", boot_files({}, ACCT_OPTION), None),
    Default(
        "a flag that the command line sets", "nf_conntrack_acct", boot_files(command_line="nf_conntrack.acct=1"), None
    ),
    Default("a key whose default is not certain", "nf_conntrack_events", boot_files(), None),
]


@pytest.mark.parametrize("case", AFTER_BOOT, ids=lambda case: case.about)
def test_what_a_key_that_nobody_asks_for_is_after_a_boot(case):
    assert after_boot(observed(kernel=case.kernel), case.files, case.name) == case.value


def test_all_missing_keys_are_named_at_once_where_that_can_be_told():
    asked = wish(sysctls={"nf_conntrack_helper": 1, "nf_conntrack_dccp_loose": 1, "nf_conntrack_acct": 1})
    with pytest.raises(Refused, match=r"6\.12\.0\) does not have nf_conntrack_dccp_loose \(.*, nf_conntrack_helper \("):
        desire(observed(max=1, acct=0), asked)
    assert not desire(observed("absent"), asked).missing


# --- seen by a whole run


@pytest.mark.parametrize(("hashsize", "buckets"), [(1, 512), (1000, 1024), (4096, 4096)])
def test_a_hashsize_is_compared_after_the_kernels_rounding(hashsize, buckets):
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, hashsize=hashsize)
    assert live(kernel, "buckets") == (buckets,)
    assert not tune(kernel, hashsize=hashsize)["changed"]
    assert not tune(kernel, hashsize=buckets)["changed"]


def test_a_max_alone_leaves_the_buckets_alone():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=100000)
    assert live(kernel, "max", "buckets") == (100000, 4096)
    assert kernel.text(MODPROBE_FILE) is None


def test_an_automatic_hashsize_never_shrinks_the_live_table_and_is_no_ratchet_for_boots():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=4194304, hashsize="auto", force=True)
    tune(kernel, max=65536, hashsize="auto")
    assert live(kernel, "max", "buckets") == (65536, 4194304)
    assert kernel.text(MODPROBE_FILE).endswith("options nf_conntrack hashsize=65536\n")
    assert not tune(kernel, max=65536, hashsize="auto")["changed"]
    kernel.reboot()
    assert live(kernel, "max", "buckets") == (65536, 65536)


@pytest.mark.parametrize("name", [*LOADED, BUILT_IN])
def test_buckets_that_somebody_else_made_are_not_written_for_boots(name):
    kernel = FakeKernel(name)
    kernel.put(KEYS["nf_conntrack_buckets"].path, b"1048576\n")
    result = tune(kernel, max=65536, hashsize="auto")
    assert result["settings"]["nf_conntrack_buckets"]["runtime"] == 1048576
    assert result["settings"]["nf_conntrack_buckets"]["boot"] <= 65536


@pytest.mark.parametrize(
    ("name", "per_bucket", "buckets"),
    [
        ("bullseye-5.10-nat", "auto", 25088),
        ("trixie-6.12-nat", "auto", 100352),
        ("trixie-6.12-nat", 8, 12800),
    ],
)
def test_an_automatic_hashsize_follows_max(name, per_bucket, buckets):
    kernel = FakeKernel(name)
    tune(kernel, max=100000, hashsize="auto", entries_per_bucket=per_bucket)
    assert live(kernel, "buckets") == (buckets,)


@pytest.mark.parametrize("name", LOADED + ABSENT + [BUILT_IN])
def test_automatic_sizes_are_the_same_on_every_run_and_after_a_boot(name):
    kernel = FakeKernel(name)
    first = tune(kernel, max="auto", hashsize="auto")
    assert first["sizing"]["max"] == first["sizing"]["automatic_max"]
    kernel.reboot()
    assert live(kernel, "max")[0] == first["sizing"]["max"]
    assert live(kernel, "buckets")[0] == first["sizing"]["hashsize"]
    assert not tune(kernel, max="auto", hashsize="auto")["changed"]


@pytest.mark.parametrize("name", ABSENT)
def test_hashsize_alone_before_a_load_keeps_the_kernels_own_max(name):
    kernel = FakeKernel(name)
    default = FakeKernel(name)
    default.load()
    tune(kernel, hashsize=100000)
    kernel.load()
    assert live(kernel, "max") == live(default, "max")


def test_an_automatic_hashsize_before_a_load_follows_the_max_that_the_load_will_set():
    kernel = FakeKernel("trixie-6.12-absent")
    tune(kernel, max=65536)
    tune(kernel, hashsize="auto")
    kernel.load()
    assert live(kernel, "max", "buckets") == (65536, 65536)
    assert not tune(kernel, hashsize="auto")["changed"]


def test_an_automatic_hashsize_is_the_same_before_and_after_a_late_load():
    kernel = FakeKernel("trixie-6.12-absent", {"/etc/modprobe.d/old.conf": b"options nf_conntrack hashsize=262144\n"})
    wanted = {"max": 20000, "hashsize": "auto"}
    tune(kernel, **wanted)
    assert not tune(kernel, **wanted)["changed"]
    kernel.load()
    assert live(kernel, "buckets") == (20480,)
    assert not tune(kernel, **wanted)["changed"]


def test_a_key_this_kernel_lacks_is_named_with_the_kernels_that_have_it():
    refusal(
        FakeKernel("trixie-6.12-nat"),
        "6.12",
        "nf_conntrack_helper (Linux up to 5.19)",
        "missing_keys: skip",
        sysctls={"nf_conntrack_helper": 1},
    )


def test_a_missing_key_is_skipped_and_taken_out_of_the_drop_in():
    kernel = FakeKernel("trixie-6.12-nat", {SYSCTL_FILE: b"net.netfilter.nf_conntrack_helper = 1\n"})
    wanted = {
        "sysctls": {"nf_conntrack_helper": 1, "nf_conntrack_acct": 1},
        "missing_keys": "skip",
    }
    result = tune(kernel, **wanted)
    assert result["missing"] == ["nf_conntrack_helper"] and "nf_conntrack_helper" not in result["settings"]
    assert sysctl_lines(kernel) == ["net.netfilter.nf_conntrack_acct = 1"]
    assert not tune(kernel, **wanted)["changed"]


@pytest.mark.parametrize("load", [False, True])
def test_keys_that_an_unloaded_kernel_will_not_have_can_be_skipped(load):
    kernel = FakeKernel("trixie-6.12-absent")
    wanted = {
        "sysctls": {"nf_conntrack_helper": 1},
        "timeouts": {"udp": 20},
        "missing_keys": "skip",
        "load": load,
    }
    tune(kernel, **wanted)
    kernel.load()
    tune(kernel, **wanted)
    assert live(kernel, "udp_timeout") == (20,)
    assert sysctl_lines(kernel) == ["net.netfilter.nf_conntrack_udp_timeout = 20"]
    assert not tune(kernel, **wanted)["changed"]


def test_a_max_below_the_entries_in_use_needs_force():
    kernel = FakeKernel("trixie-6.12-nat", {COUNT: b"5000\n"})
    refusal(kernel, "max 4999", "5000 entries in use", "force: true", max=4999)
    assert tune(FakeKernel("trixie-6.12-nat", {COUNT: b"5000\n"}), max=5000)["changed"]
    assert tune(FakeKernel("trixie-6.12-nat", {COUNT: b"5000\n"}), max=4999, scope="boot")["changed"]
    tune(kernel, max=4999, force=True)
    assert live(kernel, "max") == (4999,)
    assert not tune(kernel, max=4999)["changed"]


OLD_OPTION = {"/etc/modprobe.d/old.conf": b"# a\noptions nf_conntrack hashsize=4194304\n"}


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        # 8 times the old hashsize, which nobody named.
        ({"hashsize": 65536}, ["33554432 entries", "max is 8 times", "old.conf:2 (4194304)", "Set a max, or remove"]),
        ({"hashsize": "auto"}, ["33554432 entries", "max is 8 times", "old.conf:2 (4194304)"]),
        (
            {"max": 4194304},
            ["4194304 buckets", "the buckets are those that", "old.conf:2 (4194304)", "Set a hashsize"],
        ),
        ({"max": 8388608, "hashsize": 65536}, ["8388608 entries and 65536 buckets", "memory. Lower max or hashsize"]),
    ],
)
def test_the_memory_guard_says_where_a_size_comes_from_that_nobody_named_and_what_helps(wanted, words):
    message = refusal(FakeKernel("trixie-6.12-absent", OLD_OPTION), *words, "force: true", **wanted)
    assert message.count("hashsize that") <= 1


@pytest.mark.parametrize("params", [{"max": 2000000}, {"hashsize": 2**27}, {"max": "auto", "memory_percent": 90}])
@pytest.mark.parametrize("name", ["trixie-6.12-nat", "trixie-6.12-absent"])
def test_a_table_above_a_quarter_of_memory_needs_force(name, params):
    refusal(FakeKernel(name), "MiB", "464 MiB of memory", "quarter", "force: true", **params)


@pytest.mark.parametrize("name", ["trixie-6.12-nat", "trixie-6.12-absent"])
def test_a_hashsize_with_which_the_module_could_not_be_loaded_is_refused(name):
    kernel = FakeKernel(name)
    before = kernel.state()
    with pytest.raises(InvalidInput, match="hashsize is 268435456, but this kernel can allocate 268434944 buckets"):
        tune(kernel, hashsize=2**28, force=True)
    assert kernel.state() == before


def test_a_table_that_gets_smaller_needs_no_force():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=2000000, force=True)
    assert tune(kernel, max=1900000)["changed"]


def test_a_large_max_is_forced():
    kernel = FakeKernel("trixie-6.12-nat")
    tune(kernel, max=2000000, force=True)
    assert live(kernel, "max") == (2000000,)
