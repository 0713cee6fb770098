# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which modules belong to a stack, and what of them something else needs."""

from __future__ import annotations

import typing as t

import pytest
from fake_modules import FakeModules
from runs import BLOCK_FILE, ask, refused, stack_of, subjects

from ansible_collections.netops.conntrack.plugins.module_utils._kmod import parse_modules
from ansible_collections.netops.conntrack.plugins.module_utils._stacks.observed import (
    Request,
    members,
    observe,
    to_unload,
)

# --- what goes with a stack


class Case(t.NamedTuple):
    """Lines of /proc/modules, and what goes with each stack, in order."""

    about: str
    lines: list[str]
    nat: list[str]
    conntrack: list[str]
    kept: frozenset[str] = frozenset()


ALONE = "nf_conntrack 1 0 - Live 0x0"
CASES = [
    Case("nothing loaded", [], [], []),
    Case("other modules", ["loop 1 0 - Live 0x0", "nf_tables 1 9 - Live 0x0"], [], []),
    Case("tracking alone", [ALONE], [], ["nf_conntrack"]),
    Case(
        "what holds a module goes before it",
        [
            "nft_chain_nat 1 1 - Live 0x0",
            "nft_ct 1 1 - Live 0x0",
            "nf_nat 1 1 nft_chain_nat, Live 0x0",
            "nf_conntrack 1 2 nf_nat,nft_ct, Live 0x0",
        ],
        ["nft_chain_nat", "nf_nat"],
        ["nft_chain_nat", "nft_ct", "nf_nat", "nf_conntrack"],
    ),
    Case(
        "what holds one of them through others goes too",
        ["x 1 0 - Live 0x0", "y 1 1 x, Live 0x0", "nf_nat 1 1 y, Live 0x0", "nf_conntrack 1 1 nf_nat, Live 0x0"],
        ["x", "y", "nf_nat"],
        ["x", "y", "nf_nat", "nf_conntrack"],
    ),
    Case(
        "its own defragmentation goes with tracking",
        [ALONE, "nf_defrag_ipv4 1 1 nf_conntrack, Live 0x0", "nf_defrag_ipv6 1 1 nf_conntrack, Live 0x0"],
        [],
        ["nf_conntrack", "nf_defrag_ipv4", "nf_defrag_ipv6"],
    ),
    Case("defragmentation that nothing holds goes too", ["nf_defrag_ipv4 1 0 - Live 0x0"], [], ["nf_defrag_ipv4"]),
    Case(
        "defragmentation that another module holds stays",
        ["xt_TPROXY 1 0 - Live 0x0", ALONE, "nf_defrag_ipv4 1 2 xt_TPROXY,nf_conntrack, Live 0x0"],
        [],
        ["nf_conntrack"],
    ),
    Case(
        "defragmentation with a reference that no module has stays",
        [ALONE, "nf_defrag_ipv4 1 2 nf_conntrack, Live 0x0"],
        [],
        ["nf_conntrack"],
    ),
    Case(
        "defragmentation that the boot loads for others stays",
        [ALONE, "nf_defrag_ipv4 1 1 nf_conntrack, Live 0x0", "nf_defrag_ipv6 1 1 nf_conntrack, Live 0x0"],
        [],
        ["nf_conntrack", "nf_defrag_ipv6"],
        frozenset(["nf_defrag_ipv4"]),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.about)
def test_what_goes_with_a_stack_is_told_by_who_holds_whom(case):
    modules = parse_modules(line.encode() for line in case.lines)
    assert to_unload(modules, "nat", case.kept) == case.nat
    assert to_unload(modules, "conntrack", case.kept) == case.conntrack
    assert members(modules, "nat") == set(case.nat)


@pytest.mark.parametrize(
    ("state", "change", "is_looked_for"),
    [
        ("absent", None, True),
        ("present", None, False),
        ("unmanaged", None, False),
        ("absent", "root", False),
        ("absent", "/proc/sys/net/core/dev_weight", False),
        ("absent", "/proc/sys/kernel/modules_disabled", False),
    ],
)
def test_what_pins_modules_is_looked_for_only_where_they_shall_and_can_go(state, change, is_looked_for):
    host = FakeModules("trixie-6.12-nat", pins={"xt_conntrack": 1})
    if change == "root":
        host.is_root = False
    elif change == "/proc/sys/kernel/modules_disabled":
        host.put(change, b"1\n")
    elif change:
        del host.tree[change]
    assert bool(observe(host, Request("conntrack", state)).pins) is is_looked_for


# Debian links it into modules-load.d; who boots by sysvinit or OpenRC reads it without.
@pytest.mark.parametrize("is_linked", [True, False])
def test_etc_modules_counts_whether_or_not_a_link_leads_to_it(is_linked):
    host = FakeModules("trixie-6.12-absent", {"/etc/modules": b"loop\nip_conntrack\n"})
    links = [path for path, entry in host.tree.items() if path.startswith("/etc/modules-load.d/") and entry]
    assert links == ["/etc/modules-load.d/modules.conf"]
    if not is_linked:
        del host.tree[links[0]]
    assert ask(host, "conntrack", "absent")["changed"] is True
    assert host.text("/etc/modules") == "loop\n"
    assert ask(host, "conntrack", "absent")["changed"] is False


@pytest.mark.parametrize(
    "lines",
    [
        "nf_conntrack_ipv4 1 0 - Live 0x0\nnf_nat_ipv4 1 2 ipt_MASQUERADE,iptable_nat, Live 0x0\n"
        "ipt_MASQUERADE 1 0 - Live 0x0\niptable_nat 1 0 - Live 0x0\nnf_nat 1 1 nf_nat_ipv4, Live 0x0\n"
        "nf_conntrack 1 2 nf_nat,nf_conntrack_ipv4, Live 0x0\nnf_defrag_ipv4 1 1 nf_conntrack_ipv4, Live 0x0\n",
        "ip_nat 1 1 ipt_MASQUERADE, Live 0x0\nipt_MASQUERADE 1 0 - Live 0x0\nip_conntrack 1 1 ip_nat, Live 0x0\n",
    ],
    ids=["4.18", "2.6.16"],
)
def test_modules_of_old_names_go_too(lines):
    host = FakeModules("trixie-6.12-absent", {"/proc/modules": lines.encode()})
    ask(host, "conntrack", "absent")
    assert stack_of(host) == []


def test_names_nobody_thought_of_go_in_the_order_of_the_kernel():
    lines = "zeta 1 0 - Live 0x0\nalpha 1 1 zeta, Live 0x0\nnf_conntrack 1 1 alpha, Live 0x0\n"
    host = FakeModules("trixie-6.12-absent", {"/proc/modules": lines.encode()})
    assert subjects(ask(host, "conntrack", "absent"))[1:4] == ["zeta", "alpha", "nf_conntrack"]


def test_modules_that_need_the_stack_are_told_by_modules_dep():
    release = FakeModules("trixie-6.12-nat").read_value("/proc/sys/kernel/osrelease")
    host = FakeModules(
        "trixie-6.12-nat",
        {
            "/lib": None,
            f"/lib/modules/{release}/modules.dep": b"kernel/a/odd-one.ko.xz: kernel/b/nf_nat.ko.xz\n",
            "/etc/modules-load.d/x.conf": b"odd_one\nother\n",
        },
    )
    ask(host, "nat", "absent")
    assert host.text("/etc/modules-load.d/x.conf") == "other\n"


@pytest.mark.parametrize("modules", [None, b"", b"loop 1 0 - Live 0x0\n"], ids=["no modules", "none loaded", "some"])
def test_nat_is_built_in_where_tracking_is_and_no_list_says_otherwise(modules):
    host = FakeModules("linux-6.18-built-in", {} if modules is None else {"/proc/modules": modules})
    assert "nf_nat is built into this kernel" in refused(host, "nat").message
    host.put(host.modules_dep.replace("modules.dep", "modules.builtin"), b"kernel/net/netfilter/nf_conntrack.ko\n")
    host.put("/proc/modules", b"")
    assert ask(host, "nat", "absent")["changed"] is True


def test_a_reference_that_goes_away_is_waited_for():
    host = FakeModules("trixie-6.12-nat", pins={"nf_conntrack_netlink": 1})
    host.momentary.add("nf_conntrack_netlink")
    ask(host, "conntrack", "absent")
    assert stack_of(host) == []


# --- what others need


def test_defragmentation_that_others_use_stays():
    host = FakeModules("trixie-6.12-nat", also=["xt_TPROXY"])
    host._depends["xt_TPROXY"] = ["nf_defrag_ipv4"]
    host._show()
    ask(host, "conntrack", "absent")
    assert stack_of(host) == ["nf_defrag_ipv4"]
    assert "nf_defrag_ipv4" not in host.text(BLOCK_FILE) and "nf_defrag_ipv6" in host.text(BLOCK_FILE)
    assert ask(host, "conntrack", "absent")["changed"] is False


def test_defragmentation_that_a_bpf_program_uses_stays():
    host = FakeModules("trixie-6.12-nat", pins={"nf_defrag_ipv4": 1})
    ask(host, "conntrack", "absent")
    assert stack_of(host) == ["nf_defrag_ipv4"] and "nf_defrag_ipv4" not in host.text(BLOCK_FILE)
    assert ask(host, "conntrack", "absent")["changed"] is False


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/etc/modules-load.d/tproxy.conf", b"xt_TPROXY\n"),
        ("/etc/modules-load.d/tproxy.conf", b"nf_defrag_ipv4\n"),
        ("/proc/cmdline", b"quiet modules_load=nf-defrag-ipv4\n"),
    ],
    ids=["a module that needs it", "itself", "command line"],
)
@pytest.mark.parametrize("name", ["trixie-6.12-absent", "trixie-6.12-nat"])
def test_defragmentation_that_the_boot_loads_for_others_stays(name, path, text):
    host = FakeModules(name, {path: text})
    host.put(host.modules_dep, b"net/xt_TPROXY.ko: net/nf_defrag_ipv4.ko\n")
    host._depends["xt_TPROXY"] = ["nf_defrag_ipv4"]
    result = ask(host, "conntrack", "absent")
    assert host.read(path) == text and result["notices"] == []
    assert "nf_defrag_ipv4" not in host.text(BLOCK_FILE) and "nf_defrag_ipv6" in host.text(BLOCK_FILE)
    host.reboot()
    assert path == "/proc/cmdline" or "nf_defrag_ipv4" in host.loaded
    assert "nf_conntrack" not in host.trigger()
    assert ask(host, "conntrack", "absent")["changed"] is False
