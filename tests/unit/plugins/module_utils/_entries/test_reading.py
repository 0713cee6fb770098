# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading while it is counted."""

from __future__ import annotations

import sys
import threading

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._entries import reading
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError


class Counted:
    """In the place of counts: 100 entries a datagram."""

    def __init__(self, error_at=None):
        self.taken, self.finished, self.error_at = [], False, error_at

    @property
    def read(self):
        return 100 * len(self.taken)

    def take(self, datagram):
        if datagram == self.error_at:
            raise HostError("read", "the table", "cut")
        self.taken.append(datagram)

    def finish(self):
        self.finished = True


def test_all_datagrams_are_counted_in_their_order():
    counted = Counted()
    assert reading.count(range(1000), counted) is True
    assert counted.taken == list(range(1000)) and counted.finished


@pytest.mark.parametrize(
    ("enough", "taken", "complete"), [(1, 1, False), (250, 3, False), (1000, 10, True), (5000, 10, True)]
)
def test_a_sample_ends_with_the_datagram_that_makes_it_enough(enough, taken, complete):
    counted = Counted()
    assert reading.count(range(10), counted, enough) is complete
    assert len(counted.taken) == taken and counted.finished


def test_an_error_in_the_second_thread_ends_the_reading_and_is_raised():
    given = iter(range(10**9))
    with pytest.raises(HostError, match="cut"):
        reading.count(given, Counted(error_at=5))
    assert next(given) < 10**5


def test_an_error_of_the_kernel_ends_the_second_thread_too():
    def broken():
        yield 1
        raise HostError("read", "the table", "no memory")

    threads, turn = threading.active_count(), sys.getswitchinterval()
    with pytest.raises(HostError, match="no memory"):
        reading.count(broken(), Counted())
    assert threading.active_count() == threads and sys.getswitchinterval() == turn
