# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes many datagrams from a socket in one system call.

Python's own calls take one, and after each the thread waits for its turn with the thread that counts: the kernel then
makes the next datagram of a dump only when that one has paused. Source: recvmmsg(2).
"""

from __future__ import annotations

import ctypes
import socket

#: Datagrams that one call may take.
MOST = 32


class _IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_size", ctypes.c_uint),
        ("vector", ctypes.POINTER(_IoVec)),
        ("vector_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    _fields_ = (("header", _Header), ("size", ctypes.c_uint))


class Receiver:
    """Takes what is ready at a socket."""

    def __init__(self, descriptor: int, size: int) -> None:
        """Take datagrams of so many bytes at most from a socket.

        :raises OSError: this system's C library cannot be called, or lacks recvmmsg().
        """
        try:
            self._take = ctypes.CDLL(None).recvmmsg
        except AttributeError as error:
            raise OSError(str(error)) from error
        self._descriptor = descriptor
        self._size = size
        room = ctypes.create_string_buffer(MOST * size)
        self._room = memoryview(room)
        start = ctypes.addressof(room)
        self._vectors = (_IoVec * MOST)(*(_IoVec(start + number * size, size) for number in range(MOST)))
        self._messages = (_Message * MOST)()
        for message, vector in zip(self._messages, self._vectors):
            message.header.vector = ctypes.pointer(vector)
            message.header.vector_length = 1

    def ready(self) -> list[bytes]:
        """The datagrams that are there, or come by taking others; none where that fails.

        Whoever then waits for one learns the reason.
        """
        count = self._take(self._descriptor, self._messages, MOST, socket.MSG_DONTWAIT, None)
        starts = range(0, max(count, 0) * self._size, self._size)
        return [bytes(self._room[start : start + message.size]) for start, message in zip(starts, self._messages)]
