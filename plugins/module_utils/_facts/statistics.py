# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statistics of connection tracking: /proc/net/stat/nf_conntrack, which exists with CONFIG_NF_CONNTRACK_PROCFS."""

from __future__ import annotations

import typing as t

PATH = "/proc/net/stat/nf_conntrack"

#: Clear names for the kernel's short ones (net/netfilter/nf_conntrack_standalone.c, ct_cpu_seq_show).
_NAMES = {"clashres": "clash_resolve", "chainlength": "chain_too_long"}

#: The total of the network namespace, the same in every row; no counter.
ENTRIES = "entries"

#: A counter by its name, with one number for each possible CPU.
Columns = t.Dict[str, t.List[int]]


def parse_columns(lines: t.Iterable[bytes]) -> Columns | None:
    """Each column under the name that this kernel's header gives it, ``entries`` too; None without a header.

    A row that is not made of hexadecimal numbers is passed over; a number that a row lacks is 0. The columns differ
    between kernels: the second is ``searched`` before Linux 5.10 and ``clashres`` since, the eighth ``delete_list``
    before 5.15 and then ``chainlength``.
    """
    rows = iter(lines)
    header = next(rows, b"").decode("ascii", "replace").split()
    if ENTRIES not in header:
        return None
    columns: Columns = {name: [] for name in header}
    for row in rows:
        try:
            values = [int(value, 16) for value in row.split()]
        except ValueError:
            continue
        values += [0] * (len(header) - len(values))
        for name, value in zip(header, values):
            columns[name].append(value)
    return {_NAMES.get(name, name): values for name, values in columns.items()}


def counters(columns: Columns) -> Columns:
    """The counters among the columns."""
    return {name: values for name, values in columns.items() if name != ENTRIES}


def sums(columns: Columns) -> dict[str, int]:
    """Each counter summed over all CPUs."""
    return {name: sum(values) for name, values in counters(columns).items()}


def entries(columns: Columns | None) -> int | None:
    """The entries of the network namespace; None where the statistics do not tell."""
    return columns[ENTRIES][0] if columns and columns[ENTRIES] else None
