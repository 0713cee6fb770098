# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``iptables-legacy-save`` prints: the rules that need connection tracking or NAT. Pure."""

from __future__ import annotations

import re
import typing as t
from collections import Counter

from ansible_collections.netops.conntrack.plugins.module_utils._rules.rule import (
    Rule,
    extension_modules,
    helper_modules,
    without_quoted,
    without_remarks,
)

#: Where the kernel lists the tables of a network namespace; the program reads no other, and so loads none.
NAMES = {
    "iptables-legacy": "/proc/self/net/ip_tables_names",
    "ip6tables-legacy": "/proc/self/net/ip6_tables_names",
}

#: The modules that any rule or chain of table nat pins, whatever it does.
NAT_TABLES = {"iptables-legacy": "iptable_nat", "ip6tables-legacy": "ip6table_nat"}

_MATCH = re.compile(r"(?:^| )(?:-m|--match) (\S+)")

#: A target, or a chain of one's own; what ``-g`` names is always a chain.
_JUMP = re.compile(r"(?:^| )(?:-j|--jump) (\S+)")

#: What the target CT gives to connections: the match ``helper`` has an option of the same name, others a timeout.
_CT = "xt_ct"
_HELPER = re.compile(r" --helper (\S+)")
_TIMEOUT = " --timeout "


def parse(tool: str, text: str) -> list[Rule]:
    """Every rule of table nat, and of the others those with an extension, with the modules they may use.

    Of a table nat without rules, the chains that somebody made: they pin it too.
    """
    found, of_nat = [], []
    table = ""
    chains: set[str] = set()
    for line in text.split("\n"):
        words = line.split()
        if line.startswith("*"):
            table, chains = line[1:].strip(), set()
        elif line.startswith(":") and words[1:2] == ["-"]:
            chains.add(words[0][1:])
            if table == "nat":
                of_nat.append(Rule(tool, table, words[0][1:], line.strip(), Counter([NAT_TABLES[tool]])))
        elif line.startswith("-A ") and len(words) > 1:
            modules = _modules(line, chains)
            if table == "nat":
                modules.update([NAT_TABLES[tool]])
            if modules:
                found.append(Rule(tool, table, words[1], line.strip(), modules))
    return found + ([] if any(rule.table == "nat" for rule in found) else of_nat)


def _modules(line: str, chains: t.Container[str]) -> t.Counter[str]:
    """What a rule may use, of a table with these chains of one's own."""
    modules: t.Counter[str] = Counter()
    for name in extensions(line, chains):
        modules.update(extension_modules(name))
    if _CT in modules:
        modules.update(_given(without_remarks(line)))
    return modules


def extensions(line: str, chains: t.Container[str]) -> list[str]:
    """The matches and targets that a rule names, of a table with these chains of one's own."""
    bare = without_quoted(line)
    return _MATCH.findall(bare) + [name for name in _JUMP.findall(bare) if name not in chains]


def _given(line: str) -> set[str]:
    modules = {"nfnetlink_cttimeout"} if _TIMEOUT in line else set()
    for name in _HELPER.findall(line):
        modules |= helper_modules(name.strip('"'))
    return modules
