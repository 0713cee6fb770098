# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The network namespaces of a host: those that a process lives in, and those that are kept by a name.

``/proc/PID/ns/net`` is a link to ``net:[4026531840]``; ``ip netns add`` and Docker keep a namespace as a mount, which
/proc/self/mountinfo shows with the same ``net:[...]`` as its root (proc(5), section mountinfo).
"""

from __future__ import annotations

import posixpath
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host, decode

_OWN = "/proc/self/ns/net"
_MOUNTS = "/proc/self/mountinfo"
_DOCKER = "/run/docker/netns/"

#: How mountinfo shows a byte that would part its fields: a blank as ``\040``.
_ESCAPED = re.compile(rb"\\([0-3][0-7]{2})")


@dataclass(frozen=True)
class Namespace:
    """One network namespace.

    :ivar name: how people know it; None for the one this process is in.
    :ivar path: what nsenter enters; None for the one this process is in.
    :ivar inode: its number, as in ``net:[4026531840]``; None where that cannot be told.
    :ivar pid: a process that lives in it, the one with the lowest number; None where none does, or none may be looked
        at.
    :ivar command: the name of that process.
    """

    name: str | None
    path: str | None
    inode: int | None = field(default=None, compare=False)
    pid: int | None = field(default=None, compare=False)
    command: str | None = field(default=None, compare=False)

    def enter(self, command: t.Sequence[str]) -> list[str]:
        """The command as it has to be run to act in this namespace."""
        return list(command) if self.path is None else ["nsenter", "--net=" + self.path, *command]


#: The one this process is in.
HERE = Namespace(None, None)


def parse_mounts(lines: t.Iterable[bytes]) -> dict[str, str]:
    """Path by ``net:[...]`` of the namespaces that are kept as mounts."""
    found: dict[str, str] = {}
    for line in lines:
        # 523 24 0:4 net:[4026532190] /run/netns/lab rw shared:221 - nsfs nsfs rw
        fields = line.split(b" ")
        if len(fields) > 4 and fields[3].startswith(b"net:["):
            found.setdefault(decode(fields[3]), decode(_unescaped(fields[4])))
    return found


def _unescaped(field: bytes) -> bytes:
    return _ESCAPED.sub(lambda match: bytes([int(match.group(1), 8)]), field)


def find(host: Host) -> list[Namespace]:
    """Every network namespace of the host, this process's own first.

    A process that ended meanwhile, or that this one may not look at, is passed over.
    """
    return survey(host)[0]


def survey(host: Host) -> tuple[list[Namespace], int]:
    """Every network namespace of the host, this process's own first; and how many processes it may not look at."""
    pids, unseen = _pids(host)
    mounts = parse_mounts(host.lines(_MOUNTS))
    own = own_identity(host)
    found = [_here(host, own, pids)]
    for identity in sorted({*mounts, *pids} - {own}):
        pid = pids.get(identity)
        command = None if pid is None else _comm(host, pid)
        path = mounts.get(identity)
        if path is None:
            name, path = f"of process {pid} ({command})", f"/proc/{pid}/ns/net"
        else:
            name = _mount_name(path)
        found.append(Namespace(name, path, inode(identity), pid, command))
    return found, unseen


def _here(host: Host, own: str | None, pids: t.Mapping[str, int]) -> Namespace:
    pid = None if own is None else pids.get(own)
    return Namespace(None, None, inode(own), pid, None if pid is None else _comm(host, pid))


def _pids(host: Host) -> tuple[dict[str, int], int]:
    """The lowest process number by namespace, and how many processes may not be looked at."""
    pids: dict[str, int] = {}
    unseen = 0
    for pid in sorted(int(name) for name in host.names("/proc") if name.isdigit()):
        try:
            identity = _identity(host, f"/proc/{pid}/ns/net")
        except HostError:
            unseen += 1
            continue
        if identity is not None:
            pids.setdefault(identity, pid)
    return pids, unseen


def own_identity(host: Host) -> str | None:
    """What the network namespace of this process is called by the kernel, ``net:[...]``.

    None where it does not tell.
    """
    try:
        return _identity(host, _OWN)
    except HostError:
        return None


def inode(identity: str | None) -> int | None:
    """The number in ``net:[4026531840]``."""
    digits = "" if identity is None else identity[len("net:[") : -1]
    return int(digits) if digits.isdigit() else None


def _identity(host: Host, path: str) -> str | None:
    """What the link of a process to its network namespace says.

    :raises HostError: this process may not look.
    """
    name = host.link(path)
    return name if name is not None and name.startswith("net:[") else None


def _comm(host: Host, pid: int) -> str:
    try:
        return host.read_value(f"/proc/{pid}/comm") or "?"
    except HostError:
        return "?"


def _mount_name(path: str) -> str:
    name = posixpath.basename(path)
    return f"{name} (docker)" if path.startswith(_DOCKER) else name
