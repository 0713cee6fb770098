# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._rules.nft import parse
from ansible_collections.netops.conntrack.plugins.module_utils._rules.rule import ANY_HELPER

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


@pytest.mark.parametrize(
    ("table", "rule", "uses", "uses_not"),
    [
        ("inet f", "ct state new", "nft_ct", "xt_conntrack"),
        ("ip filter", "ct state new", "xt_conntrack", "xt_nat"),
        ("ip filter", "ct state new", "xt_state", "xt_ct"),
        ("ip raw", "counter notrack", "xt_ct", "xt_conntrack"),
        ("ip x", "snat to 10.0.0.1", "nft_nat", "nft_masq"),
        ("ip x", "redirect to :80", "nft_redir", "nft_nat"),
        ("ip x", "ct count over 3 drop", "nft_connlimit", "nft_ct"),
        ("ip6 nat", "masquerade", "xt_masquerade", "nft_nat"),
        ("ip nat", 'xt target "MASQUERADE"', "xt_masquerade", "nft_masq"),
        ("ip nat", "# whatever", "xt_*", "nft_ct"),
    ],
)
def test_a_rule_uses_modules_of_nftables_or_of_iptables(table, rule, uses, uses_not):
    (found,) = parse(f"table {table} {{\n\tchain c {{\n\t\t{rule}\n\t}}\n}}\n")
    assert uses in found.modules and uses_not not in found.modules


# With quotes nft 1.0.7 and newer, without 1.0.6, with a "#" all before, the second of these built without libxtables.
@pytest.mark.parametrize(
    ("rule", "module"),
    [
        ('xt match "connlimit" counter drop', "xt_connlimit"),
        ('xt match "state" counter accept', "xt_conntrack"),
        ("tcp dport 22 # #conn src/32 > 3 counter drop", "xt_*"),
        ("# xt_connlimit counter drop", "xt_connlimit"),
        ("ip protocol tcp xt match connlimit counter drop", "xt_connlimit"),
        ('counter xt target "DNAT"', "xt_nat"),
        ("counter xt target SNAT", "xt_nat"),
        ('xt target "CT"', "xt_ct"),
    ],
)
def test_what_nft_cannot_translate_tells_its_module(rule, module):
    (found,) = parse(f"table ip filter {{\n\tchain c {{\n\t\t{rule}\n\t}}\n}}\n")
    assert module in found.modules


@pytest.mark.parametrize(
    ("rule", "modules"),
    [
        ("snat to 10.0.0.1", {"nft_nat"}),
        ("snat ip to ip saddr map { 10.0.0.1 : 10.0.0.2 }", {"nft_nat"}),
        ("dnat ip addr . port to ip saddr map { 10.0.0.1 : 10.0.0.2 . 80 }", {"nft_nat"}),
        ("ip6 daddr fd00::/64 dnat ip6 prefix to fd01::/64", {"nft_nat"}),
        ("meta l4proto tcp dnat to :80", {"nft_nat"}),
        ("ip saddr @snat masquerade random,persistent", {"nft_masq"}),
        ("icmp type redirect redirect", {"nft_redir"}),
        ("tcp dport 80 redirect to :8080", {"nft_redir"}),
        ("flow add @dnat", {"nft_flow_offload"}),
        ("ct status dnat accept", {"nft_ct"}),
        ("ct status { snat, dnat } accept", {"nft_ct"}),
        ("ct status & (snat | dnat) != 0 accept", {"nft_ct"}),
        ("ct state vmap { established : jump dnat, new : goto masquerade }", {"nft_ct"}),
        ("icmp type redirect drop", None),
        ("icmp type != redirect drop", None),
        ("icmp type { echo-request, redirect } drop", None),
        ("icmp type vmap { redirect : drop, echo-request : accept }", None),
        ("icmpv6 type { nd-redirect, nd-router-advert } accept", None),
        ("jump dnat", None),
        ("goto notrack", None),
        ("ip saddr @ct accept", None),
        ('tcp dport 22 accept comment "xt match connlimit # x"', None),
    ],
)
def test_names_and_filters_are_not_taken_for_what_they_are_called_after(rule, modules):
    found = parse(f"table inet f {{\n\tchain c {{\n\t\t{rule}\n\t}}\n}}\n")
    assert [set(rule.modules) for rule in found] == ([] if modules is None else [modules])


