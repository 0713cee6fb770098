# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many datagrams at a time, from a real socket."""

from __future__ import annotations

import ctypes
import socket

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils import _recvmmsg as recvmmsg


@pytest.fixture
def pair():
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    yield ends
    for end in ends:
        end.close()


def send(end, datagrams):
    # The kernel keeps few datagrams waiting, so what is sent is as few.
    end.setblocking(False)
    for datagram in datagrams:
        end.send(datagram)


def test_what_waits_is_given_whole_and_in_its_order(pair):
    sent = [bytes([number]) * (number * 999 + 1) for number in range(8)]
    send(pair[0], sent)
    receiver = recvmmsg.Receiver(pair[1].fileno(), 1 << 16)
    assert receiver.ready() == sent
    send(pair[0], [b"later", b""])
    assert receiver.ready() == [b"later", b""]


def test_it_never_waits_and_a_closed_socket_gives_nothing(pair):
    receiver = recvmmsg.Receiver(pair[1].fileno(), 100)
    assert receiver.ready() == []
    pair[1].close()
    assert receiver.ready() == []


def test_a_c_library_without_the_call_is_said(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    with pytest.raises(OSError, match="recvmmsg"):
        recvmmsg.Receiver(0, 100)
