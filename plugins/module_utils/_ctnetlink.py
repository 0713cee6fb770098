# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The socket to ctnetlink, through which the kernel tells of the table of connections and changes it.

A request to it loads nf_conntrack and nf_conntrack_netlink, so whoever sends one has to know that they are there.

Sources: include/uapi/linux/netlink.h, include/uapi/linux/netfilter/nfnetlink.h, net/netfilter/nf_conntrack_netlink.c.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError, Refused

#: What errors call the other end of the socket.
NAME = "the table by ctnetlink"

#: Types of request and of message, without the subsystem's number.
NEW, GET, DELETE, GET_ZEROED, GET_STATISTICS_CPU, GET_STATISTICS = range(6)

_NETLINK_NETFILTER = 12
_SUBSYSTEM = 1  # NFNL_SUBSYS_CTNETLINK
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
#: With ``NEW``: make it, and refuse where there is one already.
CREATE = 0x400 | 0x200

#: nlmsghdr: length, type, flags, sequence number, port; in the machine's own byte order.
HEADER = struct.Struct("=IHHII")
#: nfgenmsg: family, version, and a number that connection tracking does not use.
FAMILY = struct.Struct(">BBH")
#: Where the attributes of a message begin.
BODY = HEADER.size + FAMILY.size

#: nlattr: length and type of an attribute, whose upper bits say how its value is written.
ATTRIBUTE = struct.Struct("=HH")
_ATTRIBUTE_TYPE = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER

_ERROR_CODE = struct.Struct("=i")
_DONE_SIZE = HEADER.size + _ERROR_CODE.size

#: The kernel makes no datagram of a dump larger than 32 KiB (``netlink_dump()``), so a larger buffer gains nothing.
_BUFFER = 1 << 16

#: Many times what the kernel takes for a datagram, and for an answer.
_SECONDS = 60


def _refusal(code: int) -> HostError | Refused:
    if code in (errno.EPERM, errno.EACCES):
        return Refused(
            "the kernel does not let this process read or change the connection tracking table: that needs root, or"
            " CAP_NET_ADMIN in the network namespace. Run this with become: true; a container must be given"
            " CAP_NET_ADMIN"
        )
    if code in (errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT):
        reason = "this kernel has no netlink for netfilter (CONFIG_NETFILTER_NETLINK, module nfnetlink)"
    elif code == errno.EINVAL:
        reason = f"{os.strerror(code)}: this kernel does not accept the request, or lacks nf_conntrack_netlink"
    else:
        reason = os.strerror(code)
    return HostError("ask", NAME, reason, code)


