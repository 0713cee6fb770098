# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A firewall rule, chain or object that needs modules of connection tracking or NAT."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

#: Stands for any extension of iptables, where a listing does not show which one a rule uses.
ANY_EXTENSION = "xt_*"

#: Stands for any helper or timeout policy, where a listing shows the target CT and not what it gives to connections.
ANY_HELPER = "nf_conntrack_*"

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')

#: What people write into rules for people, or for the log.
_REMARK = re.compile(r'\b(?:comment|prefix) (?:"(?:[^"\\]|\\.)*"|[^\s"-]\S*)')

#: Extensions of iptables whose module has another name. All are compared in lower case, as xt_connmark is xt_CONNMARK
#: too.
_OTHER_MODULES = {
    "snat": "xt_nat",
    "dnat": "xt_nat",
    "state": "xt_conntrack",
    "notrack": "xt_ct",
}

#: Helpers, by the name of a connection's helper, whose module has another name: all of H.323 are in one.
_OTHER_HELPERS = {"ras": "h323", "q931": "h323", "h245": "h323"}


class Rule(Record):
    """What a listing shows.

    :ivar tool: the program that lists it: nft, iptables-legacy, ip6tables-legacy.
    :ivar table: with its family where it has one: ``ip nat``.
    :ivar chain: None for what is no part of a chain.
    :ivar text: as the program prints it.
    :ivar modules: lower-case names of the modules that it may use, each with the number of expressions that may use it.
    """

    tool: str
    table: str
    chain: str | None
    text: str
    modules: t.Counter[str]


def without_quoted(text: str) -> str:
    """A rule without its quoted strings, in which a comment may say anything."""
    return _QUOTED.sub('""', text)


def without_remarks(text: str) -> str:
    """A rule without its comment and log prefix; names of interfaces stay."""
    return _REMARK.sub("", text)


def extension_modules(name: str) -> set[str]:
    """The modules that a match or target of iptables can be in."""
    name = name.lower()
    return {prefix + name for prefix in ("xt_", "ipt_", "ip6t_")} | {_OTHER_MODULES.get(name, "xt_" + name)}


def helper_modules(name: str) -> set[str]:
    """The modules that a connection's helper can be in.

    One named after its protocol, or that of helpers in programs.
    """
    name = name.lower().replace("-", "_").replace(".", "")
    return {"nf_conntrack_" + _OTHER_HELPERS.get(name, name), "nfnetlink_cthelper"}
