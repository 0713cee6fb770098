# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The socket, with a kernel that answers as it is told. The real one is asked by tests/namespaces."""

from __future__ import annotations

import errno
import itertools
import socket
import struct

import pytest
from entries_made import address, datagrams, message_of, reply_of

from ansible_collections.netops.conntrack.plugins.module_utils import _ctnetlink as netlink
from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError, Refused

ORIGINAL = dump.Tuple(socket.AF_INET, dump.UDP, address(1), address(2), 40000, 53)
ENTRY = dump.Entry(ORIGINAL, reply_of(ORIGINAL), status=8, id=7, timeout=29)


def end(sequence: int, code: int = 0, kind: int = 3) -> bytes:
    return netlink.HEADER.pack(20, kind, 2, sequence, 4242) + struct.pack("=i", -code)


class FakeKernel:
    """In the place of ``socket.socket``: gives what ``answers(sequence)`` says, one datagram a call."""

    def __init__(self, answers):
        self.answers = answers
        self.sent = []
        self.waiting = []

    def __call__(self, *unused):
        return self

    def settimeout(self, _seconds):
        pass

    def fileno(self):
        return -1  # of which nothing can be taken but by recv()

    def send(self, data):
        self.sent.append(data)
        self.waiting += self.answers(netlink.HEADER.unpack_from(data)[3])

    def recv(self, _size):
        if not self.waiting:
            raise socket.timeout("timed out")
        answer = self.waiting.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    def close(self):
        pass


@pytest.fixture
def kernel(monkeypatch):
    """``kernel(answers)``: a socket to a kernel that gives these."""

    def make(answers):
        fake = FakeKernel(answers)
        monkeypatch.setattr(netlink.socket, "socket", fake)
        return netlink.Socket(), fake

    return make


def entries_with(sequence, count=3):
    return b"".join(message_of(ENTRY, sequence) for _unused in range(count))


@pytest.mark.parametrize("joined", [True, False])
def test_a_dump_is_the_entries_whether_its_end_comes_alone_or_behind_them(kernel, joined):
    def answers(sequence):
        data = [entries_with(sequence), entries_with(sequence, 2)]
        return [data[0], data[1] + end(sequence)] if joined else [*data, end(sequence)]

    opened, fake = kernel(answers)
    got = list(opened.dump())
    assert [len(list(netlink.split(data))) for data in got] == [3, 2]
    assert {dump.parse(message) for data in got for message in netlink.split(data)} == {ENTRY}
    size, kind, flags, _sequence, _port = netlink.HEADER.unpack_from(fake.sent[0])
    assert (size, kind, flags) == (len(fake.sent[0]), 0x101, 0x301)


def test_an_empty_table_is_no_datagram(kernel):
    assert not list(kernel(lambda sequence: [end(sequence)])[0].dump())


@pytest.mark.parametrize(
    ("code", "kind", "error", "words"),
    [
        (errno.EPERM, 2, Refused, "become: true"),
        (errno.EINVAL, 2, HostError, "nf_conntrack_netlink"),
        (errno.ENOMEM, 3, HostError, "Cannot allocate memory"),
    ],
)
def test_what_the_kernel_refuses_or_ends_early_is_told(kernel, code, kind, error, words):
    opened = kernel(lambda sequence: [entries_with(sequence), end(sequence, code, kind)])[0]
    with pytest.raises(error, match=words):
        list(opened.dump())


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (
            lambda sequence: [entries_with(sequence) + end(sequence)[:9] + b"\0" * 11],
            "message of 0 bytes|left over|19|20",
        ),
        (lambda sequence: [b"\0" * 7], "datagram of 7 bytes"),
        (lambda sequence: [entries_with(sequence + 5)], "another request"),
        (lambda sequence: [], "did not answer"),
        (lambda sequence: [OSError(errno.ENOBUFS, "No buffer space available")], "No buffer space"),
    ],
)
def test_what_is_no_dump_is_a_clear_error(kernel, answers, words):
    opened = kernel(answers)[0]
    with pytest.raises(HostError, match=words):
        list(itertools.chain.from_iterable(map(netlink.split, opened.dump())))


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 15, 16, 19, 20, 50, 130])
def test_a_datagram_that_is_cut_is_a_clear_error(cut):
    data = next(datagrams([ENTRY, ENTRY]))
    with pytest.raises(HostError, match="cannot read the table by ctnetlink"):
        list(netlink.split(data[:-cut]))


def test_a_request_waits_for_its_own_answer(kernel):
    opened, _fake = kernel(lambda sequence: [end(sequence - 1, errno.EIO, 2), end(sequence, 0, 2)])
    opened.request(netlink.DELETE, dump.encode_deletion(ENTRY), socket.AF_INET)
    with pytest.raises(HostError) as raised:
        kernel(lambda sequence: [end(sequence, errno.ENOENT, 2)])[0].request(netlink.DELETE, b"", socket.AF_INET)
    assert raised.value.code == errno.ENOENT


def test_many_requests_give_the_answer_to_each(kernel):
    opened, fake = kernel(None)

    def send(data):
        fake.sent.append(data)
        start = 0
        while start < len(data):
            size, _kind, _flags, sequence, _port = netlink.HEADER.unpack_from(data, start)
            fake.waiting.append(end(sequence, sequence % 2 * errno.ENOENT, 2))
            start += size

    fake.send = send
    codes = opened.requests(netlink.DELETE, [(socket.AF_INET, dump.encode_deletion(ENTRY))] * 150)
    assert len(fake.sent) == 3 and len(codes) == 150 and codes.count(0) == codes.count(errno.ENOENT) == 75
