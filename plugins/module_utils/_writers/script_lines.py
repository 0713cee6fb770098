# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines of scripts, units and cron tables that set keys of connection tracking. Pure.

A script may run such a line or not, so what is found here is never more than named.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, COUNT, MAX, is_conntrack

_NAME = r"(?:netfilter[./](?P<name>nf_(?:conntrack|flowtable)_\w+)|(?P<max>nf_conntrack_max)\b)"
#: ``net.netfilter.nf_conntrack_max=65536``, as sysctl takes it; its own file has blanks around the equals sign.
_ASSIGNED = re.compile(rf"(?<![\w/.])net[./]{_NAME}[\"']?[ \t]*=(?!=)[ \t]*[\"']?(?P<value>[^\s\"';&|)]*)")
_FILE = rf"(?:/proc/sys/net/{_NAME}|(?P<hashsize>/sys/module/nf_conntrack/parameters/hashsize))"
#: What a shell, perl or tee writes to.
_WRITTEN = re.compile(rf"(?:>[>|]?|\btee(?:[ \t]+-\w+)*)[ \t]*[\"']?{_FILE}")
#: ``open("/proc/sys/...", "w")`` and ``Path("/proc/sys/...").write_text(...)``.
_OPENED = re.compile(rf"\([ \t]*[\"']{_FILE}[\"'][ \t]*(?:,[ \t]*(?:mode=)?[\"'][wa+]|\)\.write)")
#: ``F=/proc/sys/...``, which counts where something is written to $F.
_VARIABLE = re.compile(rf"\b(?P<variable>[A-Za-z_]\w*)=[\"']?{_FILE}")
_LOADED = re.compile(r"\b(?:modprobe|insmod)\b[^;&|]*\bnf_conntrack(?:\.ko\S*)?\b[^;&|]*\bhashsize=(?P<value>\w*)")
_PRINTED = re.compile(r"\b(?:echo|printf)(?:[ \t]+-\w+)*[ \t]+[\"']?(?P<value>\w+)[^;&|]*\|?[^;&|]*\Z")
#: ``sysctl -p FILE``, ``sysctl --load=FILE``, ``sysctl --system``.
_APPLIED = re.compile(r"(?<![\w-])sysctl\b(?P<arguments>[^;&|\n#]*)")
_LOADS = re.compile(r"(?:\A|\s)(?:(?:-\w*[pf]|--load)(?=[\s=/]|\Z)[\s=]*(?P<file>[^\s]*)|--system\b)")

#: What sysctl loads where no file is named, and last of all with --system.
SYSCTL_CONF = "/etc/sysctl.conf"


class Write(t.NamedTuple):
    """A line that sets a key.

    :ivar line: its number, from 1.
    :ivar key: the name below net.netfilter.
    :ivar value: the number in the line; None where there is none, as with a variable of the shell.
    :ivar text: the line, without blanks around it.
    """

    line: int
    key: str
    value: int | None
    text: str


class Applied(t.NamedTuple):
    """A line that has sysctl apply a file.

    :ivar line: its number, from 1.
    :ivar path: the file.
    :ivar text: the line, without blanks around it.
    """

    line: int
    path: str
    text: str


def logical_lines(text: str) -> t.Iterator[tuple[int, str]]:
    """The lines that are no comment, with their numbers; what a backslash continues is one line."""
    begun, first = "", 0
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip("\r")
        if not begun and line.lstrip()[:1] == "#":
            continue
        first = first if begun else number
        if line.endswith("\\"):
            begun += line[:-1] + " "
            continue
        if begun or line:
            yield first, begun + line
        begun = ""
    if begun:
        yield first, begun


def find_writes(text: str) -> list[Write]:
    """The lines of a script that set a key, each key once a line."""
    if "nf_conntrack" not in text and "nf_flowtable" not in text:
        return []
    found: dict[tuple[int, str], Write] = {}
    variables: dict[str, str] = {}
    for number, line in logical_lines(text):
        for key, value in _writes(line, variables):
            found.setdefault((number, key), Write(number, key, value, line.strip()))
    return list(found.values())


def _writes(line: str, variables: dict[str, str]) -> t.Iterator[tuple[str, int | None]]:
    if "conntrack" in line or "nf_flowtable" in line:
        for match in _VARIABLE.finditer(line):
            variables[match.group("variable")] = _key(match)
        for match in _ASSIGNED.finditer(line):
            yield from _checked(_key(match), match.group("value"))
        for match in _WRITTEN.finditer(line):
            yield from _checked(_key(match), _printed(line[: match.start()]))
        for match in _OPENED.finditer(line):
            yield from _checked(_key(match), "")
        for match in _LOADED.finditer(line):
            yield BUCKETS, _kernel.parse_parameter(match.group("value"))
    for variable, key in variables.items():
        used = re.search(rf"(?:>[>|]?|\btee)[ \t]*[\"']?\$(?:{variable}\b|\{{{variable}\}})", line)
        if used is not None:
            yield from _checked(key, _printed(line[: used.start()]))


def _key(match: re.Match[str]) -> str:
    groups = match.groupdict()
    return BUCKETS if groups.get("hashsize") else groups["name"] or MAX


def _checked(key: str, value: str) -> t.Iterator[tuple[str, int | None]]:
    if is_conntrack(key) and key != COUNT:
        yield key, _kernel.parse_number(value)


def _printed(before: str) -> str:
    """The word that is printed to a file, from what stands before it in the line."""
    match = _PRINTED.search(before)
    return "" if match is None else match.group("value")


def find_applied(text: str) -> list[Applied]:
    """The files that lines of a script have sysctl apply; /etc/sysctl.conf where they name none."""
    found = []
    for number, line in logical_lines(text) if "sysctl" in text else ():
        for match in _APPLIED.finditer(line):
            for loads in _LOADS.finditer(match.group("arguments")):
                file = (loads.group("file") or "").strip("\"'")
                # Another option, or where its output goes: no file is named.
                if not file or file[:2] in ("-q", "-e", "--") or ">" in file:
                    file = SYSCTL_CONF
                if file.startswith("/"):
                    found.append(Applied(number, file, line.strip()))
    return found
