# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the host's own programs on generated trees of configuration files.

The programs see a root directory of their own: the host's /usr, /proc and /dev, but an /etc and a /run that hold the
tree alone, and a tree's own directories below /usr. Everything is mounted in a mount namespace that ends with the
process, on memory.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
import typing as t

_CLONE_NEWNS = 0x00020000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_MNT_DETACH = 2

# What a tree may fill, beside /etc and /run: mounted empty over what the host has there.
_COVERED = ("/usr/lib/sysctl.d", "/usr/lib/modprobe.d", "/usr/local/lib")


class Root:
    """A root directory to run programs in. Make one for a process: that cannot leave the mount namespace again."""

    def __init__(self) -> None:
        _call("unshare", _CLONE_NEWNS)
        _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
        self.path = tempfile.mkdtemp(prefix="root-")
        _mount("tmpfs", self.path, "tmpfs")
        for name in ("etc", "run", "usr", "proc", "dev", "tmp"):
            os.mkdir(self.at("/" + name))
        for name in ("bin", "sbin", "lib", "lib64"):
            os.symlink("usr/" + name, self.at("/" + name))
        for name in ("usr", "proc", "dev"):
            _mount("/" + name, self.at("/" + name), None, _MS_BIND)
        for directory in _COVERED:
            _mount("tmpfs", self.at(directory), "tmpfs")
        self._command_line = self.at("/tmp/cmdline")
        with open(self._command_line, "wb") as stream:
            stream.write(b"quiet\n")
        _mount(self._command_line, self.at("/proc/cmdline"), None, _MS_BIND)

    def leave(self) -> None:
        """Unmount all of it. The directory is removed only when it is empty, since the host's own were in it."""
        _call("umount2", self.path.encode(), _MNT_DETACH)
        os.rmdir(self.path)

    def at(self, path: str) -> str:
        """Where a path of the root is, seen from outside."""
        return self.path + path

    def lay(self, tree: t.Mapping[str, t.Union[bytes, str, None]]) -> None:
        """Replace the tree of configuration files."""
        for directory in ("/etc", "/run") + _COVERED:
            _empty(self.at(directory))
        for path, entry in tree.items():
            place = self.at(path)
            if entry is None:
                os.makedirs(place, exist_ok=True)
                continue
            if path.startswith("/proc/"):
                place = self._command_line
            else:
                os.makedirs(os.path.dirname(place), exist_ok=True)
            if isinstance(entry, str):
                os.symlink(entry, place)
            else:
                with open(place, "wb", buffering=0) as stream:
                    stream.write(entry)

    def run(self, *command: str) -> bytes:
        """Run a program in this root; what it printed. Whether it fails is not looked at, as it is not at a boot."""
        reading, writing = os.pipe()
        process = os.fork()
        if process == 0:
            try:
                os.chroot(self.path)
                os.chdir("/")
                nowhere = os.open("/dev/null", os.O_RDWR)
                os.dup2(nowhere, 0)
                os.dup2(writing, 1)
                os.dup2(nowhere, 2)
                os.execve(command[0], command, {"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C", "SYSTEMD_LOG_TARGET": "null"})
            finally:
                os._exit(127)
        os.close(writing)
        with open(reading, "rb") as stream:
            printed = stream.read()
        status = os.waitpid(process, 0)[1]
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 127 or os.WIFSIGNALED(status):
            raise OSError("{0} could not be run, or was killed".format(command[0]))
        return printed


def _empty(directory: str) -> None:
    if os.stat(directory).st_dev == os.stat("/usr").st_dev:
        raise OSError("{0} is the host's own".format(directory))
    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


_LIBC = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: t.Any) -> None:
    if getattr(_LIBC, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, "{0}{1}: {2}".format(name, arguments, os.strerror(code)))


def _mount(source: str, target: str, kind: t.Optional[str], flags: int = 0) -> None:
    _call(
        "mount", source.encode(), target.encode(), None if kind is None else kind.encode(), ctypes.c_ulong(flags), None
    )
