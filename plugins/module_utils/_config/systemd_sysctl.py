# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""sysctl.d: parse, tell who wins at boot, and edit without touching any other byte. Pure.

The rules are those of systemd-sysctl: sysctl.d(5) and src/sysctl/sysctl.c. What another program does otherwise is in
``procps_sysctl``.
"""

from __future__ import annotations

import functools
import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._config import sysctl_names, wildcards
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import ConfFile, DropIns, Origin
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

PROGRAM = "systemd-sysctl"

KIND = "sysctl.d"

#: What an operator's ``sysctl -p`` reads alone, whatever the boot reads.
SYSCTL_CONF = "/etc/sysctl.conf"

# A zero byte is only ever at a line's end.
_BLANK = " \t\r\n\0"
_COMMENT = ("#", ";")
_ASSIGNMENT = r"(?P<left>[^=]*=[ \t]*)(?P<value>.*?)(?P<right>[ \t\r\n\0]*)\Z"


class Entry(Record):
    """A line that names a key.

    :ivar number: line number, from 1.
    :ivar key: the key as a path below /proc/sys, such as ``net/netfilter/nf_conntrack_max``; may hold globs.
    :ivar value: the value; None for ``-key``, which takes a key out of what globs set.
    """

    number: int
    key: str
    value: str | None


def normalise(key: str) -> str:
    """A key as a path below /proc/sys. The first separator decides which of ``.`` and ``/`` separates."""
    first = next((char for char in key if char in "./"), "/")
    path = key if first == "/" else key.translate({ord("."): "/", ord("/"): "."})
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def split_lines(text: str) -> list[str]:
    """The lines with their ends, so that joining them gives the text back.

    A carriage return alone ends a line too, and so does a zero byte: read_line_full() in src/basic/fileio.c.
    """
    return re.findall(r"[^\r\n\0]*(?:\r\n?|\n|\0)|[^\r\n\0]+", text)


def _parse_line(number: int, line: str) -> Entry | None:
    stripped = line.strip(_BLANK)
    if not stripped or stripped.startswith(_COMMENT):
        return None
    key, equals, value = stripped.partition("=")
    ignores_errors = key.startswith("-")
    key = key[1:] if ignores_errors else key
    if not equals and not ignores_errors:
        return None  # systemd-sysctl complains and goes on
    return Entry(number, normalise(key.strip(_BLANK)), value.strip(_BLANK) if equals else None)


def parse(text: str) -> list[Entry]:
    """The entries of a file in the order of its lines."""
    return list(_entries(text))


@functools.lru_cache(maxsize=64)
def _entries(text: str) -> tuple[Entry, ...]:
    entries = (_parse_line(number, line) for number, line in enumerate(split_lines(text), 1))
    return tuple(entry for entry in entries if entry is not None)


def mistakes(text: str) -> list[sysctl_names.Mistake]:
    """The lines of a file that were meant to set a key of connection tracking, and are no assignment."""
    return sysctl_names.mistakes(split_lines(text), _BLANK)


def lines_about(conf: ConfFile, names: t.Collection[str], meant: t.Collection[str] = ()) -> list[str]:
    """The lines of a file that name one of these keys (with dots), as ``file:line (text)`` for messages.

    :param meant: keys of which only lines that are no assignment count.
    """
    keys = {normalise(name) for name in names}
    numbers = {entry.number for entry in parse(conf.text) if entry.key in keys}
    keys.update(map(normalise, meant))
    numbers.update(mistake.number for mistake in mistakes(conf.text) if mistake.key in keys)
    lines = split_lines(conf.text)
    return [f"{conf.place}:{number} ({lines[number - 1].strip(_BLANK)})" for number in sorted(numbers)]


class BootValues:
    """What the boot writes, from all files that it reads.

    :param only: prefixes as paths below /proc/sys, as of ``--prefix=/net/netfilter``; empty for all.
    """

    def __init__(self, drop_ins: DropIns, only: tuple[str, ...] = ()) -> None:
        self._starts = tuple(prefix + "/" for prefix in only) or ("",)
        # As systemd-sysctl keeps it: a later line replaces an earlier one and moves to the end, unless it says
        # the same; then the earlier one stays where it is.
        entries: dict[str, tuple[str, Entry]] = {}
        for conf in drop_ins.files:
            for entry in parse(conf.text):
                known = entries.get(entry.key)
                if known is not None and known[1].value == entry.value:
                    continue
                entries.pop(entry.key, None)
                entries[entry.key] = (conf.path, entry)
        self._entries = {key: (place, *found) for place, (key, found) in enumerate(entries.items())}
        self._globs = [key for key in entries if wildcards.is_pattern(key)]

    def writes(self, *names: str) -> list[Origin]:
        """All that is written to a variable that has these names (with dots), in that order.

        A glob never overrides a line that names the key, wherever that stands.
        """
        keys = [key for key in map(normalise, names) if f"{key}/".startswith(self._starts)]
        hits = {key for key in keys if key in self._entries and key not in self._globs}
        for key in keys if self._globs else ():
            if key not in self._entries:
                hits.update(glob for glob in self._globs if wildcards.path_matches(glob, key))
        written = sorted(self._entries[hit] for hit in hits)
        return [Origin(entry.value, path, entry.number) for _place, path, entry in written if entry.value is not None]


def edit(
    text: str, wanted: t.Mapping[str, str], unwanted: t.Collection[str] = (), meant: t.Collection[str] = ()
) -> str:
    """Set some keys and drop others; every other byte stays as it was.

    A key that stands several times keeps its last line, the one in force, with the value replaced in place. Lines that
    were meant to set one of all these keys, and are no assignment, go.

    :param wanted: values by key with dots.
    :param unwanted: keys with dots whose lines go.
    :param meant: keys of which only lines that are no assignment go.
    """
    drop = {normalise(name) for name in unwanted}
    names = {normalise(name): name for name in wanted}
    lines = split_lines(text)
    entries = parse(text)
    by_number = {entry.number: entry for entry in entries}
    last = {entry.key: entry.number for entry in entries if entry.key in names and entry.value is not None}
    stray = {normalise(name) for name in (*wanted, *unwanted, *meant)}
    numbers = {mistake.number for mistake in mistakes(text) if mistake.key in stray}
    for index in range(len(lines) - 1, -1, -1):
        if index + 1 in numbers:
            del lines[index]
            continue
        entry = by_number.get(index + 1)
        if entry is None:
            continue
        if last.get(entry.key) == entry.number:
            match = re.match(_ASSIGNMENT, lines[index], re.DOTALL)
            if match is not None:
                lines[index] = match.group("left") + wanted[names[entry.key]] + match.group("right")
        elif entry.key in names or entry.key in drop:
            del lines[index]
    missing = [key for key in names if key not in last]
    if missing:
        end = "\r\n" if lines and lines[-1].endswith("\r\n") else "\n"
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += end
        lines += [f"{names[key]} = {wanted[names[key]]}{end}" for key in missing]
    return "".join(lines)
