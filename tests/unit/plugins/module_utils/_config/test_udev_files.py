# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files of udev rules are taken apart; the others are as if they were not there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import ConfFile, DropIns
from ansible_collections.netops.conntrack.plugins.module_utils._config.udev_files import KIND, READING, is_of_interest
from ansible_collections.netops.conntrack.plugins.module_utils._config.udev_rules import commands

PATH = "/etc/udev/rules.d/a.rules"


@pytest.mark.parametrize(
    "text",
    [
        'KERNEL=="nf_conntrack", RUN+="/sbin/sysctl --system"\n',
        'SUBSYSTEM=="module", SYSCTL{net/x}="1"\n',
        'SUBSYSTEM=="mod*", RUN+="/bin/sh -c \'echo 5 >/proc/sys/net/x\'"\n',
        'SUBSYSTEM=="net|module", ATTR{parameters/hashsize}="5"\n',
        'SUBSYSTEM!="net", \\\n  RUN+="sysctl -p"\n',
        'RUN{program} = ""\n',
        'RUN:=""\n',
    ],
)
def test_a_file_that_may_set_a_sysctl_at_a_load_is_of_interest(text):
    assert is_of_interest(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# sysctl\n",
        'SUBSYSTEM=="block", RUN+="/sbin/something"\n',
        # Every host with systemd has this one.
        'ACTION=="add", SUBSYSTEM=="net", KERNEL!="lo", RUN+="/usr/lib/systemd/systemd-sysctl --prefix=/net/ipv4"\n',
    ],
)
def test_a_file_that_sets_none_is_not(text):
    assert not is_of_interest(text)


MATCHES = ['SUBSYSTEM=="module"', 'SUBSYSTEM=="net"', 'SUBSYSTEM!="net"', 'SUBSYSTEM=="n*"', 'KERNEL=="nf_conntrack"']
ASSIGNMENTS = ['RUN+="/sbin/sysctl -p"', 'RUN=""', 'RUN{program}:="/bin/x"', 'SYSCTL{a}="1"', 'RUN+="/bin/y"']
RULE = st.lists(st.sampled_from([*MATCHES, *ASSIGNMENTS, "\\\n", "# a \n"]), max_size=5).map(", ".join)


@given(st.lists(RULE, max_size=4).map("\n".join))
def test_what_is_not_of_interest_has_a_load_run_nothing_for_sysctl(text):
    """Beside a file that is: what that runs must be neither taken back nor joined by anything about sysctl."""
    first = 'KERNEL=="nf_conntrack", RUN+="/sbin/sysctl --system"\n'
    confs = [
        ConfFile(f"/etc/udev/rules.d/{name}", PATH, part) for name, part in (("0.rules", first), ("a.rules", text))
    ]
    if not is_of_interest(text):
        marked = confs[1]._replace(text=text + "\n# sysctl\n" + 'KERNEL=="nothing", SYSCTL{a}="1"\n')
        found = commands(DropIns(KIND, (confs[0], marked), READING), "nf_conntrack")
        assert [command.words for command in found if "sysctl" in command.words[0]] == [("/sbin/sysctl", "--system")]
