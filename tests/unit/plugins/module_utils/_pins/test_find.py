# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._kmod import (
    PATH,
    Module,
    holders_of,
    parse_modules,
    unload_order,
)
from ansible_collections.netops.conntrack.plugins.module_utils._pins import find as find_pins
from ansible_collections.netops.conntrack.plugins.module_utils._pins.find import Pin, describe

NFT = "nft -s list ruleset"
CT_RULE = "table inet t {\n\tchain c {\n\t\tct state new accept\n\t}\n}\n"


def modules(*names, **pins):
    held = {name: Module(name, 1, pins.get(name, 0), ()) for name in names}
    held.update({name: Module(name, 1, count, ()) for name, count in pins.items()})
    return held


@pytest.fixture
def host(recorded_host):
    return recorded_host(
        "trixie-6.12-absent",
        {
            "/proc/self/ns/net": {"link": "net:[1]"},
            "/proc/self/mountinfo": "",
            "/usr/sbin/iptables-legacy-save": {"content": "", "mode": "0755"},
        },
    )


def test_nothing_is_run_where_nothing_is_pinned(host):
    loaded = modules("nf_tables", "ip_tables", "nf_nat")
    assert find_pins.find(host, loaded, ["nf_nat"]) == []
    assert host.ran == []


def test_nothing_is_run_that_would_load_anything(host):
    assert find_pins.find(host, modules(xt_CT=1), ["xt_CT"]) == [Pin("xt_CT", 1, "unknown")]
    assert find_pins.find(host, modules("ip_tables", xt_CT=1), ["xt_CT"]) == [Pin("xt_CT", 1, "unknown")]
    assert host.ran == []


def test_rules_are_listed_where_the_code_is_built_in_and_its_expressions_are_modules(host):
    host.answers = {NFT: CT_RULE, "iptables-legacy-save": "*raw\n-A OUTPUT -j CT --notrack\nCOMMIT\n"}
    assert [pin.rule for pin in find_pins.find(host, modules(nft_ct=1), ["nft_ct"])] == ["ct state new accept"]
    host.put("/proc/self/net/ip_tables_names", "raw\n")
    assert [pin.rule for pin in find_pins.find(host, modules(xt_CT=1), ["xt_CT"])] == ["-A OUTPUT -j CT --notrack"]


def test_other_namespaces_are_not_asked_for_what_the_kernel_has_not(host):
    host.put("/proc/self/mountinfo", "1 1 0:4 net:[2] /run/netns/lab rw - nsfs nsfs rw\n")
    host.put("/proc/self/net/ip_tables_names", "")
    find_pins.find(host, modules(xt_CT=1), ["xt_CT"])
    assert host.ran == ["nsenter --net=/run/netns/lab cat /proc/self/net/ip_tables_names"]


def test_a_rule_is_named_with_its_namespace(host):
    host.put("/proc/self/mountinfo", "1 1 0:4 net:[2] /run/netns/lab rw - nsfs nsfs rw\n")
    host.answers = {"nsenter --net=/run/netns/lab " + NFT: CT_RULE}
    assert find_pins.find(host, modules("nf_tables", nft_ct=1), ["nft_ct"]) == [
        Pin("nft_ct", 1, None, "nft", "inet t", "c", "ct state new accept", "lab"),
    ]


def test_any_rule_of_table_nat_pins_its_module(host):
    host.put("/proc/self/net/ip_tables_names", "nat\n")
    host.answers = {"iptables-legacy-save": "*nat\n-A PREROUTING -j DOCKER\nCOMMIT\n"}
    (pin,) = find_pins.find(host, modules("ip_tables", iptable_nat=1), ["iptable_nat"])
    assert (pin.table, pin.rule, pin.owner) == ("nat", "-A PREROUTING -j DOCKER", "docker")


def test_what_cannot_be_listed_is_named(host):
    host.put("/proc/self/net/ip_tables_names", "nat\n")
    host.answers = {"iptables-legacy-save": HostError("run", "iptables-legacy-save", "No such file or directory")}
    (pin,) = find_pins.find(host, modules("ip_tables", iptable_nat=1), ["iptable_nat"])
    assert pin.reason == (
        "unknown; rules of iptables-legacy could not be listed: cannot run iptables-legacy-save: No such file or "
        "directory"
    )


