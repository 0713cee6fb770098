# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which modules belong to a stack, and what of them something else needs."""

from __future__ import annotations

import pytest
from fake_modules import FakeModules
from runs import BLOCK_FILE, ask, refused, stack_of, subjects

# --- what goes with a stack


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
    assert "nf_nat is a fixed part of this kernel" in refused(host, "nat").message
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
