# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counting by columns gives what the careful parser gives, whatever comes."""

from __future__ import annotations

import random
import socket

import pytest
from entries_made import address as packed
from entries_made import datagrams, entries, message_of, reply_of
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._entries import count, dump
from ansible_collections.netops.conntrack.plugins.module_utils._entries.count import Counts, Prefixes, address
from ansible_collections.netops.conntrack.plugins.module_utils._entries.filter import Filter, parse
from ansible_collections.netops.conntrack.plugins.module_utils._entries.what_if import Judge, candidates
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError

TIMEOUTS = {
    "tcp_established": 432000,
    "tcp_unacknowledged": 300,
    "udp": 30,
    "udp_stream": 120,
    "icmp": 30,
    "generic": 60,
}

TCP = dump.Tuple(socket.AF_INET, dump.TCP, packed(1), packed(2), 40000, 443)
ENTRY = dump.Entry(TCP, reply_of(TCP), status=0x18E, id=7, timeout=86399, state=3, tcp_flags=3)


def counted(given_datagrams, meant=None, prefixes=None, examples=0):
    counts = Counts(meant or Filter(), Judge(TIMEOUTS, candidates(None, TIMEOUTS)), prefixes or Prefixes(), examples)
    for datagram in given_datagrams:
        counts.take(datagram)
    counts.finish()
    return counts


def shown(counts):
    """All that was counted, to compare."""
    by_family = {
        name: {family: dict(bounded.items()) for family, bounded in getattr(counts, name).items()}
        for name in ("sources", "destinations", "pairs", "nat")
    }
    return {
        **by_family,
        "classes": {family: dict(classes) for family, classes in counts.classes.items()},
        "ports": dict(counts.ports.items()),
        "marks": {mark: number for mark, number in counts.marks.items() if number},
        "zones": {zone: number for zone, number in counts.zones.items() if number},
        "read": counts.read,
        "matched": counts.matched,
    }


PREFIXES = st.builds(Prefixes, st.integers(0, 32), st.integers(0, 128))

FILTERS = st.sampled_from([
    {}, {}, {"family": "ipv4"}, {"protocol": "tcp"}, {"protocol": "udp", "port": 53}, {"state": "established"},
    {"source": "10.0.0.0/22"}, {"source": "2001:db8::/54", "status": ["assured"]}, {"status": ["!src_nat"]},
    {"zone": 0},
    {"mark": "0"}, {"mark": "0x1/0x1", "family": "ipv6"}, {"protocol": "sctp", "state": "closed"}, {"protocol": "89"},
])  # fmt: skip


@given(st.lists(entries(), max_size=60), st.integers(1, 9), FILTERS, PREFIXES)
def test_columns_count_what_the_careful_parser_counts(found, repeated, fields, prefixes):
    found = found * repeated
    random.Random(len(found)).shuffle(found)
    data = list(datagrams(found, 4000))
    meant = parse(fields)
    fast = counted(data, meant, prefixes)
    few, count._FEW = count._FEW, 10**9
    try:
        careful = counted(data, meant, prefixes)
    finally:
        count._FEW = few
    assert shown(fast) == shown(careful)
    assert fast.read == len(found) and fast.matched == sum(map(meant.matches, found))


@given(st.lists(entries(), min_size=1, max_size=40), st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_bytes_changed_at_random_are_counted_as_the_careful_parser_reads_them_or_are_an_error(found, seed, changes):
    chance = random.Random(seed)
    data = bytearray(b"".join(datagrams(found * 6, 10**9)))
    for _unused in range(changes):
        data[chance.randrange(len(data))] = chance.randrange(256)

    def outcome(few):
        before, count._FEW = count._FEW, few
        try:
            return shown(counted([bytes(data)]))
        except HostError:
            return "an error"
        finally:
            count._FEW = before

    fast, careful = outcome(2), outcome(10**9)
    assert fast == careful


def test_many_shapes_are_counted_without_a_shape_for_each():
    found = [ENTRY._replace(helper="h" * length) for length in range(300)] * 3
    counts = counted(datagrams(found))
    assert counts.matched == 900 and sum(map(len, counts._shapes.values())) <= count._SHAPES


def test_mixed_shapes_of_one_length_are_told_apart():
    udp = dump.Tuple(socket.AF_INET, dump.UDP, packed(1), packed(2), 40000, 53)
    first = dump.Entry(udp, reply_of(udp), status=8, id=1, timeout=20, labels=b"\1" * 16)
    second = first._replace(labels=b"", helper="x" * 11)  # as long with its headers
    assert len(message_of(first)) == len(message_of(second))
    counts = counted(datagrams([first, second] * 50))
    assert counts.matched == 100 and dict(counts.sources[socket.AF_INET].items()) == {0x0A000001: 100}


def test_examples_are_the_first_entries_that_are_meant():
    found = [ENTRY._replace(mark=number % 2, id=number) for number in range(100)]
    counts = counted(datagrams(found), parse({"mark": "1"}), examples=3)
    assert [entry.id for entry in counts.examples] == [1, 3, 5]


@pytest.mark.parametrize(("key", "prefix", "text"), [
    (0x0A000001, 32, "10.0.0.1"), (0x0A000000, 8, "10.0.0.0/8"), (0, 0, "0.0.0.0/0"),
    (bytes.fromhex("20010db800000001"), 64, "2001:db8:0:1::/64"), (b"", 0, "::/0"),
    (packed(5, socket.AF_INET6), 128, "2001:db8::5"),
])  # fmt: skip
def test_what_is_counted_as_one_is_told_as_an_address_or_a_network(key, prefix, text):
    assert address(key, prefix) == text


@pytest.mark.parametrize("cut", [1, 5, 19, 40])
def test_a_cut_datagram_is_an_error_also_when_its_lengths_are_known(cut):
    data = next(datagrams([ENTRY] * 20))
    with pytest.raises(HostError, match="cannot read"):
        counted([data, data, data[:-cut]])
