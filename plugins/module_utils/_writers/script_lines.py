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
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

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
#: ``modprobe nf_conntrack hashsize=N``: these, one after the other in one command.
_LOADS_MODULE = (
    re.compile(r"\b(?:modprobe|insmod)\b"),
    re.compile(r"\bnf_conntrack(?:\.ko[^\s;&|]*)?\b"),
    re.compile(r"\bhashsize=(?P<value>\w*)"),
)
_COMMANDS = re.compile(r"[;&|]")
_PRINTED = re.compile(r"\b(?:echo|printf)(?:[ \t]+-\w+)*[ \t]+[\"']?(?P<value>\w+)")
#: Something is written to the file that a variable names.
_USED = re.compile(r"(?:>[>|]?|\btee)[ \t]*[\"']?\$(?:(?P<bare>\w+)|\{(?P<braced>\w+)\})")
#: ``sysctl -p FILE``, ``sysctl --load=FILE``, ``sysctl --system``.
_APPLIED = re.compile(r"(?<![\w-])sysctl\b(?P<arguments>[^;&|\n#]*)")
_LOADS = re.compile(r"(?:\A|\s)(?:(?:-\w*[pf]|--load)(?=[\s=/]|\Z)[\s=]*(?P<file>[^\s]*)|--system\b)")

#: What is searched of a line, with those that continue it. Much longer ones are data.
MOST = 1 << 14
#: How far before what is written to a file the word is looked for that is printed to it.
_MOST_BACK = 1 << 10

#: What sysctl loads where no file is named, and last of all with --system.
SYSCTL_CONF = "/etc/sysctl.conf"


class Write(Record):
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


class Applied(Record):
    """A line that has sysctl apply a file.

    :ivar line: its number, from 1.
    :ivar path: the file.
    :ivar text: the line, without blanks around it.
    """

    line: int
    path: str
    text: str


def logical_lines(text: str) -> t.Iterator[tuple[int, str]]:
    """The lines that are no comment, with their numbers; what a backslash continues is one line.

    Of each there are :data:`MOST` characters, and one more where there were more.
    """
    begun, first = "", 0
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip("\r")
        if not begun and line.lstrip()[:1] == "#":
            continue
        first = first if begun else number
        if line.endswith("\\"):
            begun = (begun + line[: MOST + 1][:-1] + " ")[: MOST + 1] if len(begun) <= MOST else begun
            continue
        if begun or line:
            yield first, (begun + line[: MOST + 1])[: MOST + 1]
        begun = ""
    if begun:
        yield first, begun


def is_cut(lines: t.Iterable[tuple[int, str]]) -> bool:
    """Whether any of these lines was longer than what is searched of it."""
    return any(len(line) > MOST for _number, line in lines)


def is_of_interest(text: str) -> bool:
    """Whether a line of a script may set a key, or have sysctl apply a file."""
    return "nf_conntrack" in text or "nf_flowtable" in text or "sysctl" in text


def find_writes(text: str, lines: t.Iterable[tuple[int, str]] | None = None) -> list[Write]:
    """The lines of a script that set a key, each key once a line.

    :param lines: its logical lines, where not all of them count.
    """
    if "nf_conntrack" not in text and "nf_flowtable" not in text:
        return []
    found: dict[tuple[int, str], Write] = {}
    variables: dict[str, str] = {}
    for number, line in logical_lines(text) if lines is None else lines:
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
            yield from _checked(_key(match), _printed(line, match.start()))
        for match in _OPENED.finditer(line):
            yield from _checked(_key(match), "")
        if "hashsize=" in line:
            yield from _loaded(line)
    for match in _USED.finditer(line) if variables else ():
        key = variables.get(match.group("bare") or match.group("braced"))
        if key is not None:
            yield from _checked(key, _printed(line, match.start()))


def _loaded(line: str) -> t.Iterator[tuple[str, int | None]]:
    """The hashsize that a command of a line loads nf_conntrack with."""
    for command in _COMMANDS.split(line):
        loads = _LOADS_MODULE[0].search(command)
        module = None if loads is None else _LOADS_MODULE[1].search(command, loads.end())
        sizes = [] if module is None else list(_LOADS_MODULE[2].finditer(command, module.end()))
        if sizes:
            yield BUCKETS, _kernel.parse_parameter(sizes[-1].group("value"))


def _key(match: re.Match[str]) -> str:
    groups = match.groupdict()
    return BUCKETS if groups.get("hashsize") else groups["name"] or MAX


def _checked(key: str, value: str) -> t.Iterator[tuple[str, int | None]]:
    if is_conntrack(key) and key != COUNT:
        yield key, _kernel.parse_number(value)


def _printed(line: str, end: int) -> str:
    """The word that is printed to a file.

    It is taken from what stands before it in its command, and in that whose output it gets.
    """
    before = line[max(0, end - _MOST_BACK) : end]
    command = before[max(before.rfind(";"), before.rfind("&")) + 1 :]
    match = _PRINTED.search("|".join(command.split("|")[-2:]))
    return "" if match is None else match.group("value")


def find_applied(text: str, lines: t.Iterable[tuple[int, str]] | None = None) -> list[Applied]:
    """The files that lines of a script have sysctl apply; /etc/sysctl.conf where they name none.

    :param lines: its logical lines, where not all of them count.
    """
    found = []
    if "sysctl" not in text:
        return []
    for number, line in logical_lines(text) if lines is None else lines:
        for match in _APPLIED.finditer(line):
            for loads in _LOADS.finditer(match.group("arguments")):
                file = (loads.group("file") or "").strip("\"'")
                # Another option, or where its output goes: no file is named.
                if not file or file[:2] in ("-q", "-e", "--") or ">" in file:
                    file = SYSCTL_CONF
                if file.startswith("/"):
                    found.append(Applied(number, file, line.strip()))
    return found
