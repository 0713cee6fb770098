# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories of drop-in files, which sysctl.d, modprobe.d and modules-load.d read by the same rules.

A file in an earlier directory hides those of the same name in later ones (a link to /dev/null masks them); what is
left is read in the order of the file names, whatever the directory. Sources: sysctl.d(5), modprobe.d(5),
modules-load.d(5). Where a program does otherwise, it has a :class:`Reading` of its own.
"""

from __future__ import annotations

import errno
import posixpath
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host, decode
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record


class Reading(Record):
    """How a program reads such directories; by default as systemd's programs do.

    :ivar hidden: whether it reads files whose names start with a dot.
    :ivar unreadable_hides: whether a directory, or a link to nowhere, hides the files of its name in later directories.
    :ivar suffixes: how the names of the files end.
    :ivar last: a file that it reads after all others, whatever its name; None for none.
    :ivar listed: the files that it is told to read, in this order, in place of all that; empty where it looks for them.
    """

    hidden: bool = False
    unreadable_hides: bool = True
    suffixes: tuple[str, ...] = (".conf",)
    last: str | None = None
    listed: tuple[str, ...] = ()

    def takes(self, name: str) -> bool:
        """Whether files of this name are read at all."""
        return name.endswith(self.suffixes) and (self.hidden or not name.startswith("."))

    def rank(self, conf: ConfFile) -> tuple[int, str]:
        """What files are sorted by into the order in which they are read."""
        # One that is listed more than once counts where it stands last.
        place = len(self.listed) - 1 - self.listed[::-1].index(conf.path) if conf.path in self.listed else 0
        return (place + (conf.path == self.last), "" if self.listed else conf.name)


#: What systemd's programs do, and kmod's.
AS_SYSTEMD = Reading()


def directories(kind: str) -> tuple[str, ...]:
    """The directories of a kind (``sysctl.d``), the one that hides the others first.

    ``/lib`` stands for hosts where it is not yet a link to ``/usr/lib``.
    """
    return tuple(f"{base}/{kind}" for base in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"))


def below_etc(path: str) -> bool:
    """Whether a path is the administrator's, so that what is there may be changed."""
    return path.startswith("/etc/")


class ConfFile(Record):
    """One file that is read.

    :ivar path: the name it is read by.
    :ivar target: where its bytes are, links followed.
    :ivar text: its content; bytes that are no UTF-8 are kept as surrogates.
    :ivar is_dangling: whether it is a link to nowhere, which reads as an empty file.
    """

    path: str
    target: str
    text: str
    is_dangling: bool = False

    @property
    def content(self) -> str | None:
        """The text of the file that is there; None where none is, behind a mask neither."""
        return None if self.is_dangling or self.target == "/dev/null" else self.text

    @property
    def name(self) -> str:
        """The file name, which decides the order."""
        return posixpath.basename(self.path)

    @property
    def is_administrators(self) -> bool:
        """Whether its bytes are below /etc."""
        return below_etc(self.target)

    @property
    def place(self) -> str:
        """The path as messages show it, with where it leads."""
        return self.path if self.path == self.target else f"{self.path} -> {self.target}"


class Origin(Record):
    """What sets something at boot or at a module's load: a value, by a line of a file."""

    value: str
    path: str
    number: int

    def __str__(self) -> str:
        return f"{self.path}:{self.number} ({self.value})"


def last(origins: t.Sequence[Origin]) -> Origin | None:
    """What sets something in the end: the last of all that set it, in order; None where nothing does."""
    return origins[-1] if origins else None


