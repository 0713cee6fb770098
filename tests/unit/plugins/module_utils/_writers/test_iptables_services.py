# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sysctl lines that iptables-services applies again."""

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._writers import iptables_services

CONFIG = "/etc/sysconfig/iptables-config"
FILE = "/etc/sysctl.d/50-a.conf"
LINES = "# few\nnet.netfilter.nf_conntrack_max = 50000\nnet.netfilter.nf_conntrack_acct = 1\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            '".nf_conntrack .bridge-nf"',
            [("nf_conntrack_max", 50000, FILE, 2, False), ("nf_conntrack_acct", 1, FILE, 3, False)],
        ),
        ('"nf_conntrack_acct"', [("nf_conntrack_acct", 1, FILE, 3, False)]),
        ('".bridge-nf"', []),
        ('""', []),
    ],
)
def test_lines_that_have_a_word_of_the_list_are_named(files_of, told, words, expected):
    tree = {CONFIG: f"IPTABLES_SYSCTL_LOAD_LIST={words}\n", FILE: LINES}
    assert told(iptables_services.find(files_of(tree), lambda _unit: True)) == expected


def test_the_list_that_is_commented_out_as_shipped_names_nothing(files_of):
    tree = {CONFIG: '#IPTABLES_SYSCTL_LOAD_LIST=".nf_conntrack .bridge-nf"\n', FILE: LINES}
    assert list(iptables_services.find(files_of(tree), lambda _unit: True)) == []


def test_the_last_file_wins_and_it_yields_to_the_collections_own(files_of):
    tree = {
        CONFIG: "IPTABLES_SYSCTL_LOAD_LIST=nf_conntrack_max\n",
        FILE: LINES,
        "/etc/sysctl.d/zz-netops-conntrack.conf": "net.netfilter.nf_conntrack_max = 7\n",
    }
    (found,) = iptables_services.find(files_of(tree), lambda unit: unit == "iptables.service")
    assert (found.value, found.yields, found.by_itself) == (7, True, True)


def test_each_of_the_two_services_has_a_list_and_a_unit_of_its_own(files_of):
    tree = {"/etc/sysconfig/ip6tables-config": "IPTABLES_SYSCTL_LOAD_LIST=nf_conntrack_max\n", FILE: LINES}
    (found,) = iptables_services.find(files_of(tree), lambda unit: unit == "iptables.service")
    assert (found.writer, found.by_itself) == ("ip6tables", False)
