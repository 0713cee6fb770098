# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from collection_path import ROOT
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._errors import InvalidInput
from ansible_collections.netops.conntrack.plugins.module_utils._facts.gather import (
    ON_DEMAND,
    SUBSETS,
    Request,
    gather,
    parse,
    select,
)

EVERY = set(SUBSETS) - ON_DEMAND


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
        (["namespaces"], {"namespaces"}),
        (["all", "namespaces"], EVERY | {"namespaces"}),
        (["!namespaces"], EVERY),
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
    every = EVERY | ON_DEMAND.intersection(named)
    assert picked == (every if not named or "all" in named else set(named)) - left_out


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
    facts = gather(host, Request({"table"}))
    assert facts["unreadable"] == []
    assert facts["entries"] is not None


def parameters(**changes):
    return {"gather_subset": ["all"], "interval": 0.0, "usage_warning": 75, "usage_critical": 90, **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"interval": -0.1}, "interval is -0.1, but must be 0 to 60 seconds"),
        ({"interval": 60.5}, "interval is 60.5, but must be 0 to 60 seconds"),
        ({"interval": float("nan")}, "interval is nan, but must be 0 to 60 seconds"),
        ({"interval": float("inf")}, "interval is inf, but must be 0 to 60 seconds"),
        ({"usage_warning": 0}, "usage_warning is 0, but must be 1 to 100 percent of max"),
        ({"usage_critical": 101}, "usage_critical is 101, but must be 1 to 100 percent of max"),
        (
            {"usage_warning": 95},
            "usage_warning is 95 and usage_critical 90, but usage_warning must not be the larger one: lower"
            " usage_warning, or raise usage_critical",
        ),
    ],
)
def test_options_that_cannot_be_meant_are_refused_with_what_is_allowed(changes, message):
    with pytest.raises(InvalidInput) as refused:
        parse(parameters(**changes))
    assert refused.value.message == message


@pytest.mark.parametrize(
    "changes", [{"interval": 60.0}, {"usage_warning": 1}, {"usage_warning": 90}, {"usage_critical": 100}]
)
def test_options_at_their_limits_are_taken(changes):
    request = parse(parameters(**changes))
    assert all(getattr(request, name) == value for name, value in changes.items())


def test_the_verdict_stands_on_parts_that_are_not_returned(recorded_host):
    facts = gather(recorded_host("trixie-6.12-full"), parse(parameters(gather_subset=["health"])))
    assert set(facts) == {"state", "initial_namespace", "kernel", "unreadable", "health"}
    assert facts["health"]["status"] == "critical"
    assert facts["health"]["reasons"][0]["message"].startswith("The table is full (100 of 100 entries)")


@pytest.mark.parametrize("left_out", ["kernel_log", "persistent", "memory", "statistics"])
def test_what_is_left_out_by_name_is_not_read_for_the_verdict_either(recorded_host, left_out):
    host = recorded_host("trixie-6.12-full", {"/dev/kmsg": "", "/etc/sysctl.d/a.conf": ""})
    host.denied = {
        "kernel_log": {"/dev/kmsg"},
        "persistent": {"/etc/sysctl.d/a.conf"},
        "memory": {"/proc/meminfo"},
        "statistics": {"/proc/net/stat/nf_conntrack"},
    }[left_out]
    assert gather(host, parse(parameters(gather_subset=["health"])))["unreadable"]
    for subset in (["health", "!" + left_out], ["!" + left_out]):
        facts = gather(host, parse(parameters(gather_subset=subset)))
        assert facts["unreadable"] == [] and facts["health"]["status"] == "critical"


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root, to give it up")
def test_reading_this_machine_without_root_goes_well_and_tells_what_is_missing():
    # Once with root, so that all is imported that another user might not read.
    request = "conntrack_facts.parse({'gather_subset': [], 'interval': 0.0, 'usage_warning': 75, 'usage_critical': 90})"
    give_up = "os.setgroups([]); os.setgid(65534); os.setuid(65534)"
    doing = f"conntrack_facts.gather(Host(), {request}); {give_up}; conntrack_facts.main()"
    caught, printed = audited("/", doing)
    assert caught == "CAUGHT []"
    facts = json.loads(printed)["ansible_facts"]["conntrack"]
    assert facts["health"]["status"] in ("ok", "warning", "critical")
    if facts["state"] != "absent":
        assert facts["memory"]["entry_bytes_from"] == "estimate"
    for entry in facts["unreadable"]:
        assert entry["reason"] in ("Permission denied", "Operation not permitted"), entry
