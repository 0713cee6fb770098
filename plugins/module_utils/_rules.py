# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection: names and behaviour may change in any release.

"""A firewall rule, chain or object that needs modules of connection tracking or NAT."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

#: Stands for any extension of iptables, where a listing does not show which one a rule uses.
ANY_EXTENSION = "xt_*"

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True)
class Rule:
    """What a listing shows.

    :ivar tool: the program that lists it: nft, iptables-legacy, ip6tables-legacy.
    :ivar table: with its family where it has one: ``ip nat``.
    :ivar chain: None for what is no part of a chain.
    :ivar text: as the program prints it.
    :ivar modules: lower-case names of the modules that it may use.
    """

    tool: str
    table: str
    chain: t.Optional[str]
    text: str
    modules: t.FrozenSet[str]


def without_quoted(text: str) -> str:
    """A rule without its quoted strings, in which a comment may say anything."""
    return _QUOTED.sub('""', text)
