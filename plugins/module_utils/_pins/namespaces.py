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
from dataclasses import dataclass

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
    """

    name: str | None
    path: str | None

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
    mounts = parse_mounts(host.lines(_MOUNTS))
    own = _identity(host, _OWN)
    found = {identity: Namespace(_mount_name(path), path) for identity, path in mounts.items()}
    for pid in host.names("/proc"):
        if pid.isdigit():
            path = f"/proc/{pid}/ns/net"
            identity = _identity(host, path)
            if identity is not None and identity not in found:
                found[identity] = Namespace(f"of process {pid} ({_comm(host, pid)})", path)
    return [HERE] + [found[identity] for identity in sorted(found) if identity != own]


def _identity(host: Host, path: str) -> str | None:
    name = posixpath.basename(host.resolve(path))
    return name if name.startswith("net:[") else None


def _comm(host: Host, pid: str) -> str:
    try:
        return host.read_value(f"/proc/{pid}/comm") or "?"
    except HostError:
        return "?"


def _mount_name(path: str) -> str:
    name = posixpath.basename(path)
    return f"{name} (docker)" if path.startswith(_DOCKER) else name
