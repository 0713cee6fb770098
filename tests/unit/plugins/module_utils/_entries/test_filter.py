# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which entries are meant. What kernels make of the request is asked of one by tests/namespaces."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from entries_made import address, entries, reply_of
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump
from ansible_collections.netops.conntrack.plugins.module_utils._entries.filter import Filter, parse
from ansible_collections.netops.conntrack.plugins.module_utils._errors import InvalidInput

ORIGINAL = dump.Tuple(socket.AF_INET, dump.TCP, address(1), address(2), 40000, 443)
ENTRY = dump.Entry(ORIGINAL, reply_of(ORIGINAL), status=0x18E, id=7, timeout=86399, state=3, mark=0x12, zone=4)


@pytest.mark.parametrize(("fields", "is_meant"), [
    ({}, True),
    ({"family": "ipv4"}, True), ({"family": "ipv6"}, False),
    ({"protocol": "tcp"}, True), ({"protocol": "6"}, True), ({"protocol": "UDP"}, False),
    ({"source": "10.0.0.1"}, True), ({"source": "10.0.0.0/24"}, True), ({"source": "0.0.0.0/0"}, True),
    ({"source": "10.0.0.2"}, False), ({"source": "10.0.1.0/24"}, False), ({"source": "::/0"}, False),
    ({"destination": "10.0.0.2/32"}, True), ({"destination": "10.0.0.1"}, False),
    ({"protocol": "tcp", "port": 443}, True), ({"protocol": "tcp", "port": 40000}, False),
    ({"state": "established"}, True), ({"state": "time_wait"}, False), ({"state": "cookie_wait"}, False),
    ({"status": ["assured"]}, True), ({"status": ["!assured"]}, False), ({"status": ["unreplied"]}, False),
    ({"status": ["!unreplied", "seen_reply", "!src_nat"]}, True), ({"status": ["src_nat"]}, False),
    ({"zone": 4}, True), ({"zone": 0}, False),
    ({"mark": 18}, True), ({"mark": "0x12"}, True), ({"mark": "0x2/0xf"}, True), ({"mark": "0x10/0xf0"}, True),
    ({"mark": "3"}, False), ({"mark": "0"}, False),
])  # fmt: skip
def test_an_entry_is_meant_or_not(fields, is_meant):
    assert parse(fields).matches(ENTRY) is is_meant


@pytest.mark.parametrize(("fields", "words"), [
    ({"family": "inet"}, "filter.family is 'inet', but must be ipv4 or ipv6"),
    ({"protocol": "tpc"}, "filter.protocol is 'tpc', but must be one of dccp, gre, icmp"),
    ({"protocol": "256"}, "from 0 to 255"), ({"protocol": "0x6"}, "from 0 to 255"),
    ({"source": "10.0.0.1/8"}, "give 10.0.0.0/8 for the network, or 10.0.0.1 for the one address"),
    ({"source": "2001:db8::1/32"}, "give 2001:db8::/32 for the network"),
    ({"source": "10.0.0.0/33"}, "a prefix from 0 to 32"), ({"source": "::/129"}, "a prefix from 0 to 128"),
    ({"source": "10.0.0.0/"}, "prefix from"), ({"source": "10.0.0.0/+8"}, "prefix from"),
    ({"source": "10.0.0"}, "an IPv4 or IPv6 address"), ({"destination": "host.example"}, "filter.destination is"),
    ({"source": "10.0.0.1\0"}, "an IPv4 or IPv6 address"), ({"source": ""}, "an IPv4 or IPv6 address"),
    ({"source": "10.0.0.1", "destination": "::1"}, "filter.source is of ipv4 and filter.destination is of ipv6"),
    ({"family": "ipv6", "source": "10.0.0.1"}, "no entry is both"),
    ({"family": "ipv6", "protocol": "icmp"}, "filter.family is of ipv6 and filter.protocol is of ipv4"),
    ({"port": 80}, "needs filter.protocol too: one of tcp, udp"),
    ({"port": 80, "protocol": "icmp"}, "entries of protocol icmp have no ports"),
    ({"port": 80, "protocol": "89"}, "entries of protocol 89 have no ports"),
    ({"port": 0, "protocol": "tcp"}, "from 1 to 65535"), ({"port": 65536, "protocol": "tcp"}, "from 1 to 65535"),
    ({"state": "open", "protocol": "tcp"}, "of tcp: syn_sent, syn_recv, established"),
    ({"state": "established2"}, "of tcp: syn_sent"), ({"state": "none"}, "must be a state"),
    ({"state": "established", "protocol": "udp"}, "entries of protocol udp have no state"),
    ({"state": "established", "status": ["offload"]}, "the kernel shows no state"),
    ({"status": ["asured"]}, "filter.status is 'asured', but must be of expected, seen_reply, assured"),
    ({"status": ["assured", "!assured"]}, "no entry is assured and is not"),
    ({"status": ["unreplied", "seen_reply"]}, "no entry is seen_reply and is not"),
    ({"zone": -1}, "from 0 to 65535"), ({"zone": 65536}, "from 0 to 65535"),
    ({"mark": "0x100000000"}, "0xffffffff"), ({"mark": "4294967296"}, "0xffffffff"), ({"mark": "-1"}, "0xffffffff"),
    ({"mark": "1/"}, "0xffffffff"), ({"mark": "1/2/3"}, "0xffffffff"), ({"mark": "٣"}, "0xffffffff"),
    ({"mark": "0x12/0xf"}, "give 0x2/0xf"), ({"mark": "0/0"}, "every entry has it"),
])  # fmt: skip
def test_a_filter_that_cannot_be_meant_is_named_with_what_is_allowed(fields, words):
    with pytest.raises(InvalidInput) as raised:
        parse(fields)
    assert words in raised.value.message


