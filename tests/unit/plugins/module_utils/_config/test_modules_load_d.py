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
    parse,
    read,
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


@pytest.mark.parametrize(
    ("entries", "paths"),
    [
        ({"/etc/modules": None}, []),
        ({"/etc/modules": "loop\n"}, ["/etc/modules"]),
        ({"/etc/modules-load.d/z.conf": "loop\n", "/etc/modules": ""}, ["/etc/modules-load.d/z.conf", "/etc/modules"]),
        (
            {"/etc/modules": "loop\n", "/etc/modules-load.d/modules.conf": {"link": "../modules"}},
            ["/etc/modules-load.d/modules.conf", "/etc/modules"],
        ),
    ],
)
def test_etc_modules_is_read_as_a_file_that_loads_modules_under_each_of_its_names(recorded_host, entries, paths):
    without = {"/etc/modules-load.d/modules.conf": None, "/etc/modules": None}
    found = read(recorded_host("trixie-6.12-absent", dict(without, **entries)))
    assert [conf.path for conf in found.files] == paths
    assert found.names_of("/etc/modules") >= {path for path in paths if path != "/etc/modules-load.d/z.conf"}
