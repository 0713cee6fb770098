# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._kmod import (
    Module,
    holders_of,
    parse_modules,
    related,
    unload_order,
)


def loaded(**holders):
    """Modules by name from the names of their holders."""
    return {name: Module(name, 4096, len(names.split()), tuple(names.split())) for name, names in holders.items()}


def test_a_line_gives_size_references_and_holders():
    line = b"nf_nat 65536 3 xt_MASQUERADE,iptable_nat, Live 0xffffffffc0b2b000\n"
    assert parse_modules([line]) == {"nf_nat": Module("nf_nat", 65536, 3, ("iptable_nat", "xt_MASQUERADE"))}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"ip_tables 28672 0 - Live 0x0\n", Module("ip_tables", 28672, 0, ())),
        (b"x 4096 1 [permanent], Live 0x0\n", Module("x", 4096, 1, (), True)),
        (b"x 4096 2 y,[permanent], Live 0x0\n", Module("x", 4096, 2, ("y",), True)),
        (b"x 4096 - - Live 0x0\n", Module("x", 4096, None, ())),
        (b"x 4096 0 - Live 0x0 (OE)\n", Module("x", 4096, 0, ())),
        (b"x 4096 -1 - Unloading 0x0\n", Module("x", 4096, -1, ())),
    ],
    ids=["nobody", "permanent", "held and permanent", "kernel cannot unload", "tainted", "being unloaded"],
)
def test_a_module_that_is_used_by(line, expected):
    assert parse_modules([line]) == {expected.name: expected}


def test_lines_of_another_form_are_passed_over():
    assert parse_modules([b"\n", b"x\n", b"x big 0 - Live 0x0\n", b"y 4096 many - Live 0x0\n"]) == {}


@pytest.mark.parametrize(
    "name",
    [
        "nf_conntrack",
        "nf_conntrack_ftp",
        "nf_conntrack_netlink",
        "nf_conntrack_ipv4",
        "nf_nat",
        "nf_nat_ipv4",
        "nf_defrag_ipv6",
        "iptable_nat",
        "ip6table_nat",
        "iptable_filter",
        "ip6table_mangle",
        "ip_tables",
        "ip6_tables",
        "x_tables",
        "xt_conntrack",
        "xt_CT",
        "ipt_MASQUERADE",
        "ip6t_REJECT",
        "nft_chain_nat",
        "nft_ct",
        "nf_tables",
        "act_nat",
    ],
)
def test_a_module_of_the_stack_is_reported(name):
    assert set(related(loaded(**{name: ""}))) == {name}


@pytest.mark.parametrize("name", ["xfs", "virtio_net", "nfnetlink", "nfs", "libcrc32c", "signature", "extra_nat_x"])
def test_any_other_module_is_not(name):
    assert related(loaded(**{name: ""})) == {}


def test_whatever_holds_connection_tracking_is_reported_through_any_number_of_steps():
    modules = loaded(
        nf_conntrack="openvswitch ip_vs",
        openvswitch="vport_vxlan",
        vport_vxlan="",
        ip_vs="ip_vs_rr",
        ip_vs_rr="",
        libcrc32c="nf_conntrack xfs",
        xfs="",
    )
    assert list(related(modules)) == ["ip_vs", "ip_vs_rr", "nf_conntrack", "openvswitch", "vport_vxlan"]


GRAPHS = st.dictionaries(
    st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefghz"), max_size=4), max_size=8
).map(lambda graph: loaded(**{name: " ".join(holders) for name, holders in graph.items()}))


@given(GRAPHS, st.sets(st.sampled_from("abcdefgh")))
def test_holders_are_complete_and_nothing_else(modules, roots):
    found = holders_of(modules, roots)
    assert found <= set(modules)
    assert roots & set(modules) <= found
    for name in found:
        assert set(modules[name].holders) & set(modules) <= found
        assert name in roots or any(name in modules[other].holders for other in found)


@given(GRAPHS)
def test_what_the_kernel_prints_is_read_back(modules):
    lines = [
        "{0.name} {0.size} {0.refcount} {1} Live 0x0000000000000000\n".format(
            module, "".join(name + "," for name in module.holders) or "-"
        ).encode()
        for module in modules.values()
    ]
    read = parse_modules(lines)
    assert {name: sorted(module.holders) for name, module in modules.items()} == {
        name: list(module.holders) for name, module in read.items()
    }


@given(st.lists(st.binary() | st.text().map(lambda text: ("x 4096 1 " + text).encode("utf-8", "replace"))))
def test_no_content_is_a_crash(lines):
    related(parse_modules(lines))


def test_references_beyond_holders_pin():
    assert Module("x", 1, 3, ("y",)).pins == 2
    assert Module("x", 1, None, ()).pins == 0


#: Graphs in which a module is held only by others that come later, as every loaded one is.
ACYCLIC = st.dictionaries(st.integers(0, 12), st.sets(st.integers(0, 12), max_size=4), max_size=12).map(
    lambda graph: loaded(
        **{
            f"m{name}": " ".join(f"m{holder}" for holder in holders if holder > name and holder in graph)
            for name, holders in graph.items()
        }
    )
)


@given(ACYCLIC, st.sets(st.integers(0, 12)))
def test_no_module_is_unloaded_before_what_holds_it(modules, roots):
    names = holders_of(modules, [f"m{root}" for root in roots])
    order = unload_order(modules, names)
    assert sorted(order) == sorted(names)
    gone = set()
    for name in order:
        assert set(modules[name].holders) <= gone
        gone.add(name)


@given(GRAPHS, st.sets(st.sampled_from("abcdefgh")))
def test_even_a_ring_ends(modules, roots):
    names = holders_of(modules, roots)
    assert sorted(unload_order(modules, names)) == sorted(names)