def test_names_of_tables_that_cannot_be_read_are_told_beside_what_was_found(host):
    host.put("/proc/self/net/ip_tables_names", "filter\n")
    host.denied = {"/proc/self/net/ip_tables_names"}
    host.answers = {NFT: "table ip filter {\n\tchain c {\n\t\tct state new\n\t}\n}\n"}
    rule, unknown = find_pins.find(host, modules("nf_tables", xt_conntrack=1), ["xt_conntrack"])
    assert rule.rule == "ct state new"
    assert unknown.reason == (
        "unknown; rules of iptables-legacy could not be listed: cannot read /proc/self/net/ip_tables_names:"
        " Permission denied"
    )


def test_what_cannot_be_listed_is_named_beside_rules_that_were_found(host):
    host.put("/proc/self/mountinfo", "1 1 0:4 net:[2] /run/netns/lab rw - nsfs nsfs rw\n")
    host.put("/usr/sbin/nft", "")
    host.answers = {NFT: CT_RULE, "nsenter --net=/run/netns/lab " + NFT: HostError("run", "nft", "no")}
    rule, unknown = find_pins.find(host, modules("nf_tables", nft_ct=1), ["nft_ct"])
    assert rule.rule == "ct state new accept"
    assert unknown.reason == "unknown; rules of nft in network namespace lab could not be listed: cannot run nft: no"


HIDDEN_CT = """table ip raw {
\tchain PREROUTING {
\t\tct state new
\t\tnotrack
\t\ttcp dport 21 counter xt target "CT"
\t}
}
"""


@pytest.mark.parametrize(
    ("module", "rules"),
    [
        ("nf_conntrack_ftp", ['tcp dport 21 counter xt target "CT"']),
        ("nfnetlink_cthelper", ['tcp dport 21 counter xt target "CT"']),
        ("nfnetlink_cttimeout", ['tcp dport 21 counter xt target "CT"']),
        ("nf_conntrack_netlink", [None]),
        ("nf_conntrack_bridge", [None]),
    ],
)
def test_a_target_ct_whose_options_do_not_show_is_named_for_helpers_and_timeouts(host, module, rules):
    host.answers = {NFT: HIDDEN_CT}
    loaded = modules("nf_tables", **{module: 1})
    assert [pin.rule for pin in find_pins.find(host, loaded, [module])] == rules


def test_a_rule_that_names_its_helper_is_no_pin_of_another(host):
    host.put("/proc/self/net/ip_tables_names", "raw\n")
    host.answers = {"iptables-legacy-save": "*raw\n-A OUTPUT -j CT --helper ftp\nCOMMIT\n"}
    loaded = modules(nf_conntrack_ftp=1, nf_conntrack_sip=1, nfnetlink_cttimeout=1)
    assert [(pin.module, pin.rule) for pin in find_pins.find(host, loaded, sorted(loaded))] == [
        ("nf_conntrack_ftp", "-A OUTPUT -j CT --helper ftp"),
        ("nf_conntrack_sip", None),
        ("nfnetlink_cttimeout", None),
    ]


def test_references_that_no_rule_explains_are_told_beside_the_rules(host):
    host.answers = {NFT: CT_RULE}
    rule, unknown = find_pins.find(host, modules("nf_tables", nft_ct=40), ["nft_ct"])
    assert rule.rule == "ct state new accept"
    assert unknown.is_unknown and (unknown.module, unknown.references) == ("nft_ct", 40)
    assert unknown.reason == "unknown: 39 of its references are not explained by these rules"


def test_a_single_reference_and_what_could_not_be_listed_are_told_as_one(host):
    host.put("/proc/self/mountinfo", "1 1 0:4 net:[2] /run/netns/lab rw - nsfs nsfs rw\n")
    host.put("/usr/sbin/nft", "")
    host.answers = {NFT: CT_RULE, "nsenter --net=/run/netns/lab " + NFT: HostError("run", "nft", "no")}
    _rule, unknown = find_pins.find(host, modules("nf_tables", nft_ct=2), ["nft_ct"])
    assert unknown.reason == (
        "unknown: 1 of its references is not explained by these rules;"
        " rules of nft in network namespace lab could not be listed: cannot run nft: no"
    )


