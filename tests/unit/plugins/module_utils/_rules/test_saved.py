# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._rules import saved

NAT, CONNTRACK = "nat", "conntrack"


def lines(found):
    return {stack: line.number for stack, line in found.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*filter\n-A INPUT -m conntrack --ctstate NEW -j ACCEPT\n", {CONNTRACK: 2}),
        ("*filter\n-A INPUT -m state --state NEW -j ACCEPT\n", {CONNTRACK: 2}),
        ("*filter\n[12:340] -A INPUT -m state --state NEW -j ACCEPT\n", {CONNTRACK: 2}),
        ("*raw\n-A PREROUTING -j NOTRACK\n", {CONNTRACK: 2}),
        ("*raw\n-A PREROUTING -j CT --notrack\n", {CONNTRACK: 2}),
        ("*mangle\n-A PREROUTING -p tcp -j TPROXY --on-port 1\n", {CONNTRACK: 2}),
        ("*mangle\n-A c -j CONNMARK --save-mark\n", {CONNTRACK: 2}),
        ("*filter\n-A c -m connlimit ! --connlimit-above 3 -j DROP\n", {CONNTRACK: 2}),
        ("*filter\n-A c -m state --state NEW\nCOMMIT\n*nat\nCOMMIT\n", {CONNTRACK: 2, NAT: 4}),
        ("*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n", {NAT: 1, CONNTRACK: 1}),
        ("*nat \n-A POSTROUTING -j MASQUERADE\n", {NAT: 1, CONNTRACK: 1}),
    ],
)
def test_saved_rules_that_need_a_stack(text, expected):
    assert lines(saved.in_iptables(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n",
        "# *nat\n# -A INPUT -m state --state NEW\n*filter\nCOMMIT\n",
        '*filter\n-A INPUT -m comment --comment "-m state -j SNAT" -j ACCEPT\n',
        "*filter\n:state - [0:0]\n:CT - [0:0]\n-A INPUT -j state\n-A INPUT -g CT\n",
        "*filter\n-N helper\n-A INPUT -j helper\n",
        "*filter\n-A INPUT -m set --match-set nat src -j DROP\n-A INPUT -j LOG --log-prefix nat\n",
        "*filter\n-A INPUT -i conntrack -j ACCEPT\n",
    ],
)
def test_saved_rules_that_need_none(text):
    assert saved.in_iptables(text) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("table inet f { chain i { type filter hook input priority 0; ct state established accept; }; }",
         {CONNTRACK: 1}),
        ("define ok = { established, related }\ntable inet f {\n chain i {\n  ct state $ok accept\n }\n}\n",
         {CONNTRACK: 4}),
        ("table inet f {\n chain i {\n  ct \\\n  state new accept\n }\n}\n", {CONNTRACK: 3}),
        ("add rule inet f i iifname vmap { eth0 : jump x } ct state vmap { new : accept }", {CONNTRACK: 1}),
        ("add rule inet f i meta mark set ct mark", {CONNTRACK: 1}),
        ("add rule inet f i ct original saddr 10.0.0.1 drop", {CONNTRACK: 1}),
        ("add rule inet f i ct reply ip saddr 10.0.0.1 drop", {CONNTRACK: 1}),
        ("add rule inet f i tcp dport 22 ct count over 10 reject", {CONNTRACK: 1}),
        ("add rule ip raw p notrack", {CONNTRACK: 1}),
        ("add rule inet f i ip protocol tcp flow add @f", {CONNTRACK: 1}),
        ("table inet x {\n flowtable f {\n hook ingress priority 0; devices = { eth0 };\n }\n}", {CONNTRACK: 2}),
        ('table inet x {\n ct helper ftp {\n type "ftp" protocol tcp;\n }\n}', {CONNTRACK: 2}),
        ("table inet x {\n synproxy s { mss 1460; wscale 7; }\n}", {CONNTRACK: 2}),
        ("add rule inet f i tcp dport 80 synproxy mss 1460", {CONNTRACK: 1}),
        ("add rule inet f i tcp dport 80 tproxy to :50080", {CONNTRACK: 1}),
        ("add rule inet f i ct status dnat accept", {CONNTRACK: 1}),
        ("table ip n {\n chain p { type nat hook postrouting priority 100; }\n}", {NAT: 2, CONNTRACK: 2}),
        ("add chain ip nat p { type nat hook postrouting priority srcnat ; }", {NAT: 1, CONNTRACK: 1}),
        ("add rule ip nat p oifname $wan masquerade", {NAT: 1, CONNTRACK: 1}),
        ("add rule ip nat p masquerade random", {NAT: 1, CONNTRACK: 1}),
        ("add rule ip nat p snat to $address", {NAT: 1, CONNTRACK: 1}),
        ("add rule inet nat p dnat ip to ip saddr map @m", {NAT: 1, CONNTRACK: 1}),
        ("add rule ip nat p redirect to :80", {NAT: 1, CONNTRACK: 1}),
        ("add rule ip nat p tcp dport 80 redirect", {NAT: 1, CONNTRACK: 1}),
        ("table ip f { chain i { ct state new; } }\ntable ip n { chain p { type nat hook output priority 0; } }",
         {CONNTRACK: 1, NAT: 2}),
    ],
)  # fmt: skip
def test_a_ruleset_that_needs_a_stack(text, expected):
    assert lines(saved.in_nft(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#!/usr/sbin/nft -f\nflush ruleset\n"
        "table inet filter { chain input { type filter hook input priority filter; }; }\n",
        "# ct state new accept; masquerade\n",
        'add rule inet f i counter comment "ct state new masquerade"\n',
        'add rule inet f i log prefix "ct state new\nmasquerade"\n',
        'add rule inet f i iifname "ct state" accept\n',
        "table inet nat { chain masquerade { type filter hook input priority 0; }\n chain redirect {\n }\n}\n",
        "add rule inet f i jump redirect\n",
        "add rule inet f i goto masquerade\n",
        "add rule inet f i icmp type redirect accept\n",
        "add rule inet f i icmp type { echo-request, redirect } accept\n",
        "add rule inet f i ip saddr @masquerade drop\n",
        "define notrack = 10.0.0.1\nadd rule inet f i ip saddr $notrack drop\n",
        "table inet flowtable { chain synproxy { } }\n",
        "add rule inet f i meta l4proto tcp socket mark 1 accept\n",
        "add set inet f notrack { type ipv4_addr; }\n",
    ],
)
def test_a_ruleset_that_needs_none(text):
    assert saved.in_nft(text) == {}


