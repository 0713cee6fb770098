# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``nft -s list ruleset`` prints: the rules, chains and objects that need connection tracking or NAT. Pure.

The text is read, not ``nft -j``: not every nft has JSON, rules of iptables-nft are not in it, and the text is what an
operator knows a rule by.
"""

from __future__ import annotations

import re
import typing as t
from collections import Counter

from ansible_collections.netops.conntrack.plugins.module_utils._rules.rule import (
    ANY_EXTENSION,
    ANY_HELPER,
    Rule,
    extension_modules,
    helper_modules,
    without_quoted,
    without_remarks,
)

#: Without counters.
COMMAND = ("nft", "-s", "list", "ruleset")

#: Tables that iptables-nft makes; it keeps the matches and targets of iptables, and nft may print them as its own.
_IPTABLES = re.compile(r"(ip|ip6) (filter|nat|mangle|raw|security)")

#: What opens a block. A table that a program owns is printed with that program's name behind it.
_BLOCK = re.compile(r"(?P<kind>ct helper|ct timeout|ct expectation|\w+) ?(?P<name>.*?) \{(?: #.*)?")

#: Names of chains, of ICMP messages and of sets, which may read like an expression.
_NAMES = re.compile(r"\b(?:jump|goto|icmp(?:v6)? type(?: !=| vmap)?) (?:\{[^}]*\}|\S+)|@\S+")

#: (expression, modules of nftables, modules of iptables), for a rule's text without quoted strings and names.
_EXPRESSIONS: t.Sequence[tuple[re.Pattern[str], str, str]] = [
    (re.compile(pattern), own, compat)
    for pattern, own, compat in (
        (r"\bct (?!count\b)", "nft_ct", "xt_conntrack xt_state xt_connmark xt_connlabel xt_connbytes xt_helper"),
        (r"\bct count\b", "nft_connlimit", "xt_connlimit"),
        (r"\bnotrack\b", "nft_ct", "xt_ct"),
        (r"\bmasquerade\b", "nft_masq", "xt_masquerade ipt_masquerade ip6t_masquerade"),
        # Not "ct status dnat", by which a filter knows what NAT did.
        (r"\b[sd]nat (ip6? )?((addr \. port|interval|prefix) )?to\b", "nft_nat", "xt_nat xt_netmap"),
        (r"\bredirect\b", "nft_redir", "xt_redirect"),
        (r"\bflow (add|offload) ", "nft_flow_offload", ""),
        (r"\bsynproxy\b", "nft_synproxy", "xt_synproxy ipt_synproxy ip6t_synproxy"),
        (r"\btype nat hook\b", "nft_chain_nat", ""),
    )
]

_OBJECTS = {
    "ct helper": "nft_ct",
    "ct timeout": "nft_ct",
    "ct expectation": "nft_ct",
    "synproxy": "nft_synproxy",
    "flowtable": "nf_flow_table_inet nf_flow_table_ipv4 nf_flow_table_ipv6 nf_flow_table",
}

#: What a ct helper object is.
_HELPER = re.compile(r'type "([\w.-]+)" protocol .*')

#: An extension of iptables as nft prints it where it cannot translate it: with quotes from 1.0.7 on, without in 1.0.6,
#: and before that, where it was built without libxtables, as ``# xt_NAME``.
_EXTENSION = re.compile(r'(?:\bxt (?:match|target|watcher) "?|# xt_)([\w-]+)')

#: How nft before 1.0.6 prints it otherwise, not always at a rule's start.
_UNTRANSLATED = re.compile(r"(?:^| )#")

#: The target CT of iptables, unless it is shown as ``notrack``: its options do not show, or are not read.
_HIDDEN_CT = re.compile(r'\bxt target "?CT\b|(?:^| )#.* (?:xt_)?CT\b')

#: Blocks of elements, each of which may count connections.
_ELEMENTS = ("set", "map", "meter")
_COUNTS = re.compile(r"\bct count\b")

#: What tracks, also by an object: in a bridge each pins the module of bridges, which ``notrack`` does not.
_TRACKS = re.compile(r"\bct ")
_OF_BRIDGES = "nf_conntrack_bridge"


def parse(text: str) -> list[Rule]:
    """The rules, chains and objects that need connection tracking or NAT, in their order."""
    listing = _Listing()
    for line in text.split("\n"):
        listing.take(line.strip())
    return listing.found


class _Listing:
    """A listing of nft, read line by line.

    :ivar found: what needs connection tracking or NAT, so far.
    """

    def __init__(self) -> None:
        self.found: list[Rule] = []
        self._table = ""
        self._chain: str | None = None
        self._title = ""
        # The kinds of the blocks that are open, the innermost last.
        self._open: list[str] = []

    def take(self, line: str) -> None:
        """Read one more line, without blanks around it."""
        block = _BLOCK.fullmatch(line)
        inside = self._open[-1] if self._open else None
        if line == "}" or line.startswith("} "):
            del self._open[-1:]
        elif block is not None and inside != "chain":
            self._begin(block.group("kind"), block.group("name"))
        elif inside == "chain":
            self._rule(line)
        elif inside == "ct helper":
            self._helper(line)
        elif inside in _ELEMENTS:
            self._element(line)
        elif line.endswith("{") and "}" not in line:
            self._open.append("")  # elements over more than one line

    def _begin(self, kind: str, name: str) -> None:
        self._open.append(kind)
        self._title = f"{kind} {name}"
        if kind == "table":
            self._table = name
        elif kind == "chain":
            self._chain = name
        elif kind in _OBJECTS:
            modules = Counter(_OBJECTS[kind].split() + _of_bridges(self._title, self._table))
            self.found.append(Rule("nft", self._table, None, self._title, modules))

    def _rule(self, line: str) -> None:
        modules = _modules(line, self._table)
        if modules:
            self.found.append(Rule("nft", self._table, self._chain, line.rstrip("; "), modules))
        if line.endswith((" jump {", " goto {")) or line in ("jump {", "goto {"):
            self._open.append("chain")  # one without a name, inside its only rule

    def _helper(self, line: str) -> None:
        for helper in _HELPER.findall(line):
            rule = self.found[-1]
            self.found[-1] = rule._replace(modules=rule.modules + Counter(helper_modules(helper)))

    def _element(self, line: str) -> None:
        bare = without_quoted(line)
        modules = Counter(["nft_connlimit", *_of_bridges(bare, self._table)])
        rule = Rule("nft", self._table, None, self._title, modules)
        if _COUNTS.search(bare) and rule not in self.found[-1:]:
            self.found.append(rule)


def _of_bridges(bare: str, table: str) -> list[str]:
    return [_OF_BRIDGES for _match in _TRACKS.findall(bare)] if table.startswith("bridge ") else []


def _modules(rule: str, table: str) -> t.Counter[str]:
    bare = _NAMES.sub("", without_quoted(rule))
    is_iptables = _IPTABLES.fullmatch(table) is not None
    found = Counter(_of_bridges(bare, table))
    for pattern, own, compat in _EXPRESSIONS:
        for _match in pattern.findall(bare):
            found.update(own.split())
            found.update(compat.split() if is_iptables else ())
    if is_iptables and _UNTRANSLATED.search(bare):
        found.update([ANY_EXTENSION])
    unremarked = without_remarks(rule)
    for name in _EXTENSION.findall(unremarked):
        found.update(extension_modules(name))
    if _HIDDEN_CT.search(unremarked):
        found.update([ANY_HELPER])
    return found
