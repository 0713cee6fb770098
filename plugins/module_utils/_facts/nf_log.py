# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who logs packets for each protocol family: /proc/sys/net/netfilter/nf_log."""

from __future__ import annotations

import typing as t

DIRECTORY = "/proc/sys/net/netfilter/nf_log"

#: Protocol families by number: NFPROTO_* in include/uapi/linux/netfilter.h.
_FAMILIES = {
    "0": "unspec",
    "1": "inet",
    "2": "ipv4",
    "3": "arp",
    "5": "netdev",
    "7": "bridge",
    "10": "ipv6",
    "12": "decnet",
}

#: What the kernel writes where nobody logs.
_NOBODY = "NONE"


def name_loggers(values: t.Mapping[str, str | None]) -> dict[str, str | None]:
    """The logger of each protocol family, None where nobody logs.

    :param values: content of the files by their names, which are the families' numbers.

    A number that is no protocol family (4, 6, 8, 9, 11) is left out, unless somebody logs for it.
    """
    loggers: dict[str, str | None] = {}
    for number, value in values.items():
        logger = None if value in (None, "", _NOBODY) else value
        if number in _FAMILIES or logger is not None:
            loggers[_FAMILIES.get(number, number)] = logger
    return loggers
