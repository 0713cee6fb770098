# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the table takes of the host's memory, and what it would take when full."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._sizing import ENTRY_BYTES, EXTENSION_BYTES

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

#: The slab of entries, one for all network namespaces (nf_conntrack_init_start in net/netfilter/nf_conntrack_core.c).
NAME = "nf_conntrack"

#: What SLUB tells of it, file by file. Asking for all slabs at once has the kernel count the free objects of each.
_SYSFS = "/sys/kernel/slab/" + NAME

#: The same of all slabs, for kernels without those files.
SLABINFO = "/proc/slabinfo"

SLAB, ESTIMATE = "slab", "estimate"

#: Bytes of one object, and of all memory that the slab has; None where the kernel does not tell that.
Slab = t.Tuple[int, t.Optional[int]]


def read_slab(host: Host) -> Slab | None:
    """What the kernel tells of the slab of entries; None where there is none.

    :raises HostError: only root may know.
    """
    size = host.read_number(f"{_SYSFS}/slab_size")
    if size is None:
        return parse_slabinfo(host.lines(SLABINFO), host.page_size)
    slabs, order = host.read_value(f"{_SYSFS}/slabs"), host.read_number(f"{_SYSFS}/order")
    # "96 N0=64 N1=32" on a host with more than one node; the file is there with CONFIG_SLUB_DEBUG.
    count = slabs.split()[:1] if slabs else []
    if not count or not count[0].isdigit() or order is None:
        return size, None
    return size, (int(count[0]) * host.page_size) << order


def parse_slabinfo(lines: t.Iterable[bytes], page_size: int) -> Slab | None:
    """The line of the slab in /proc/slabinfo, version 2.1; None where it has none.

    ``nf_conntrack  96 96 256 16 1 : tunables 0 0 0 : slabdata 6 6 0``: objects in use, objects, bytes of an object,
    objects and pages of a slab, and after ``slabdata`` slabs in use and all slabs.
    """
    for line in lines:
        fields = line.split()
        if fields[:1] != [NAME.encode()] or len(fields) < 15:
            continue
        try:
            return int(fields[3]), int(fields[14]) * int(fields[5]) * page_size
        except ValueError:
            continue
    return None


def tell(
    slab: Slab | None,
    entries: int | None,
    limit: int | None,
    buckets: int | None,
    host_bytes: int | None,
    pointer_bytes: int,
) -> dict[str, t.Any]:
    """``memory`` of the facts, in bytes; None for what cannot be told.

    :param slab: what the kernel tells of the slab; None where an estimate has to do.
    :param limit: the most entries that the table takes; 0 for no limit.
    :param host_bytes: memory of the host.
    :param pointer_bytes: bytes of one bucket.
    """
    entry_bytes = ENTRY_BYTES if slab is None else slab[0] + EXTENSION_BYTES
    buckets_bytes = None if buckets is None else buckets * pointer_bytes
    full = None if not limit or buckets_bytes is None else limit * entry_bytes + buckets_bytes
    return {
        "entry_bytes": entry_bytes,
        "entry_bytes_from": ESTIMATE if slab is None else SLAB,
        "entries_bytes": None if entries is None else entries * entry_bytes,
        "buckets_bytes": buckets_bytes,
        "slab_bytes": None if slab is None else slab[1],
        "full_table_bytes": full,
        "full_table_percent": round(100 * full / host_bytes, 2) if full is not None and host_bytes else None,
        "host_bytes": host_bytes,
    }
