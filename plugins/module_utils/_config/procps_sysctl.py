# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who wins when the boot runs ``sysctl --system`` of procps. Pure.

The rules are those of src/sysctl.c of procps-ng 3.3.17 to 4.0.6, which differ from systemd's in that every line is
written, one after the other, and in what a line is.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._config import wildcards
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import DropIns, Origin, Reading
from ansible_collections.netops.conntrack.plugins.module_utils._config.systemd_sysctl import SYSCTL_CONF, Entry

PROGRAM = "sysctl"

#: The directories as systemd reads them, hidden files too, and then /etc/sysctl.conf, wherever else that was read.
READING = Reading(hidden=True, last=SYSCTL_CONF)

#: Selects the lines for keys below net.netfilter, in any spelling that the collection leaves in its own file. sysctl
#: compares it with the line from its first character that is not blank.
PATTERN = "^-?[./]*net[./]+netfilter[./]"

_BLANK = " \t\n\v\f\r"


def _path(key: str) -> str:
    """A key below /proc/sys. The first separator decides which of ``.`` and ``/`` separates; nothing is tidied up."""
    first = next((char for char in key if char in "./"), "/")
    return key if first == "/" else key.translate({ord("."): "/", ord("/"): "."})


def _parse_line(number: int, line: str) -> Entry | None:
    line = line.lstrip(_BLANK)
    if line.startswith(("#", ";")):
        return None
    key, equals, value = line.partition("=")
    starts_with_minus = key.startswith("-")
    if not equals and not starts_with_minus:
        return None  # sysctl complains and goes on
    key = (key[1:] if starts_with_minus else key).rstrip(_BLANK)
    if equals and key.startswith("-"):
        key = key[1:]  # setting_new() takes a second one away
    return Entry(number, _path(key), value.strip(_BLANK) if equals else None)


def parse(text: str, pattern: str = "") -> list[Entry]:
    """The entries of a file in the order of its lines; keys as they are spelled, but for the separators.

    :param pattern: a regular expression that lines have to match.
    """
    entries = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.partition("\0")[0]
        entry = _parse_line(number, line) if re.search(pattern, line.lstrip(_BLANK)) else None
        if entry is not None:
            entries.append(entry)
    return entries


def _steps(parts: t.Sequence[str]) -> list[int]:
    """Which parts of a path lead on, after the kernel took ``.``, ``..`` and empty ones for what they mean."""
    steps: list[int] = []
    for index, part in enumerate(parts):
        if part == "..":
            del steps[-1:]
        elif part not in ("", "."):
            steps.append(index)
    return steps


def _found(path: str, key: str) -> str | None:
    """The spelling by which a path leads to a key; None when it does not lead there.

    That is the path itself, or for a glob what glob(3) makes of it.
    """
    parts, names = path.split("/"), key.split("/")
    steps = _steps(parts)
    # What follows a file's name, be it nothing but a slash, asks for a directory.
    if len(steps) != len(names) or steps[-1] != len(parts) - 1:
        return None
    for step, name in zip(steps, names):
        if wildcards.is_pattern(path):
            if not wildcards.matches(parts[step], name):
                return None
            parts[step] = name
        elif parts[step] != name:
            return None
    return "/".join(parts)


class BootValues:
    """What the boot writes, from all files that it reads, by the rules of procps.

    :param only: a regular expression that lines have to match, as of ``--pattern``; empty for all.
    """

    def __init__(self, drop_ins: DropIns, only: tuple[str, ...] = ()) -> None:
        pattern = "".join(only)
        self._entries = [(conf.path, entry) for conf in drop_ins.files for entry in parse(conf.text, pattern)]
        self._named = {entry.key for _conf, entry in self._entries}

    def writes(self, *names: str) -> list[Origin]:
        """All that is written to a variable that has these names (with dots), in that order.

        A glob never sets what a line names, in just the spelling that the glob finds it by, wherever that stands.
        """
        keys = [_path(name) for name in names]
        written = []
        for path, entry in self._entries:
            spellings = [found for found in (_found(entry.key, key) for key in keys) if found is not None]
            if wildcards.is_pattern(entry.key):
                spellings = [found for found in spellings if found not in self._named]
            if spellings and entry.value is not None:
                written.append(Origin(entry.value, path, entry.number))
        return written
