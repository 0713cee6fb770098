# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cases were compared with what systemd-sysctl 252 writes into a stand-in for /proc/sys."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import ConfFile, DropIns, last
from ansible_collections.netops.conntrack.plugins.module_utils._config.systemd_sysctl import (
    BootValues,
    edit,
    mistakes,
    normalise,
    parse,
    split_lines,
)
from ansible_collections.netops.conntrack.plugins.module_utils._host import decode, encode

MAX = "net.netfilter.nf_conntrack_max"
ALIAS = "net.nf_conntrack_max"


def drop_ins(**texts):
    """Files of /etc/sysctl.d by name, with ``_`` at the front of a name that starts with a digit."""
    names = {name.lstrip("_"): text for name, text in texts.items()}
    paths = {name: f"/etc/sysctl.d/{name}.conf" for name in names}
    return DropIns("sysctl.d", tuple(ConfFile(paths[name], paths[name], names[name]) for name in sorted(names)))


def boot_value(*names, **texts):
    origin = last(BootValues(drop_ins(**texts)).writes(*names))
    return None if origin is None else origin.value


@pytest.mark.parametrize(
    "key",
    [
        "net.netfilter.nf_conntrack_max",
        "net/netfilter/nf_conntrack_max",
        "/net/netfilter/nf_conntrack_max",
        ".net.netfilter.nf_conntrack_max",
        "net..netfilter.nf_conntrack_max",
        "net//netfilter/nf_conntrack_max",
        "net/./netfilter/nf_conntrack_max",
        "net.netfilter.nf_conntrack_max.",
    ],
)
def test_all_spellings_that_systemd_takes_for_a_key_are_the_same_key(key):
    assert normalise(key) == "net/netfilter/nf_conntrack_max"


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.conf.eth0/1.arp_filter", "net/ipv4/conf/eth0.1/arp_filter"),
        ("net/ipv4/conf/eth0.1/arp_filter", "net/ipv4/conf/eth0.1/arp_filter"),
        ("net.netfilter/nf_conntrack_max", "net/netfilter.nf_conntrack_max"),
        ("kernel", "kernel"),
        ("", ""),
    ],
)
def test_the_first_separator_of_a_key_decides_what_dots_and_slashes_mean(key, path):
    assert normalise(key) == path


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("a.b=1", ("a/b", "1")),
        ("  a.b \t=\t 1  ", ("a/b", "1")),
        ("a.b = 1 2\t3", ("a/b", "1 2\t3")),
        ("a.b = 1 # no comment", ("a/b", "1 # no comment")),
        ("a.b = c=d", ("a/b", "c=d")),
        ("a.b =", ("a/b", "")),
        ("-a.b = 1", ("a/b", "1")),
        ("- a.b = 1", ("a/b", "1")),
        ("-a.b", ("a/b", None)),
        ("a.* = 1", ("a/*", "1")),
        ("a.b = 1\r", ("a/b", "1")),
        ("a.b = 1\0", ("a/b", "1")),
        ("a.b", None),
        ("# a.b = 1", None),
        ("  ; a.b = 1", None),
        ("", None),
        (" \t\r", None),
    ],
)
def test_a_line_is_read_as_systemd_reads_it(line, entry):
    assert [(found.key, found.value) for found in parse(line + "\n")] == ([] if entry is None else [entry])
    assert parse(line + "\n") == parse(line)


def test_entries_know_their_line_numbers():
    assert [found.number for found in parse("# a\n\na.b = 1\r\nc.d\ne.f = 2")] == [3, 5]


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("1", {"a": "{0}=1"}),
        ("2", {"a": "{0}=1\n{0}=2"}),
        ("2", {"_10": "{0}=1", "_90": "{0}=2"}),
        ("2", {"_90": "{0}=2", "Z": "", "_10": "{0}=1"}),
        (None, {}),
        (None, {"a": "# {0}=1"}),
        # A glob sets what no line names, the last glob wins, and a line that names the key wins over all globs.
        ("1", {"a": "net.netfilter.nf_conntrack_ma? = 1"}),
        ("1", {"a": "net.*.nf_conntrack_max = 1"}),
        ("1", {"a": "net.netfilter.[!x]f_conntrack_max = 1"}),
        ("1", {"a": "net.netfilter.[^x]f_conntrack_max = 1"}),
        ("1", {"a": "net.netfilter.\\nf_conntrack_ma? = 1"}),
        (None, {"a": "net.* = 1"}),
        (None, {"a": "net.netfilter.[^n]f_conntrack_max = 1"}),
        ("2", {"a": "net.netfilter.nf_* = 1", "b": "net.netfilter.*_max = 2"}),
        ("1", {"a": "{0} = 1", "b": "net.netfilter.nf_* = 2"}),
        # An exclusion takes a key out of globs, and takes back an earlier value.
        (None, {"a": "-{0}\nnet.netfilter.nf_* = 2"}),
        (None, {"a": "net.netfilter.nf_* = 2\n-{0}"}),
        (None, {"a": "{0} = 1", "b": "-{0}"}),
        ("1", {"a": "-{0}", "b": "{0} = 1"}),
    ],
)
def test_who_wins_at_boot(value, texts):
    assert boot_value(MAX, **{name: text.format(MAX) for name, text in texts.items()}) == value


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("2", {"a": MAX + "=1", "b": ALIAS + "=2"}),
        ("2", {"a": ALIAS + "=1", "b": MAX + "=2"}),
        # A line that repeats a value does not move it behind the other name's.
        ("2", {"a": MAX + "=1", "b": ALIAS + "=2", "c": MAX + "=1"}),
        ("3", {"a": MAX + "=1", "b": ALIAS + "=2", "c": MAX + "=3"}),
        # A glob that matches the other name is applied where it stands.
        ("2", {"a": MAX + "=1", "b": "net.nf_conntrack_ma?=2"}),
        ("1", {"a": "net.nf_conntrack_ma?=2", "b": MAX + "=1"}),
        ("1", {"a": MAX + "=1", "b": "-" + ALIAS}),
    ],
)
def test_two_names_of_one_variable_are_written_in_the_order_of_the_lines(value, texts):
    assert boot_value(MAX, ALIAS, **texts) == value


