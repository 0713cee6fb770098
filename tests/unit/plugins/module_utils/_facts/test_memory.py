# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._facts.memory import parse_slabinfo, read_slab, tell

SLABINFO = b"""slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> ...
nf_conntrack_expect      0      0    208   19    1 : tunables    0    0    0 : slabdata      0      0      0
nf_conntrack        999800 999808    256   32    2 : tunables    0    0    0 : slabdata  31244  31244      0
dentry               21212  21252    192   21    1 : tunables    0    0    0 : slabdata   1012   1012      0
"""
SLAB = "/sys/kernel/slab/nf_conntrack/"


def test_slabinfo_tells_the_bytes_of_an_object_and_of_all_slabs():
    assert parse_slabinfo(SLABINFO.splitlines(True), 4096) == (256, 31244 * 2 * 4096)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nf_conntrack\n",
        b"nf_conntrack 1 1 256 16 1 : tunables 0 0 0\n",
        b"nf_conntrack 1 1 big 16 1 : tunables 0 0 0 : slabdata 6 6 0\n",
        b"nf_conntrack_expect 1 1 208 16 1 : tunables 0 0 0 : slabdata 6 6 0\n",
    ],
)
def test_what_is_not_that_line_of_slabinfo_is_passed_over(line):
    assert parse_slabinfo([line], 4096) is None


@given(st.lists(st.binary() | st.binary().map(lambda tail: b"nf_conntrack " + tail)))
def test_no_slabinfo_is_a_crash(lines):
    parse_slabinfo(lines, 4096)


@pytest.mark.parametrize(
    ("files", "slab"),
    [
        ({SLAB + "slab_size": "256\n", SLAB + "slabs": "6 N0=6\n", SLAB + "order": "0\n"}, (256, 6 * 4096)),
        ({SLAB + "slab_size": "320\n", SLAB + "slabs": "96 N0=64 N1=32\n", SLAB + "order": "1\n"}, (320, 96 * 8192)),
        ({SLAB + "slab_size": "256\n", SLAB + "order": "0\n"}, (256, None)),
        ({SLAB + "slab_size": "256\n", SLAB + "slabs": "\n", SLAB + "order": "0\n"}, (256, None)),
        ({"/proc/slabinfo": SLABINFO.decode()}, (256, 31244 * 2 * 4096)),
        ({}, None),
    ],
    ids=["files of SLUB", "two nodes", "without debug", "empty", "slabinfo", "neither"],
)
def test_the_slab_is_read_from_where_the_kernel_tells_of_it(recorded_host, files, slab):
    assert read_slab(recorded_host("trixie-6.12-nat", files)) == slab


def test_a_full_table_is_told_in_bytes_and_as_a_share_of_the_memory():
    assert tell((256, 24576), 51200, 262144, 65536, 16 * 2**30, 8) == {
        "entry_bytes": 384,
        "entry_bytes_from": "slab",
        "entries_bytes": 19660800,
        "buckets_bytes": 524288,
        "slab_bytes": 24576,
        "full_table_bytes": 101187584,
        "full_table_percent": 0.59,
        "host_bytes": 17179869184,
    }


def test_where_only_root_may_know_the_slab_an_estimate_says_that_it_is_one():
    told = tell(None, 10, 100, 512, 2**30, 8)
    assert (told["entry_bytes"], told["entry_bytes_from"], told["slab_bytes"]) == (384, "estimate", None)
    assert told["full_table_bytes"] == 100 * 384 + 512 * 8


@pytest.mark.parametrize(("limit", "buckets"), [(0, 512), (None, 512), (100, None)])
def test_without_a_limit_or_buckets_no_table_is_full(limit, buckets):
    told = tell(None, 10, limit, buckets, 2**30, 8)
    assert told["full_table_bytes"] is None and told["full_table_percent"] is None


NUMBER = st.none() | st.integers(0, 2**31 - 1)


@given(st.none() | st.tuples(st.integers(1, 4096), NUMBER), NUMBER, NUMBER, NUMBER, NUMBER, st.sampled_from([4, 8]))
def test_whatever_is_known_can_be_told(slab, entries, limit, buckets, host_bytes, pointer_bytes):
    tell(slab, entries, limit, buckets, host_bytes, pointer_bytes)
