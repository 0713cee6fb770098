# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arithmetic of the table: rounding, memory cost, the kernel's own defaults, automatic sizes. Pure."""

from __future__ import annotations

from ansible_collections.netops.conntrack.plugins.module_utils._keys import INT_MAX
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

#: What NAT, helpers, accounting and labels may add to an entry.
EXTENSION_BYTES = 128

#: Bytes an entry is counted with: the slab object (256 on Linux 6.1 to 7.2, and 320 on Debian's 5.10) and
#: what may be added to it.
ENTRY_BYTES = 256 + EXTENSION_BYTES

#: From this kernel on the default max is one entry per bucket; before it was four (net/netfilter/nf_conntrack_core.c).
_ONE_ENTRY_PER_BUCKET_SINCE = (5, 15)

#: nf_conntrack loaded with a hashsize sets max to this many times the rounded hashsize (nf_conntrack_core.c).
MAX_PER_GIVEN_BUCKET = 8

_GIB = 2**30


class Hardware(Record):
    """What automatic sizes depend on.

    :ivar memory_bytes: MemTotal.
    :ivar page_bytes: size of a memory page.
    :ivar bucket_bytes: size of a bucket, which is a kernel pointer.
    :ivar kernel: (major, minor) of the running kernel.
    """

    memory_bytes: int
    page_bytes: int
    bucket_bytes: int
    kernel: tuple[int, int]

    @property
    def buckets_per_page(self) -> int:
        """What the kernel rounds a hashsize to."""
        return self.page_bytes // self.bucket_bytes


def round_hashsize(buckets: int, hardware: Hardware) -> int:
    """The number of buckets the kernel makes of a wish."""
    return round_up(buckets, hardware.buckets_per_page)


def round_up(buckets: int, per_page: int) -> int:
    """As many buckets, but in whole pages (nf_ct_alloc_hashtable)."""
    return -(-buckets // per_page) * per_page


def largest_hashsize(hardware: Hardware) -> int:
    """The most buckets a kernel can allocate: below 2 GiB in one piece (kvmalloc_node), in whole pages.

    With a larger one in modprobe.d, nf_conntrack could not be loaded any more.
    """
    per_page = hardware.buckets_per_page
    return (2**31 - 1) // hardware.bucket_bytes // per_page * per_page


def kernel_entries_per_bucket(kernel: tuple[int, int]) -> int:
    """Entries per bucket of the kernel's own default table."""
    return 1 if kernel >= _ONE_ENTRY_PER_BUCKET_SINCE else 4


def kernel_hashsize(hardware: Hardware) -> int:
    """The buckets nf_conntrack gives itself when it is loaded without a hashsize (nf_conntrack_init_start)."""
    buckets = hardware.memory_bytes // 16384 // hardware.bucket_bytes
    if hardware.kernel >= _ONE_ENTRY_PER_BUCKET_SINCE:
        above_4_gib, above_1_gib, least = 262144, 65536, 1024
    else:
        above_4_gib, above_1_gib, least = 65536, 16384, 32
    if hardware.bucket_bytes == 8 and hardware.memory_bytes > 4 * _GIB:
        buckets = above_4_gib
    elif hardware.memory_bytes > _GIB:
        buckets = above_1_gib
    return round_hashsize(max(buckets, least), hardware)


def kernel_max(hardware: Hardware) -> int:
    """The max nf_conntrack gives itself when it is loaded without a hashsize."""
    return kernel_hashsize(hardware) * kernel_entries_per_bucket(hardware.kernel)


def table_bytes(entries: int, buckets: int, hardware: Hardware) -> int:
    """Memory of a table with that many entries in use."""
    return entries * ENTRY_BYTES + buckets * hardware.bucket_bytes


def hashsize_for(entries: int, entries_per_bucket: int, hardware: Hardware) -> int:
    """The rounded number of buckets that holds a max at so many entries per bucket, as far as there can be so many."""
    return min(round_hashsize(-(-entries // entries_per_bucket), hardware), largest_hashsize(hardware))


def automatic_max(hardware: Hardware, entries_per_bucket: int, memory_percent: int) -> int:
    """The largest power of two whose full table fits in a share of memory, and never below the kernel's own default.

    Nor is it more than the kernel takes.

    :param memory_percent: share of the host's memory that a full table may take, in percent.
    """
    budget = hardware.memory_bytes * memory_percent // 100

    def fits(entries: int) -> bool:
        buckets = hashsize_for(entries, entries_per_bucket, hardware)
        return entries <= INT_MAX and table_bytes(entries, buckets, hardware) <= budget

    entries = 1
    while fits(2 * entries):
        entries *= 2
    return max(entries, kernel_max(hardware))
