# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statistics of connection tracking: /proc/net/stat/nf_conntrack, which exists with CONFIG_NF_CONNTRACK_PROCFS."""

from __future__ import annotations

import typing as t

PATH = "/proc/net/stat/nf_conntrack"

#: Clear names for the kernel's short ones (net/netfilter/nf_conntrack_standalone.c, ct_cpu_seq_show).
_NAMES = {"clashres": "clash_resolve", "chainlength": "chain_too_long"}

#: The total of the network namespace, the same in every row; no counter.
_ENTRIES = "entries"


def parse_statistics(lines: t.Iterable[bytes]) -> dict[str, int] | None:
    """Each counter summed over all CPUs, under the name that this kernel's header gives it; None without a header.

    A row that is not made of hexadecimal numbers is passed over. The columns differ between kernels: the second is
    ``searched`` before Linux 5.10 and ``clashres`` since, the eighth ``delete_list`` before 5.15 and then
    ``chainlength``.
    """
    rows = iter(lines)
    header = next(rows, b"").decode("ascii", "replace").split()
    if _ENTRIES not in header:
        return None
    sums = dict.fromkeys(header, 0)
    for row in rows:
        try:
            values = [int(value, 16) for value in row.split()]
        except ValueError:
            continue
        for name, value in zip(header, values):
            sums[name] += value
    del sums[_ENTRIES]
    return {_NAMES.get(name, name): value for name, value in sums.items()}
