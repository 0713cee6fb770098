# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every listing of rules has in common: what people write into them, and which modules names stand for."""

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._rules import rule


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("ct state new accept", "ct state new accept"),
        ('oifname "ct" comment "ct state" accept', 'oifname "" comment "" accept'),
        (r'comment "a \" ct state" accept', 'comment "" accept'),
        ('comment "" accept', 'comment "" accept'),
        ('comment "open', 'comment "open'),
    ],
)
def test_nothing_that_is_quoted_counts(text, bare):
    assert rule.without_quoted(text) == bare


@pytest.mark.parametrize(
    ("text", "unremarked"),
    [
        ('oifname "docker0" masquerade comment "docker0"', 'oifname "docker0" masquerade '),
        (r'log prefix "x \" ct" drop', "log  drop"),
        ("-m comment --comment docker -j LOG --log-prefix docker:", "-m comment -- -j LOG --log-"),
        ("-m comment -j ACCEPT", "-m comment -j ACCEPT"),
    ],
)
def test_a_remark_is_taken_out_and_names_of_interfaces_stay(text, unremarked):
    assert rule.without_remarks(text) == unremarked


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("conntrack", {"xt_conntrack", "ipt_conntrack", "ip6t_conntrack"}),
        ("MASQUERADE", {"xt_masquerade", "ipt_masquerade", "ip6t_masquerade"}),
        ("SNAT", {"xt_snat", "ipt_snat", "ip6t_snat", "xt_nat"}),
        ("state", {"xt_state", "ipt_state", "ip6t_state", "xt_conntrack"}),
        ("NOTRACK", {"xt_notrack", "ipt_notrack", "ip6t_notrack", "xt_ct"}),
    ],
)
def test_an_extension_is_in_a_module_of_its_name_or_in_one_that_took_it_over(name, modules):
    assert rule.extension_modules(name) == modules


@pytest.mark.parametrize(
    ("helper", "module"),
    [
        ("ftp", "nf_conntrack_ftp"),
        ("FTP", "nf_conntrack_ftp"),
        ("netbios-ns", "nf_conntrack_netbios_ns"),
        ("RAS", "nf_conntrack_h323"),
        ("Q.931", "nf_conntrack_h323"),
        ("H.245", "nf_conntrack_h323"),
    ],
)
def test_a_helper_is_in_a_module_of_its_name_or_in_a_program(helper, module):
    assert rule.helper_modules(helper) == {module, "nfnetlink_cthelper"}
