# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trees of files that the scenario ``boot`` compares with: no tree is missing what such trees are for."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._config import modprobe_d, procps_sysctl, systemd_sysctl
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import ConfFile, DropIns, last
from ansible_collections.netops.conntrack.plugins.module_utils._host import decode

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "extensions" / "molecule" / "boot" / "module_utils"))

import conf_trees

KINDS = [conf_trees.sysctl_tree, conf_trees.modprobe_tree, conf_trees.load_tree]


def trees(kind):
    return [kind(Random(f"seed {number}")) for number in range(500)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_makes_the_same_tree_again(kind):
    assert trees(kind) == trees(kind)
    assert len({repr(tree) for tree in trees(kind)}) > 490


@pytest.mark.parametrize("kind", KINDS)
def test_five_hundred_trees_have_all_that_a_host_may_have(kind):
    entries = [(path, entry) for tree in trees(kind) for path, entry in tree.items()]
    links = {entry for _path, entry in entries if isinstance(entry, str)}
    text = b"\n".join(entry for _path, entry in entries if isinstance(entry, bytes))
    assert {"/dev/null", "../../dev/null", "/etc/sysctl.conf", "/etc/apart.conf", "/etc"} <= links
    assert any(path.endswith(".conf") and entry is None for path, entry in entries)
    for piece in [b"\r\n", b"\0", b"\xc3\xa9", b"#", b"\t", b"-", b"*", b"?", b"[!" if b"[!" in text else b"[^"]:
        assert piece in text
    if kind is conf_trees.load_tree:
        for piece in [
            b"install nf_conntrack",
            b"PROGRAM=",
            b'RUN="',
            b'RUN:="',
            b"GOTO=",
            b"--prefix=/",
            b"-p ",
            b"echo ",
        ]:
            assert piece in text
    elif kind is conf_trees.sysctl_tree:
        assert "/nowhere" in links
        for piece in [
            b"\n-net",
            b"net/netfilter",
            b"ip_conntrack_max",
            b"net.nf_conntrack_max",
            b"; ",
            b"=\n",
            b"0x",
            b"\xff",
        ]:
            assert piece in text
    else:
        for piece in [b"\\\n", b"nf-conntrack", b'"', b"install", b"blacklist", b"nf_conntrack.hashsize=", b"a b="]:
            assert piece in text


@pytest.mark.parametrize("kind", KINDS)
def test_no_tree_is_a_crash(kind):
    for tree in trees(kind)[:200]:
        files = tuple(ConfFile(path, path, decode(text)) for path, text in tree.items() if isinstance(text, bytes))
        for values in (systemd_sysctl.BootValues, procps_sysctl.BootValues):
            last(values(DropIns("sysctl.d", files)).writes("net.netfilter.nf_conntrack_max", "net.nf_conntrack_max"))
        modprobe_d.parameter_origins(DropIns("modprobe.d", files), "nf_conntrack", "hashsize")
        modprobe_d.blocked(DropIns("modprobe.d", files))
