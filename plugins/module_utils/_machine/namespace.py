# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is called in another network namespace."""

from __future__ import annotations

import os
import threading
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError

_CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h

_T = t.TypeVar("_T")


def call_inside(path: str, place: str, function: t.Callable[[], _T]) -> _T:
    """What a function returns in another network namespace, by a thread that enters that and ends.

    :param path: the file of the namespace as messages name it.
    :param place: where that is on this machine.
    :raises HostError: it cannot be entered; with errno as ``code``.
    """
    results: list[_T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            _enter(path, place)
            results.append(function())
        except BaseException as error:  # noqa: BLE001  # pylint: disable=broad-exception-caught  # raised below
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    for error in errors:
        raise error
    return results[0]


def _enter(path: str, place: str) -> None:
    """Move this thread into a network namespace.

    :raises HostError: the kernel refuses it.
    """
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            setns(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise HostError("enter", path, error.strerror, error.errno) from error


def setns(descriptor: int) -> None:
    """Move this thread into the network namespace of an open file.

    :raises OSError: the kernel refuses it.
    """
    if hasattr(os, "setns"):  # Python 3.12 on
        os.setns(descriptor, _CLONE_NEWNET)
        return
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
