# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that are searched for writers: only so many, only so much of each, and only for so long."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError, Interrupted
from ansible_collections.netops.conntrack.plugins.module_utils._host import decode
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

_T = t.TypeVar("_T")

#: What is looked at for a byte that no text has.
_START = 1 << 12


class Limits(Record):
    """How much is searched. Each is many times what a large host has.

    :ivar files: files in all.
    :ivar bytes: bytes in all.
    :ivar file_bytes: bytes of one file.
    :ivar seconds: of the whole search.
    """

    files: int = 5000
    bytes: int = 32 << 20
    file_bytes: int = 1 << 18
    seconds: float = 2.0


class Text(Record):
    """A text file.

    :ivar path: the name that it was found by.
    :ivar text: its content; bytes that are no UTF-8 are kept as surrogates.
    :ivar is_executable: whether anybody may execute it.
    """

    path: str
    text: str
    is_executable: bool


class Files:
    """Reads a host within limits, and goes on where something cannot be read.

    :ivar unreadable: reason by path of what is there and could not be read.
    :param clock: seconds that only grow.
    """

    def __init__(self, host: Host, limits: Limits | None = None, clock: t.Callable[[], float] = time.monotonic) -> None:
        self.host = host
        self.unreadable: dict[str, str] = {}
        self._limits = limits or Limits()
        self._clock = clock
        self._end = clock() + self._limits.seconds
        self._files = 0
        self._bytes = 0
        self._seen: dict[str, Text | None] = {}
        self._left: dict[str, int] = {}
        self._cut: list[str] = []
        self._noted: dict[str, str] = {}

    def text(self, path: str) -> Text | None:
        """A regular file that is text, from its beginning; None where there is none, and past the limits.

        A file that is read again costs nothing.
        """
        if path not in self._seen:
            if self._is_spent():
                directory = path.rpartition("/")[0] or "/"
                self._left[directory] = self._left.get(directory, 0) + 1
                return None
            self._seen[path] = self._read(path)
        return self._seen[path]

    def _is_spent(self) -> bool:
        limits = self._limits
        return self._files >= limits.files or self._bytes >= limits.bytes or self._clock() > self._end

    def _read(self, path: str) -> Text | None:
        self._files += 1
        most = self._limits.file_bytes
        try:
            look = self.host.look(path, most)
        except HostError as error:
            self.unreadable[error.path] = error.reason
            return None
        if look is None:
            return None
        self._bytes += len(look.content)
        if b"\0" in look.content[:_START]:
            return None
        if look.size > most:
            self._cut.append(path)
        return Text(path, decode(look.content), look.is_executable)

    def in_time(self, path: str, lines: t.Iterable[_T]) -> t.Iterator[_T]:
        """Lines of a file, as long as there is time."""
        for line in lines:
            if self._clock() > self._end:
                self.note(path, f"searched only in part, past the limit of {self._limits.seconds:g} s")
                return
            yield line

    def note(self, path: str, what: str) -> None:
        """Say of a file what was not searched of it."""
        self._noted[path] = what

    def attempt(self, path: str, find: t.Callable[..., t.Iterable[_T]], *arguments: t.Any) -> list[_T]:
        """All that a reader finds, or what it found until something ended it, of which the reason is kept.

        :param path: what the reader reads, for the reason.
        """
        found: list[_T] = []
        try:
            # One by one, to keep those before an error.
            for one in find(*arguments):
                found.append(one)  # noqa: PERF402
        except Interrupted:
            raise
        except HostError as error:
            self.unreadable[error.path] = error.reason
        except Exception as error:  # noqa: BLE001 - a run must not fail because of a file that it does not need
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            self.note(path, f"not searched for lines that set connection tracking: {reason}")
        return found

    def command_line(self, process: str) -> str:
        """The words of a process's command line, each with a zero byte behind it; empty where it has gone.

        :param process: its number.
        """
        path = f"/proc/{process}/cmdline"
        try:
            look = None if self._is_spent() else self.host.look(path, self._limits.file_bytes)
        except HostError as error:
            self.unreadable[error.path] = error.reason
            return ""
        return "" if look is None else decode(look.content)

    def names(self, directory: str) -> list[str]:
        """The sorted names in a directory; none where there is no such directory, or it cannot be listed."""
        try:
            return self.host.names(directory)
        except HostError as error:
            self.unreadable[error.path] = error.reason
            return []

    def real(self, path: str) -> str:
        """Where a path leads; the path itself where its links lead round in a ring."""
        try:
            return self.host.resolve(path)
        except HostError:
            return path

    @property
    def left_out(self) -> dict[str, str]:
        """What was not searched, as reason by path; empty where all was."""
        limits = self._limits
        reason = (
            f"not searched for lines that set connection tracking: {{0}}, past the limit of {limits.files} files,"
            f" {limits.bytes >> 20} MiB and {limits.seconds:g} s"
        )
        found = dict(self._noted)
        found.update(
            {
                directory: reason.format("1 file" if number == 1 else f"{number} files")
                for directory, number in self._left.items()
            }
        )
        for path in self._cut:
            found[path] = (
                f"only its first {limits.file_bytes >> 10} KiB were searched for lines that set connection tracking"
            )
        return found
