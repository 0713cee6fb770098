# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that a firewall's start loads rules from, or runs: the lines that need NAT or connection tracking. Pure.

The readers beside this one take what a program lists; these take what people write: comments, includes, several
statements in a line, and lines that go on in the next.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._kmod import CONNTRACK, NAT
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record
from ansible_collections.netops.conntrack.plugins.module_utils._rules import iptables


class Line(Record):
    """The first line of a file that needs a stack.

    :ivar number: from 1.
    :ivar text: the line, without white space around it.
    """

    number: int
    text: str


#: By stack, the first line that needs it. What needs NAT needs connection tracking too.
Found = t.Dict[str, Line]

#: Matches and targets of iptables, in lower case, whose modules depend on nf_nat and on nf_conntrack, or on
#: nf_defrag_ipv4, which is kept out with that (modules.dep of 5.10 to 7.2).
_NAT_EXTENSIONS = frozenset(["dnat", "masquerade", "netmap", "redirect", "same", "snat"])
_CONNTRACK_EXTENSIONS = frozenset(
    [
        "cluster",
        "clusterip",
        "connbytes",
        "connlabel",
        "connlimit",
        "connmark",
        "connsecmark",
        "conntrack",
        "ct",
        "helper",
        "ipvs",
        "notrack",
        "socket",
        "state",
        "synproxy",
        "tproxy",
    ]
)

#: What a rule has to hold, in lower case, to be looked at, since a file may have very many.
_WORTH_A_LOOK = re.compile("|".join(sorted(_NAT_EXTENSIONS | _CONNTRACK_EXTENSIONS)))

#: Packets and bytes before a rule, as iptables-save -c writes them.
_COUNTERS = re.compile(r"\[\d+:\d+\]\s*")


def in_iptables(text: str) -> Found:
    """What a file for iptables-restore needs, whichever program of that name reads it.

    A table nat that is only named is made, or its module loaded, be it without a rule (iptables-restore of 1.8).
    """
    found: Found = {}
    chains: set[str] = set()
    for number, raw in enumerate(text.split("\n"), 1):
        if raw.startswith("*"):
            chains = set()
            stack = NAT if raw[1:].strip() == "nat" else None
        elif raw.startswith(":"):
            chains.update(raw[1:].split()[:1] if raw.split()[1:2] == ["-"] else ())
            stack = None
        else:
            stack = _of_rule(raw, chains)
        if stack is not None:
            _add(found, stack, Line(number, _COUNTERS.sub("", raw.strip(), count=1)))
        if NAT in found:
            break
    return found


def _of_rule(raw: str, chains: set[str]) -> str | None:
    """What a rule needs, of a table with these chains of one's own, to which one that it makes is added."""
    if _WORTH_A_LOOK.search(raw.lower()) is None:
        return None
    rule = _COUNTERS.sub("", raw.strip(), count=1)
    if rule.startswith(("-N ", "--new-chain ")):
        chains.update(rule.split()[1:2])
        return None
    return _of_extensions(rule, chains) if rule.startswith("-") else None


def _of_extensions(rule: str, chains: t.Container[str]) -> str | None:
    names = {name.lower() for name in iptables.extensions(rule, chains)}
    if not names.isdisjoint(_NAT_EXTENSIONS):
        return NAT
    return None if names.isdisjoint(_CONNTRACK_EXTENSIONS) else CONNTRACK


def _add(found: Found, stack: str, line: Line) -> None:
    found.setdefault(stack, line)
    if stack == NAT:
        found.setdefault(CONNTRACK, line)


# --- nftables

_FAMILY = r"(?:(?:ip6?|inet|arp|bridge|netdev)\s+)?"

#: A quoted string, which may hold anything but a quote; a comment; a line that goes on in the next (nft's
#: src/scanner.l).
_OPAQUE = re.compile(r'"[^"]*"?|#[^\n]*|\\\n')

#: What a file names, which may read like an expression: tables, chains, sets, variables, messages of ICMP.
_NAMES = re.compile(
    r"\b(?:"
    rf"(?:rule|chain|flowtable|ct[ \t]+(?:helper|timeout|expectation))\s+{_FAMILY}(?![{{}}])[^\s;{{}}]+"
    r"(?:[ \t]+(?![{}])[^\s;{}]+(?=[ \t]*\{))?"
    rf"|table\s+{_FAMILY}[^\s;{{}}]+"
    r"|(?:define|redefine|undefine)\s+\S+"
    r"|(?:jump|goto)\s+[^\s;{}]+"
    r"|icmp(?:v6)?\s+type\s+(?:(?:!=|==|vmap)\s*)?(?:\{[^}]*\}|\S+)"
    r")"
    # Not the "set" of "meta mark set ct mark".
    r"|(?:(?:^|[;{}])[ \t]*|\b(?:add|create|delete|destroy|flush|reset|list)[ \t]+)(?:set|map)[ \t]+"
    rf"{_FAMILY}(?![{{}}])[^\s;{{}}]+(?:[ \t]+(?![{{}}])[^\s;{{}}]+(?=[ \t]*\{{))?"
    r"|[@$][\w./-]+",
    re.MULTILINE,
)

