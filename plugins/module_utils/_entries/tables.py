# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of a network namespace: its keys, and a socket to read and change it by.

A request to ctnetlink would load nf_conntrack, so :func:`connect` asks the kernel for nothing where that is not there
already. Where it is, the first request may load nf_conntrack_netlink, which is the only way to read the table.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._ctnetlink import Socket
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError, InvalidInput, Refused
from ansible_collections.netops.conntrack.plugins.module_utils._keys import (
    BUCKETS,
    COUNT,
    DIRECTORY,
    MAX,
    is_conntrack,
    timeout_name,
)
from ansible_collections.netops.conntrack.plugins.module_utils._machine import namespace as namespaces

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

_NAMED = "/run/netns"

_T = t.TypeVar("_T")


class Keys(t.NamedTuple):
    """What the keys of a network namespace say.

    :ivar entries: how many there are now.
    :ivar limit: the most that it takes, 0 for no limit. It is one number for all namespaces.
    :ivar buckets: of the one hash table of all namespaces.
    :ivar timeouts: seconds, by the short names of ``conntrack_settings``.
    """

    entries: int
    limit: int
    buckets: int
    timeouts: t.Mapping[str, int]


class Table(t.NamedTuple):
    """The table of one network namespace.

    :ivar socket: to be closed by whoever asked for it.
    :ivar keys: what was read there before.
    """

    socket: Socket
    keys: Keys


def connect(host: Host, namespace: str | None = None) -> Table | None:
    """Open the table of a network namespace; None where connection tracking is absent, which then stays so.

    :param namespace: a name below /run/netns, an absolute path, or the PID of a process; None for that of this process.
    :raises InvalidInput: there is no such namespace.
    :raises HostError: the kernel has no ctnetlink, or a file cannot be read.
    :raises Refused: the process may not.
    """
    if namespace is None:
        return _connect(host)
    return _inside(namespace_path(host, namespace), lambda: _connect(host))


def _connect(host: Host) -> Table | None:
    entries = host.read_number(f"{DIRECTORY}/{COUNT}")
    if entries is None:
        return None
    timeouts = {}
    for key in host.names(DIRECTORY):
        name = timeout_name(key) if is_conntrack(key) else None
        value = None if name is None else host.read_number(f"{DIRECTORY}/{key}")
        if name is not None and value is not None:
            timeouts[name] = value
    limit = host.read_number(f"{DIRECTORY}/{MAX}")
    buckets = host.read_number(f"{DIRECTORY}/{BUCKETS}")
    return Table(Socket(), Keys(entries, limit or 0, buckets or 0, timeouts))


def namespace_path(host: Host, namespace: str) -> str:
    """The file of a network namespace that is named by name, absolute path or PID.

    A name of digits alone is a PID, unless /run/netns has it. Whether a path is one shows when it is entered.

    :raises InvalidInput: there is none.
    """
    if namespace.startswith("/"):
        return namespace
    is_name = bool(namespace) and "/" not in namespace and namespace not in (".", "..")
    if is_name and host.exists(f"{_NAMED}/{namespace}"):
        return f"{_NAMED}/{namespace}"
    # Not the file itself: what its link says is no path.
    if namespace.isdigit() and namespace.isascii() and host.is_directory(f"/proc/{namespace}/ns"):
        return f"/proc/{namespace}/ns/net"
    names = host.names(_NAMED)
    raise InvalidInput(
        "namespace is {!r}, but must be a name below {} (there {}), the absolute path of a network namespace, or the"
        " PID of a process that runs".format(namespace, _NAMED, "are " + ", ".join(names[:20]) if names else "are none")
    )


def _inside(path: str, function: t.Callable[[], _T]) -> _T:
    """What a function returns in another network namespace.

    A thread is moved there and ends there, so no error can leave the process in the wrong namespace.

    :raises InvalidInput: the file is not a network namespace.
    :raises Refused: the process may not enter it.
    """
    outcome: list[tuple[_T | None, BaseException | None]] = []

    def work() -> None:
        try:
            _enter(path)
            outcome.append((function(), None))
        except BaseException as error:  # noqa: BLE001  # pylint: disable=broad-exception-caught  # raised below
            outcome.append((None, error))

    thread = threading.Thread(target=work, name="network namespace", daemon=True)
    thread.start()
    thread.join()
    result, error = outcome[0]
    if error is not None:
        raise error
    return t.cast("_T", result)


def _enter(path: str) -> None:
    not_one = InvalidInput(f"namespace: {path} is not a network namespace, or no longer exists")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise not_one from error
    except OSError as error:
        raise HostError("enter", path, error.strerror or str(error), error.errno) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise not_one
        namespaces.setns(descriptor)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOTTY):
            raise not_one from error
        if error.errno == errno.EPERM:
            raise Refused(
                f"entering the network namespace {path} needs root with CAP_SYS_ADMIN. Run this with become: true on"
                " the host itself"
            ) from error
        raise HostError("enter", path, error.strerror or str(error), error.errno) from error
    finally:
        os.close(descriptor)
