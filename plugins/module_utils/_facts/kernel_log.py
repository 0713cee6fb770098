# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel's ring buffer of messages says of a full table. Pure.

The kernel limits the rate of these lines, so they are fewer than the packets that were dropped.
"""

from __future__ import annotations

import re
import typing as t

#: What every record in question holds.
WANTED = b"table full"

#: The link that says in which network namespace this process is.
NAMESPACE = "/proc/self/ns/net"

# A record of /dev/kmsg: priority and facility, number, microseconds since boot, flags, and what newer kernels add.
# Compiled where there is one, which is rare.
_RECORD = (
    rb"^(?P<priority>\d{1,4}),\d+,(?P<microseconds>\d{1,18}),[^;\n]*;"
    # Of a kernel that names the namespace, a line without is of the initial one: __nf_conntrack_alloc().
    rb"(?:nf_conntrack: ){1,2}table full(?: in netns (?P<inode>\d{1,20}))?, dropping packet"
)


def namespace_inode(link: str | None) -> int | None:
    """The number in what that link says, ``net:[4026531840]``; None where it says nothing of the kind."""
    digits = "" if link is None else link[len("net:[") : -1]
    return int(digits) if digits.isdigit() else None


def parse(
    records: t.Iterable[bytes] | None, clock: float, own_inode: int | None, is_initial: bool
) -> dict[str, t.Any] | None:
    """``kernel_log`` of the facts; None where there is no ring buffer to read.

    :param records: those that hold :data:`WANTED`, oldest first. What a program wrote there itself does not count.
    :param clock: seconds since boot.
    :param own_inode: number of this process's network namespace; None where it is not known.
    :param is_initial: whether that is the initial one.
    """
    if records is None:
        return None
    # In a recorded tree one read gives many; in a true record whatever follows its first line starts with a blank.
    found = [match for record in records for match in re.finditer(_RECORD, record, re.MULTILINE)]
    # The facility of a record that came from a program is never the kernel's, which is 0 (devkmsg_write()).
    found = [match for match in found if int(match.group("priority")) >> 3 == 0]
    here = [match for match in found if _is_here(match.group("inode"), own_inode, is_initial)]
    return {
        "lines": len(found),
        "last_seconds_ago": _age(found, clock),
        "lines_here": len(here),
        "last_here_seconds_ago": _age(here, clock),
    }


def _is_here(inode: bytes | None, own_inode: int | None, is_initial: bool) -> bool:
    return is_initial if inode is None else int(inode) == own_inode


def _age(matches: t.Sequence[t.Match[bytes]], clock: float) -> int | None:
    """Whole seconds since the last record; the two clocks may differ by a little."""
    if not matches:
        return None
    return max(0, int(clock - int(matches[-1].group("microseconds")) / 1_000_000))
