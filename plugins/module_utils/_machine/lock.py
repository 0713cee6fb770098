# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock that lets one run at a time change this machine."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError, Refused

#: Many times what a run takes.
_SECONDS = 60


@contextlib.contextmanager
def hold(path: str, place: str, check_signals: t.Callable[[], None]) -> t.Iterator[None]:
    """Wait until no other process has the lock, and have it.

    :param path: the lock file as messages name it.
    :param place: where that is on this machine.
    :param check_signals: called while waiting; what it raises ends that.
    :raises Refused: another run did not end in time.
    :raises HostError: the directory of the lock cannot be written.
    """
    try:
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        reason = (
            "{0}. This lock keeps two runs from changing this host at once: make {1} a directory that root can write"
        )
        raise HostError("lock", path, reason.format(error.strerror, os.path.dirname(path)), error.errno) from error
    try:
        _take(path, descriptor, check_signals)
        # For the message of one that waits in vain; where /run is full, that has to do without.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(path: str, descriptor: int, check_signals: t.Callable[[], None]) -> None:
    """Wait for the lock, and not for ever: a run that hangs is for somebody to look at.

    :raises Refused: it was not to be had.
    """
    end = time.monotonic() + _SECONDS
    while True:
        check_signals()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                break
        except OSError as error:
            raise HostError("lock", path, error.strerror, error.errno) from error
        time.sleep(0.1)
    holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
    raise Refused(
        f"another run is changing this host: process {holder} holds {path}, and did not end in {_SECONDS}"
        " s. Nothing was changed. Run this again when that process has ended; end it if it hangs"
    )
