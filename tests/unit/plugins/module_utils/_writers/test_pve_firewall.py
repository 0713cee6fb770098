# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the firewall of Proxmox VE sets."""

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._writers import pve_firewall

CLUSTER, HOST = "/etc/pve/firewall/cluster.fw", "/etc/pve/local/host.fw"
ON = {CLUSTER: "[OPTIONS]\n\nenable: 1\n"}
MAX, BUCKETS = "nf_conntrack_max", "nf_conntrack_buckets"
ESTABLISHED, SYN_RECV = "nf_conntrack_tcp_timeout_established", "nf_conntrack_tcp_timeout_syn_recv"


def test_a_firewall_without_options_sets_its_defaults(files_of, told):
    assert told(pve_firewall.find(files_of(ON))) == [
        (MAX, 262144, CLUSTER, 3, True),
        (BUCKETS, 65536, CLUSTER, 3, False),
        (ESTABLISHED, 432000, CLUSTER, 3, True),
        (SYN_RECV, 60, CLUSTER, 3, True),
    ]


@pytest.mark.parametrize(
    ("options", "key", "value", "line"),
    [
        ("nf_conntrack_max: 1048576", MAX, 1048576, 2),
        ("nf_conntrack_max: 300000", MAX, 303104, 2),
        ("nf_conntrack_max: 1000", MAX, 262144, 2),
        ("  NF_conntrack_max:   300000  ", MAX, 303104, 2),
        ("nf_conntrack_max: 300000", BUCKETS, 75776, 2),
        ("nf_conntrack_tcp_timeout_established: 7200", ESTABLISHED, 7200, 2),
        ("nf_conntrack_tcp_timeout_syn_recv: 30", SYN_RECV, None, 2),
    ],
)
def test_an_option_of_the_host_is_what_it_sets(files_of, options, key, value, line):
    found = {one.key: one for one in pve_firewall.find(files_of({**ON, HOST: f"[OPTIONS]\n{options}\n"}))}
    assert (found[key].value, found[key].path, found[key].line) == (value, HOST, line)


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {CLUSTER: "[OPTIONS]\nenable: 0\n"},
        {CLUSTER: "[RULES]\nenable: 1\n"},
        {CLUSTER: "[OPTIONS]\n# enable: 1\n"},
        {CLUSTER: "[OPTIONS]\nenable: 1432000000\n"},
        {**ON, HOST: "[OPTIONS]\nnftables: 1\n"},
    ],
)
def test_a_firewall_that_is_off_sets_nothing(files_of, tree):
    assert list(pve_firewall.find(files_of(tree))) == []


def test_an_option_that_stands_in_another_section_is_none(files_of):
    found = {
        one.key: one.value for one in pve_firewall.find(files_of({**ON, HOST: "[RULES]\nnf_conntrack_max: 300000\n"}))
    }
    assert found[MAX] == 262144


def test_the_nftables_firewall_is_named_and_not_told_as_certain(files_of, told):
    tree = {**ON, HOST: "[OPTIONS]\nnftables: 1\nnf_conntrack_max: 300000\n"}
    assert told(pve_firewall.find(files_of(tree))) == [(MAX, 300000, HOST, 3, False)]


def test_a_max_that_no_kernel_takes_is_not_told(files_of):
    tree = {**ON, HOST: "[OPTIONS]\nnf_conntrack_max: 99999999999\n"}
    assert MAX not in {one.key for one in pve_firewall.find(files_of(tree))}


def test_a_number_that_is_far_too_long_does_not_end_the_search(files_of):
    tree = {**ON, HOST: f"[OPTIONS]\nnf_conntrack_max: {'9' * 5000}\n"}
    assert ESTABLISHED in {one.key for one in pve_firewall.find(files_of(tree))}