class Socket:
    """A socket to ctnetlink. Use it as a context, or close it; closing ends a dump that was not read to its end."""

    def __init__(self) -> None:
        """Open it in the network namespace of the calling thread.

        :raises HostError: there is no such protocol.
        :raises Refused: the process may not.
        """
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        except OSError as error:
            raise _refusal(error.errno or 0) from error
        self._socket.settimeout(_SECONDS)
        # Not to be guessed, so that no value of an entry can look like the end of the dump.
        self._sequence = int.from_bytes(os.urandom(3), "big")

    def __enter__(self) -> Socket:  # noqa: PYI034  # typing.Self is of Python 3.11
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it. A second time does nothing."""
        self._socket.close()

    def _send(self, kind: int, flags: int, family: int, body: bytes) -> int:
        self._sequence += 1
        size = BODY + len(body)
        header = HEADER.pack(size, _SUBSYSTEM << 8 | kind, _REQUEST | flags, self._sequence, 0)
        try:
            self._socket.send(header + FAMILY.pack(family, 0, 0) + body)
        except OSError as error:
            raise _refusal(error.errno or 0) from error
        return self._sequence

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(_BUFFER)
        except socket.timeout as error:
            reason = f"the kernel did not answer in {_SECONDS} s"
            raise HostError("read", NAME, reason, errno.ETIMEDOUT) from error
        except OSError as error:
            raise HostError("read", NAME, error.strerror or str(error), error.errno) from error

    def _stream(self) -> t.Iterator[bytes]:
        """Datagrams without an end, by as few system calls as this system can."""
        yield self._receive()
        try:
            from ansible_collections.netops.conntrack.plugins.module_utils import _recvmmsg as recvmmsg

            ready = recvmmsg.Receiver(self._socket.fileno(), _BUFFER).ready
        except (ImportError, OSError):  # a Python without ctypes, or a C library without the call
            ready = list
        while True:
            yield from ready()
            yield self._receive()

    def dump(self, body: bytes = b"", family: int = socket.AF_UNSPEC, kind: int = GET) -> t.Iterator[bytes]:
        """Ask for all there is, and give the datagrams one by one, as a stream in constant memory.

        Each holds whole messages of entries alone, for :func:`split` or faster ways. The kernel makes the next one when
        this one is taken; a table that changes meanwhile may show an entry twice or not at all.

        :param body: the attributes of the request, such as a filter.
        :param family: AF_INET, AF_INET6, or 0 for both.
        :raises HostError: the kernel refuses the request, or ended the dump early.
        :raises Refused: the process may not.
        """
        sequence = self._send(kind, _DUMP, family, body)
        for data in self._stream():
            rest, code = _without_end(data, sequence)
            if rest:
                yield rest
            if code is not None:
                if code:
                    raise _refusal(code)
                return

    def request(self, kind: int, body: bytes, family: int, flags: int = 0) -> None:
        """One request, such as to delete an entry, and wait for the kernel's answer to it.

        :raises HostError: with errno as ``code``, such as ENOENT.
        :raises Refused: the process may not.
        """
        sequence = self._send(kind, _ACK | flags, family, body)
        while True:
            data = self._receive()
            answers = (message for message in _messages(data) if message[2] == sequence)
            for start, kind_of_message, _sequence, end in answers:
                if kind_of_message == _NLMSG_ERROR and end - start >= _DONE_SIZE:
                    code = -int(_ERROR_CODE.unpack_from(data, start + HEADER.size)[0])
                    if code:
                        raise _refusal(code)
                    return

    def requests(self, kind: int, bodies: t.Iterable[tuple[int, bytes]], flags: int = 0) -> list[int]:
        """Many requests, several of them at a time in one datagram.

        :param bodies: family and attributes of each.
        :returns: the errno of each, 0 for those that the kernel took.
        :raises HostError: no answer came.
        """
        codes: list[int] = []
        batch: list[tuple[int, bytes]] = []
        for item in bodies:
            batch.append(item)
            if len(batch) == 64:
                codes += self._batch(kind, batch, flags)
                batch = []
        return codes + (self._batch(kind, batch, flags) if batch else [])

    def _batch(self, kind: int, batch: t.Sequence[tuple[int, bytes]], flags: int) -> list[int]:
        first = self._sequence + 1
        data = []
        for family, body in batch:
            self._sequence += 1
            kind_of_message, all_flags = _SUBSYSTEM << 8 | kind, _REQUEST | _ACK | flags
            data.append(HEADER.pack(BODY + len(body), kind_of_message, all_flags, self._sequence, 0))
            data.append(FAMILY.pack(family, 0, 0) + body)
        try:
            self._socket.send(b"".join(data))
        except OSError as error:
            raise _refusal(error.errno or 0) from error
        codes: dict[int, int] = {}
        while len(codes) < len(batch):
            answer = self._receive()
            for start, kind_of_message, sequence, end in _messages(answer):
                if (
                    kind_of_message == _NLMSG_ERROR
                    and first <= sequence <= self._sequence
                    and end - start >= _DONE_SIZE
                ):
                    codes[sequence] = -int(_ERROR_CODE.unpack_from(answer, start + HEADER.size)[0])
        return [codes[number] for number in sorted(codes)]


def _messages(data: bytes) -> t.Iterator[tuple[int, int, int, int]]:
    """Start, type, sequence number and end of each message of a datagram.

    :raises HostError: a message is not whole.
    """
    start, whole = 0, len(data)
    while start < whole:
        if whole - start < HEADER.size:
            raise HostError("read", NAME, f"{whole - start} bytes are left over after a message")
        size, kind, _flags, sequence, _port = HEADER.unpack_from(data, start)
        if not HEADER.size <= size <= whole - start:
            raise HostError("read", NAME, f"a message of {size} bytes in {whole - start} that are there")
        yield start, kind, sequence, start + size
        start += (size + 3) & ~3


def _without_end(data: bytes, sequence: int) -> tuple[bytes, int | None]:
    """A datagram without the message that ends the dump, and what that says: an errno, 0, or None where there is none.

    The end comes alone, or behind the last entries (Linux 6.9 on).

    :raises HostError: the datagram is cut, or is not about this dump.
    """
    if len(data) < HEADER.size:
        raise HostError("read", NAME, f"a datagram of {len(data)} bytes")
    _size, kind, _flags, number, _port = HEADER.unpack_from(data, 0)
    is_entries = kind >> 8 == _SUBSYSTEM and number == sequence
    # What an entry ends with cannot look like this, since the number is not known before.
    tail = len(data) - _DONE_SIZE
    ends = tail >= 0 and HEADER.unpack_from(data, tail)[:4:3] == (_DONE_SIZE, sequence)
    if is_entries and not ends:
        return data, None
    for start, kind, number, end in _messages(data):
        if number != sequence:
            raise HostError("read", NAME, "an answer to another request")
        if kind in (_NLMSG_ERROR, _NLMSG_DONE):
            if end - start < _DONE_SIZE:
                raise HostError("read", NAME, "the end of the dump is cut")
            return data[:start], -int(_ERROR_CODE.unpack_from(data, start + HEADER.size)[0])
    return data, None


def split(datagram: bytes) -> t.Iterator[bytes]:
    """The messages of a datagram that :meth:`Socket.dump` gave, each with its header; all bytes are accounted for.

    :raises HostError: one is not whole, or is not about an entry.
    """
    for start, kind, _sequence, end in _messages(datagram):
        if kind >> 8 != _SUBSYSTEM or end - start < BODY:
            raise HostError("read", NAME, f"a message of type {kind} and {end - start} bytes")
        yield datagram[start:end]


def attributes(data: bytes, start: int, end: int) -> t.Iterator[tuple[int, int, int]]:
    """Type, start and end of value of each attribute between two offsets; all bytes are accounted for.

    :raises HostError: an attribute reaches beyond the end, or bytes are left over.
    """
    while start < end:
        if end - start < ATTRIBUTE.size:
            raise HostError("read", NAME, f"{end - start} bytes are left over after the attributes")
        size, kind = ATTRIBUTE.unpack_from(data, start)
        if not ATTRIBUTE.size <= size <= end - start:
            raise HostError(
                "read", NAME, f"attribute {kind & _ATTRIBUTE_TYPE} of {size} bytes, of {end - start} that are there"
            )
        yield kind & _ATTRIBUTE_TYPE, start + ATTRIBUTE.size, start + size
        start += (size + 3) & ~3
