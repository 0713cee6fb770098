# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is deleted from tables of this machine's kernel, and what stays there."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from entries_made import address, reply_of
from kinds import ASSURED, FILTERS, all_kinds, of_all_kinds, told_by_conntrack
from netns import add, namespace, raw, room_for, send, track

from ansible_collections.netops.conntrack.plugins.module_utils import _ctnetlink as netlink
from ansible_collections.netops.conntrack.plugins.module_utils._entries import delete, dump, tables
from ansible_collections.netops.conntrack.plugins.module_utils._entries.filter import Filter
from ansible_collections.netops.conntrack.plugins.module_utils._entries.filter import parse as parse_filter
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

HERE = Path(__file__).resolve().parent


def deleting(name, check=False, **params):
    """What the module returns of a run in a namespace."""
    defaults = {"all": False, "filter": None, "limit": 0, "entries": 0, "namespace": name}
    return delete.run(Host(), delete.parse({**defaults, **params}), check)


def counted(name):
    """Entries by id."""
    return {entry.id: entry for entry in raw(name)}


@pytest.mark.parametrize("fields", FILTERS, ids=str)
def test_just_what_a_filter_means_is_deleted_and_check_mode_counts_the_same(fields):
    meant = parse_filter(fields)
    with all_kinds(1290, 11) as name:
        before = counted(name)
        going = {number for number, entry in before.items() if meant.matches(entry)}
        assert 0 < len(going) < len(before)
        checked = deleting(name, check=True, filter=fields)
        assert set(counted(name)) == set(before)
        done = deleting(name, filter=fields, entries=1000)
        assert (checked["deleted"], done["deleted"], done["changed"]) == (len(going), len(going), True)
        # By another program's word too: a master takes nothing with it, and each that stays is the very same.
        assert told_by_conntrack(name).ids == set(counted(name)) == set(before) - going
        assert {entry["id"] for entry in done["entries"]} <= going and len(done["entries"]) == min(1000, len(going))
        again = deleting(name, filter=fields)
        assert (again["changed"], again["matched"]) == (False, 0)


def test_all_are_deleted_of_one_namespace_alone():
    with all_kinds(1290, 12) as name, namespace() as other:
        add(other, list(of_all_kinds(200, 12)))
        result = deleting(name, all=True)
        assert result["deleted"] == result["matched"] == 1610 and not raw(name)
        assert len(raw(other)) == 200


def test_the_same_addresses_in_another_zone_stay():
    original = dump.Tuple(socket.AF_INET, dump.UDP, address(1), address(2), 1000, 53)
    entry = dump.Entry(original, reply_of(original), status=ASSURED, timeout=5000)
    with namespace() as name:
        add(name, [entry._replace(zone=zone) for zone in (0, 7, 8)])
        assert deleting(name, filter={"zone": 7})["deleted"] == 1
        assert sorted(left.any_zone for left in raw(name)) == [0, 8]


def test_zones_of_one_direction_and_translation_by_rules_are_deleted():
    rules = (
        "add chain ip t raw { type filter hook output priority -300; }",
        "add rule ip t raw udp dport 53 ct original zone set 7",
        "add chain ip t nat { type nat hook postrouting priority 100; }",
        "add rule ip t nat udp dport 600 snat to 127.0.0.9",
    )  # fmt: skip
    with namespace() as name:
        track(name, *rules)
        send(name, 53, range(20000, 20020))
        send(name, 600, range(20000, 20030))
        send(name, 700, range(20000, 20040))
        assert Counter(entry.original.destination_port for entry in raw(name)) == {53: 20, 600: 30, 700: 40}
        assert {entry.original.zone for entry in raw(name)} == {0, 7}
        assert deleting(name, filter={"zone": 7})["deleted"] == 20
        assert deleting(name, filter={"status": ["src_nat"]})["deleted"] == 30
        assert len(raw(name)) == 40


@pytest.mark.parametrize("limit", [1, 200, 1609, 1610, 1611])
def test_no_more_than_the_limit_go(limit):
    with all_kinds(1290, 13) as name:
        checked, done = (deleting(name, check, all=True, limit=limit) for check in (True, False))
        gone = min(limit, 1610)
        assert checked["deleted"] == done["deleted"] == gone and checked["kept"] == done["kept"]
        assert done["kept"]["limit"] == 1610 - gone == len(raw(name))


def marked(count, mark, first=0):
    """UDP entries with a mark."""
    for number in range(first, first + count):
        original = dump.Tuple(socket.AF_INET, dump.UDP, address(number), address(9000), 1000, 53)
        yield dump.Entry(original, reply_of(original), status=ASSURED, timeout=5000, mark=mark)


