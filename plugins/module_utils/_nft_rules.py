# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection: names and behaviour may change in any release.

"""What ``nft -s list ruleset`` prints: the rules, chains and objects that need connection tracking or NAT. Pure.

The text is read, not ``nft -j``: not every nft has JSON, rules of iptables-nft are not in it, and the text is what an
operator knows a rule by.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from ansible_collections.netops.conntrack.plugins.module_utils._rules import ANY_EXTENSION, Rule, without_quoted

#: Without counters.
COMMAND = ("nft", "-s", "list", "ruleset")

#: Tables that iptables-nft makes; it keeps the matches and targets of iptables, and nft may print them as its own.
_IPTABLES = re.compile(r"(ip|ip6) (filter|nat|mangle|raw|security)")

_BLOCK = re.compile(r"(?P<kind>table|chain|flowtable|set|map|meter|ct helper|ct timeout|ct expectation|\w+) ?(?P<name>.*) \{")

#: (expression, modules of nftables, modules of iptables), for a rule's text without quoted strings.
_EXPRESSIONS: t.Sequence[t.Tuple["re.Pattern[str]", str, str]] = [
    (re.compile(pattern), own, compat)
    for pattern, own, compat in (
        (r"\bct (?!count\b)", "nft_ct", "xt_conntrack xt_state xt_connmark xt_connlabel xt_connbytes xt_helper xt_ct"),
        (r"\bct count\b", "nft_connlimit", "xt_connlimit"),
        (r"\bnotrack\b", "nft_ct", "xt_ct"),
        (r"\bmasquerade\b", "nft_masq", "xt_masquerade ipt_masquerade ip6t_masquerade"),
        (r"\b(snat|dnat)\b", "nft_nat", "xt_nat xt_netmap"),
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
    "flowtable": "nf_flow_table_inet nf_flow_table_ipv4 nf_flow_table_ipv6 nf_flow_table",
}

#: What a ct helper object is: the modules of helpers are named after their protocol.
_HELPER = re.compile(r'type "([\w.-]+)" protocol .*')

#: An extension of iptables as nft prints it where it cannot translate it.
_EXTENSION = re.compile(r'\bxt (?:match|target) "([^"]+)"')


def parse(text: str) -> t.List[Rule]:
    """The rules, chains and objects that need connection tracking or NAT, in their order."""
    found: t.List[Rule] = []
    table, chain = "", None
    depth: t.List[str] = []
    for line in (raw.strip() for raw in text.split("\n")):
        block = _BLOCK.fullmatch(line)
        if line == "}" or line.startswith("} "):
            kind = depth.pop() if depth else ""
            chain = None if kind == "chain" else chain
        elif block is not None and not (depth and depth[-1] == "chain"):
            kind, name = block.group("kind"), block.group("name")
            depth.append(kind)
            if kind == "table":
                table = name
            elif kind == "chain":
                chain = name
            elif kind in _OBJECTS:
                found.append(Rule("nft", table, None, line[:-2], frozenset(_OBJECTS[kind].split())))
        elif depth and depth[-1] == "chain":
            modules = _modules(line, _IPTABLES.fullmatch(table) is not None)
            if modules:
                found.append(Rule("nft", table, chain, line.rstrip("; "), modules))
        elif depth and depth[-1] == "ct helper":
            for helper in _HELPER.findall(line):
                found[-1] = replace(found[-1], modules=found[-1].modules | {_helper_module(helper)})
        elif line.endswith("{") and "}" not in line:
            depth.append("")  # elements over more than one line
    return found


def _helper_module(helper: str) -> str:
    return "nf_conntrack_" + helper.lower().replace("-", "_").replace(".", "")


def _modules(rule: str, is_iptables: bool) -> t.FrozenSet[str]:
    bare = without_quoted(rule)
    found: t.Set[str] = set()
    for pattern, own, compat in _EXPRESSIONS:
        if pattern.search(bare):
            found.update(own.split())
            found.update(compat.split() if is_iptables else ())
    if is_iptables and rule.startswith("# "):
        found.add(ANY_EXTENSION)  # how nft up to 1.0 prints what it cannot translate
    for name in _EXTENSION.findall(rule):
        found.update(prefix + name.lower() for prefix in ("xt_", "ipt_", "ip6t_"))
    return frozenset(found)