_NFT_NAT = re.compile(
    r"\btype\s+nat\s+hook\b"
    r"|(?<![\w.-])masquerade(?![\w.-])"
    r"|\b[sd]nat\s+(?:ip6?\s+)?(?:(?:addr\s+\.\s+port|interval|prefix)\s+)?to\b"
    r"|(?<![\w.-])redirect(?=\s+to\b|\s*[;}\n]|\s*\Z)"
)

#: The keys that can follow ``ct``, with a direction before some of them (ct_expr in nft's src/parser_bison.y).
_NFT_CONNTRACK = re.compile(
    r"(?<![\w.-])ct\s+(?:original\s+|reply\s+)?(?:state|direction|status|mark|expiration|helper|timeout|expectation"
    r"|label|l3proto|protocol|proto-src|proto-dst|saddr|daddr|ip6?\s+[sd]addr|bytes|packets|avgpkt|zone|event"
    r"|secmark|id|count)\b"
    r"|(?<![\w.-])notrack(?![\w.-])"
    r"|\bflow\s+(?:add|offload)\b"
    r"|(?<![\w.-])flowtable\s"
    r"|(?<![\w.-])synproxy(?![\w.-])"
    r"|(?<![\w.-])tproxy\s+(?:ip6?\s+)?to\b"
)

#: One of these is in all that the patterns above find.
_NFT_WORDS = ("ct", "flow", "masquerade", "nat", "proxy", "redirect", "notrack")

#: Objects that need connection tracking by themselves.
_NFT_OBJECT = re.compile(
    r"(?<![\w.-])(?:flowtable|synproxy|ct\s+(?:helper|timeout|expectation))\s+[^\s;{}]+[^;{}\n]*\{"
)

_INCLUDE = re.compile(r"(?:^|[;{}])[ \t]*include(?=[ \t])", re.MULTILINE)
_INCLUDED = re.compile(r'[ \t]+(?:"(?P<quoted>[^"\n]*)"|(?P<bare>[^\s;"]+))')


def in_nft(text: str) -> Found:
    """What a file for ``nft -f`` needs, without the files that it includes."""
    if not any(word in text for word in _NFT_WORDS):
        return {}  # most of all, long lists of addresses
    bare = _without_opaque(text)
    unnamed = _NAMES.sub(_blank, bare)
    found: Found = {}
    # An object stands before its name.
    for stack, where, pattern in (
        (NAT, unnamed, _NFT_NAT),
        (CONNTRACK, unnamed, _NFT_CONNTRACK),
        (CONNTRACK, bare, _NFT_OBJECT),
    ):
        match = pattern.search(where)
        if match is not None:
            _add_first(found, stack, _line_at(text, match.start()))
    return found


def _add_first(found: Found, stack: str, line: Line) -> None:
    for needed in (NAT, CONNTRACK) if stack == NAT else (CONNTRACK,):
        if needed not in found or line.number < found[needed].number:
            found[needed] = line


def includes(text: str) -> list[str]:
    """The files, or patterns of files, that a file for nft includes."""
    bare = _without_opaque(text, strings=False)
    without_strings = _without_opaque(text)
    found = []
    for match in _INCLUDE.finditer(without_strings):
        included = _INCLUDED.match(bare, match.end())
        if included is not None:
            found.append(included.group("quoted") or included.group("bare") or "")
    return [name for name in found if name]


def _blank(match: t.Match[str]) -> str:
    """As much white space, so that every place stays what it was."""
    return re.sub(r"[^\n]", " ", match.group())


def _without_opaque(text: str, strings: bool = True) -> str:
    def blank(match: t.Match[str]) -> str:
        return match.group() if match.group()[0] == '"' and not strings else _blank(match)

    return _OPAQUE.sub(blank, text)


def _line_at(text: str, position: int) -> Line:
    start = text.rfind("\n", 0, position) + 1
    return Line(text.count("\n", 0, position) + 1, text[start:].partition("\n")[0].strip())


# --- scripts

_COMMENT = re.compile(r"(?:^|(?<=[\s;]))#.*")
_PROGRAM = re.compile(r"\b(?:ip6?tables|nft)\b")
_TABLE_NAT = re.compile(r"(?:-t|--table)[ =]?['\"]?nat\b")


def in_script(text: str) -> Found:
    """Lines of a shell script, or of hooks that a shell runs, which call iptables or nft for what needs a stack.

    Whether they run at all, and with which values, only a shell could tell.
    """
    found: Found = {}
    logical, first = "", 0
    for number, raw in enumerate(text.split("\n"), 1):
        first = first if logical else number
        logical += raw
        if raw.endswith("\\"):
            logical = logical[:-1] + " "
            continue
        line, logical = _COMMENT.sub("", logical), ""
        if _PROGRAM.search(line) is None:
            continue
        stack = NAT if _TABLE_NAT.search(line) else _of_extensions(line, ())
        for candidate, pattern in ((CONNTRACK, _NFT_CONNTRACK), (NAT, _NFT_NAT)):
            if stack != NAT and "nft" in line and pattern.search(line):
                stack = candidate
        if stack is not None:
            _add(found, stack, Line(first, line.strip()))
        if NAT in found:
            break
    return found
