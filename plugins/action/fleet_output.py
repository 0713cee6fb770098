# Copyright (c) 2026 the netops.conntrack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints a text as it is, or writes it to a file of the controller: the module's documentation says how."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

#: A path that stands for standard output.
_STANDARD = "-"


class ActionModule(ActionBase):
    """What Ansible loads."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Check, and print or write.

        :raises AnsibleActionFail: the file cannot be written.
        """
        super().run(tmp, task_vars)
        spec = {"text": {"type": "str"}, "path": {"type": "path", "default": _STANDARD}}
        _result, options = self.validate_argument_spec(spec)  # type: ignore[no-untyped-call]
        text, path = options["text"], options["path"]
        if path == _STANDARD:
            if text is not None:
                Display().display(text)
            return {"changed": False, "path": path}
        # Behind a link is the file that is replaced, and not the link.
        path = os.path.realpath(path)
        reason = problem(path)
        if reason:
            raise _failure(path, reason)
        changed = text is not None and not _holds(path, text)
        if changed and not self._task.check_mode:
            _write(path, text)
        return {"changed": changed, "path": path}


def _failure(path: str, reason: str) -> AnsibleActionFail:
    return AnsibleActionFail(f"cannot write {path}: {reason}")  # type: ignore[no-untyped-call]


def problem(path: str) -> str:
    """Why a file of this path cannot be written; empty where it can."""
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        return f"there is no directory {directory}; make it, or name another file"
    if os.path.isdir(path):
        return "it is a directory; name a file"
    if os.path.exists(path) and not os.path.isfile(path):
        # It would be replaced by a file: root would lose /dev/null.
        return "it is no regular file; name one, or - to print"
    if not os.access(directory, os.W_OK) or (os.path.exists(path) and not os.access(path, os.W_OK)):
        return "this user may not; name a file elsewhere"
    return ""


def _holds(path: str, text: str) -> bool:
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
        return stream.read() == text
    return False


def _write(path: str, text: str) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=os.path.dirname(path))
    try:
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
            os.fchmod(descriptor, _mode(path))
            stream.write(text)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise _failure(path, str(error.strerror)) from error


def _mode(path: str) -> int:
    """Who may read the new file: those who may read the old one, or where there is none, as any other of this user."""
    with contextlib.suppress(FileNotFoundError):
        return stat.S_IMODE(os.stat(path).st_mode)
    mask = os.umask(0o022)
    os.umask(mask)
    return 0o666 & ~mask
