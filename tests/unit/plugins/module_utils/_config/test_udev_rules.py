# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What udev runs is compared with ``udevadm test``, for generated files, by the scenario ``boot``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import ConfFile, DropIns
from ansible_collections.netops.conntrack.plugins.module_utils._config.udev_files import READING
from ansible_collections.netops.conntrack.plugins.module_utils._config.udev_rules import commands

PROGRAM = "/usr/lib/systemd/systemd-sysctl --prefix=/net/netfilter"
RUN = f'RUN+="{PROGRAM}"'
MATCH = 'ACTION=="add", SUBSYSTEM=="module", KERNEL=="nf_conntrack", '


def runs(*texts):
    paths = [f"/etc/udev/rules.d/{number}.rules" for number in range(len(texts))]
    files = tuple(ConfFile(path, path, text) for path, text in zip(paths, texts))
    return commands(DropIns("udev/rules.d", files, READING), "nf_conntrack")


def words(*texts):
    return [" ".join(command.words) for command in runs(*texts)]


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
        'SUBSYSTEM=="module", ' + RUN,
        'DEVPATH=="/module/nf_*", ENV{ACTION}=="add", TAG!="x", ' + RUN,
        MATCH + RUN.replace("RUN", "RUN{program}"),
        MATCH + RUN.replace("+=", "="),
        MATCH + RUN.replace("+=", ":=") + "\r\n",
        'SUBSYSTEM!="module", GOTO="end"\n' + RUN + '\nLABEL="end"\n',
        'KERNEL=="nf_conntrack", GOTO="here"\nRUN+="/sbin/sysctl --system"\nLABEL="here"\n' + RUN,
        MATCH + RUN.replace("net", "%%net").replace("%%", ""),
    ],
)
def test_a_program_that_runs_at_a_load_is_known_in_every_form_of_rule(text):
    assert words(text) == [PROGRAM]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# " + MATCH + RUN,
        "  # " + MATCH + RUN,
        MATCH + "\n" + 'KERNEL=="x", ' + RUN + "\n",
        MATCH + "\\\n\n" + 'KERNEL=="x", ' + RUN + "\n",
        MATCH + RUN + "\\",
        'ACTION=="remove", SUBSYSTEM=="module", KERNEL=="nf_conntrack", ' + RUN,
        'ACTION!="add", KERNEL=="nf_conntrack", ' + RUN,
        'KERNEL=="nf_conntrack_ftp", ' + RUN,
        'KERNEL!="nf_conntrack", ' + RUN,
        'KERNEL=="nf_*", KERNEL!="nf_conntrack", ' + RUN,
        'ACTION=="add", SUBSYSTEM=="net", KERNEL=="nf_conntrack", ' + RUN,
        MATCH + 'DRIVER=="?*", ' + RUN,
        MATCH + 'RUN{builtin}+="kmod load systemd-sysctl"',
        MATCH + 'RUN-="/usr/lib/systemd/systemd-sysctl"',
        MATCH + 'ENV{X}="systemd-sysctl"',
        'SUBSYSTEM=="module", GOTO="end"\n' + RUN + '\nLABEL="end"\n',
        # What cannot be told from here.
        MATCH + 'ATTR{refcnt}=="0", ' + RUN,
        MATCH + 'TEST=="/run/x", ' + RUN,
        MATCH + 'RUN+="/sbin/sysctl -p $attr{x}"',
        # Taken back, or in vain.
        MATCH + RUN + "\n" + MATCH + 'RUN=""\n',
        MATCH + 'RUN:=""\n' + MATCH + RUN,
    ],
)
def test_what_does_not_run_at_its_load_is_not_told(text):
    assert words(text) == []


def test_programs_run_in_the_order_of_the_files_and_what_decides_on_a_rule_before_them_all():
    first = MATCH + 'RUN+="/sbin/sysctl -p", RUN+="/sbin/sysctl -w a=1"\n'
    second = "# a\n" + MATCH + 'PROGRAM="/bin/sh -c \'sysctl -w b=%k\'", SYSCTL{c}="2"\n'
    assert words(first, second) == [
        "/bin/sh -c sysctl -w b=nf_conntrack",
        "/sbin/sysctl -w c=2",
        "/sbin/sysctl -p",
        "/sbin/sysctl -w a=1",
    ]
    assert [(command.path[-7:], command.number) for command in runs(first, second)] == [
        ("1.rules", 2),
        ("1.rules", 2),
        ("0.rules", 1),
        ("0.rules", 1),
    ]


def test_a_program_without_a_directory_is_udevs_own():
    assert words(MATCH + 'RUN+="sysctl --system"') == ["/usr/lib/udev/sysctl --system"]


@pytest.mark.parametrize(
    ("text", "parted"),
    [
        ("/bin/sh -c 'a  b' \"c d\"", ("/bin/sh", "-c", "a  b", "c d")),
        ("/x --pattern '^-?[./]*net$$'", ("/x", "--pattern", "^-?[./]*net$")),
        ("/x 'a", ("/x", "a")),
        ("/x 'a'b\"c\"", ("/x", "abc")),
    ],
)
def test_a_command_is_parted_as_udev_parts_it(text, parted):
    (command,) = runs(MATCH + 'RUN+="{}" # sysctl'.format(text.replace('"', '\\"')))
    assert command.words == parted


@given(st.text(alphabet='RUNSYCTL{}=+:"\\,$% \n#aKE/'))
def test_no_text_is_a_crash(text):
    runs(text, MATCH + text + "sysctl")
