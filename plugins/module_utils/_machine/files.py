# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of this machine that are written, replaced and removed.

Each is named twice: by the path that messages have, and by where that is on this machine, links followed.
"""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError


def write_value(path: str, place: str, value: str) -> None:
    """Write a kernel file with a single write(2).

    :raises HostError: with the kernel's reason.
    """
    try:
        descriptor = os.open(place, os.O_WRONLY | os.O_TRUNC)
        try:
            os.write(descriptor, value.encode("ascii") + b"\n")
        finally:
            os.close(descriptor)
    except OSError as error:
        raise HostError(f"write {value} to", path, error.strerror, error.errno) from error


def make_directories(missing: t.Sequence[tuple[str, str]]) -> None:
    """Create directories, as (path, place), each after that above it.

    :raises HostError: none was made.
    """
    made: list[tuple[str, str]] = []
    try:
        for path, place in missing:
            os.mkdir(place, 0o755)
            made.append((path, place))
            _flush_directory(os.path.dirname(place))
    except OSError as error:
        for above in reversed(made):
            remove_directory(*above)
        raise HostError("create directory", path, error.strerror, error.errno) from error


def remove_directory(path: str, place: str) -> None:
    """Remove an empty directory.

    :raises HostError: it is not empty, or cannot be removed.
    """
    try:
        os.rmdir(place)
    except OSError as error:
        raise HostError("remove directory", path, error.strerror, error.errno) from error


def replace(path: str, place: str, temporary: tuple[str, str], is_left: bool, content: bytes) -> None:
    """Replace a file's content so that a power cut leaves the old or the new file, whole.

    :param temporary: path and place of the new file until it is whole.
    :param is_left: whether a stopped run left one there.
    :raises HostError: the file is as it was, or, where flushing the directory failed, is the new one.
    """
    if os.path.lexists(place) and not os.path.isfile(place):
        # A link to /dev/null leads here, and renaming over that would take it from the whole host.
        raise HostError("write", path, "it is not a regular file")
    try:
        if is_left:
            os.unlink(temporary[1])
        descriptor = _make_temporary(*temporary)
        try:
            try:
                _write_all(descriptor, content)
                _copy_attributes(place, descriptor)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(temporary[1], place)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary[1])
            raise
        _flush_directory(os.path.dirname(place))
    except OSError as error:
        raise HostError("write", path, error.strerror, error.errno) from error


def _make_temporary(path: str, place: str) -> int:
    """Create the temporary file; its descriptor."""
    try:
        return os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        reason = "it is not a regular file, so this collection did not make it, but needs its name: move it away"
        raise HostError("write", path, reason, error.errno) from error


def remove(path: str, place: str) -> None:
    """Remove a file, durably.

    :raises HostError: the file cannot be removed.
    """
    try:
        os.unlink(place)
        _flush_directory(os.path.dirname(place))
    except OSError as error:
        raise HostError("remove", path, error.strerror, error.errno) from error


def _flush_directory(place: str) -> None:
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _copy_attributes(source: str, descriptor: int) -> None:
    """Give an open file the owner, mode, access list and SELinux context of the file it will replace."""
    try:
        status = os.stat(source)
    except FileNotFoundError:
        os.fchmod(descriptor, 0o644)
        return
    made = os.fstat(descriptor)
    if (made.st_uid, made.st_gid) != (status.st_uid, status.st_gid):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
    for attribute in ("system.posix_acl_access", "security.selinux"):
        try:
            value = os.getxattr(source, attribute)
        except OSError:
            # There is none. What the new file has is that of its directory, which the other one did not take over.
            with contextlib.suppress(OSError):
                os.removexattr(descriptor, attribute)
        else:
            os.setxattr(descriptor, attribute, value)
