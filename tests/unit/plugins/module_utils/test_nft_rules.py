# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._nft_rules import parse

# nft 1.1.3 and 0.9.8 on Debian 13 and 11, which indent with tabs.
RULESET = """table inet f {
    flowtable ft {
        hook ingress priority filter
        devices = { eth0 }
    }

    ct helper ftp-std {
        type "ftp" protocol tcp
        l3proto inet
    }

    set s {
        type ipv4_addr
        elements = { 10.0.0.1, 10.0.0.2,
                 10.0.0.3 }
    }

    chain c {
        type filter hook prerouting priority raw; policy accept;
        ip saddr 10.0.0.0/8 notrack comment "masquerade }"
        tcp dport 22 accept comment "ct state new"
        tcp dport vmap { 22 : accept, 23 : jump fw }
    }

    chain fw {
        type filter hook forward priority filter; policy accept;
        flow add @ft
        ct state vmap { established : accept, invalid : drop }
    }
}
# Warning: table ip nat is managed by iptables-nft, do not touch!
table ip nat {
    chain POSTROUTING {
        type nat hook postrouting priority srcnat; policy accept;
        oifname "eth9" counter masquerade
        xt match "connlimit" counter drop
        # #conn src/128 > 3 counter drop
    }
}
""".replace("    ", "\t")


def test_what_needs_connection_tracking_is_found_where_it_stands():
    assert [(rule.table, rule.chain, rule.text) for rule in parse(RULESET)] == [
        ("inet f", None, "flowtable ft"),
        ("inet f", None, "ct helper ftp-std"),
        ("inet f", "c", 'ip saddr 10.0.0.0/8 notrack comment "masquerade }"'),
        ("inet f", "fw", "flow add @ft"),
        ("inet f", "fw", "ct state vmap { established : accept, invalid : drop }"),
        ("ip nat", "POSTROUTING", "type nat hook postrouting priority srcnat; policy accept"),
        ("ip nat", "POSTROUTING", 'oifname "eth9" counter masquerade'),
        ("ip nat", "POSTROUTING", 'xt match "connlimit" counter drop'),
        ("ip nat", "POSTROUTING", "# #conn src/128 > 3 counter drop"),
    ]


@pytest.mark.parametrize("table, rule, uses, uses_not", [
    ("inet f", "ct state new", "nft_ct", "xt_conntrack"),
    ("ip filter", "ct state new", "xt_conntrack", "xt_nat"),
    ("ip x", "snat to 10.0.0.1", "nft_nat", "nft_masq"),
    ("ip x", "redirect to :80", "nft_redir", "nft_nat"),
    ("ip x", "ct count over 3 drop", "nft_connlimit", "nft_ct"),
    ("ip6 nat", "masquerade", "xt_masquerade", "nft_nat"),
    ("ip nat", 'xt target "MASQUERADE"', "xt_masquerade", "nft_masq"),
    ("ip nat", "# whatever", "xt_*", "nft_ct"),
])
def test_a_rule_uses_modules_of_nftables_or_of_iptables(table, rule, uses, uses_not):
    found, = parse("table {0} {{\n\tchain c {{\n\t\t{1}\n\t}}\n}}\n".format(table, rule))
    assert uses in found.modules and uses_not not in found.modules


def test_a_helper_needs_its_own_module():
    assert "nf_conntrack_ftp" in parse(RULESET)[1].modules


@given(st.text() | st.lists(st.sampled_from(RULESET.split("\n"))).map("\n".join))
def test_no_text_is_a_crash(text):
    parse(text)
