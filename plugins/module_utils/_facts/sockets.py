# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""TCP sockets by state, from /proc/net/tcp and /proc/net/tcp6.

The netlink interface (sock_diag) would be quicker with very many sockets, but asking it loads tcp_diag and inet_diag.
"""

from __future__ import annotations

import typing as t

#: The file of each address family.
PATHS = {"ipv4": "/proc/net/tcp", "ipv6": "/proc/net/tcp6"}

#: Every state by the code in the file (include/net/tcp_states.h).
_STATES = {
    b"01": "established",
    b"02": "syn_sent",
    b"03": "syn_recv",
    b"04": "fin_wait1",
    b"05": "fin_wait2",
    b"06": "time_wait",
    b"07": "close",
    b"08": "close_wait",
    b"09": "last_ack",
    b"0A": "listen",
    b"0B": "closing",
}

STATES = tuple(_STATES.values())

_COLUMN = 3


def count_states(lines: t.Iterable[bytes]) -> dict[str, int] | None:
    """The number of sockets in each state, 0 included; None when there is not even a header, as without IPv6."""
    rows = iter(lines)
    if next(rows, None) is None:
        return None
    counts: dict[bytes, int] = {}
    for row in rows:
        columns = row.split(None, _COLUMN + 1)
        if len(columns) > _COLUMN:
            state = columns[_COLUMN]
            counts[state] = counts.get(state, 0) + 1
    return {name: counts.get(code, 0) for code, name in _STATES.items()}
