# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop a program at any chosen one of the system calls by which it changes a host.

As ``sitecustomize.py`` on PYTHONPATH it does so to any Python program, so to an Ansible module as it is:

    FAULTS_STOP_AT=23      the module ends before the 24th stop, at once and without cleaning up, as by kill -9; its
                           result is {"stopped": "before rename /etc/...", ...}
    FAULTS_PAUSE_AT=23     it goes on from there when the file FAULTS_GO_ON is there

There is a stop before and after each call, and one in the middle of each write to a file.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import typing as t

#: Calls by their first argument: a path, or a descriptor that was opened for one.
_CALLS = ("fchmod", "fchown", "fsync", "ftruncate", "mkdir", "pwrite", "rename", "rmdir", "setxattr", "unlink")


class Stops:
    """Numbers the stops of the calls about files below some directories.

    :param below: what the paths begin with that count.
    :param reach: called at each stop with its number, from 0, and what it is.
    """

    def __init__(self, below: t.Sequence[str], reach: t.Callable[[int, str], None]) -> None:
        self._below = tuple(below)
        self._reach = reach
        self._number = 0
        self._paths: dict[int, str] = {}
        # What is stopped at uses these itself.
        self._real = {name: getattr(os, name) for name in (*_CALLS, "open", "write", "close")}

    def install(self) -> None:
        """Put the stops into this process, for good."""
        for name in _CALLS:
            setattr(os, name, self._wrapped(name))
        for name in ("open", "write", "close"):
            setattr(os, name, getattr(self, "_" + name))
        subprocess.Popen = self._popen(subprocess.Popen)  # type: ignore[misc]

    def _popen(self, real: t.Any) -> t.Any:
        """The class of started programs, with a stop before one is started and after it ended."""
        stop = self._stop

        class PopenWithStops(real):  # type: ignore[misc]
            def __init__(self, command: t.Any, *arguments: t.Any, **options: t.Any) -> None:
                stop("before run " + str(command))
                super().__init__(command, *arguments, **options)

            def communicate(self, *arguments: t.Any, **options: t.Any) -> t.Any:
                result = super().communicate(*arguments, **options)
                stop("after run " + str(self.args))
                return result

        return PopenWithStops

    def around(self, what: str, call: t.Callable[..., t.Any], *arguments: t.Any, **options: t.Any) -> t.Any:
        """Make a call with a stop on either side."""
        self._stop("before " + what)
        result = call(*arguments, **options)
        self._stop("after " + what)
        return result

    def _stop(self, what: str) -> None:
        number = self._number
        self._number += 1
        self._reach(number, what)

    def _counted(self, subject: t.Any) -> str | None:
        path = self._paths.get(subject) if isinstance(subject, int) else os.fspath(subject)
        return path if path is not None and path.startswith(self._below) else None

    def _wrapped(self, name: str) -> t.Callable[..., t.Any]:
        real = self._real[name]

        def call(subject: t.Any, *arguments: t.Any, **options: t.Any) -> t.Any:
            path = self._counted(subject)
            if path is None:
                return real(subject, *arguments, **options)
            return self.around(f"{name} {path}", real, subject, *arguments, **options)

        return call

    def _open_real(self, path: t.Any, flags: int, *arguments: t.Any, **options: t.Any) -> int:
        descriptor = self._real["open"](path, flags, *arguments, **options)
        self._paths[descriptor] = os.fspath(path)
        return t.cast("int", descriptor)

    def _open(self, path: t.Any, flags: int, *arguments: t.Any, **options: t.Any) -> int:
        # A kernel file is not changed by being opened.
        if flags & os.O_CREAT and self._counted(path) is not None:
            what = f"open {path}"
            return t.cast("int", self.around(what, self._open_real, path, flags, *arguments, **options))
        return self._open_real(path, flags, *arguments, **options)

    def _write(self, descriptor: int, data: bytes) -> int:
        path, write = self._counted(descriptor), self._real["write"]
        if path is None:
            return t.cast("int", write(descriptor, data))
        if "/proc/" in path or "/sys/" in path:
            # The kernel takes a value whole.
            return t.cast("int", self.around("write " + path, write, descriptor, data))
        half = len(data) // 2
        self._stop("before write " + path)
        write(descriptor, data[:half])
        self._stop("in the middle of write " + path)
        write(descriptor, data[half:])
        self._stop("after write " + path)
        return len(data)

    def _close(self, descriptor: int) -> None:
        self._paths.pop(descriptor, None)
        self._real["close"](descriptor)


def _from_environment() -> None:
    stop_at = int(os.environ.get("FAULTS_STOP_AT", "-1"))
    pause_at = int(os.environ.get("FAULTS_PAUSE_AT", "-1"))
    go_on = os.environ.get("FAULTS_GO_ON", "")
    write = os.write

    def reach(number: int, what: str) -> None:
        if number == stop_at:
            write(1, json.dumps({"changed": True, "stopped": what, "step": number}).encode() + b"\n")
            os._exit(0)
        if number == pause_at:
            with open(go_on + ".paused", "w", encoding="ascii"):
                pass
            while not os.path.exists(go_on):
                time.sleep(0.2)

    if max(stop_at, pause_at) >= 0:
        Stops(["/etc/", "/proc/sys/net/", "/sys/module/", "/run/netops-conntrack"], reach).install()


if __name__ == "sitecustomize":
    _from_environment()
