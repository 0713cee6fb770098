# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a dump while it is counted: the kernel fills the next datagrams while Python counts the last ones."""

from __future__ import annotations

import errno
import queue
import sys
import threading
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._ctnetlink import Socket
    from ansible_collections.netops.conntrack.plugins.module_utils._entries.count import Counts
    from ansible_collections.netops.conntrack.plugins.module_utils._entries.filter import Filter

#: Datagrams of 32 KiB that may wait to be counted.
_AHEAD = 64

#: Seconds after which a thread that computes lets another one go on. What is read at a time takes the kernel about as
#: long as Python's usual 5 ms, and it starts on the next only when this was taken.
_TURN = 0.0005


def dump(socket: Socket, meant: Filter) -> t.Iterator[bytes]:
    """The datagrams of the entries that are meant, as far as this kernel can leave out others.

    :raises HostError: the kernel refuses, or ended the dump early.
    :raises Refused: the process may not.
    """
    family, body = meant.request()
    datagrams = socket.dump(body, family)
    try:
        first = next(datagrams, None)
    except HostError as error:
        # A kernel that does not take the filter gets none; what comes is checked anyway.
        if not body or error.code not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
        datagrams = socket.dump(b"", family)
        first = next(datagrams, None)
    if first is not None:
        yield first
        yield from datagrams


def count(datagrams: t.Iterable[bytes], counts: Counts, enough: int | None = None) -> bool:
    """Count entries in a second thread; whether these were all there are.

    :param enough: the datagram that makes it so many entries is the last one; None for no end.
    :raises HostError: a message is not whole, or the dump ended early.
    """
    waiting: queue.Queue[bytes | None] = queue.Queue(_AHEAD)
    errors: list[BaseException] = []
    # Set once a datagram is not counted any more.
    ended = threading.Event()

    def work() -> None:
        for datagram in iter(waiting.get, None):
            if ended.is_set():
                continue  # so that whoever reads need not wait for room
            if enough is not None and counts.read >= enough:
                ended.set()
                continue
            try:
                counts.take(datagram)
            except BaseException as error:  # noqa: BLE001  # pylint: disable=broad-exception-caught  # raised below
                errors.append(error)
                ended.set()

    turn = sys.getswitchinterval()
    thread = threading.Thread(target=work, name="count", daemon=True)
    sys.setswitchinterval(_TURN)
    try:
        thread.start()
        try:
            for datagram in datagrams:
                waiting.put(datagram)
                if ended.is_set():
                    break
        finally:
            waiting.put(None)
            thread.join()
    finally:
        sys.setswitchinterval(turn)
    if errors:
        raise errors[0]
    counts.finish()
    return not ended.is_set()