# nft 1.1.3, with the rules of firewalld 2.3 and of docker.
OWNED = """table ip filter {
    chain DOCKER-USER {
    }
}
table inet firewalld { # progname firewalld
    flags owner,persist

    ct helper helper-tftp-udp {
        type "tftp" protocol udp
        l3proto inet
    }

    chain nat_POST_public_allow {
        meta nfproto ipv4 oifname != "lo" masquerade
    }
}
""".replace("    ", "\t")


def test_a_table_that_a_program_owns_keeps_its_rules():
    assert [(rule.table, rule.chain, "xt_masquerade" in rule.modules) for rule in parse(OWNED)] == [
        ("inet firewalld", None, False),
        ("inet firewalld", "nat_POST_public_allow", False),
    ]


def test_a_chain_inside_a_rule_is_part_of_the_chain_around_it():
    text = "table ip t {\n\tchain c {\n\t\ttcp dport 22 jump {\n\t\t\tmasquerade\n\t\t}\n\t\tnotrack\n\t}\n}\n"
    assert [(rule.chain, rule.text) for rule in parse(text)] == [("c", "masquerade"), ("c", "notrack")]


OBJECTS = """table ip t {
    synproxy https {
        mss 1460
        wscale 7
    }

    set counted {
        type ipv4_addr
        size 65535
        flags dynamic
        ct count over 3
        elements = { 10.0.0.1 ct count over 3, 10.0.0.2 ct count over 3,
                 10.0.0.3 ct count over 3 }
    }

    map plain {
        type ipv4_addr : verdict
        elements = { 10.0.0.1 comment "ct count" : jump c }
    }
}
""".replace("    ", "\t")


def test_objects_and_sets_that_need_connection_tracking_are_found():
    assert [(rule.chain, rule.text, set(rule.modules)) for rule in parse(OBJECTS)] == [
        (None, "synproxy https", {"nft_synproxy"}),
        (None, "set counted", {"nft_connlimit"}),
    ]


@pytest.mark.parametrize(
    ("helper", "module"),
    [
        ("ftp", "nf_conntrack_ftp"),
        ("netbios-ns", "nf_conntrack_netbios_ns"),
        ("Q.931", "nf_conntrack_h323"),
        ("RAS", "nf_conntrack_h323"),
    ],
)
def test_a_helper_needs_its_own_module(helper, module):
    (found,) = parse(f'table ip t {{\n\tct helper h {{\n\t\ttype "{helper}" protocol tcp\n\t}}\n}}\n')
    assert module in found.modules and "nfnetlink_cthelper" in found.modules


# iptables-nft makes them; the second and the third are of nft before 1.0.6.
@pytest.mark.parametrize(
    ("rule", "is_hidden"),
    [
        ('tcp dport 21 counter xt target "CT"', True),
        ("counter # CT helper ftp", True),
        ("counter # xt_CT", True),
        ("tcp dport 21 counter xt target CT", True),
        ("counter notrack", False),
        ("ct state new", False),
        ('xt target "CONNSECMARK"', False),
        ('counter xt match "x" comment "xt target CT"', False),
    ],
)
def test_a_target_ct_whose_options_do_not_show_may_need_any_helper(rule, is_hidden):
    (found,) = parse(f"table ip raw {{\n\tchain c {{\n\t\t{rule}\n\t}}\n}}\n")
    assert (ANY_HELPER in found.modules) == is_hidden


BRIDGE = """table bridge f {
    ct helper ftp-std {
        type "ftp" protocol tcp
    }

    set counted {
        type ipv4_addr
        flags dynamic
        ct count over 3
    }

    chain c {
        ct state established accept
        ct count over 3 drop
        notrack
        ether type vlan masquerade comment "ct state"
    }
}
table inet f {
    chain c {
        ct state established accept
    }
}
""".replace("    ", "\t")


def test_what_tracks_in_a_bridge_pins_the_module_of_bridges():
    assert [(rule.table, rule.text) for rule in parse(BRIDGE) if "nf_conntrack_bridge" in rule.modules] == [
        ("bridge f", "ct helper ftp-std"),
        ("bridge f", "set counted"),
        ("bridge f", "ct state established accept"),
        ("bridge f", "ct count over 3 drop"),
    ]


@given(st.text() | st.lists(st.sampled_from(RULESET.split("\n"))).map("\n".join))
def test_no_text_is_a_crash(text):
    parse(text)
