# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the host's own programs on generated trees of configuration files.

This process and the programs get a root directory of their own: the host's /usr, /proc and /dev, but an /etc and a /run
that hold the tree alone, and a tree's own directories below /usr. All is mounted on memory, in a mount namespace that
ends with the process. On an emulated machine a second fork for each program would take longer than the program, so the
process itself goes there, and has to have imported what it needs.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import tempfile
import typing as t

_CLONE_NEWNS = 0x00020000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_MNT_DETACH = 2

_COMMAND_LINE = "/tmp/cmdline"
_PRINTED = "/tmp/printed"
_ENVIRONMENT = {"PATH": "/tmp/bin:/usr/sbin:/usr/bin", "LC_ALL": "C", "SYSTEMD_LOG_TARGET": "null"}

# What a tree may fill, beside /etc and /run: mounted empty over what the host has there.
_COVERED = ("/usr/lib/sysctl.d", "/usr/lib/modprobe.d", "/usr/lib/udev/rules.d", "/usr/local/lib")

# What an `install` command calls to load the module for which it is run: one that has nothing to do, since that is
# there.
_STAND_IN = "/tmp/bin/modprobe"


class Root:
    """A root directory for this process, from when it is made until :meth:`leave`."""

    def __init__(self) -> None:
        _call("unshare", _CLONE_NEWNS)
        _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
        self._outside = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        self._path = tempfile.mkdtemp(prefix="root-")
        _mount("tmpfs", self._path, "tmpfs")
        for name in ("etc", "run", "usr", "proc", "sys", "dev", "tmp"):
            os.mkdir(os.path.join(self._path, name))
        for name in ("bin", "sbin", "lib", "lib64"):
            os.symlink("usr/" + name, os.path.join(self._path, name))
        for name in ("usr", "proc", "sys", "dev"):
            _mount("/" + name, os.path.join(self._path, name), None, _MS_BIND)
        os.chroot(self._path)
        os.chdir("/")
        for directory in _COVERED:
            _mount("tmpfs", directory, "tmpfs")
        with open(_COMMAND_LINE, "wb") as stream:
            stream.write(b"quiet\n")
        _mount(_COMMAND_LINE, "/proc/cmdline", None, _MS_BIND)
        os.mkdir(os.path.dirname(_STAND_IN))
        with open(_STAND_IN, "wb") as stream:
            stream.write(b"#!/bin/sh\n")
        os.chmod(_STAND_IN, 0o755)

    def leave(self) -> None:
        """Back to the host. The directory is removed only when it is empty, since the host's own were in it."""
        os.fchdir(self._outside)
        os.chroot(".")
        os.close(self._outside)
        _call("umount2", self._path.encode(), _MNT_DETACH)
        os.rmdir(self._path)

    @contextlib.contextmanager
    def without(self, directory: str) -> t.Iterator[None]:
        """Cover a directory with an empty one."""
        _mount("tmpfs", directory, "tmpfs")
        try:
            yield
        finally:
            _call("umount2", directory.encode(), _MNT_DETACH)

    def lay(self, tree: t.Mapping[str, bytes | str | None]) -> None:
        """Replace the tree of configuration files."""
        for directory in ("/etc", "/run", *_COVERED):
            _empty(directory)
        for name, entry in tree.items():
            path = _COMMAND_LINE if name == "/proc/cmdline" else name
            if entry is None:
                os.makedirs(path, exist_ok=True)
                continue
            if path != _COMMAND_LINE and not os.path.isdir(os.path.dirname(path)):
                os.makedirs(os.path.dirname(path))
            if isinstance(entry, str):
                os.symlink(entry, path)
            else:
                with open(path, "wb", buffering=0) as stream:
                    stream.write(entry)

    def run(self, *command: str, logs: bool = False) -> bytes:
        """Run a program in this root; what it printed. Whether it fails is not looked at, as it is not at a boot.

        :param logs: whether what it prints as errors is wanted too, and before the rest.
        """
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, _PRINTED, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2) if logs else (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0),
        ]
        environment = {**_ENVIRONMENT, "SYSTEMD_LOG_TARGET": "console"} if logs else _ENVIRONMENT
        status = os.waitpid(os.posix_spawn(command[0], command, environment, file_actions=actions), 0)[1]
        if os.WIFSIGNALED(status):
            raise OSError(f"{command[0]} was killed by signal {os.WTERMSIG(status)}")
        with open(_PRINTED, "rb", buffering=0) as stream:
            return stream.read()


def _empty(directory: str) -> None:
    if os.stat(directory).st_dev == os.stat("/usr/bin").st_dev:
        raise OSError(f"{directory} is the host's own")
    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


_LIBC = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: t.Any) -> None:
    if getattr(_LIBC, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}{arguments}: {os.strerror(code)}")


def _mount(source: str, target: str, kind: str | None, flags: int = 0) -> None:
    _call(
        "mount", source.encode(), target.encode(), None if kind is None else kind.encode(), ctypes.c_ulong(flags), None
    )
