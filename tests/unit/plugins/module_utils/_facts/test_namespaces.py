# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._facts.namespaces import gather
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

HEADER = "entries  clashres found drop early_drop insert_failed\n"
MOUNTS = "523 24 0:4 net:[11] /run/netns/lab rw shared:221 - nsfs nsfs rw\n"
TREE = {
    "/proc/self/ns/net": {"link": "net:[1]"},
    "/proc/self/mountinfo": MOUNTS,
    "/proc/1/ns/net": {"link": "net:[1]"},
    "/proc/1/comm": "systemd\n",
    "/proc/net/stat/nf_conntrack": HEADER + "5 0 0 1 2 3\n5 0 0 1 0 0\n",
    "/proc/1/net/stat/nf_conntrack": HEADER + "99 0 0 0 0 0\n",
    "/proc/70/ns/net": {"link": "net:[14]"},
    "/proc/8/ns/net": {"link": "net:[14]"},
    "/proc/8/comm": "haproxy\n",
    "/proc/8/net/stat/nf_conntrack": HEADER + "ff 0 0 7 0 0\n",
}


class Entering:
    """What a recorded host finds in a namespace that it enters."""

    def __init__(self, host, answer):
        self.host, self.answer = host, answer

    def __call__(self, path, function):
        if isinstance(self.answer, Exception):
            raise self.answer
        self.host.put("/proc/thread-self/net/stat/nf_conntrack", self.answer)
        try:
            return function()
        finally:
            self.host.put("/proc/thread-self/net/stat/nf_conntrack", None)


def test_every_namespace_is_told_with_who_lives_there_the_fullest_first(recorded_host):
    host = recorded_host("trixie-6.12-absent", TREE)
    host.inside = Entering(host, HEADER + "3 0 0 0 0 0\n")
    numbers = {"drop": 0, "early_drop": 0, "insert_failed": 0}
    assert gather(host) == (
        [
            {
                "name": "of process 8 (haproxy)",
                "inode": 14,
                "here": False,
                "process": {"pid": 8, "command": "haproxy"},
                "entries": 255,
                **numbers,
                "drop": 7,
            },
            {
                "name": None,
                "inode": 1,
                "here": True,
                "process": {"pid": 1, "command": "systemd"},
                "entries": 5,
                "drop": 2,
                "early_drop": 2,
                "insert_failed": 3,
            },
            {"name": "lab", "inode": 11, "here": False, "process": None, "entries": 3, **numbers},
        ],
        0,
    )


def test_one_that_cannot_be_read_is_null_and_does_not_hide_the_others(recorded_host):
    host = recorded_host("trixie-6.12-absent", {**TREE, "/proc/8/net/stat/nf_conntrack": None})
    host.inside = Entering(host, HostError("enter", "/run/netns/lab", "Operation not permitted", 1))
    refused = []

    def attempt(read):
        try:
            return read()
        except HostError as error:
            refused.append(error.path)
            return None

    told, _unseen = gather(host, attempt)
    assert [(item["name"], item["entries"]) for item in told] == [
        (None, 5),
        ("lab", None),
        ("of process 8 (haproxy)", None),
    ]
    assert refused == ["/run/netns/lab"]


def test_processes_that_may_not_be_looked_at_are_counted(recorded_host):
    host = recorded_host("trixie-6.12-absent", TREE)
    link = host.link

    def refuse(path):
        if path in ("/proc/8/ns/net", "/proc/70/ns/net"):
            raise HostError("read", path, "Permission denied", 13)
        return link(path)

    host.link = refuse
    host.inside = Entering(host, "")
    told, unseen = gather(host)
    assert unseen == 2 and [item["name"] for item in told] == [None, "lab"]


#: A name that is this run's own.
LAB = f"netops-facts-{os.getpid()}"
LIMIT = "/proc/sys/net/netfilter/nf_conntrack_max"


def open_in_lab(*ports, timeout=30):
    """Have the kernel track a UDP packet to each port."""
    sends = "".join(f" && echo > /dev/udp/127.0.0.1/{port}" for port in ports)
    script = f"echo {timeout} > /proc/sys/net/netfilter/nf_conntrack_udp_timeout{sends}"
    run = subprocess.run(
        ["ip", "netns", "exec", LAB, "bash", "-c", script], capture_output=True, text=True, check=False
    )
    # The limit and the buckets are those of all namespaces: who fills a table on this machine meanwhile has them full.
    if run.returncode != 0:
        pytest.skip(f"the kernel takes no more connections on this machine now: {run.stderr.strip()}")


@pytest.fixture
def lab():
    if os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("nft") is None:
        pytest.skip("needs root, ip and nft to make network namespaces on this machine")
    if not Host().exists(LIMIT):
        pytest.skip("this machine has no connection tracking loaded")
    made = subprocess.run(["ip", "netns", "add", LAB], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"no network namespace can be made here: {made.stderr.strip()}")
    try:
        script = (
            "ip link set lo up && nft 'add table inet t; add chain inet t c { type filter hook output priority 0; };"
            " add rule inet t c ct state new counter'"
        )
        run = subprocess.run(
            ["ip", "netns", "exec", LAB, "bash", "-c", script], capture_output=True, text=True, check=False
        )
        if run.returncode != 0:
            pytest.skip(f"no connection can be tracked here: {run.stderr.strip()}")
        open_in_lab(9001, 9002, 9003)
        yield LAB
    finally:
        subprocess.run(["ip", "netns", "delete", LAB], check=True)


def told_of_lab():
    told, _unseen = gather(Host())
    return next(item for item in told if item["name"] == LAB)


def test_on_this_machine_a_namespace_is_read_by_its_name_alone(lab):
    before = os.readlink("/proc/thread-self/ns/net")
    told = told_of_lab()
    assert told["entries"] == 3 and told["process"] is None and told["drop"] == 0
    assert os.readlink("/proc/thread-self/ns/net") == before


def test_on_this_machine_a_namespace_is_read_by_a_process_that_lives_there(lab):
    process = subprocess.Popen(["ip", "netns", "exec", lab, "sleep", "60"])
    try:
        # Until it has entered the namespace and become what it is to run.
        while Host().read_value(f"/proc/{process.pid}/comm") != "sleep":
            assert process.poll() is None
        told = told_of_lab()
    finally:
        process.kill()
        process.wait()
    assert told["entries"] == 3
    assert told["process"] == {"pid": process.pid, "command": "sleep"}


@pytest.mark.parametrize(("timeout", "entries"), [(30, 4), (0, 3), (-1, 3)])
def test_on_this_machine_a_timeout_of_0_or_less_forgets_entries_at_once(lab, timeout, entries):
    open_in_lab(9099, timeout=timeout)
    assert told_of_lab()["entries"] == entries
