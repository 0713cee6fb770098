# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.netops.conntrack.plugins.plugin_utils._report.unusual import Differs, Usual, settings


def of(**timeouts):
    return {"max": 100, "timeouts": timeouts}


def test_what_can_be_set_is_max_buckets_timeouts_and_other_keys():
    facts = {"max": 8, "buckets": None, "timeouts": {"udp": 30, "icmp": "x"}, "settings": {"nf_conntrack_acct": 0}}
    assert settings(facts) == {"max": 8, "udp": 30, "nf_conntrack_acct": 0}
    assert settings(None) == {}


def test_a_host_that_differs_from_most_others_is_told_with_what_they_have():
    odd = of(udp=60)
    fleet = [of(udp=30), of(udp=30), of(udp=30), of(udp=10), odd]
    assert Usual(fleet).differences(odd) == [Differs("udp", 60, 30, 3, 4)]
    assert Usual(fleet).differences(fleet[0]) == []


def test_where_the_others_do_not_agree_nothing_is_usual():
    fleet = [of(udp=30), of(udp=30), of(udp=10), of(udp=10), of(udp=60)]
    assert all(Usual(fleet).differences(facts) == [] for facts in fleet)


def test_one_other_host_is_no_fleet():
    fleet = [of(udp=30), of(udp=60)]
    assert all(Usual(fleet).differences(facts) == [] for facts in fleet)


def test_a_key_that_a_kernel_lacks_is_no_difference():
    fleet = [of(udp=30), of(udp=30), of()]
    assert Usual(fleet).differences(fleet[2]) == []
