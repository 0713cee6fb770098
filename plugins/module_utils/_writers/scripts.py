# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lines of scripts, tables and units that set keys.

Whether a script comes to such a line is not known, so each is named with its line and never told as certain. What a table,
a unit or a script of the boot calls by a path of the administrator's (/usr/local, /opt, /root and the like) is searched too.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._writers import places, script_lines, sysctl_lines
from ansible_collections.netops.conntrack.plugins.module_utils._writers.writer import Writer, is_taken

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._writers.files import Files, Text
    from ansible_collections.netops.conntrack.plugins.module_utils._writers.places import Candidate

_CALLED = re.compile(r"(?<![\w/.-])(?:{})[\w./+@-]+".format("|".join(places.CALLED)))
_SUFFIXES = (".sh", ".bash", ".py", ".pl")
_MOST_SHOWN = 100


def find(
    files: Files, candidates: t.Sequence[Candidate], is_started: t.Callable[[str], bool | None]
) -> t.Iterator[Writer]:
    """What scripts and units set.

    :param candidates: the files in question.
    :param is_started: whether the boot starts a unit, by itself or by a timer; None where that is not known.
    """
    searched = {candidate.file.path for candidate in candidates}
    for candidate in candidates:
        lines = candidate.place.lines
        text = _kept(candidate.file.text, re.compile(lines)) if lines else candidate.file.text
        writers = list(_named(files, candidate.writer, candidate.place.when, candidate.file.path, text))
        if candidate.place.calls:
            writers += _called(files, candidate.writer, candidate.place.when, text, searched)
        if writers and candidate.place is places.UNITS:
            # To know this, many units are read.
            starts = is_started(candidate.writer)
            when = "when the boot or a timer starts it" if starts else "when it is started"
            when += ", which the boot does not do" if starts is False else ""
            writers = [writer._replace(when=when, by_itself=starts is not False) for writer in writers]
        yield from writers


def _kept(text: str, lines: re.Pattern[str]) -> str:
    """A text whose lines are those that count, with what they are continued by; the others are empty."""
    kept, goes_on = [], False
    for line in text.split("\n"):
        counts = goes_on or lines.match(line) is not None
        kept.append(line if counts else "")
        goes_on = counts and line.endswith("\\")
    return "\n".join(kept)


def _named(files: Files, writer: str, when: str, path: str, text: str) -> t.Iterator[Writer]:
    """What the lines of a script set, and those of the sysctl files that it has applied."""
    for write in script_lines.find_writes(text):
        if write.value is None or is_taken(write.key, write.value):
            yield Writer(writer, path, write.line, write.key, write.value, when, text=_shown(write.text))
    for applied in script_lines.find_applied(text):
        file = files.text(applied.path)
        lines = sysctl_lines.in_force([(applied.path, file.text)]) if file is not None else {}
        for key, line in lines.items():
            then = f", by {path}:{applied.line}, which applies that file: {_shown(applied.text)}"
            # conntrack_settings takes lines for its keys out of that one.
            yields = line.path == script_lines.SYSCTL_CONF
            yield Writer(writer, line.path, line.number, key, line.value, when, then=then, yields=yields)


def _shown(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 3] + "..."


def _called(files: Files, writer: str, when: str, text: str, searched: set[str]) -> t.Iterator[Writer]:
    """What the scripts set that lines call by a path of the administrator's.

    :param searched: the files that were searched already; grows.
    """
    for _number, line in script_lines.logical_lines(text):
        for path in _CALLED.findall(line):
            if path in searched:
                continue
            searched.add(path)
            script = files.text(path)
            if script is not None and _is_script(script):
                yield from _named(files, writer, when, path, script.text)


def _is_script(script: Text) -> bool:
    return script.is_executable or script.text.startswith("#!") or script.path.endswith(_SUFFIXES)