def test_a_connection_that_began_since_with_the_same_addresses_is_not_hit(monkeypatch):
    real, asked, others = delete._delete, set(), iter(range(5000, 100_000, 300))

    def end_and_begin_anew(opened, entries):
        ids = {entry.id for entry in entries}
        with tables.connect(Host(), name).socket as other:
            requests = [(entry.original.family, dump.encode_deletion(entry)) for entry in entries]
            assert set(other.requests(netlink.DELETE, requests)) == {0}
        # The kernel makes an id of addresses and the place in memory, so others take these places first.
        add(name, marked(300, 2, first=next(others)))
        add(name, entries)
        addresses = {entry.original for entry in entries}
        anew = {number for number, entry in counted(name).items() if entry.original in addresses}
        assert len(anew) == len(entries) and len(anew & ids) < 10
        codes = real(opened, entries)
        assert codes.count(0) == len(anew & ids) and set(codes) <= {0, errno.ENOENT}
        assert anew - ids <= counted(name).keys()
        asked.update(ids)
        return codes

    monkeypatch.setattr(delete, "_delete", end_and_begin_anew)
    with namespace() as name:
        add(name, marked(100, 1))
        before = counted(name)
        result = deleting(name, filter={"mark": "1"})
        assert asked >= before.keys() and result["kept"]["gone"] > 90
        assert len(raw(name, parse_filter({"mark": "1"}))) == 100 - result["deleted"]


def test_what_a_kernel_does_not_leave_out_of_the_dump_stays(monkeypatch):
    fields = {"family": "ipv4", "protocol": "udp", "port": 53, "zone": 7, "status": ["assured"]}
    meant = parse_filter(fields)
    # As kernels that know no filter do, and pass over it.
    monkeypatch.setattr(Filter, "request", lambda _self: (socket.AF_UNSPEC, b""))
    with all_kinds(1290, 15) as name:
        before = counted(name)
        going = {number for number, entry in before.items() if meant.matches(entry)}
        assert deleting(name, filter=fields)["deleted"] == len(going) > 0
        assert set(counted(name)) == set(before) - going


#: A server and a client of it, each a process with a name, over loopback; it says when they are connected.
PEERS = """
import os, socket, sys
family, name = (socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET), sys.argv[1]
def be(name):
    with open("/proc/self/comm", "w") as comm:
        comm.write(name)
ready, told = os.pipe()
if os.fork() == 0:
    be(name)
    server = socket.create_server((sys.argv[2], int(sys.argv[3])), family=family)
    os.write(told, b"x")
    peer = server.accept()[0]
    server.close()
    while peer.recv(1):
        peer.send(b"y")
    os._exit(0)
os.read(ready, 1)
be("client")
client = socket.create_connection((sys.argv[4], int(sys.argv[5])), timeout=3)
for _number in range(3):
    client.send(b"x")
    client.recv(1)
print("up", *client.getsockname()[:2], flush=True)
for _line in sys.stdin:
    client.send(b"x")
    print(client.recv(1).decode(), flush=True)
"""


