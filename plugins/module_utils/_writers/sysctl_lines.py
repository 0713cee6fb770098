# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``sysctl -p FILE`` sets of connection tracking. Pure.

Every line is written, one after the other, so the last one that the kernel takes is in force.
"""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._config import procps_sysctl, wildcards
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record
from ansible_collections.netops.conntrack.plugins.module_utils._writers.writer import key_of, number_for


class Line(Record):
    """A line of a sysctl file that sets a key.

    :ivar path: the file.
    :ivar number: its number, from 1.
    :ivar value: what the kernel takes of it.
    """

    path: str
    number: int
    value: int


def in_force(texts: t.Iterable[tuple[str, str]]) -> dict[str, Line]:
    """The line in force for each key of connection tracking, by its name below net.netfilter.

    :param texts: the files that are applied, in their order, as (path, text).
    """
    found: dict[str, Line] = {}
    for path, text in texts:
        if "nf_" not in text:
            continue
        for entry in procps_sysctl.parse(text):
            key = None if wildcards.is_pattern(entry.key) else key_of(entry.key)
            value = None if key is None or entry.value is None else number_for(key, entry.value)
            if key is not None and value is not None:
                found.pop(key, None)
                found[key] = Line(path, entry.number, value)
    return found
