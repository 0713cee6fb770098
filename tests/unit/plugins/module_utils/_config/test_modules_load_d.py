# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._config.modules_load_d import (
    Line,
    blacklist_word,
    command_line,
    drop,
    guess,
    module_name,
    needs,
    parse,
)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("# nf_nat\n;nf_nat\n\n  nf-nat  \nloop max_loop=8", [Line(4, "nf_nat"), Line(5, "loop")]),
        ("nf_nat\r\n", [Line(1, "nf_nat")]),
    ],
    ids=["empty", "comments and parameters", "carriage return"],
)
def test_lines_that_load_a_module(text, lines):
    assert parse(text) == lines


@given(
    st.lists(st.sampled_from(["nf_nat\n", "nf-nat x\r\n", "#nf_nat\n", "\n", "\x0bloop\n", "\u2028\udcff", "loop\n"]))
)
def test_dropping_a_module_leaves_every_other_byte(lines):
    text = "".join(lines)
    dropped = drop(text, ["nf_nat"])
    assert dropped == "".join(line for line in lines if not line.startswith(("nf_nat", "nf-nat"))) or "\u2028" in text
    assert [line.name for line in parse(dropped)] == [line.name for line in parse(text) if line.name != "nf_nat"]


def test_modules_dep_tells_what_a_load_brings_along():
    lines = [b"kernel/a/nf-x.ko.zst: kernel/b/nf_nat.ko kernel/c/y.ko.xz\n", b"kernel/z.ko:\n", b"odd\n"]
    assert needs(lines, {"nf_x"}) == {"nf_x": {"nf_x", "nf_nat", "y"}}


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("ip_nat_ftp", {"ip_nat_ftp", "nf_nat", "nf_conntrack"}),
        ("ip_conntrack", {"ip_conntrack", "nf_conntrack"}),
        ("ipt_conntrack", {"ipt_conntrack", "nf_conntrack"}),
        ("ipt_state", {"ipt_state", "nf_conntrack"}),
        ("ip6t_NOTRACK", {"ip6t_NOTRACK", "nf_conntrack"}),
        ("xt_CONNMARK", {"xt_CONNMARK", "nf_conntrack"}),
        ("nft_ct", {"nft_ct", "nf_conntrack"}),
        ("ipt_SNAT", {"ipt_SNAT", "nf_nat", "nf_conntrack"}),
        ("ip6t_MASQUERADE", {"ip6t_MASQUERADE", "nf_nat", "nf_conntrack"}),
        ("nft_chain_nat", {"nft_chain_nat", "nf_nat", "nf_conntrack"}),
        ("nft_masq_ipv6", {"nft_masq_ipv6", "nf_nat", "nf_conntrack"}),
        ("xt_TPROXY", {"xt_TPROXY"}),
        ("loop", {"loop"}),
    ],
)
def test_old_names_are_known(name, needed):
    assert guess(name) == needed


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("quiet", []),
        ("modules-load=nf-nat,loop rd.modules_load=x", ["nf_nat", "loop", "x"]),
    ],
)
def test_the_command_line_loads_modules(text, names):
    assert command_line(text) == names


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("quiet nf_nat=1 modprobe.blacklist", None),
        ("modprobe.blacklist=a,nf-nat", "modprobe.blacklist=a,nf-nat"),
        ('modprobe.blacklist="nf_nat"', 'modprobe.blacklist="nf_nat"'),
        ("module-blacklist=nf_nat", None),
    ],
)
def test_the_word_of_the_command_line_that_keeps_a_module_out(text, word):
    assert blacklist_word(text, "modprobe.blacklist", "nf_nat") == word


def test_a_path_gives_the_name():
    assert module_name("kernel/net/netfilter/nf-x.ko.xz") == "nf_x"