# (what the listing shows, module, references that Linux 6.1 has then beyond its holders)
EXPLAINED = [
    ("inet t", "ct state new ct mark 0x00000001", "nft_ct", 2),
    ("inet t", "ct state . ct mark { new . 0x00000001 } accept", "nft_ct", 2),
    ("inet t", "ct state vmap { established : accept, new : drop }", "nft_ct", 1),
    ("inet t", "ct mark set ct mark | 0x00000001", "nft_ct", 2),
    ("ip filter", "ct state ! new ct status assured counter", "xt_conntrack", 2),
    ("ip mangle", "ct mark and 0xff == 0x2 counter ct mark set ct mark xor 0x1 and 0xfffffff0", "xt_connmark", 2),
    ("ip nat", "meta l4proto tcp counter dnat to 10.0.0.1:80", "xt_nat", 1),
    ("ip nat", "counter masquerade random", "xt_MASQUERADE", 1),
    ("ip raw", 'tcp dport 21 counter xt target "CT"', "xt_CT", 1),
]


@pytest.mark.parametrize(("table", "rule", "module", "references"), EXPLAINED)
def test_as_many_references_as_expressions_are_explained(host, table, rule, module, references):
    host.answers = {NFT: f"table {table} {{\n\tchain c {{\n\t\t{rule}\n\t}}\n}}\n"}
    pins = find_pins.find(host, modules("nf_tables", **{module: references}), [module])
    assert [pin.rule for pin in pins] == [rule]


def test_rules_of_every_program_and_namespace_add_up(host):
    host.put("/proc/self/mountinfo", "1 1 0:4 net:[2] /run/netns/lab rw - nsfs nsfs rw\n")
    host.put("/proc/self/net/ip_tables_names", "filter\n")
    host.answers = {
        "iptables-legacy-save": "*filter\n-A INPUT -m conntrack --ctstate NEW -m state --state NEW\nCOMMIT\n",
        "nsenter --net=/run/netns/lab " + NFT: CT_RULE.replace("inet t", "ip6 filter"),
    }
    loaded = modules("nf_tables", xt_conntrack=3)
    assert [pin.is_unknown for pin in find_pins.find(host, loaded, ["xt_conntrack"])] == [False, False]
    loaded = modules("nf_tables", xt_conntrack=4)
    assert [pin.is_unknown for pin in find_pins.find(host, loaded, ["xt_conntrack"])] == [False, False, True]


@pytest.mark.parametrize(
    ("listing", "module"),
    [
        ("table ip t {\n\tset s {\n\t\tct count over 3\n\t}\n}\n", "nft_connlimit"),
        ("table ip t {\n\tflowtable f {\n\t}\n}\n", "nf_flow_table_inet"),
        ('table ip t {\n\tct helper h {\n\t\ttype "ftp" protocol tcp\n\t}\n}\n', "nf_conntrack_ftp"),
        ("table ip filter {\n\tchain c {\n\t\tct state new\n\t\t# whatever\n\t}\n}\n", "xt_conntrack"),
    ],
)
def test_no_reference_is_called_unknown_where_a_rule_may_take_many(host, listing, module):
    host.answers = {NFT: listing}
    assert not any(pin.is_unknown for pin in find_pins.find(host, modules("nf_tables", **{module: 9}), [module]))


def test_table_nat_explains_all_references_to_its_module(host):
    host.put("/proc/self/net/ip_tables_names", "nat\n")
    host.answers = {"iptables-legacy-save": "*nat\n-A OUTPUT -j x\nCOMMIT\n"}
    assert [pin.rule for pin in find_pins.find(host, modules(iptable_nat=4), ["iptable_nat"])] == ["-A OUTPUT -j x"]


def test_a_missing_nft_is_asked_for(host):
    host.answers = {NFT: HostError("run", "nft", "No such file or directory")}
    (pin,) = find_pins.find(host, modules("nf_tables", nft_ct=1), ["nft_ct"])
    assert pin.reason.endswith("cannot run nft: No such file or directory, install the package nftables")


