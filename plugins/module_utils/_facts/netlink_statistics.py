# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statistics of connection tracking by ctnetlink, for kernels without CONFIG_NF_CONNTRACK_PROCFS.

Facts must load nothing, so the kernel is asked only where nf_conntrack_netlink is there already, and only by root.
"""

from __future__ import annotations

import struct
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _ctnetlink as netlink
from ansible_collections.netops.conntrack.plugins.module_utils import _kernel
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError, Refused

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._facts.statistics import Columns
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

#: CTA_STATS_* by number, with the names that /proc/net/stat/nf_conntrack leads to (enum ctattr_stats_cpu; those that
#: are left out are of no use since Linux 5.10, if not before).
_NAMES = {
    2: "found",
    4: "invalid",
    8: "insert",
    9: "insert_failed",
    10: "drop",
    11: "early_drop",
    12: "icmp_error",
    13: "search_restart",
    14: "clash_resolve",
    15: "chain_too_long",
}

_NUMBER = struct.Struct(">I")


def read(host: Host) -> Columns | None:
    """Each counter with one number for each possible CPU; None where the kernel is not to be asked, or refuses.

    :raises HostError: the kernel's answer is not what it should be.
    """
    if not host.is_root or not _is_there(host):
        return None
    try:
        return ask()
    except Refused:
        return None  # root in a container that may not


def _is_there(host: Host) -> bool:
    """Whether a request finds the module that answers it, so that none is loaded for that."""
    if any(line.startswith(b"nf_conntrack_netlink ") for line in host.lines("/proc/modules")):
        return True
    built_in = host.lines(f"/lib/modules/{_kernel.release(host)}/modules.builtin")
    return any(line.rstrip().endswith(b"/nf_conntrack_netlink.ko") for line in built_in)


def ask() -> Columns:
    """The same without a look at what would be loaded.

    :raises HostError: the kernel's answer is not what it should be.
    :raises Refused: this process may not.
    """
    with netlink.Socket() as socket:
        datagrams = socket.dump(kind=netlink.GET_STATISTICS_CPU)
        return parse(message for datagram in datagrams for message in netlink.split(datagram))


def parse(messages: t.Iterable[bytes]) -> Columns:
    """The counters of messages, of which each is about one CPU. One that a kernel does not tell is left out.

    :raises HostError: a message is not whole.
    """
    rows = [_row(message) for message in messages]
    told = {name for row in rows for name in row}
    return {name: [row.get(name, 0) for row in rows] for name in _NAMES.values() if name in told}


def _row(message: bytes) -> dict[str, int]:
    row = {}
    for kind, start, end in netlink.attributes(message, netlink.BODY, len(message)):
        if kind in _NAMES:
            if end - start != _NUMBER.size:
                raise HostError("read", netlink.NAME, f"a counter of {end - start} bytes, where 4 belong")
            row[_NAMES[kind]] = int(_NUMBER.unpack_from(message, start)[0])
    return row
