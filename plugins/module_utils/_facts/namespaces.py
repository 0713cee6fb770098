# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of every network namespace, containers included: who lives there, and what its counters say.

/proc/PID/net/stat/nf_conntrack is that of the namespace in which the process lives, so only those are entered in which
none does, and which are there by their names.
"""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _namespaces
from ansible_collections.netops.conntrack.plugins.module_utils._facts import statistics

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
    from ansible_collections.netops.conntrack.plugins.module_utils._namespaces import Namespace

_COUNTERS = ("drop", "early_drop", "insert_failed")

#: The statistics of the namespace that a thread has entered.
_OF_THREAD = "/proc/thread-self/net/stat/nf_conntrack"

#: Calls a function that reads; None where it cannot.
Attempt = t.Callable[[t.Callable[[], t.Optional[statistics.Columns]]], t.Optional[statistics.Columns]]


def gather(host: Host, attempt: Attempt = lambda read: read()) -> tuple[list[dict[str, t.Any]], int]:
    """``namespaces`` of the facts, the fullest first; and how many processes this one may not look at.

    :param attempt: reads the statistics of one namespace; may give None where that cannot be read.
    :raises HostError: the processes cannot be listed.
    """
    found, unseen = _namespaces.survey(host)
    told = [_tell(namespace, attempt(functools.partial(_read, host, namespace))) for namespace in found]
    return sorted(told, key=lambda item: -1 if item["entries"] is None else item["entries"], reverse=True), unseen


def _read(host: Host, namespace: Namespace) -> statistics.Columns | None:
    if namespace.path is None:
        return statistics.parse_columns(host.lines(statistics.PATH))
    if namespace.pid is not None:
        return statistics.parse_columns(host.lines(f"/proc/{namespace.pid}/net/stat/nf_conntrack"))
    return host.inside(namespace.path, lambda: statistics.parse_columns(host.lines(_OF_THREAD)))


def _tell(namespace: Namespace, columns: statistics.Columns | None) -> dict[str, t.Any]:
    sums = {} if columns is None else statistics.sums(columns)
    return {
        "name": namespace.name,
        "inode": namespace.inode,
        "here": namespace.path is None,
        "process": None if namespace.pid is None else {"pid": namespace.pid, "command": namespace.command},
        "entries": statistics.entries(columns),
        **{name: sums.get(name) for name in _COUNTERS},
    }
