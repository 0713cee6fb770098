# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection: names and behaviour may change in any release.

"""modprobe.d: parse, tell which parameter a module gets, and edit without touching any other byte. Pure.

The rules are those of kmod: modprobe.d(5) and libkmod/libkmod-config.c.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.netops.conntrack.plugins.module_utils._drop_ins import DropIns, Origin

KIND = "modprobe.d"

# A line and those it continues on: a backslash right before a newline joins them, also in a comment.
_LOGICAL_LINE = re.compile(r"(?:[^\n\\]|\\\n|\\(?!\n))*(?:\n|\Z)")
_WORD = re.compile(r"[^ \t\n]+")


@dataclass(frozen=True)
class Command:
    """One command of a file.

    :ivar number: number of its first line, from 1.
    :ivar raw: its lines as they stand in the file.
    :ivar words: what kmod reads: the command, the module, what follows.
    """

    number: int
    raw: str
    words: t.Tuple[str, ...]

    def is_options_of(self, module: str) -> bool:
        """Whether this is an ``options`` line of a module; kmod takes ``-`` and ``_`` for the same."""
        return len(self.words) >= 2 and self.words[0] == "options" and _same_name(self.words[1], module)


def _same_name(one: str, other: str) -> bool:
    return one.replace("-", "_") == other.replace("-", "_")


def _commands(text: str) -> t.List[Command]:
    """All logical lines, comments and blank ones too (those have no words), so that the raws join to the text."""
    commands, number = [], 1
    for match in _LOGICAL_LINE.finditer(text):
        raw = match.group()
        if not raw:
            continue
        joined = raw.replace("\\\n", "")
        words = () if joined.startswith("#") else tuple(_WORD.findall(joined))
        commands.append(Command(number, raw, words))
        number += raw.count("\n")
    return commands


def _value_of(word: str, parameter: str) -> t.Optional[str]:
    name, equals, value = word.partition("=")
    return value.strip('"') if equals and _same_name(name, parameter) else None


def _anywhere_continued(word: str) -> str:
    """A pattern of a word as it stands in a file, where a continuation may cut it."""
    return r"(?:\\\n)*".join(re.escape(char) for char in word)


def parameter_origin(drop_ins: DropIns, module: str, parameter: str) -> t.Optional[Origin]:
    """What gives a module a parameter when it is loaded: options add up, and the last one wins."""
    found = None
    for conf in drop_ins.files:
        for command in _commands(conf.text):
            if command.is_options_of(module):
                for word in command.words[2:]:
                    value = _value_of(word, parameter)
                    if value is not None:
                        found = Origin(value, conf.path, command.number)
    return found


def drop_parameter(text: str, module: str, parameter: str) -> str:
    """A file without a module's parameter. A line that gave only that goes; every other byte stays."""
    kept = []
    for command in _commands(text):
        values = [word for word in command.words[2:] if _value_of(word, parameter) is not None]
        if not command.is_options_of(module) or not values:
            kept.append(command.raw)
        elif len(values) < len(command.words) - 2:
            raw = command.raw
            for word in values:
                raw = re.sub(r"[ \t]+(?:\\\n)*" + _anywhere_continued(word) + r"(?![^ \t\n\\])", "", raw, count=1)
            kept.append(raw)
    return "".join(kept)


def set_parameter(text: str, module: str, parameter: str, value: str) -> str:
    """A file that gives a module this value of a parameter and no other, in a line of its own at the end.

    A file that does so already stays as it is.
    """
    given = [
        found
        for command in _commands(text)
        if command.is_options_of(module)
        for found in (_value_of(word, parameter) for word in command.words[2:])
        if found is not None
    ]
    if given == [value]:
        return text
    text = drop_parameter(text, module, parameter)
    if text and not text.endswith("\n"):
        text += "\n"
    return "{0}options {1} {2}={3}\n".format(text, module, parameter, value)
