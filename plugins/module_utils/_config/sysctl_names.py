# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which key of connection tracking a line of a sysctl file names, or was meant to name. Pure.

Names that no kernel since 4.9 has, mixtures of those with the names of today, and lines that no program takes for an
assignment are common in files that people copied.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._keys import is_conntrack
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

# Compiled where a line is no plain assignment.
_MEANT = (
    r"(?P<mark>\ufeff?)[ \t]*"
    # sysctl -w, /sbin/sysctl -q -w, export
    r"(?P<command>(?:(?:/[^\s=]*/)?(?:sudo|sysctl|export|set|declare)[ \t]+(?:-[^\s=]*[ \t]+)*)*)"
    r"(?P<quote>[\"']?)(?P<key>net[./](?:ipv4[./])?(?:netfilter[./])?(?:ip|nf)_(?:conntrack|flowtable)_\w+)[\"']?"
    r"(?P<between>[ \t]*[:=]+[ \t]*|[ \t]+|\Z)(?P<value>.*)"
)


#: What parts the name of a key from something else.
_ODD = frozenset(" \t:\"'")


class Mistake(Record):
    """A line that sets nothing, and what was meant.

    :ivar number: line number, from 1.
    :ivar key: the key that it names, as a path below /proc/sys.
    :ivar value: the value that was meant; empty where there is none.
    :ivar why: what keeps it from being an assignment.
    """

    number: int
    key: str
    value: str
    why: str


def name_of_today(path: str) -> str | None:
    """The name below ``net.netfilter`` that a key has today, by any of its names; None where it is no key of conntrack.

    :param path: the key as a path below /proc/sys.
    """
    name = path
    for prefix in ("net/", "ipv4/", "netfilter/"):
        if name.startswith(prefix):
            name = name[len(prefix) :]
        elif prefix == "net/":
            return None
    if any(char.isspace() or char == ":" for char in name):
        return None
    name = "nf_" + name[len("ip_") :] if name.startswith("ip_conntrack_") else name
    return name if is_conntrack(name) else None


def is_of_today(path: str) -> bool:
    """Whether kernels of today have keys by such a name, be there this one or not."""
    return path == "net/nf_conntrack_max" or path.startswith("net/netfilter/nf_")


def mistake(number: int, line: str) -> Mistake | None:
    """What a line, without the blanks around it, was meant to be, where it names a key but is no assignment to it."""
    if _is_plain(line):
        return None
    match = re.fullmatch(_MEANT, line, re.DOTALL | re.ASCII)
    if match is None or name_of_today(match.group("key").replace(".", "/")) is None:
        return None
    why = None
    if match.group("mark"):
        why = "there is a byte order mark before the name"
    elif match.group("command"):
        why = "a shell command has no effect in such a file"
    elif match.group("quote"):
        why = "the name is in quotes"
    elif match.group("between").strip() != "=":
        why = "there is no = between name and value"
    if why is None:
        return None
    return Mistake(number, match.group("key").replace(".", "/"), match.group("value").strip(), why)


def _is_plain(line: str) -> bool:
    """Whether a line is one word, one ``=`` and a value, as nearly all are."""
    name, equals, value = line.partition("=")
    word = name.rstrip(" \t")
    return bool(equals) and value[:1] not in ("=", ":") and word.startswith("net") and not _ODD.intersection(word)


def may_be_meant(line: str) -> bool:
    """Whether a line may name a key of connection tracking, by any name."""
    return "conntrack_" in line or "nf_" in line


def mistakes(lines: t.Iterable[str], blanks: str) -> list[Mistake]:
    """Those of the lines of a file.

    :param blanks: what is no part of a line at its ends.
    """
    found = (mistake(number, line.strip(blanks)) for number, line in enumerate(lines, 1) if may_be_meant(line))
    return [one for one in found if one is not None]
