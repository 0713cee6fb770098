# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which entries are those of the host's own ssh sessions."""

from __future__ import annotations

import errno
import socket
import struct

import pytest
from entries_made import entries, reply_of
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump, sessions
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError, Refused

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def packed(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def end(text, port):
    return packed(text), port


def line(local, remote, state="01", inode=0):
    """A line of /proc/net/tcp or tcp6, as a kernel of this machine's byte order prints it."""
    ends = []
    for address, port in (local, remote):
        words = struct.unpack(f"={len(address) // 4}I", address)
        ends.append("".join(f"{word:08X}" for word in words) + f":{port:04X}")
    return (
        f"   0: {ends[0]} {ends[1]} {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0 100 0\n"
    )


HERE, AWAY = end("10.0.0.1", 22), end("192.0.2.7", 50001)
ODD = end("10.0.0.1", 2222)


def process(pid, name, inodes=(), namespace="net:[1]", tcp="", tcp6="", parent=1, environ=""):
    """The files of a process."""
    tree = {
        f"/proc/{pid}/comm": f"{name}\n", f"/proc/{pid}/stat": f"{pid} ({name}) S {parent} 1 1 0\n",
        f"/proc/{pid}/environ": environ, f"/proc/{pid}/ns/net": {"link": namespace},
        f"/proc/{pid}/net/tcp": HEAD + tcp, f"/proc/{pid}/net/tcp6": HEAD + tcp6,
        f"/proc/{pid}/fd/0": {"link": "/dev/null"},
    }  # fmt: skip
    tree.update({f"/proc/{pid}/fd/{number + 3}": {"link": f"socket:[{inode}]"} for number, inode in enumerate(inodes)})
    return tree


def found(tree, *processes):
    own = process("self", "python3", tcp=tree_tcp(processes), tcp6=tree_tcp(processes, "tcp6"))
    return sessions.find(tree({**own, **{key: value for files in processes for key, value in files.items()}}))


def tree_tcp(processes, table="tcp"):
    """What the table of the own namespace shows: that of the processes which are in it."""
    return "".join(
        text.replace(HEAD, "")
        for files in processes
        for path, text in files.items()
        if path.endswith(f"/net/{table}") and "net:[1]" in str(files[path.replace(f"net/{table}", "ns/net")])
    )


@pytest.mark.parametrize("name", ["sshd", "sshd-session", "sshd-auth", "dropbear", "ssh"])
def test_the_connection_of_a_process_of_ssh_is_a_session_on_whatever_port(tree, name):
    assert (ODD, AWAY) in found(tree, process(10, name, [77], tcp=line(ODD, AWAY, inode=77)))


def test_connections_of_other_programs_and_sockets_that_listen_are_none(tree):
    web = process(10, "nginx", [77], tcp=line(end("10.0.0.1", 443), AWAY, inode=77))
    listening = process(11, "sshd", [78], tcp=line(ODD, end("0.0.0.0", 0), state="0A", inode=78))
    over = process(12, "sshd", [], tcp=line(ODD, AWAY, state="06"))
    assert found(tree, web, listening, over) == []


def test_a_session_that_is_half_closed_is_one(tree):
    assert found(tree, process(10, "sshd", [77], tcp=line(ODD, AWAY, state="08", inode=77))) == [(ODD, AWAY)]


def test_the_port_of_ssh_is_enough_where_its_process_is_not_seen(tree):
    assert found(tree, process(10, "sleep", tcp=line(HERE, AWAY, inode=5))) == [(HERE, AWAY)]


def test_sessions_of_a_server_in_another_network_namespace_are_found_there(tree):
    there = process(10, "sshd", [77], namespace="net:[2]", tcp=line(ODD, AWAY, inode=77))
    assert found(tree, there) == [(ODD, AWAY)]


def test_an_ipv4_connection_to_a_socket_of_ipv6_is_known_by_its_ipv4_addresses(tree):
    mapped = line(end("::ffff:10.0.0.1", 2222), end("::ffff:192.0.2.7", 50001), inode=77)
    real = line(end("2001:db8::1", 2222), end("2001:db8::7", 50001), inode=78)
    ends = found(tree, process(10, "sshd", [77, 78], tcp6=mapped + real))
    assert ends == [(ODD, AWAY), (end("2001:db8::1", 2222), end("2001:db8::7", 50001))]


@pytest.mark.parametrize(("value", "expected"), [
    ("192.0.2.7 50001 10.0.0.1 2222", [(ODD, AWAY)]),
    ("fe80::7%eth0 50001 fe80::1%eth0 22", [(end("fe80::1", 22), end("fe80::7", 50001))]),
    ("::ffff:192.0.2.7 50001 ::ffff:10.0.0.1 2222", [(ODD, AWAY)]),
    ("", []), ("UNKNOWN 65535 UNKNOWN 65535", []), ("192.0.2.7 x 10.0.0.1 22", []), ("192.0.2.7 1 10.0.0.1 999999", []),
])  # fmt: skip
def test_the_session_of_this_run_is_known_from_the_environment_of_what_started_it(tree, value, expected):
    # sudo gives its child none, so it is that of a process further up.
    tree_of_run = {
        **process("self", "python3", parent=30), **process(30, "sudo", parent=20, environ="PATH=/bin\0"),
        **process(20, "a) b (c", parent=9, environ=f"HOME=/root\0SSH_CONNECTION={value}\0"),
        **process(9, "x", parent=1),
    }  # fmt: skip
    assert sessions.find(tree(tree_of_run)) == expected


def test_a_circle_of_parents_ends(tree):
    assert sessions.find(tree({**process("self", "a", parent=30), **process(30, "b", parent=30)})) == []


def test_a_process_that_ends_meanwhile_is_passed_over(recorded_host, monkeypatch):
    host = recorded_host("linux-6.18-built-in", process("self", "python3"))
    for path, entry in process(10, "sshd", [77], tcp=line(ODD, AWAY, inode=77)).items():
        host.put(path, entry)
    reading = host.names

    def names(path):
        if path == "/proc/10/fd":
            raise HostError("list", path, "No such process", errno.ESRCH)
        return reading(path)

    monkeypatch.setattr(host, "names", names)
    assert sessions.find(host) == []


@pytest.mark.parametrize("path", ["/proc/10/fd", "/proc/10/comm", "/proc/self/net/tcp"])
def test_where_sessions_cannot_be_told_nothing_goes_on(recorded_host, path):
    host = recorded_host("linux-6.18-built-in", process("self", "python3"))
    for name, entry in process(10, "sshd", [77]).items():
        host.put(name, entry)
    host.denied.add(path)
    with pytest.raises(
        Refused, match=r"could not be found, so their entries cannot be kept: cannot .*Permission denied"
    ):
        sessions.find(host)


def of_tcp(first, second, **changes):
    original = dump.Tuple(socket.AF_INET, dump.TCP, first[0], second[0], first[1], second[1])
    return dump.Entry(original, reply_of(original, **changes), id=1)


@pytest.mark.parametrize(("entry", "is_one"), [
    (of_tcp(AWAY, ODD), True), (of_tcp(ODD, AWAY), True),
    # Sent on by this host from another address and port, and masqueraded on its way out.
    (of_tcp(AWAY, end("198.51.100.1", 443), source=ODD[0], source_port=2222), True),
    (of_tcp(ODD, AWAY, destination=packed("198.51.100.1"), destination_port=1024), True),
    (of_tcp(AWAY, HERE), False), (of_tcp(end("192.0.2.7", 50002), ODD), False),
    (of_tcp(end("192.0.2.8", 50001), ODD), False),
])  # fmt: skip
@pytest.mark.parametrize("order", [1, -1])
def test_entries_of_a_session_are_known_in_both_directions_and_through_translation(entry, is_one, order):
    assert sessions.Sessions([(ODD, AWAY)[::order]]).hold(entry) is is_one


@given(entries(), st.booleans())
def test_only_tcp_entries_are_of_a_session(entry, reply):
    one = entry.reply if reply else entry.original
    own = sessions.Sessions([((one.source, one.source_port), (one.destination, one.destination_port))])
    assert own.hold(entry) is (one.protocol == dump.TCP)
    assert not sessions.Sessions().hold(entry)