def test_no_filter_is_every_entry_and_asks_the_kernel_for_nothing():
    assert parse(None).is_empty and parse({"family": None, "status": None}).is_empty
    assert Filter().request() == (socket.AF_UNSPEC, b"")


@given(entries(), st.integers(0, 128))
def test_a_network_holds_what_the_standard_library_says(entry, prefix):
    original = entry.original
    bits = len(original.source) * 8
    network = ipaddress.ip_network((original.source, min(prefix, bits)), strict=False)
    found = parse({"source": str(network), "destination": str(network)})
    assert found.source.holds(original.source)
    assert found.destination.holds(original.destination) is (ipaddress.ip_address(original.destination) in network)


@given(entries())
def test_an_entry_is_meant_by_a_filter_of_all_that_it_is(entry):
    original = entry.original
    if original.protocol == dump.ICMPV6 or entry.state == 0 or original.destination_port == 0:
        entry = entry._replace(state=None)
    meant = parse(
        {
            "family": dump.FAMILIES[original.family],
            "protocol": str(original.protocol),
            "source": socket.inet_ntop(original.family, original.source),
            "destination": socket.inet_ntop(original.family, original.destination),
            "port": original.destination_port or None if original.protocol in dump.WITH_PORTS else None,
            "state": entry.state_name,
            "zone": entry.any_zone,
            "mark": str(entry.mark),
            "status": ["assured" if entry.status & dump.ASSURED else "!assured"],
        }
    )
    assert meant.matches(entry)
    assert not meant.matches(entry._replace(mark=entry.mark ^ 1))
    assert not meant.matches(entry._replace(status=entry.status ^ dump.ASSURED))


def test_the_kernel_is_asked_for_what_some_kernel_can_compare():
    fields = {
        "source": "10.0.0.1", "destination": "10.0.0.0/8", "protocol": "tcp", "port": 443, "status": ["unreplied"],
        "zone": 4, "mark": "0x2/0xf", "state": "syn_sent",
    }  # fmt: skip
    family, body = parse(fields).request()
    found = dump.nest(body, (0, len(body)))
    assert family == socket.AF_INET
    assert set(found) == {
        dump.TUPLE_ORIG, dump.FILTER, dump.STATUS, dump.STATUS_MASK, dump.ZONE, dump.MARK, dump.MARK_MASK,
    }  # fmt: skip
    inner = dump.nest(body, found[dump.TUPLE_ORIG])
    assert set(dump.nest(body, inner[dump.TUPLE_IP])) == {dump.V4_SRC}  # a network is for this module alone
    assert dump.number(body, found[dump.MARK_MASK], 4) == 0xF
    assert (dump.number(body, found[dump.STATUS], 4), dump.number(body, found[dump.STATUS_MASK], 4)) == (0, 2)