class DropIns(Record):
    """All files of a kind that are read, in reading order.

    :ivar kind: ``sysctl.d``, ``modprobe.d`` or ``modules-load.d``.
    :ivar reading: how they are read.
    :ivar passed_over: links to nowhere that are not read, as they would be were there something.
    """

    kind: str
    files: tuple[ConfFile, ...]
    reading: Reading = AS_SYSTEMD
    passed_over: tuple[ConfFile, ...] = ()

    def with_text(self, path: str, text: str | None) -> DropIns:
        """The same with another content at a path, or without the file; pure.

        Where links lead to the file, it is read by their names too. What a file hides that goes is not known here.
        A new path must not be hidden by a file of the same name in an earlier directory: see :meth:`hidden_by`.
        """
        names = self.names_of(path)
        links = [conf for conf in (*self.files, *self.passed_over) if conf.path in names]
        files = [conf for conf in self.files if conf.path not in names]
        passed_over = [conf for conf in self.passed_over if conf.path not in names]
        if text is None:
            left = [
                ConfFile(conf.path, conf.target, "", is_dangling=True) for conf in links if conf.path != conf.target
            ]
            for conf in left:
                (passed_over if self._passes_over(conf.path) else files).append(conf)
        else:
            files += [ConfFile(conf.path, conf.target, text) for conf in links]
            here = {conf.target for conf in links} or {path}
            files += [
                ConfFile(name, name, text)
                for name in here.difference(conf.path for conf in links)
                if name == self.reading.last or self._is_place(name)
            ]
        return DropIns(self.kind, self._unhidden(files, files), self.reading, self._unhidden(passed_over, files))

    def _passes_over(self, path: str) -> bool:
        """Whether a link at this path is passed over where it leads nowhere."""
        return path == self.reading.last or not self.reading.unreadable_hides

    def _is_place(self, path: str) -> bool:
        """Whether a file at this path is read, unless another hides it."""
        directory, name = posixpath.split(path)
        if self.reading.listed:
            return path in self.reading.listed
        return directory in directories(self.kind) and self.reading.takes(name)

    def _unhidden(self, found: t.Iterable[ConfFile], files: t.Iterable[ConfFile]) -> tuple[ConfFile, ...]:
        """Those that none of these files hides by the same name in an earlier directory, in reading order."""
        order = {directory: number for number, directory in enumerate(directories(self.kind))}
        first: dict[str, int] = {}
        for conf in files:
            place = order.get(posixpath.dirname(conf.path), len(order))
            first[conf.name] = min(place, first.get(conf.name, place))
        return tuple(
            sorted(
                # What stands in none of the directories is neither hidden nor hides anything.
                (
                    conf
                    for conf in found
                    if order.get(posixpath.dirname(conf.path), -1) <= first.get(conf.name, len(order))
                ),
                key=self.reading.rank,
            )
        )

    def content(self, path: str) -> str | None:
        """The text of the file at this path; None where there is none, behind a mask neither."""
        names = self.names_of(path)
        return next((conf.content for conf in self.files if conf.path in names), None)

    def reads(self, path: str) -> bool:
        """Whether a file at this path is read, or would be if it were there."""
        if path == self.reading.last or path in self.reading.listed:
            return True
        if any(path in (conf.path, conf.target) for conf in (*self.files, *self.passed_over)):
            return True
        return self._is_place(path) and self.hidden_by(path) is None

    def hidden_by(self, path: str) -> str | None:
        """The file that hides this path by having the same name in an earlier directory; None when none does."""
        order = directories(self.kind)
        directory, name = posixpath.split(path)
        if directory in order:
            for conf in self.files:
                if conf.name == name and posixpath.dirname(conf.path) in order[: order.index(directory)]:
                    return conf.path
        return None

    def hides(self, path: str) -> str | None:
        """The file that a new one at this path would hide, by having the same name in a later directory; None for none.

        Where the path is a link to nowhere, the new one also has the name of what that leads to.
        """
        order = directories(self.kind)
        for name in sorted(self.names_of(path).difference(conf.path for conf in self.files)):
            directory = posixpath.dirname(name)
            later = order[order.index(directory) + 1 :] if self._is_place(name) else ()
            for conf in self.files:
                if conf.name == posixpath.basename(name) and posixpath.dirname(conf.path) in later:
                    return conf.path
        return None

    def names_of(self, path: str) -> frozenset[str]:
        """All paths that lead to the file at this path: a file may be read by more than one name."""
        found = (*self.files, *self.passed_over)
        targets = {conf.target for conf in found if path in (conf.path, conf.target)} - {"/dev/null"}
        return frozenset({path} | targets | {conf.path for conf in found if conf.target in targets})

    def after(self, path: str) -> tuple[ConfFile, ...]:
        """What is read after the file at this path, where that is read more than once after the last time."""
        names = self.names_of(path)
        last = max((index for index, conf in enumerate(self.files) if conf.path in names), default=-1)
        return self.files[last + 1 :]


def _target(host: Host, path: str) -> str | None:
    """Where a path leads, which need not be there; None where its links lead round in a ring."""
    try:
        return host.resolve(path)
    except HostError as error:
        if error.code != errno.ELOOP:
            raise
        return None


def _leads_nowhere(host: Host, path: str, target: str) -> bool:
    return path != target and not host.exists(target)


def read(host: Host, kind: str, reading: Reading = AS_SYSTEMD) -> DropIns:
    """Read all files of a kind that the boot of a host reads.

    :raises HostError: one of them cannot be read.
    """
    paths: dict[str, str] = {}
    passed_over: list[ConfFile] = []

    def consider(path: str, name: str, passes_over: bool) -> None:
        target = _target(host, path)
        is_nowhere = target is not None and _leads_nowhere(host, path, target)
        if target is not None and is_nowhere and passes_over:
            passed_over.append(ConfFile(path, target, "", is_dangling=True))
        elif not passes_over or (target is not None and host.exists(target) and not host.is_directory(target)):
            paths[name] = path

    for directory in directories(kind):
        for name in host.names(directory):
            if reading.takes(name) and name not in paths and not reading.listed:
                consider(f"{directory}/{name}", name, not reading.unreadable_hides)
    for path in (*reading.listed, *([] if reading.last is None else [reading.last])):
        consider(path, path, passes_over=True)
    files = []
    for path in paths.values():
        target = _target(host, path)
        if target is None or host.is_directory(target):
            continue
        # A dangling link hides the others just as a mask does.
        content = b"" if target == "/dev/null" else host.read(target)
        files.append(ConfFile(path, target, decode(content or b""), content is None))
    return DropIns(
        kind,
        tuple(sorted(files, key=reading.rank)),
        reading,
        tuple(sorted(passed_over, key=reading.rank)),
    )