# nft 0.9.0.
NAT_OF_4_19 = """table ip nat {
    chain PREROUTING {
        type nat hook prerouting priority -100; policy accept;
        tcp dport 80 redirect to :8080
    }

    chain POSTROUTING {
        type nat hook postrouting priority 100; policy accept;
        oifname "eth0" masquerade
    }
}
table inet filter {
    chain input {
        type filter hook input priority 0; policy accept;
        ct state established,related accept
    }
}
"""


def test_every_rule_is_named_on_kernels_whose_modules_of_nat_are_one_a_family(recorded_host):
    host = recorded_host("buster-4.19-nft-by-hand", {"/proc/self/ns/net": {"link": "net:[1]"}})
    host.answers = {NFT: NAT_OF_4_19}
    loaded = parse_modules(host.lines(PATH))
    pins = find_pins.find(host, loaded, unload_order(loaded, holders_of(loaded, ["nf_conntrack"])))
    assert sorted((pin.module, pin.chain, pin.rule) for pin in pins) == [
        ("nft_chain_nat_ipv4", "POSTROUTING", "type nat hook postrouting priority 100; policy accept"),
        ("nft_chain_nat_ipv4", "PREROUTING", "type nat hook prerouting priority -100; policy accept"),
        ("nft_ct", "input", "ct state established,related accept"),
        ("nft_masq_ipv4", "POSTROUTING", 'oifname "eth0" masquerade'),
        ("nft_redir_ipv4", "PREROUTING", "tcp dport 80 redirect to :8080"),
    ]


def test_an_iptables_save_of_before_nftables_is_used(host):
    host.put("/usr/sbin/iptables-legacy-save", None)
    host.put("/usr/sbin/iptables-save", {"content": "", "mode": "0755"})
    host.put("/proc/self/net/ip_tables_names", "nat\n")
    find_pins.find(host, modules("ip_tables", iptable_nat=1), ["iptable_nat"])
    assert host.ran == ["iptables-save"]


def test_rules_pin_protocols_on_old_kernels(host):
    host.put("/proc/self/net/ip_tables_names", "filter\n")
    host.answers = {"iptables-legacy-save": "*filter\n-A INPUT -m conntrack --ctstate NEW\nCOMMIT\n"}
    loaded = modules("ip_tables", xt_conntrack=1, nf_conntrack_ipv4=1)
    assert {pin.module: pin.rule for pin in find_pins.find(host, loaded, ["xt_conntrack", "nf_conntrack_ipv4"])} == {
        "xt_conntrack": "-A INPUT -m conntrack --ctstate NEW",
        "nf_conntrack_ipv4": "-A INPUT -m conntrack --ctstate NEW",
    }


def test_a_module_that_can_never_go_is_said_to(host):
    loaded = {"nf_x": Module("nf_x", 1, 0, (), True)}
    assert "never be unloaded" in find_pins.find(host, loaded, ["nf_x"])[0].reason


def test_services_are_told_by_their_processes(host):
    host.put("/proc/5/comm", "dockerd\n")
    assert find_pins.services(host) == ["docker"]


def test_a_process_that_ends_meanwhile_is_no_obstacle(host):
    host.put("/proc/5/comm", "dockerd\n")
    host.put("/proc/6/comm", "gone\n")
    host.put("/proc/7/status", "no comm\n")
    host.denied.add("/proc/6/comm")
    assert find_pins.services(host) == ["docker"]


def test_what_pins_two_modules_is_said_once():
    rule = {"tool": "nft", "table": "ip t", "chain": "c", "rule": "masquerade", "namespace": "lab", "owner": "docker"}
    assert describe([Pin("a", 1, **rule), Pin("b", 3, **rule), Pin("d", 2, "unknown"), Pin("e", 1, "unknown")]) == (
        "a (1 reference) and b (3 references): nft, table ip t, chain c, network namespace lab: masquerade"
        " (probably made by docker); d (2 references) and e (1 reference): unknown"
    )


def test_a_long_list_is_cut_in_words_only():
    pins = [Pin("nft_ct", 20, tool="nft", rule=f"ct mark {number}") for number in range(20)]
    assert describe(pins).endswith("ct mark 11; and 8 more (see pins)")
