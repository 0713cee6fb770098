# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which timeout holds an entry, and what others would free. With real traffic: tests/namespaces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump
from ansible_collections.netops.conntrack.plugins.module_utils._entries.what_if import Judge, Kind, candidates, names
from ansible_collections.netops.conntrack.plugins.module_utils._errors import InvalidInput

TIMEOUTS = {
    "generic": 600, "gre": 30, "gre_stream": 180, "icmp": 30, "icmpv6": 30, "sctp_closed": 10, "sctp_established": 210,
    "tcp_close": 10, "tcp_close_wait": 60, "tcp_established": 432000, "tcp_fin_wait": 120, "tcp_last_ack": 30,
    "tcp_max_retrans": 300, "tcp_syn_recv": 60, "tcp_syn_sent": 120, "tcp_time_wait": 120, "tcp_unacknowledged": 300,
    "udp": 30, "udp_stream": 120, "flowtable_tcp": 30,
}  # fmt: skip

SEEN, ASSURED = dump.SEEN_REPLY, dump.SEEN_REPLY | dump.ASSURED


@pytest.mark.parametrize(("kind", "expected"), [
    (Kind(6, ASSURED, 3, unacknowledged=False), ("tcp_established",)),
    (Kind(6, ASSURED, 3, unacknowledged=True), ("tcp_unacknowledged", "tcp_established")),
    (Kind(6, 0, 3, unacknowledged=False), ("tcp_unacknowledged", "tcp_established")),
    (Kind(6, SEEN, 7, unacknowledged=False), ("tcp_time_wait",)),
    (Kind(6, SEEN, 7, unacknowledged=True), ("tcp_time_wait", "tcp_unacknowledged")),
    (Kind(6, 0, 9, unacknowledged=False), ()),
    (Kind(6, 0, 200, unacknowledged=False), ()),
    (Kind(17, SEEN, None, unacknowledged=False), ("udp",)),
    (Kind(17, ASSURED, None, unacknowledged=False), ("udp_stream",)),
    (Kind(136, ASSURED, None, unacknowledged=False), ("udp_stream",)),
    (Kind(47, 0, None, unacknowledged=False), ("gre",)),
    (Kind(47, SEEN, None, unacknowledged=False), ("gre_stream",)),
    (Kind(1, 0, None, unacknowledged=False), ("icmp",)),
    (Kind(58, 0, None, unacknowledged=False), ("icmpv6",)),
    (Kind(132, ASSURED, 4, unacknowledged=False), ("sctp_established",)),
    (Kind(89, 0, None, unacknowledged=False), ("generic",)),
    (Kind(6, ASSURED | dump.OFFLOAD, None, unacknowledged=False), ()),
    (Kind(17, dump.FIXED_TIMEOUT, None, unacknowledged=False), ()),
])  # fmt: skip
def test_an_entry_is_under_the_timeout_that_the_kernel_gave_it(kind, expected):
    assert names(kind, TIMEOUTS) == expected


def test_without_a_tracker_for_gre_it_is_under_the_generic_timeout():
    assert names(Kind(47, SEEN, None, unacknowledged=False), {"generic": 600}) == ("generic",)


@given(
    st.lists(st.tuples(st.integers(0, 140), st.booleans()), max_size=50),
    st.lists(st.integers(1, 200), min_size=1, max_size=6),
    st.integers(1, 130),
)
def test_a_value_frees_exactly_those_that_have_been_idle_for_as_long(left, values, timeout):
    timeouts = dict(TIMEOUTS, tcp_time_wait=timeout, tcp_unacknowledged=100)
    asked = candidates({"tcp_time_wait": values}, timeouts)
    judge = Judge(timeouts, asked)
    for remaining, unacknowledged in left:
        judge.add(Kind(6, SEEN, 7, unacknowledged), judge.place(remaining), 1)
    freed = judge.freed()
    for value in values:
        expected = 0
        for remaining, unacknowledged in left:
            given_time = min(timeout, 100) if unacknowledged else timeout
            # At least so many whole seconds have gone by since the last packet.
            expected += remaining <= given_time and given_time - remaining - 1 >= value
        assert freed["tcp_time_wait", value] == expected


