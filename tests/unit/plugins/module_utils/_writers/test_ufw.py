# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ufw sets by its own sysctl file."""

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._writers import ufw

ON = {"/etc/ufw/ufw.conf": "# on\nENABLED=yes\n", "/etc/default/ufw": "IPV6=yes\nIPT_SYSCTL=/etc/ufw/sysctl.conf\n"}
SYSCTL = "/etc/ufw/sysctl.conf"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("net/netfilter/nf_conntrack_max=50000\n", [("nf_conntrack_max", 50000, SYSCTL, 1, True)]),
        ("#net/netfilter/nf_conntrack_max=50000\nnet/ipv4/tcp_sack=1\n", []),
        (
            "net.nf_conntrack_max = 1\n-net.netfilter.nf_conntrack_max=2 # why\n",
            [("nf_conntrack_max", 2, SYSCTL, 2, True)],
        ),
        (
            "net/netfilter/nf_conntrack_udp_timeout=5\nnet/netfilter/nf_conntrack_udp_timeout=lots\n",
            [("nf_conntrack_udp_timeout", 5, SYSCTL, 1, True)],
        ),
        ("net/netfilter/nf_conntrack_count=5\nnet/netfilter/nf_log_all_netns=1\n", []),
        ("", []),
    ],
)
def test_the_last_line_that_the_kernel_takes_is_what_ufw_sets(files_of, told, lines, expected):
    assert told(ufw.find(files_of({**ON, SYSCTL: lines}), lambda _unit: True)) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"/etc/ufw/ufw.conf": "ENABLED=no\n"},
        {"/etc/ufw/ufw.conf": "#ENABLED=yes\n"},
        {"/etc/ufw/ufw.conf": "ENABLED=Yes\n"},
        {"/etc/default/ufw": "IPT_SYSCTL=\n"},
        {"/etc/default/ufw": "#IPT_SYSCTL=/etc/ufw/sysctl.conf\n"},
        {"/etc/default/ufw": "IPT_SYSCTL=/etc/ufw/missing.conf\n"},
    ],
)
def test_a_ufw_that_is_off_or_applies_no_file_sets_nothing(files_of, change):
    tree = {**ON, SYSCTL: "net/netfilter/nf_conntrack_max=50000\n", **change}
    assert list(ufw.find(files_of(tree), lambda _unit: True)) == []


def test_the_file_is_the_one_that_the_last_line_names_in_quotes_or_without(files_of, told):
    tree = {
        **ON,
        "/etc/default/ufw": 'IPT_SYSCTL=/etc/ufw/sysctl.conf\nexport IPT_SYSCTL="/srv/a.conf /srv/b.conf" # both\n',
        "/srv/a.conf": "net.netfilter.nf_conntrack_max=1\nnet.netfilter.nf_conntrack_acct=1\n",
        "/srv/b.conf": "net.netfilter.nf_conntrack_max=2\n",
    }
    assert told(ufw.find(files_of(tree), lambda _unit: None)) == [
        ("nf_conntrack_acct", 1, "/srv/a.conf", 2, True),
        ("nf_conntrack_max", 2, "/srv/b.conf", 1, True),
    ]


def test_a_file_that_a_command_names_is_named_and_not_guessed(files_of, told):
    tree = {**ON, "/etc/default/ufw": "IPT_SYSCTL=$HOME/x\n"}
    (found,) = ufw.find(files_of(tree), lambda _unit: True)
    assert told([found]) == [(None, None, "/etc/default/ufw", 1, False)]
    assert "which file that is, is not known" in found.message


@pytest.mark.parametrize(("starts", "by_itself"), [(True, True), (None, True), (False, False)])
def test_whether_the_boot_starts_it_is_told(files_of, starts, by_itself):
    tree = {**ON, SYSCTL: "net/netfilter/nf_conntrack_max=50000\n"}
    (found,) = ufw.find(files_of(tree), lambda unit: starts if unit == "ufw.service" else None)
    assert found.by_itself is by_itself
    assert ("which the boot does not" in found.message) is not by_itself


def test_which_units_a_boot_starts_is_not_asked_where_ufw_sets_nothing(files_of):
    assert list(ufw.find(files_of({**ON, SYSCTL: "net/ipv4/tcp_sack=1\n"}), lambda unit: 1 / 0)) == []
