# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from conftest import HOST_NAMES, RECORDED

from ansible_collections.netops.conntrack.plugins.module_utils._keys import (
    COUNT,
    DIRECTORY,
    KEYS,
    TIMEOUTS,
    is_conntrack,
    timeout_name,
)


@pytest.mark.parametrize("name", HOST_NAMES)
def test_the_catalogue_has_every_key_of_every_recorded_kernel(name):
    tree = json.loads((RECORDED / (name + ".json")).read_text(encoding="utf-8"))["tree"]
    names = {path[len(DIRECTORY) + 1 :] for path in tree if path.startswith(DIRECTORY + "/")}
    assert {name for name in names if is_conntrack(name)} <= set(KEYS) | {COUNT}


@pytest.mark.parametrize(
    ("key", "short"),
    [
        ("nf_conntrack_tcp_timeout_established", "tcp_established"),
        ("nf_conntrack_tcp_timeout_syn_sent", "tcp_syn_sent"),
        ("nf_conntrack_udp_timeout", "udp"),
        ("nf_conntrack_udp_timeout_stream", "udp_stream"),
        ("nf_conntrack_generic_timeout", "generic"),
        ("nf_conntrack_icmpv6_timeout", "icmpv6"),
        ("nf_conntrack_sctp_timeout_shutdown_ack_sent", "sctp_shutdown_ack_sent"),
        ("nf_flowtable_tcp_timeout", "flowtable_tcp"),
        ("nf_conntrack_frag6_timeout", None),
        ("nf_conntrack_max", None),
    ],
)
def test_short_names_of_timeouts(key, short):
    assert timeout_name(key) == short
    assert (short in TIMEOUTS) == (short is not None)


def test_no_two_timeouts_share_a_short_name():
    assert sorted(key.name for key in TIMEOUTS.values()) == sorted(key.name for key in KEYS.values() if key.timeout)


def test_former_names_are_those_of_kernels_before_4_9_and_what_people_mix_of_them_and_todays():
    former = KEYS["nf_conntrack_max"].former_names
    assert former[:2] == ("net.ipv4.netfilter.ip_conntrack_max", "net.ipv4.ip_conntrack_max")
    mixed = {"net.ipv4.netfilter.nf_conntrack_max", "net.ipv4.nf_conntrack_max"}
    assert set(former[2:]) == mixed | {"net.netfilter.ip_conntrack_max", "net.ip_conntrack_max"}
    for key in KEYS.values():
        assert not {key.sysctl, *key.aliases} & set(key.former_names)
    assert KEYS["nf_flowtable_tcp_timeout"].former_names == ()
    assert KEYS["nf_conntrack_max"].aliases == ("net.nf_conntrack_max",)
