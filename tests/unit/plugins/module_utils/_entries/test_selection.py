# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A filter means the same messages by columns as one by one."""

from __future__ import annotations

import random

import pytest
from entries_made import datagrams, entries, message_of
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils import _ctnetlink as netlink
from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump, selection
from ansible_collections.netops.conntrack.plugins.module_utils._entries.filter import parse
from ansible_collections.netops.conntrack.plugins.module_utils._entries.layout import Layout, UnusualError
from ansible_collections.netops.conntrack.plugins.module_utils._entries.selection import Chooser, Columns
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError

VALUES = {
    "family": st.sampled_from(["ipv4", "ipv6"]),
    "source": st.sampled_from(["10.0.0.0/21", "10.0.0.5", "2001:db8::/53", "::/0"]),
    "destination": st.sampled_from(["10.0.0.0/22", "0.0.0.0/0", "2001:db8::/54"]),
    "zone": st.sampled_from([0, 1, 7]),
    "mark": st.sampled_from(["0", "0x1/0x1", "0/0xff"]),
    "state": st.sampled_from(["established", "time_wait", "cookie_wait", "open"]),
    "status": st.sampled_from([["assured"], ["!assured"], ["unreplied"], ["src_nat", "seen_reply"]]),
}


@given(st.lists(entries(), min_size=1, max_size=30), st.sampled_from(sorted(VALUES)), st.data())
def test_each_field_means_the_same_entries(found, name, data):
    meant = parse({name: data.draw(VALUES[name])})
    by_shape = {}
    for entry in found:
        message = message_of(entry)
        try:
            shape = Layout(message)
        except UnusualError:
            continue
        by_shape.setdefault(tuple(shape._template), (shape, []))[1].append(message)
    for shape, messages in by_shape.values():
        chosen = list(Columns(shape, b"".join(messages), len(messages)).meant(meant))
        assert chosen == [meant.matches(dump.parse(message)) for message in messages]


@given(st.lists(entries(), min_size=1, max_size=30))
def test_a_protocol_and_its_port_mean_the_same_entries(found):
    first = found[0].original
    fields = {"protocol": str(first.protocol)}
    if first.protocol in dump.WITH_PORTS and first.destination_port:
        fields["port"] = first.destination_port
    meant = parse(fields)
    for entry in found:
        message = message_of(entry)
        shape = Layout(message)
        assert list(Columns(shape, message, 1).meant(meant)) == [meant.matches(entry)]


def by_id(found):
    return sorted(found, key=lambda entry: (entry.id or 0, repr(entry)))


@given(st.lists(entries(), max_size=12), st.integers(1, 9), st.sampled_from(sorted(VALUES)), st.data())
def test_of_a_datagram_just_those_entries_come_that_are_meant(found, times, name, data):
    meant = parse({name: data.draw(VALUES[name])})
    chooser = Chooser(meant)
    for datagram in datagrams(found * times, 4000):
        expected = [entry for entry in map(dump.parse, netlink.split(datagram)) if meant.matches(entry)]
        assert by_id(chooser.choose(datagram)) == by_id(expected)


@given(st.lists(entries(), min_size=1, max_size=4), st.integers(0, 2**32), st.integers(1, 40), st.data())
def test_bytes_changed_at_random_come_as_the_careful_parser_reads_them_or_are_an_error(found, seed, changes, data):
    meant = parse({"zone": data.draw(VALUES["zone"])})
    chance = random.Random(seed)
    datagram = bytearray(next(datagrams(found * 8)))
    for _unused in range(changes):
        datagram[chance.randrange(len(datagram))] = chance.choice((0, 1, 2, 4, 8, chance.randrange(256)))
    given_bytes = bytes(datagram)
    try:
        expected = [entry for entry in map(dump.parse, netlink.split(given_bytes)) if meant.matches(entry)]
    except HostError:
        with pytest.raises(HostError):
            Chooser(meant).choose(given_bytes)
        return
    assert by_id(Chooser(meant).choose(given_bytes)) == by_id(expected)


def test_of_many_messages_of_one_shape_only_those_that_are_meant_are_read_with_care(monkeypatch):
    one = dump.Tuple(2, dump.UDP, b"\n\0\0\1", b"\n\0\0\2", 5, 53)
    found = [dump.Entry(one, one, status=8, id=number, timeout=3, mark=number % 10) for number in range(100)]
    data = b"".join(map(message_of, found))
    chooser = Chooser(parse({"mark": "7"}))
    chooser.choose(data)
    read = []
    monkeypatch.setattr(selection.dump, "parse", lambda message: read.append(message) or message)
    assert len(chooser.choose(data)) == len(read) == 10
