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
    from ansible_collections.netops.conntrack.plugins.module_utils._entries.count import Counts
    from ansible_collections.netops.conntrack.plugins.module_utils._entries.filter import Filter
    from ansible_collections.netops.conntrack.plugins.module_utils._entries.netlink import Socket

#: Datagrams of 32 KiB that may wait to be counted.
_AHEAD = 64

#: Seconds after which a thread that computes lets another one go on. A datagram takes the kernel less than Python's
#: usual 5 ms, and it starts on the next one only when this one was taken.
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


def count_some(datagrams: t.Iterable[bytes], counts: Counts, enough: int) -> bool:
    """Count until so many entries came; whether that were all there are.

    :raises HostError: a message is not whole.
    """
    complete = True
    for datagram in datagrams:
        if counts.read >= enough:
            complete = False
            break
        counts.take(datagram)
    counts.finish()
    return complete


def count_all(datagrams: t.Iterable[bytes], counts: Counts) -> None:
    """Count them all, in a second thread.

    :raises HostError: a message is not whole, or the dump ended early.
    """
    waiting: queue.Queue[bytes | None] = queue.Queue(_AHEAD)
    errors: list[BaseException] = []

    def work() -> None:
        while True:
            datagram = waiting.get()
            if datagram is None:
                return
            if errors:
                continue  # so that whoever reads need not wait for room
            try:
                counts.take(datagram)
            except BaseException as error:  # noqa: BLE001  # pylint: disable=broad-exception-caught  # raised below
                errors.append(error)

    turn = sys.getswitchinterval()
    thread = threading.Thread(target=work, name="count", daemon=True)
    sys.setswitchinterval(_TURN)
    try:
        thread.start()
        try:
            for datagram in datagrams:
                if errors:
                    break
                waiting.put(datagram)
        finally:
            waiting.put(None)
            thread.join()
    finally:
        sys.setswitchinterval(turn)
    if errors:
        raise errors[0]
    counts.finish()
