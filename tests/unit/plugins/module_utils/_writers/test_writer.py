# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of a writer, and when it sets another value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._writers.writer import Writer, key_of, number_for

UFW = Writer("ufw", "/etc/ufw/sysctl.conf", 3, "nf_conntrack_max", 50000, "when ufw starts", certain=True)


@pytest.mark.parametrize(
    ("writer", "message"),
    [
        (UFW, "ufw sets nf_conntrack_max to 50000 when ufw starts (/etc/ufw/sysctl.conf:3)"),
        (UFW._replace(certain=False), "ufw may set nf_conntrack_max to 50000 when ufw starts (/etc/ufw/sysctl.conf:3)"),
        (
            UFW._replace(only_raises=True),
            "ufw raises nf_conntrack_max to 50000 when ufw starts (/etc/ufw/sysctl.conf:3)",
        ),
        (UFW._replace(value=None), "ufw does not set nf_conntrack_max when ufw starts (/etc/ufw/sysctl.conf:3)"),
        (
            UFW._replace(certain=False, value=None, key=None, line=None, text="x", then="; why"),
            "ufw may set keys of connection tracking when ufw starts (/etc/ufw/sysctl.conf: x); why",
        ),
    ],
)
def test_the_sentence_says_who_what_when_and_where(writer, message):
    assert writer.message == message
    assert writer.told()["message"] == message


def test_what_contradicts_it_stands_before_what_else_is_said():
    assert (
        UFW._replace(then=", in a race")
        .sentence(", and not to 7")
        .endswith("(/etc/ufw/sysctl.conf:3), and not to 7, in a race")
    )


@given(st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1))
def test_another_value_is_another_number(mine, other):
    assert UFW._replace(value=mine).sets_another(other, 512) is (mine != other)
    assert UFW._replace(value=mine, only_raises=True).sets_another(other, 512) is (mine > other)


@given(st.integers(1, 10**6), st.sampled_from([512, 8192]))
def test_a_number_of_buckets_is_compared_as_the_kernel_rounds_it(buckets, per_page):
    rounded = -(-buckets // per_page) * per_page
    writer = UFW._replace(key="nf_conntrack_buckets", value=buckets)
    assert not writer.sets_another(rounded, per_page) and writer.sets_another(rounded + 1, per_page)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("net/netfilter/nf_conntrack_max", "nf_conntrack_max"),
        ("net/nf_conntrack_max", "nf_conntrack_max"),
        ("net/netfilter/nf_flowtable_tcp_timeout", "nf_flowtable_tcp_timeout"),
        ("net/netfilter/nf_conntrack_count", None),
        ("net/netfilter/nf_conntrack_frag6_timeout", None),
        ("net/netfilter/nf_log_all_netns", None),
        ("net/ipv4/ip_forward", None),
    ],
)
def test_keys_by_their_path(path, key):
    assert key_of(path) == key


@pytest.mark.parametrize(
    ("key", "text", "number"),
    [
        ("nf_conntrack_max", "5", 5),
        ("nf_conntrack_max", "-5", None),
        ("nf_conntrack_acct", "2", None),
        ("nf_conntrack_new", "7", 7),
    ],
)
def test_only_what_the_kernel_takes_counts(key, text, number):
    assert number_for(key, text) == number