def test_the_line_in_force_is_named():
    origin = last(BootValues(drop_ins(a=MAX + "=1\n", b="\n" + MAX + "=2\n")).writes(MAX))
    assert (origin.value, origin.path, origin.number) == ("2", "/etc/sysctl.d/b.conf", 2)


# --- edit

KEYS = [MAX, ALIAS, "net.netfilter.nf_conntrack_udp_timeout", "kernel.panic"]
OTHER_LINES = st.one_of(
    st.sampled_from(["", "# comment", "; other", "no assignment", "kernel.pid_max = 5", "net.netfilter.nf_* = 1", "="]),
    st.binary(max_size=8).map(decode).map(lambda text: "#" + text.replace("\n", "").replace("\r", "")),
)
KEY_LINES = st.builds(
    lambda key, slashes, dash, equals, value: (
        dash + (key.replace(".", "/") if slashes else key) + (equals + value if equals or not dash else "")
    ),
    st.sampled_from(KEYS),
    st.booleans(),
    st.sampled_from(["", "-", "  "]),
    st.sampled_from(["=", " = ", ""]),
    st.sampled_from(["1", "22 ", "", "x y"]),
)
ENDS = st.sampled_from(["\n", "\n", "\r\n", "\r"])
TEXTS = st.tuples(st.lists(st.tuples(st.one_of(OTHER_LINES, KEY_LINES), ENDS), max_size=12), st.booleans()).map(
    lambda drawn: "".join(line + end for line, end in drawn[0]).rstrip("\r\n" if drawn[1] else "")
)
WANTED = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["1", "7"]), max_size=3)
UNWANTED = st.sets(st.sampled_from(KEYS), max_size=2)


def other_lines(text, names):
    """What the lines that name none of the keys hold, to the byte, without the end that a last line may miss."""
    keys = {normalise(name) for name in names}
    numbers = {entry.number for entry in (*parse(text), *mistakes(text)) if entry.key in keys}
    return "".join(line for number, line in enumerate(split_lines(text), 1) if number not in numbers).rstrip("\r\n")


@given(st.text(alphabet="a=\r\n\0#", max_size=30))
def test_lines_join_to_the_text(text):
    assert "".join(split_lines(text)) == text


@given(st.binary(max_size=30))
def test_no_byte_is_lost_between_bytes_and_text(content):
    assert encode(decode(content)) == content


@example("\rnet.netfilter.nf_conntrack_max=1\n\n", {}, {"net.netfilter.nf_conntrack_max"})
@given(TEXTS, WANTED, UNWANTED)
def test_an_edit_sets_and_drops_what_it_shall_and_no_other_line_changes(text, wanted, unwanted):
    unwanted = unwanted - set(wanted)
    after = edit(text, wanted, unwanted)
    boot = BootValues(drop_ins(a=after))
    for name, value in wanted.items():
        assert last(boot.writes(name)).value == value
        assert sum(entry.key == normalise(name) for entry in parse(after)) == 1
    for name in unwanted:
        assert all(entry.key != normalise(name) for entry in parse(after))
    names = set(wanted) | unwanted
    assert not {mistake.key for mistake in mistakes(after)} & {normalise(name) for name in names}
    assert other_lines(after, names) == other_lines(text, names)
    encode(after)


@given(TEXTS, WANTED, UNWANTED)
def test_a_second_edit_changes_nothing(text, wanted, unwanted):
    once = edit(text, wanted, unwanted - set(wanted))
    assert edit(once, wanted, unwanted - set(wanted)) == once


@given(TEXTS)
def test_an_edit_that_asks_for_nothing_changes_nothing(text):
    assert edit(text, {}) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", MAX + " = 7\n"),
        ("# a\n", "# a\n" + MAX + " = 7\n"),
        ("# a", "# a\n" + MAX + " = 7\n"),
        ("# a\r\n", "# a\r\n" + MAX + " = 7\r\n"),
        (MAX + "=1\n", MAX + "=7\n"),
        (MAX + "=1", MAX + "=7"),
        ("\t-net/netfilter/nf_conntrack_max  = 1 \r\n", "\t-net/netfilter/nf_conntrack_max  = 7 \r\n"),
        (MAX + "=\n", MAX + "=7\n"),
        (MAX + "=1\n# b\n" + MAX + "=2\n", "# b\n" + MAX + "=7\n"),
        (MAX + "=7\n-" + MAX + "\n", MAX + "=7\n"),
        ("-" + MAX + "\n", MAX + " = 7\n"),
        ("# \udcff\n" + MAX + "=1 # \udcff\n", "# \udcff\n" + MAX + "=7\n"),
    ],
)
def test_a_value_is_replaced_where_it_stands(before, after):
    assert edit(before, {MAX: "7"}) == after
