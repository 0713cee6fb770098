# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ssh sessions of the host itself, by the sockets that they are on, so that their entries can be left alone.

A session is known by the sockets of the processes of ssh, servers and clients, in whatever network namespace they are;
by ``SSH_CONNECTION`` in the environment of this run's own process and of those that it comes from; and by the port of
ssh, for a container that shares the host's network but does not see its processes.

Sources: proc(5); ``get_tcp4_sock()`` and ``get_tcp6_sock()`` of the kernel for /proc/net/tcp and tcp6; ssh(1), section
ENVIRONMENT.
"""

from __future__ import annotations

import errno
import socket
import struct
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError, Refused

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

#: Names of processes that hold sessions. Since OpenSSH 9.8 each one has a program of its own.
_PROGRAMS = frozenset(
    [b"sshd", b"sshd-session", b"sshd-auth", b"dropbear", b"dropbearmulti", b"tinysshd", b"ssh", b"dbclient"]
)

_PORT = 22

#: States of a socket in which data may still go in a direction: ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT.
_OPEN = frozenset([b"01", b"04", b"05", b"08"])

#: What an IPv4 address looks like to a socket of IPv6.
_MAPPED = b"\0" * 10 + b"\xff\xff"

#: More processes than one can come from; also where a number is used again meanwhile.
_MOST_ANCESTORS = 100

#: One end of a connection: packed address of 4 or 16 bytes, and port.
End = t.Tuple[bytes, int]


class Sessions:
    """The two ends of each session."""

    def __init__(self, pairs: t.Iterable[tuple[End, End]] = ()) -> None:
        """Take the sessions with these ends, in whichever order."""
        self._pairs: set[tuple[End, End]] = set()
        self.add(pairs)

    def add(self, pairs: t.Iterable[tuple[End, End]]) -> None:
        """Take more of them. One that has ended stays, since its entry may too."""
        for one, other in pairs:
            self._pairs |= {(one, other), (other, one)}

    def hold(self, entry: dump.Entry) -> bool:
        """Whether an entry is that of a session, in whatever zone.

        Of a session whose addresses or ports this host translates, one direction has those of the socket.
        """
        return entry.original.protocol == dump.TCP and any(
            ((one.source, one.source_port), (one.destination, one.destination_port)) in self._pairs
            for one in (entry.original, entry.reply)
        )


def find(host: Host) -> list[tuple[End, End]]:
    """The two ends of each session of now, this host's end first.

    :raises Refused: this process may not look at what tells them.
    """
    try:
        return _find(host)
    except HostError as error:
        raise Refused(
            f"the ssh sessions of this host could not be found, so their entries cannot be kept: {error.message}. Run"
            " this as root of the host itself"
        ) from error


def _find(host: Host) -> list[tuple[End, End]]:
    inodes: set[bytes] = set()
    namespaces = {_of_process(host.link, "/proc/self/ns/net"): "self"}
    for pid in host.names("/proc"):
        if not pid.isdigit() or (_of_process(host.read, f"/proc/{pid}/comm") or b"").strip() not in _PROGRAMS:
            continue
        inodes |= _sockets(host, pid)
        namespaces.setdefault(_of_process(host.link, f"/proc/{pid}/ns/net"), pid)
    found = []
    for pid in namespaces.values():
        for table in ("tcp", "tcp6"):
            # A process that ended meanwhile took its sessions with it, but for those of others in its namespace.
            lines = _of_process(lambda path: list(_chosen(host.lines(path), inodes)), f"/proc/{pid}/net/{table}")
            found += lines or []
    return found + _of_this_run(host)


_T = t.TypeVar("_T")


def _of_process(read: t.Callable[[str], _T | None], path: str) -> _T | None:
    """What a file of a process says; None where the process has ended.

    :raises HostError: this process may not read it.
    """
    try:
        return read(path)
    except HostError as error:
        if error.code in (errno.ESRCH, errno.ENOENT, errno.EINVAL):
            return None
        raise


def _sockets(host: Host, pid: str) -> set[bytes]:
    """The inodes of the sockets that a process has open."""
    found = set()
    for name in _of_process(host.names, f"/proc/{pid}/fd") or []:
        link = _of_process(host.link, f"/proc/{pid}/fd/{name}") or ""
        if link.startswith("socket:["):
            found.add(link[len("socket:[") : -1].encode("ascii"))
    return found


def _chosen(lines: t.Iterable[bytes], inodes: t.Container[bytes]) -> t.Iterator[tuple[End, End]]:
    """Both ends of the open connections of /proc/net/tcp or tcp6 that are sessions, by inode or by the own port."""
    for line in lines:
        # 0: 0100007F:0016 0200007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 619456 1 ...
        fields = line.split(None, 10)
        if len(fields) > 9 and fields[3] in _OPEN:
            local = _end(fields[1])
            if fields[9] in inodes or local[1] == _PORT:
                yield local, _end(fields[2])


def _end(text: bytes) -> End:
    """An end as /proc/net/tcp has it.

    Words of four bytes, each a number of the machine's own byte order; and the port.
    """
    address, _colon, port = text.partition(b":")
    words = (int(address[start : start + 8], 16) for start in range(0, len(address), 8))
    return _unmapped(b"".join(struct.pack("=I", word) for word in words)), int(port, 16)


def _unmapped(packed: bytes) -> bytes:
    return packed[len(_MAPPED) :] if len(packed) == 16 and packed.startswith(_MAPPED) else packed


def _of_this_run(host: Host) -> list[tuple[End, End]]:
    """What ``SSH_CONNECTION`` says in this process and those that it comes from; sudo takes it from those it starts."""
    found = []
    pid = "self"
    for _number in range(_MOST_ANCESTORS):
        environment = (_of_process(host.read, f"/proc/{pid}/environ") or b"").split(b"\0")
        for variable in environment:
            name, _equals, value = variable.partition(b"=")
            pair = _connection(value) if name == b"SSH_CONNECTION" else None
            if pair is not None:
                found.append(pair)
        status = _of_process(host.read, f"/proc/{pid}/stat") or b""
        # The name is in brackets and may have any byte in it; behind it come the state and the parent.
        behind = status.rpartition(b")")[2].split()
        if len(behind) < 2 or behind[1] in (b"0", b"1"):
            break
        pid = behind[1].decode("ascii")
    return found


def _connection(value: bytes) -> tuple[End, End] | None:
    """Server's and client's end of ``SSH_CONNECTION``; None for any other text.

    The text is client address and port, server address and port.
    """
    words = value.decode("ascii", "replace").split()
    if len(words) != 4 or not all(word.isdigit() and len(word) < 6 for word in words[1::2]):
        return None
    ends = []
    for text, port in zip(words[::2], words[1::2]):
        packed = _packed(text)
        if packed is None:
            return None
        ends.append((_unmapped(packed), int(port)))
    return ends[1], ends[0]


def _packed(text: str) -> bytes | None:
    """An address as text, of a link-local one with its interface, as bytes."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_pton(family, text.partition("%")[0])
        except (OSError, ValueError):
            continue
    return None
