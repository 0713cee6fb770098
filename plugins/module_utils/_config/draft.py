# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configuration files of one kind while their changes are being planned. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._change import FileContent
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import DropIns


class Draft(Record):
    """The files as they will be, and what makes them so.

    :ivar files: the files as they will be read.
    :ivar changes: one for each file that changes, in the order in which they were planned.
    :ivar conflicts: lines of other programs that are taken out, as ``file:line (text)``.
    """

    files: DropIns
    changes: tuple[FileContent, ...] = ()
    conflicts: tuple[str, ...] = ()

    def put(self, path: str, before: str | None, after: str | None) -> Draft:
        """The same with another text at a path, or without the file.

        :param before: the text that is there now, as it was observed or as an earlier call left it.
        """
        if before == after:
            return self
        names = self.files.names_of(path)
        files = self.files.with_text(path, after)
        if not any(change.subject in names for change in self.changes):
            return self._replace(files=files, changes=(*self.changes, FileContent(path, before, after)))
        # A file is written once, whatever number of its lines change.
        changes = [
            FileContent(change.subject, change.before, after) if change.subject in names else change
            for change in self.changes
        ]
        return self._replace(files=files, changes=tuple(change for change in changes if change.before != change.after))

    def with_conflicts(self, lines: t.Iterable[str]) -> Draft:
        """The same, with more lines of other programs that are taken out."""
        return self._replace(conflicts=(*self.conflicts, *lines))
