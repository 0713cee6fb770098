# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shapes of messages: what has one, and what is not taken for one."""

from __future__ import annotations

import socket

import pytest
from entries_made import address as packed
from entries_made import message_of, reply_of

from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump
from ansible_collections.netops.conntrack.plugins.module_utils._entries.layout import Layout, UnusualError

TCP = dump.Tuple(socket.AF_INET, dump.TCP, packed(1), packed(2), 40000, 443)
ENTRY = dump.Entry(TCP, reply_of(TCP), status=0x18E, id=7, timeout=86399, state=3, tcp_flags=3)


def test_a_message_with_one_strange_header_is_not_taken_for_one_of_a_shape():
    normal = message_of(ENTRY)
    shape = Layout(normal)
    assert shape.fits(normal * 3, 3)
    for offset in range(len(normal)):
        strange = bytearray(normal)
        strange[offset] ^= 0x40
        if not shape.fits(normal + bytes(strange), 2):
            continue
        # Where it fits, only a value differs: the careful parser reads as many attributes.
        dump.parse(bytes(strange))
    assert not shape.fits(normal * 2, 3) and not shape.fits(normal[:-4], 1)


@pytest.mark.parametrize("message", [
    b"", b"\0" * 20, message_of(ENTRY)[:-3], message_of(ENTRY) + b"\0\0",
    message_of(ENTRY, extra=dump.numeric(dump.MARK, 5, 4)),
    message_of(ENTRY._replace(zone=3, original=TCP._replace(zone=4))),
])  # fmt: skip
def test_what_is_unusual_has_no_shape(message):
    with pytest.raises(UnusualError):
        Layout(message)


def test_columns_hold_the_values_of_the_messages_in_their_order():
    found = [ENTRY._replace(mark=number, timeout=number * 7, state=number % 9) for number in range(50)]
    data = b"".join(map(message_of, found))
    shape = Layout(data[: len(data) // 50])
    assert list(shape.words(data, shape.mark, 50)) == list(range(50))
    assert list(shape.words(data, shape.timeout, 50)) == [number * 7 for number in range(50)]
    assert list(shape.octets(data, shape.state)) == [number % 9 for number in range(50)]
    assert shape.pairs(data, shape.source, shape.destination, 4) == [(packed(1), packed(2))] * 50
