# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
import sys

import pytest
from collection_path import ROOT
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._errors import InvalidInput
from ansible_collections.netops.conntrack.plugins.module_utils._facts.gather import SUBSETS, gather, select

EVERY = set(SUBSETS)


@pytest.mark.parametrize(
    ("given_subset", "expected"),
    [
        (["all"], EVERY),
        ([], EVERY),
        (["table"], {"table"}),
        (["table", "statistics"], {"table", "statistics"}),
        (["!sockets"], EVERY - {"sockets"}),
        (["all", "!sockets", "!modules"], EVERY - {"sockets", "modules"}),
        (["table", "all"], EVERY),
        (["table", "!table"], set()),
        (["!all"], set()),
        (["!all", "table"], {"table"}),
    ],
)
def test_parts_are_picked_by_name(given_subset, expected):
    assert select(given_subset) == expected


@pytest.mark.parametrize("name", ["tables", "", "!", "!tables", "!!table", "Table", " table", "-table"])
def test_a_name_that_is_no_part_is_refused_and_the_parts_are_listed(name):
    with pytest.raises(InvalidInput) as refused:
        select(["table", name])
    assert f"'{name}'" in refused.value.message
    for part in ("all", *SUBSETS):
        assert part in refused.value.message


@given(st.lists(st.sampled_from(("all", *SUBSETS))), st.sets(st.sampled_from(SUBSETS)))
def test_a_part_that_is_left_out_stays_out_whatever_else_is_named(named, left_out):
    picked = select(named + ["!" + name for name in left_out])
    assert picked == (EVERY if not named or "all" in named else set(named)) - left_out


#: Runs the whole module with every attempt to write, start something or open a socket made an error.
AUDITED = r"""
import os, sys
sys.path.insert(0, {unit!r})
import collection_path
collection_path.make_importable()
from ansible.module_utils import basic
from ansible_collections.netops.conntrack.plugins.modules import conntrack_facts
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

REFUSED = (
    "socket.", "subprocess.", "ctypes.", "fcntl.", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn",
    "os.system", "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
    "os.chown", "os.setxattr", "os.utime", "os.mknod", "os.mkfifo", "shutil.", "tempfile.", "import_module",
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
caught = []

def audit(event, arguments):
    if event == "open":
        if arguments[2] & WRITING:
            caught.append((event, arguments[0]))
    elif event.startswith(REFUSED):
        caught.append((event, str(arguments)))

if {root!r} != "/":
    conntrack_facts.Host = lambda: Host({root!r})
basic._ANSIBLE_ARGS = b'{{"ANSIBLE_MODULE_ARGS": {{}}}}'
basic._ANSIBLE_PROFILE = "legacy"
sys.addaudithook(audit)
try:
    {doing}
finally:
    print("CAUGHT", caught, file=sys.stderr)
"""


def audited(root, doing="conntrack_facts.main()"):
    """What an audit hook caught while ``doing``, and what was printed."""
    script = AUDITED.format(unit=str(ROOT / "tests" / "unit"), root=root, doing=doing)
    result = subprocess.run(
        [sys.executable, "-B", "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stderr.splitlines()[-1], result.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="needs a Linux machine")
def test_reading_this_machine_writes_nothing_starts_nothing_and_opens_no_socket():
    caught, printed = audited("/")
    assert caught == "CAUGHT []"
    assert '"conntrack"' in printed


@pytest.mark.skipif(sys.version_info < (3, 8), reason="audit hooks came with Python 3.8")
def test_reading_a_host_with_everything_loaded_writes_nothing_starts_nothing_and_opens_no_socket(recorded_host):
    host = recorded_host("trixie-6.12-nat")
    before = host.snapshot()
    caught, printed = audited(str(host.root))
    assert caught == "CAUGHT []"
    assert '"loaded"' in printed
    assert host.snapshot() == before


@pytest.mark.parametrize(
    "doing",
    [
        "open('/dev/null', 'w')",
        "os.open('/dev/null', os.O_RDWR)",
        "Host().run(['true'])",
        "__import__('socket').socket(__import__('socket').AF_NETLINK, 3, 12)",
    ],
)
def test_the_audit_would_catch(doing):
    assert audited("/", doing)[0] != "CAUGHT []"


def test_a_part_that_is_not_picked_is_not_read(recorded_host):
    host = recorded_host("trixie-6.12-nat")
    host.denied = {"/proc/net/tcp", "/proc/modules", "/proc/net/stat/nf_conntrack", "/proc/sys/net/netfilter"}
    facts = gather(host, {"table"})
    assert facts["unreadable"] == []
    assert facts["entries"] is not None
