# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._facts.sockets import STATES, count_states

HEADER = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = "{0:4d}: 0100007F:0016 0100007F:{1:04X} {2:02X} 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100\n"


def rows(codes):
    return [ROW.format(number, number % 65536, code).encode() for number, code in enumerate(codes)]


def test_each_state_is_counted_by_its_own_name():
    counts = count_states([HEADER, *rows(range(1, 12))])
    assert counts == {
        "established": 1,
        "syn_sent": 1,
        "syn_recv": 1,
        "fin_wait1": 1,
        "fin_wait2": 1,
        "time_wait": 1,
        "close": 1,
        "close_wait": 1,
        "last_ack": 1,
        "listen": 1,
        "closing": 1,
    }


def test_established_listening_and_waiting_sockets_are_told_apart():
    counts = count_states([HEADER, *rows([1, 10, 1, 6, 10, 1])])
    assert (counts["established"], counts["listen"], counts["time_wait"]) == (3, 2, 1)


def test_states_without_a_socket_are_zero():
    assert count_states([HEADER]) == dict.fromkeys(STATES, 0)


def test_a_row_number_that_fills_its_column_does_not_hide_a_socket():
    line = ROW.format(1234567, 1, 1).encode()
    assert count_states([HEADER, line])["established"] == 1


def test_a_host_without_the_protocol_has_no_counts():
    assert count_states([]) is None


@given(st.lists(st.integers(1, 11), max_size=200))
def test_the_counts_are_what_counting_the_rows_gives(codes):
    counts = count_states([HEADER, *rows(codes)])
    assert sum(counts.values()) == len(codes)
    expected = Counter(codes)
    assert [counts[name] for name in STATES] == [expected[code] for code in range(1, 12)]


@given(st.lists(st.binary()))
def test_no_content_is_a_crash(lines):
    count_states(lines)
