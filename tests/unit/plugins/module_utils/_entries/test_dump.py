# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One entry, read and written. Messages of real kernels are compared with conntrack by tests/namespaces."""

from __future__ import annotations

import json
import random
import socket

import pytest
from entries_made import address, entries, message_of, reply_of, tuples
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._ctnetlink import BODY, HEADER
from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError

ORIGINAL = dump.Tuple(socket.AF_INET, dump.TCP, address(1), address(2), 40000, 443)
ENTRY = dump.Entry(ORIGINAL, reply_of(ORIGINAL), status=0x18E, id=7, timeout=86399, state=3, tcp_flags=3)


@given(entries())
def test_every_kind_of_entry_is_read_as_it_was_sent(entry):
    assert dump.parse(message_of(entry)) == entry


@given(entries())
def test_every_entry_is_a_result_that_json_carries(entry):
    result = dump.parse(message_of(entry)).as_result()
    assert json.loads(json.dumps(result)) == result


@given(tuples())
def test_a_tuple_to_delete_by_is_read_back_as_it_was(value):
    entry = dump.Entry(value, reply_of(value), id=1)
    message = message_of(entry)
    start = message.index(dump.encode_tuple(dump.TUPLE_ORIG, value))
    assert start == BODY and dump.parse(message).original == value


def test_attributes_that_nobody_knows_are_passed_over():
    unknown = dump.attribute(99, b"whatever") + dump.nested(0x3FFE, dump.attribute(1, b""))
    assert dump.parse(message_of(ENTRY, extra=unknown)) == ENTRY


def test_an_offloaded_entry_has_neither_timeout_nor_state():
    entry = ENTRY._replace(status=ENTRY.status | dump.OFFLOAD, timeout=None, state=None)
    read = dump.parse(message_of(entry))
    assert read.offloaded and read.timeout is None and read.state_name is None
    assert "offload" in read.as_result()["status"]


def test_a_zone_of_one_direction_is_the_entry_s_zone():
    entry = ENTRY._replace(original=ORIGINAL._replace(zone=5))
    assert dump.parse(message_of(entry)).any_zone == 5


@pytest.mark.parametrize(
    ("protocol", "state", "name"),
    [
        (dump.TCP, 3, "established"),
        (dump.TCP, 9, "syn_sent2"),
        (dump.TCP, 10, "10"),
        (dump.SCTP, 4, "established"),
        (dump.DCCP, 7, "timewait"),
        (dump.UDP, None, None),
        (dump.UDP, 3, "3"),
    ],
)
def test_a_state_has_the_kernel_s_name_or_its_number(protocol, state, name):
    assert dump.state_name(protocol, state) == name


def test_a_status_bit_without_a_name_is_told_by_its_number():
    assert dump.status_names(1 << 2 | 1 << 20) == ["assured", "20"]


def outcome_of(message):
    """An entry as JSON, or the words of the one error that may come."""
    try:
        return json.dumps(dump.parse(message).as_result())
    except HostError as error:
        return error.message


@pytest.mark.parametrize("cut", range(len(message_of(ENTRY))))
def test_a_message_cut_anywhere_is_one_clear_error_or_an_entry(cut):
    assert outcome_of(message_of(ENTRY)[:cut]).startswith(("cannot read the table by ctnetlink", "{"))


@given(entries(), st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_bytes_changed_at_random_are_an_error_or_an_entry(entry, seed, count):
    chance = random.Random(seed)
    message = bytearray(message_of(entry))
    for _unused in range(count):
        message[chance.randrange(HEADER.size, len(message))] = chance.randrange(256)
    assert outcome_of(bytes(message))


@given(st.binary(max_size=400))
def test_random_bytes_are_an_error_or_an_entry(data):
    assert outcome_of(data)
