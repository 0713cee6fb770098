# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of the door to the machine have in common."""

from __future__ import annotations

import os
import time
import typing as t

if t.TYPE_CHECKING:
    from pathlib import Path


def names(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "etc").iterdir())


def fail(code: int) -> t.Callable[..., t.NoReturn]:
    """What raises this error of the system, whatever it is called with."""

    def call(*_arguments: t.Any, **_options: t.Any) -> t.NoReturn:
        raise OSError(code, os.strerror(code))

    return call


def is_running(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for, as those of a container may be, does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stream:
            return stream.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def gone(pid: int) -> bool:
    """Whether a process ends in a moment."""
    end = time.monotonic() + 5
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not is_running(pid)