@contextlib.contextmanager
def connected(name, server, address_there, port_there, address_asked, port_asked):
    """A connection in a namespace to a server with this name; its process, and the client's address and port."""
    arguments = [server, address_there, str(port_there), address_asked, str(port_asked)]
    peers = subprocess.Popen(
        ["ip", "netns", "exec", name, sys.executable, "-c", PEERS, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip
    try:
        up, *client = peers.stdout.readline().split()
        assert up == "up"
        yield peers, client
    finally:
        peers.stdin.close()
        peers.wait(10)
        peers.stdout.close()


def goes_on(peers):
    """Whether data goes to and fro."""
    peers.stdin.write("\n")
    return peers.stdout.readline() == "y\n"


#: As a firewall that lets in new connections by their first packet, and of others only those that are known. On
#: loopback a packet is dropped before the kernel makes an entry only where it goes out.
STRICT = ("add rule ip t sent tcp flags & (syn|ack) == ack ct state new drop",)
NAT = (
    "add chain ip t to { type nat hook output priority -100; }",
    "add rule ip t to tcp dport 2222 dnat to 127.0.0.1:2022",
    "add chain ip t from { type nat hook postrouting priority 100; }",
    "add rule ip t from tcp dport 2022 snat to 127.0.0.9",
)  # fmt: skip


@pytest.mark.parametrize("rules", [(), NAT], ids=["plain", "translated"])
@pytest.mark.parametrize("server", ["sshd", "sshd-session", "dropbear"])
def test_ssh_sessions_stay_when_all_else_is_deleted(server, rules):
    with namespace() as name:
        track(name, *rules)
        add(name, marked(500, 1))
        asked = 2222 if rules else 2022
        with connected(name, server, "127.0.0.1", 2022, "127.0.0.1", asked) as (peers, _client), connected(
            name, "nginx", "127.0.0.1", 443, "127.0.0.1", 443
        ):
            (own,) = [entry for entry in raw(name) if entry.original.destination_port == asked]
            assert bool(own.status & dump.DST_NAT and own.status & dump.SRC_NAT) is bool(rules)
            checked, done = (deleting(name, check, all=True) for check in (True, False))
            assert (checked["deleted"], checked["kept"]["ssh"]) == (done["deleted"], done["kept"]["ssh"]) == (501, 1)
            assert [entry.id for entry in raw(name)] == [own.id]
            assert goes_on(peers)


def test_an_ssh_session_over_ipv6_stays():
    with namespace() as name:
        track(
            name,
            "add table ip6 s",
            "add chain ip6 s out { type filter hook output priority 0; }",
            "add rule ip6 s out ct state new",
        )
        with connected(name, "sshd", "::1", 2022, "::1", 2022) as (peers, _client):
            assert deleting(name, filter={"family": "ipv6", "protocol": "tcp"})["kept"]["ssh"] == 1
            assert goes_on(peers) and len([entry for entry in raw(name) if entry.original.protocol == dump.TCP]) == 1


def test_where_rules_cut_off_what_is_forgotten_an_ssh_session_goes_on():
    with namespace() as name:
        track(name, *STRICT)
        with connected(name, "sshd", "127.0.0.1", 2022, "127.0.0.1", 2022) as (session, _client), connected(
            name, "nginx", "127.0.0.1", 443, "127.0.0.1", 443
        ) as (web, _other):
            assert goes_on(session) and goes_on(web)
            result = deleting(name, all=True)
            assert (result["deleted"], result["kept"]["ssh"]) == (1, 1)
            assert goes_on(session) and not goes_on(web)


@pytest.mark.parametrize("told", [True, False])
def test_the_session_that_the_run_came_by_stays_whatever_its_server_is_called(told):
    with namespace() as name:
        track(name)
        with connected(name, "remoted", "127.0.0.1", 2022, "127.0.0.1", 2022) as (_peers, client):
            session = " ".join([*client, "127.0.0.1", "2022"])
            result, _resident = module(name, {"SSH_CONNECTION": session} if told else {}, all=True)
            assert result["kept"]["ssh"] == int(told) == len(raw(name))


def module(name, environment, **params):
    """What the whole module returns, started by a shell as ssh and sudo would, and the most memory it had, in KiB."""
    arguments = {"state": "absent", "namespace": name, **params}
    outside = {key: value for key, value in os.environ.items() if key != "SSH_CONNECTION"}
    done = subprocess.run(
        # The shell waits for it, and what it starts does not have the variable.
        ["sh", "-c", 'env -u SSH_CONNECTION "$@"; exit $?', "sh", sys.executable, str(HERE / "resident.py"),
         "conntrack_entries"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}), check=True, stdout=subprocess.PIPE, text=True,
        env={**outside, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )  # fmt: skip
    printed, resident = filter(None, done.stdout.splitlines())
    return json.loads(printed), int(resident)


def test_a_table_of_200_000_entries_is_deleted_in_memory_of_a_fixed_size():
    residents = {}
    with room_for(300_000), namespace() as name:
        for count in (2_000, 200_000):
            add(name, marked(count, 0))
            result, residents[count] = module(name, {}, all=True)
            assert (result["deleted"], len(result["entries"]), len(raw(name))) == (count, 10, 0)
    print(f"\nresident: {', '.join(f'{kib / 1024:.1f} MiB for {count}' for count, kib in residents.items())}")
    assert residents[200_000] < residents[2_000] + 4096


def test_a_kernel_s_error_says_how_many_are_gone(monkeypatch):
    real = netlink.Socket.dump

    def cut(self, *arguments, **more):
        for number, data in enumerate(real(self, *arguments, **more)):
            if number == 3:
                raise HostError("read", netlink.NAME, "cut")
            yield data

    with namespace() as name:
        add(name, marked(2000, 0))
        with monkeypatch.context() as patch:
            patch.setattr(netlink.Socket, "dump", cut)
            with pytest.raises(delete.ApplyError, match="which cannot be undone") as raised:
                deleting(name, all=True)
        assert raised.value.details["deleted"] == 2000 - len(raw(name)) > 0
