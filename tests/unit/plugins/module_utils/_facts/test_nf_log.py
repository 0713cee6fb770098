# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._facts.nf_log import name_loggers


def test_loggers_are_named_by_protocol_family():
    assert name_loggers(
        {
            "0": "NONE",
            "1": "NONE",
            "2": "nf_log_ipv4",
            "3": "nf_log_arp",
            "5": "NONE",
            "7": "nfnetlink_log",
            "10": "nf_log_ipv6",
            "12": "NONE",
        }
    ) == {
        "unspec": None,
        "inet": None,
        "ipv4": "nf_log_ipv4",
        "arp": "nf_log_arp",
        "netdev": None,
        "bridge": "nfnetlink_log",
        "ipv6": "nf_log_ipv6",
        "decnet": None,
    }


def test_numbers_that_are_no_family_are_left_out_unless_somebody_logs_there():
    assert name_loggers({"4": "NONE", "6": "nf_log_new"}) == {"6": "nf_log_new"}


def test_a_family_that_cannot_be_read_is_null():
    assert name_loggers({"2": None}) == {"ipv4": None}


@given(st.dictionaries(st.text(), st.none() | st.text()))
def test_no_content_is_a_crash(values):
    name_loggers(values)
