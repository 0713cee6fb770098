# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._config.udev_rules import applies_sysctl

RUN = 'RUN+="/usr/lib/systemd/systemd-sysctl --prefix=/net/netfilter"'
MATCH = 'ACTION=="add", SUBSYSTEM=="module", KERNEL=="nf_conntrack", '


@pytest.mark.parametrize(
    "text",
    [
        MATCH + RUN,
        # As sysctl.d(5) has it.
        'ACTION=="add", SUBSYSTEM=="module", KERNEL=="nf_conntrack", \\\n      ' + RUN + "\n",
        'ACTION=="add", \\\n# a remark\n KERNEL=="nf_conntrack", \\\n' + RUN + "\n",
        RUN + ', KERNEL=="nf_conntrack"\n',
        "# a remark \\\n" + MATCH + RUN + "\n",
        'KERNEL=="br_netfilter|nf_conntrack", ' + RUN,
        'KERNEL=="nf_*", KERNEL!="nf_nat", ' + RUN,
        'ACTION=="add|change" SUBSYSTEM == "module" KERNEL=="nf_conntrack" ' + RUN,
        'ACTION!="remove", KERNEL=="nf_conntrack", ' + RUN,
        MATCH + 'RUN="/sbin/sysctl --system"',
        MATCH + 'RUN{program}+="/sbin/sysctl -qp /etc/sysctl.d/50-nf.conf"',
        MATCH + "RUN:=\"/bin/sh -c '/sbin/sysctl -e --load=/etc/nf.conf'\"",
        MATCH + "RUN+=\"/usr/sbin/sysctl --quiet --pattern '^net' --system\"\r\n",
    ],
)
def test_a_rule_that_applies_sysctl_lines_at_a_load_is_known_in_every_form(text):
    assert applies_sysctl(text, "nf_conntrack")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# " + MATCH + RUN,
        "  # " + MATCH + RUN,
        MATCH + "\n" + RUN + "\n",
        MATCH + "\\\n\n" + RUN + "\n",
        MATCH + RUN + "\\",
        'ACTION=="remove", SUBSYSTEM=="module", KERNEL=="nf_conntrack_ftp", RUN+="/sbin/sysctl -w kernel.x=1"',
        'ACTION=="remove", SUBSYSTEM=="module", KERNEL=="nf_conntrack", ' + RUN,
        'ACTION!="add", KERNEL=="nf_conntrack", ' + RUN,
        'KERNEL=="nf_conntrack_ftp", ' + RUN,
        'KERNEL!="nf_conntrack", ' + RUN,
        'KERNEL=="nf_*", KERNEL!="nf_conntrack", ' + RUN,
        'ACTION=="add", SUBSYSTEM=="net", KERNEL=="nf_conntrack", ' + RUN,
        'ACTION=="add", SUBSYSTEM=="net", KERNEL!="lo", RUN+="/lib/systemd/systemd-sysctl --prefix=/net/ipv4/conf/$name"',
        MATCH + 'RUN+="/sbin/sysctl -w net.netfilter.nf_conntrack_max=5"',
        MATCH + 'RUN{builtin}+="kmod load systemd-sysctl"',
        MATCH + 'RUN-="/usr/lib/systemd/systemd-sysctl"',
        MATCH + 'ENV{X}="systemd-sysctl"',
    ],
)
def test_what_applies_no_sysctl_lines_at_its_load_is_no_such_rule(text):
    assert not applies_sysctl(text, "nf_conntrack")
