# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cases were compared with what sysctl of procps-ng 4.0.2 and 4.0.4 writes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import ConfFile, DropIns, last
from ansible_collections.netops.conntrack.plugins.module_utils._config.procps_sysctl import PATTERN, BootValues, parse

MAX = "net.netfilter.nf_conntrack_max"
ALIAS = "net.nf_conntrack_max"


def value(*texts, only=()):
    files = tuple(ConfFile(str(number), str(number), text) for number, text in enumerate(texts))
    origin = last(BootValues(DropIns("sysctl.d", files), only).writes(MAX, ALIAS))
    return None if origin is None else origin.value


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ("1", "{0}=1"),
        ("1", " \t\v{0}\f= 1\r"),
        ("1", "-{0} = 1"),
        ("1", "--{0} = 1"),
        ("1", "net/netfilter/nf_conntrack_max = 1"),
        ("1", "net//netfilter/./nf_conntrack_max = 1"),
        ("1", "net/core/../netfilter/nf_conntrack_max = 1"),
        ("1", ".net..netfilter.nf_conntrack_max = 1"),
        ("1", "{0} = 1\0{0} = 2"),
        ("1\r{0}=2", "{0}=1\r{0}=2"),
        ("", "{0} ="),
        (None, "- {0} = 1"),
        (None, "---{0} = 1"),
        (None, "net/netfilter/nf_conntrack_max/ = 1"),
        (None, "net.netfilter/nf_conntrack_max = 1"),
        (None, "-{0}"),
        (None, "{0}"),
        (None, "# {0} = 1"),
        (None, "  ; {0} = 1"),
    ],
)
def test_a_line_is_read_as_procps_reads_it(wanted, line):
    assert value(line.format(MAX)) == (wanted and wanted.format(MAX))


@pytest.mark.parametrize(
    ("wanted", "texts"),
    [
        ("2", ["{0}=1", "{0}=2"]),
        # Unlike systemd's, every line is written, in the order of the lines.
        ("1", ["{0}=1", "{1}=2", "{0}=1"]),
        ("1", ["{0}=1", "-{0}"]),
        # A glob sets what no line names in the spelling that the glob finds, which is its own beside the wildcards.
        ("1", ["net.netfilter.nf_conntrack_ma? = 1"]),
        ("1", ["{0}=1", "net.*.nf_conntrack_max = 2"]),
        (None, ["-{0}", "net.*.nf_conntrack_max = 2"]),
        ("2", ["{0}=1", "net/./*/nf_conntrack_max = 2"]),
        ("2", ["net//netfilter/nf_conntrack_max=1", "net.netfilter.*_max = 2"]),
        # An exclusion by a glob excludes nothing before procps 4.0.6.
        ("1", ["net.*.nf_conntrack_max = 1", "-net.*.nf_*"]),
        (None, ["net.netfilter* = 1"]),
        ("1", ["net.* = 1"]),  # the other name of max
    ],
)
def test_who_wins_at_boot(wanted, texts):
    assert value(*[text.format(MAX, ALIAS) for text in texts]) == wanted


@pytest.mark.parametrize(
    ("wanted", "texts"),
    [
        ("1", ["{0}=1"]),
        ("1", ["  -{0}=1"]),
        ("1", ["/net/netfilter/nf_conntrack_max=1"]),
        ("1", [".net..netfilter.nf_conntrack_max=1"]),
        ("1", ["net.netfilter.nf_*=1"]),
        # What the pattern does not select is not there: neither to set nor to exclude.
        (None, ["{1}=1"]),
        (None, ["net.*.nf_conntrack_max=1"]),
        ("1", ["{0}=1", "{1}=2"]),
    ],
)
def test_what_is_set_when_the_module_is_loaded_later(wanted, texts):
    assert value(*[text.format(MAX, ALIAS) for text in texts], only=(PATTERN,)) == wanted


def test_the_pattern_can_stand_in_a_udev_rule():
    assert not re.search("['\"$%\\\\]", PATTERN)


def test_the_line_in_force_is_named():
    files = (ConfFile("a", "a", MAX + "=1\n"), ConfFile("b", "b", "\n\n" + MAX + "=2\n"))
    origin = last(BootValues(DropIns("sysctl.d", files)).writes(MAX))
    assert (origin.value, origin.path, origin.number) == ("2", "b", 3)


@given(st.text(alphabet="-.*/=[]\\\r\n\0 anet#", max_size=40))
def test_no_text_is_a_crash(text):
    parse(text)
    value(text)
