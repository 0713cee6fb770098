# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine's processes: how they are found again, and how they are ended."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from pathlib import Path


def running(pidfile: Path) -> int | None:
    """Return the process id of the machine that wrote this file, or None when it is no more.

    The id alone may by now be another process: it is ours when this very file is among its arguments.
    """
    try:
        pid = int(pidfile.read_text(encoding="ascii"))
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(pidfile) in arguments else None


def kill(pidfile: Path) -> None:
    """End the machine as a power cut does, with all that it started, and wait until they are gone."""
    pid = running(pidfile)
    if pid is not None:
        with contextlib.ExitStack() as stack:
            processes = []
            for member in _tree(pid):
                with contextlib.suppress(ProcessLookupError):
                    processes.append(os.pidfd_open(member))
                    stack.callback(os.close, processes[-1])
            # The first one first, since it would start the others again.
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(process, signal.SIGKILL)
            # Until the last thread has let go of the disk: long before that its arguments can no longer be read.
            for process in processes:
                select.select([process], [], [])
    pidfile.unlink(missing_ok=True)


def using(directory: Path) -> bool:
    """Say whether any process, of whichever work tree, was called with a file of this directory."""
    part = os.fsencode(f"{directory}{os.sep}")
    for arguments in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if part in arguments.read_bytes():
                return True
    return False


def _tree(root: int) -> list[int]:
    """Return this process, its children, theirs, and so on."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name of the program, in parentheses, may have any character.
            parent = int(status.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(status.parent.name))
    found = [root]
    for process in found:
        found += children.get(process, [])
    return found