@given(st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 500), min_size=1, max_size=50))
def test_a_column_is_sorted_as_each_of_its_times_is(column):
    judge = Judge(TIMEOUTS, candidates(None, TIMEOUTS))
    assert list(judge.places(column)) == [judge.place(remaining) for remaining in column]


def test_idle_times_are_told_for_the_half_the_tenth_and_the_longest():
    judge = Judge(TIMEOUTS, {})
    for idle in range(100):
        judge.add(Kind(6, ASSURED, 3, unacknowledged=False), judge.place(432000 - idle * 1000 - 1), 1)
    held = judge.held()["tcp_established"]
    assert held["entries"] == 100 and held["unknown"] == 0 and held["seconds"] == 432000
    for name, true in (("half", 50000), ("tenth", 90000), ("hundredth", 99000), ("longest", 99000)):
        assert true / 1.1 - 1 <= held["idle"][name] <= true


def test_an_entry_with_more_time_left_than_its_timeout_gives_is_not_judged():
    judge = Judge(TIMEOUTS, {"udp": [1]})
    for remaining, count in ((30, 1), (31, 2), (10**9, 4), (3, 8)):
        judge.add(Kind(17, 0, None, unacknowledged=False), judge.place(remaining), count)
    assert judge.held()["udp"]["unknown"] == 6 and judge.freed() == {("udp", 1): 8}


def test_without_timeouts_nothing_is_held():
    judge = Judge({}, {})
    judge.add(Kind(17, 0, None, unacknowledged=False), judge.place(5), 1)
    assert judge.held() == {} and judge.freed() == {}


def test_timeouts_that_the_kernel_should_not_have_do_no_harm():
    timeouts = {"udp": -1, "udp_stream": 0}
    judge = Judge(timeouts, candidates(None, timeouts))
    for status in (0, ASSURED):
        judge.add(Kind(17, status, None, unacknowledged=False), judge.place(7), 1)
    assert {name: held["unknown"] for name, held in judge.held().items()} == {"udp": 1, "udp_stream": 1}


def test_a_few_sensible_values_are_judged_by_default():
    chosen = candidates(None, TIMEOUTS)
    assert chosen["tcp_established"] == [7200, 21600, 43200, 86400, 172800]
    assert chosen["udp"] == [5, 10, 15, 20] and "flowtable_tcp" not in chosen and "tcp_max_retrans" not in chosen


def test_values_that_are_asked_for_are_sorted_and_told_once():
    assert candidates({"udp": [20, "10", 20], "icmp": 5}, TIMEOUTS) == {"udp": [10, 20], "icmp": [5]}


@pytest.mark.parametrize(("asked", "words"), [
    ({"tcp_establised": [1]}, "'tcp_establised' is not a timeout; allowed are generic, gre"),
    ({"dccp_open": [1]}, "'dccp_open' is not a timeout of this kernel"),
    ({"flowtable_tcp": [1]}, "is a timeout whose entries cannot be known"),
    ({"udp": [0]}, "from 1 to 2147483"), ({"udp": [2147484]}, "from 1 to"), ({"udp": "x"}, "list of seconds"),
    ({"udp": [True]}, "list of seconds"), ({"udp": [1.5]}, "list of seconds"), ({"udp": ["9" * 5000]}, "from 1 to"),
    ({"udp": None}, "list of seconds"), ({"udp": {}}, "list of seconds"),
])  # fmt: skip
def test_a_timeout_or_value_that_cannot_be_meant_is_named(asked, words):
    with pytest.raises(InvalidInput) as raised:
        candidates(asked, TIMEOUTS)
    assert words in raised.value.message and len(raised.value.message) < 6000
