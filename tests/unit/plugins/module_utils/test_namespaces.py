# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._host import encode
from ansible_collections.netops.conntrack.plugins.module_utils._namespaces import (
    HERE,
    Namespace,
    find,
    parse_mounts,
)

MOUNTS = b"""24 1 254:0 / / rw - ext4 /dev/vda rw
523 24 0:4 net:[11] /run/netns/lab rw shared:221 - nsfs nsfs rw
524 24 0:4 net:[12] /run/docker/netns/ab12 rw - nsfs nsfs rw
525 24 0:4 mnt:[13] /run/x rw - nsfs nsfs rw
short
"""


def test_mounts_keep_namespaces():
    assert parse_mounts(MOUNTS.splitlines(True)) == {"net:[11]": "/run/netns/lab", "net:[12]": "/run/docker/netns/ab12"}


@pytest.mark.parametrize(
    ("field", "name"),
    [
        (b"a\\040b", "a b"),
        (b"tab\\011newline\\012backslash\\134040", "tab\tnewline\nbackslash\\040"),
        (b"caf\xc3\xa9", "caf\u00e9"),
        (b"not-utf8\xe9", "not-utf8\udce9"),
        (b"unit\x1fno\xc2\xa0blank", "unit\x1fno\u00a0blank"),
    ],
)
def test_a_name_with_odd_characters_is_entered_by_its_own_path(field, name):
    line = b"523 24 0:4 net:[11] /run/netns/" + field + b" rw shared:221 - nsfs nsfs rw\n"
    path = parse_mounts([line])["net:[11]"]
    assert path == "/run/netns/" + name
    assert os.fsencode(path) == encode(path)


def test_every_namespace_is_found_once_by_its_best_name(recorded_host):
    host = recorded_host(
        "trixie-6.12-absent",
        {
            "/proc/self/ns/net": {"link": "net:[1]"},
            "/proc/self/mountinfo": MOUNTS.decode(),
            "/proc/1/ns/net": {"link": "net:[1]"},
            "/proc/7/ns/net": {"link": "net:[11]"},
            "/proc/8/ns/net": {"link": "net:[14]"},
            "/proc/8/comm": "odd one\n",
            "/proc/9/comm": "gone\n",
        },
    )
    assert find(host) == [
        HERE,
        Namespace("lab", "/run/netns/lab"),
        Namespace("ab12 (docker)", "/run/docker/netns/ab12"),
        Namespace("of process 8 (odd one)", "/proc/8/ns/net"),
    ]


def test_a_namespace_of_a_process_whose_name_cannot_be_read_is_found(recorded_host):
    host = recorded_host("trixie-6.12-absent", {"/proc/8/ns/net": {"link": "net:[14]"}, "/proc/8/comm": "x\n"})
    host.denied.add("/proc/8/comm")
    assert Namespace("of process 8 (?)", "/proc/8/ns/net") in find(host)


def test_a_command_enters_a_namespace():
    assert HERE.enter(["nft"]) == ["nft"]
    assert Namespace("lab", "/run/netns/lab").enter(["nft", "x"]) == ["nsenter", "--net=/run/netns/lab", "nft", "x"]
