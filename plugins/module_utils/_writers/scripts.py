# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lines of scripts, tables and units that set keys.

Whether a script comes to such a line is not known, so each is named with its line and never told as certain. What a
table, a unit or a script of the boot calls by a path of the administrator's (/usr/local, /opt, /root and the like) is
searched too.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record
from ansible_collections.netops.conntrack.plugins.module_utils._writers import places, script_lines, sysctl_lines
from ansible_collections.netops.conntrack.plugins.module_utils._writers.writer import Writer, is_taken

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._writers.files import Files, Text
    from ansible_collections.netops.conntrack.plugins.module_utils._writers.places import Candidate

_CALLED = re.compile(r"(?<![\w/.-])(?:{})[\w./+@-]+".format("|".join(places.CALLED)))
_SUFFIXES = (".sh", ".bash", ".py", ".pl")
_MOST_SHOWN = 100


def find(
    files: Files,
    candidates: t.Sequence[Candidate],
    is_started: t.Callable[[str], bool | None],
    is_resolved: t.Callable[[str, str], bool] = lambda _place, _key: False,
) -> t.Iterator[Writer]:
    """What scripts and units set.

    :param candidates: the files in question.
    :param is_started: whether the boot starts a unit, by itself or by a timer; None where that is not known.
    :param is_resolved: whether it is known what a line, as ``path:line``, sets a key to at each load of nf_conntrack.
    """
    searched = {candidate.file.path for candidate in candidates}
    for candidate in candidates:
        yield from files.attempt(candidate.file.path, _of, files, candidate, searched, is_started, is_resolved)


def _of(
    files: Files,
    candidate: Candidate,
    searched: set[str],
    is_started: t.Callable[[str], bool | None],
    is_resolved: t.Callable[[str, str], bool],
) -> t.Iterator[Writer]:
    """What one file and all that it calls set."""
    place, path = candidate.place, candidate.file.path
    text = _kept(candidate.file.text, re.compile(place.lines)) if place.lines else candidate.file.text
    named = list(_named(files, candidate.writer, place.when, path, text))
    if place.may_be_resolved:
        named = [found for found in named if not is_resolved(f"{path}:{found.number}", found.writer.key or "")]
    writers = [found.writer for found in named]
    if place.calls:
        writers += _called(files, candidate, text, searched)
    if writers and place in (places.UNITS, places.INIT_SCRIPTS):
        # To know this, many units are read.
        starts = is_started(path.rpartition("/")[2] if place is places.INIT_SCRIPTS else candidate.writer)
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


class _Named(Record):
    """A writer, and the number of the script's line that has it so."""

    number: int
    writer: Writer


def _named(files: Files, writer: str, when: str, path: str, text: str) -> t.Iterator[_Named]:
    """What the lines of a script set, and those of the sysctl files that it has applied."""
    lines = list(files.in_time(path, script_lines.logical_lines(text))) if script_lines.is_of_interest(text) else []
    if script_lines.is_cut(lines):
        files.note(path, f"of its lines only the first {script_lines.MOST} characters were searched")
    for write in script_lines.find_writes(text, files.in_time(path, lines)):
        if write.value is None or is_taken(write.key, write.value):
            found = Writer(writer, path, write.line, write.key, write.value, when, text=_shown(write.text))
            yield _Named(write.line, found)
    for applied in script_lines.find_applied(text, files.in_time(path, lines)):
        file = files.text(applied.path)
        in_force = sysctl_lines.in_force([(applied.path, file.text)]) if file is not None else {}
        for key, line in in_force.items():
            then = f", by {path}:{applied.line}, which applies that file: {_shown(applied.text)}"
            # conntrack_settings takes lines for its keys out of that one, but writes a hashsize to modprobe.d.
            yields = line.path == script_lines.SYSCTL_CONF and key != BUCKETS
            found = Writer(writer, line.path, line.number, key, line.value, when, then=then, yields=yields)
            yield _Named(applied.line, found)


def _shown(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 3] + "..."


def _called(files: Files, candidate: Candidate, text: str, searched: set[str]) -> t.Iterator[Writer]:
    """What the scripts set that lines call by a path of the administrator's.

    :param searched: the files that were searched already; grows.
    """
    for _number, line in files.in_time(candidate.file.path, script_lines.logical_lines(text)):
        for path in _CALLED.findall(line):
            if path in searched:
                continue
            searched.add(path)
            script = files.text(path)
            if script is not None and _is_script(script):
                named = _named(files, candidate.writer, candidate.place.when, path, script.text)
                yield from (found.writer for found in named)


def _is_script(script: Text) -> bool:
    return script.is_executable or script.text.startswith("#!") or script.path.endswith(_SUFFIXES)