def test_the_files_that_a_ruleset_includes():
    text = (
        'include "/etc/nftables.d/*.nft"\n# include "no"\n include ./a.nft; include "b c"\n'
        'table ip t { include "d"\n comment "include \\"e\\""; }\nadd rule ip t c log prefix "\ninclude \nf"\n'
    )
    assert saved.includes(text) == ["/etc/nftables.d/*.nft", "./a.nft", "b c", "d"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#!/bin/sh\niptables -t nat -A POSTROUTING -j MASQUERADE\n", {NAT: 2, CONNTRACK: 2}),
        (
            "PostUp = iptables -A FORWARD -i %i -j ACCEPT; iptables -t nat -A POSTROUTING -j MASQUERADE",
            {NAT: 1, CONNTRACK: 1},
        ),
        ("/sbin/ip6tables --table=nat -F\n", {NAT: 1, CONNTRACK: 1}),
        ("iptables -A INPUT \\\n  -m state --state NEW -j ACCEPT\n", {CONNTRACK: 1}),
        ("$IPT -F\niptables -A INPUT -m conntrack --ctstate NEW -j ACCEPT\n", {CONNTRACK: 2}),
        ("nft add rule ip nat post masquerade\n", {NAT: 1, CONNTRACK: 1}),
        ("nft add rule inet f i ct state new accept\n", {CONNTRACK: 1}),
    ],
)
def test_a_script_that_needs_a_stack(text, expected):
    assert lines(saved.in_script(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "# iptables -t nat -F\n",
        "iptables -A INPUT -p tcp --dport 22 -j ACCEPT # -t nat\n",
        "echo masquerade ct state new\n",
        "nft list ruleset\n",
    ],
)
def test_a_script_that_needs_none(text):
    assert saved.in_script(text) == {}


@given(st.text())
def test_no_text_is_a_crash(text):
    for reader in (saved.in_iptables, saved.in_nft, saved.in_script, saved.includes):
        reader(text)


WORDS = st.sampled_from(
    ['"', "#", "\\\n", "\n", "{", "}", ";", "include ", '"x"', "ct state", "table ip t ", "masquerade", " "]
)


@given(st.lists(WORDS).map("".join))
def test_what_stands_in_comments_never_counts(text):
    comment = "".join(f"# {line}\n" for line in text.split("\n"))
    # A backslash at its end does not continue a comment (nft's src/scanner.l).
    assert saved.in_nft(comment) == {} and saved.includes(comment) == []


@given(st.lists(WORDS).map("".join), st.sampled_from(["\n", "# x\n", 'define a = "ct state new"\n']))
def test_what_stands_before_it_hides_no_rule(noise, before):
    text = noise if noise.count('"') % 2 == 0 and "#" not in noise else ""
    text = before + text.replace("\\\n", "\n") + "\nadd rule ip t c ct state new accept\n"
    assert "conntrack" in saved.in_nft(text)
