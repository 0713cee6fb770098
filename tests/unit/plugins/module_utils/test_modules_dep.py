# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._modules_dep import by_old_name, module_name, needs


def test_modules_dep_tells_what_a_load_brings_along():
    lines = [b"kernel/a/nf-x.ko.zst: kernel/b/nf_nat.ko kernel/c/y.ko.xz\n", b"kernel/z.ko:\n", b"odd\n"]
    assert needs(lines, {"nf_x"}) == {"nf_x": {"nf_x", "nf_nat", "y"}}


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("ip_nat_ftp", {"ip_nat_ftp", "nf_nat", "nf_conntrack"}),
        ("ip_conntrack", {"ip_conntrack", "nf_conntrack"}),
        ("ipt_conntrack", {"ipt_conntrack", "nf_conntrack"}),
        ("ipt_state", {"ipt_state", "nf_conntrack"}),
        ("ip6t_NOTRACK", {"ip6t_NOTRACK", "nf_conntrack"}),
        ("xt_CONNMARK", {"xt_CONNMARK", "nf_conntrack"}),
        ("nft_ct", {"nft_ct", "nf_conntrack"}),
        ("ipt_SNAT", {"ipt_SNAT", "nf_nat", "nf_conntrack"}),
        ("ip6t_MASQUERADE", {"ip6t_MASQUERADE", "nf_nat", "nf_conntrack"}),
        ("nft_chain_nat", {"nft_chain_nat", "nf_nat", "nf_conntrack"}),
        ("nft_masq_ipv6", {"nft_masq_ipv6", "nf_nat", "nf_conntrack"}),
        ("xt_TPROXY", {"xt_TPROXY"}),
        ("loop", {"loop"}),
    ],
)
def test_old_names_are_known(name, needed):
    assert by_old_name(name) == needed


def test_a_path_gives_the_name():
    assert module_name("kernel/net/netfilter/nf-x.ko.xz") == "nf_x"
