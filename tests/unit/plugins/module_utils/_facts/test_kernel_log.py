# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._facts.kernel_log import namespace_inode, parse

FULL = "nf_conntrack: table full, dropping packet\n"


def record(seconds, text=FULL, priority=4, more=""):
    return f"{priority},77,{int(seconds * 1e6)},-{more};{text}".encode()


def found(*records, clock=1000.0, inode=42, is_initial=True):
    facts = parse(records, clock, inode, is_initial)
    return facts["lines"], facts["last_seconds_ago"], facts["lines_here"], facts["last_here_seconds_ago"]


def test_lines_are_counted_and_the_last_has_an_age():
    assert found(record(10), record(400.5)) == (2, 599, 2, 599)


def test_without_a_line_there_is_no_age():
    assert found() == (0, None, 0, None)


def test_without_a_ring_buffer_nothing_is_told():
    assert parse(None, 1.0, 42, True) is None


@pytest.mark.parametrize(
    "text",
    [
        "nf_conntrack: table full, dropping packet\n",
        "nf_conntrack: nf_conntrack: table full, dropping packet\n",
        "nf_conntrack: nf_conntrack: table full, dropping packet\n SUBSYSTEM=x\n DEVICE=y\n",
    ],
)
def test_a_line_of_the_initial_namespace_is_known_in_every_form(text):
    assert found(record(900, text))[:3] == (1, 100, 1)


@pytest.mark.parametrize(
    ("inode", "is_initial", "here"),
    [(4026532177, False, 1), (4026531840, True, 0), (None, False, 0)],
    ids=["that container", "the host", "not known which"],
)
def test_a_line_that_names_a_namespace_is_that_ones(inode, is_initial, here):
    text = "nf_conntrack: nf_conntrack: table full in netns 4026532177, dropping packet\n"
    assert found(record(900, text), inode=inode, is_initial=is_initial)[::2] == (1, here)


def test_a_line_that_names_none_is_not_a_containers():
    assert found(record(900), inode=4026532177, is_initial=False) == (1, 100, 0, None)


def test_the_age_of_the_last_line_here_is_not_that_of_one_elsewhere():
    text = "nf_conntrack: table full in netns 7, dropping packet\n"
    assert found(record(500), record(900, text)) == (2, 100, 1, 500)


@pytest.mark.parametrize("more", [",caller=T4711", ",c=1,d=2"])
def test_what_newer_kernels_add_to_a_record_is_passed_over(more):
    assert found(record(900, more=more))[0] == 1


@pytest.mark.parametrize(
    "raw",
    [
        record(1, priority=12),  # facility 1: a program wrote it to /dev/kmsg
        record(1, "hello: nf_conntrack: table full, dropping packet\n"),
        record(1, "nf_conntrack: expectation table full\n"),
        record(1, "x\n TEXT=nf_conntrack: table full, dropping packet\n"),
        b"4,77,1000000,-;nf_conntrack: table full",
        b"4,77,1000000",
        b"4,77,,-;nf_conntrack: table full, dropping packet\n",
        b"-1,77,1,-;nf_conntrack: table full, dropping packet\n",
        b"4,77,1000000,-;\xff\xfenf_conntrack: table full, dropping packet\n",
        b"table full",
        b"",
    ],
    ids=range(11),
)
def test_what_the_kernel_did_not_say_of_the_table_does_not_count(raw):
    assert found(raw)[0] == 0


def test_a_clock_behind_the_last_stamp_gives_no_negative_age():
    assert found(record(1000.4), clock=1000.0)[1] == 0


def test_records_that_stand_in_one_piece_are_told_apart():
    assert found(record(1) + b"6,78,5,-;eth0\n" + record(2))[0] == 2


@pytest.mark.parametrize(
    ("link", "inode"), [("net:[4026531840]", 4026531840), (None, None), ("", None), ("net:[x]", None), ("net:[", None)]
)
def test_the_number_of_a_namespace_is_read_from_its_link(link, inode):
    assert namespace_inode(link) == inode


@given(st.lists(st.binary() | st.binary().map(lambda tail: record(5)[:-1] + tail)), st.floats(0, 1e9))
def test_no_record_is_a_crash(records, clock):
    facts = parse(records, clock, 1, True)
    assert 0 <= facts["lines_here"] <= facts["lines"]
    assert (facts["last_seconds_ago"] is None) == (facts["lines"] == 0)
