# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which lines of scripts set keys."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._writers import script_lines

MAX, BUCKETS = "nf_conntrack_max", "nf_conntrack_buckets"
PROC = "/proc/sys/net/netfilter/nf_conntrack_max"
HASHSIZE = "/sys/module/nf_conntrack/parameters/hashsize"


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("sysctl -w net.netfilter.nf_conntrack_max=65536", MAX, 65536),
        ("/sbin/sysctl -q -w net.nf_conntrack_max=65536 || true", MAX, 65536),
        ('sysctl -w "net.netfilter.nf_conntrack_max=65536"', MAX, 65536),
        ("sysctl -w net.netfilter.nf_conntrack_max='65536'", MAX, 65536),
        ("sysctl net/netfilter/nf_conntrack_max=65536 >/dev/null", MAX, 65536),
        ('sysctl -w net.netfilter.nf_conntrack_max="$MAX"', MAX, None),
        ("  net.netfilter.nf_conntrack_max = 65536", MAX, 65536),
        (f"echo 65536 > {PROC}", MAX, 65536),
        (f"echo 65536 >{PROC}", MAX, 65536),
        (f'echo "65536" >| "{PROC}"', MAX, 65536),
        (f"printf 65536 > {PROC}", MAX, 65536),
        (f"echo -n 65536 | sudo tee {PROC} > /dev/null", MAX, 65536),
        (f"echo $((X * 4)) > {PROC}", MAX, None),
        ("echo 5 > /proc/sys/net/nf_conntrack_max", MAX, 5),
        (f"[ -e {HASHSIZE} ] && echo 16384 > {HASHSIZE}", BUCKETS, 16384),
        (f"ExecStart=/bin/sh -c 'echo 16384 > {HASHSIZE}'", BUCKETS, 16384),
        ("modprobe nf_conntrack hashsize=16384", BUCKETS, 16384),
        ("insmod /lib/modules/x/nf_conntrack.ko.xz hashsize=16384", BUCKETS, 16384),
        (f'open("{PROC}", "w").write("5")', MAX, None),
        (f"Path('{PROC}').write_text('5')", MAX, None),
        (f'open(F, ">{PROC}");', MAX, None),
        ("sysctl -w net.netfilter.nf_flowtable_udp_timeout=5", "nf_flowtable_udp_timeout", 5),
        ("* * * * * root sysctl -w net.netfilter.nf_conntrack_acct=1", "nf_conntrack_acct", 1),
        ("sysctl -w \\\n  net.netfilter.nf_conntrack_max=7", MAX, 7),
    ],
)
def test_a_line_that_sets_a_key_is_found_with_its_value(line, key, value):
    found = script_lines.find_writes("#!/bin/sh\n" + line + "\n")
    assert [(write.line, write.key, write.value) for write in found] == [(2, key, value)]


@pytest.mark.parametrize(
    "line",
    [
        f"cat {PROC}",
        f"MAX=$(cat {PROC})",
        f"max=$(< {PROC})",
        "sysctl -n net.netfilter.nf_conntrack_max",
        "sysctl net.netfilter.nf_conntrack_max net.netfilter.nf_conntrack_count",
        "# sysctl -w net.netfilter.nf_conntrack_max=5",
        f"  #echo 5 > {PROC}",
        f"F={PROC}",
        f"cat {PROC} > /var/log/entries",
        f'[ "$(cat {PROC})" = 5 ]',
        "[[ $net.netfilter.nf_conntrack_max == 5 ]]",
        "sysctl -w net.netfilter.nf_conntrack_count=5",
        "sysctl -w net.ipv4.ip_forward=1",
        "modprobe nf_conntrack",
        "modprobe nf_conntrack acct=1",
        "modprobe nf_conntrack_ftp hashsize=5",
        "lsmod | grep nf_conntrack",
        "iptables -A INPUT -m conntrack --ctstate NEW",
    ],
)
def test_a_line_that_reads_or_does_something_else_is_not_found(line):
    assert script_lines.find_writes(line + "\n") == []


def test_a_file_in_a_variable_counts_where_something_is_written_to_it():
    text = f'F={PROC}\nG="{HASHSIZE}"\ncat $F\necho 5 > $F\necho 6 | tee "${{G}}"\necho 7 > $FF\n'
    found = [(write.line, write.key, write.value) for write in script_lines.find_writes(text)]
    assert found == [(4, MAX, 5), (5, BUCKETS, 6)]


def test_several_keys_of_a_line_are_all_found():
    text = f"sysctl -w net.netfilter.nf_conntrack_max=5 net.netfilter.nf_conntrack_acct=1; echo 6 > {HASHSIZE}\n"
    found = {write.key: write.value for write in script_lines.find_writes(text)}
    assert found == {MAX: 5, "nf_conntrack_acct": 1, BUCKETS: 6}


@pytest.mark.parametrize(
    ("line", "paths"),
    [
        ("sysctl -p", ["/etc/sysctl.conf"]),
        ("sysctl -p >/dev/null 2>&1", ["/etc/sysctl.conf"]),
        ("sysctl -p -q", ["/etc/sysctl.conf"]),
        ("sysctl -e -p /etc/my.conf", ["/etc/my.conf"]),
        ("sysctl -qp '/etc/my.conf'", ["/etc/my.conf"]),
        ("sysctl --load=/etc/my.conf", ["/etc/my.conf"]),
        ("sysctl -p/etc/my.conf; sysctl -p", ["/etc/my.conf", "/etc/sysctl.conf"]),
        ("sysctl --system", ["/etc/sysctl.conf"]),
        ("sysctl -p $FILE", []),
        ("cat x | sysctl -p -", []),
        ("sysctl -w net.ipv4.ip_forward=1", []),
        ("/lib/systemd/systemd-sysctl --prefix=/net", []),
        ("# sysctl -p", []),
    ],
)
def test_files_that_sysctl_is_told_to_apply(line, paths):
    assert [applied.path for applied in script_lines.find_applied(line + "\n")] == paths


@given(st.text(alphabet=st.sampled_from(list("netfilter.nf_conntrack_max=/proc/sys>\"'$\\\n 5#;|&")), max_size=300))
def test_no_text_stops_the_search_and_each_line_that_is_found_is_there(text):
    lines = text.split("\n")
    for write in script_lines.find_writes(text):
        assert 1 <= write.line <= len(lines)
        assert "nf_conntrack" in text
    for applied in script_lines.find_applied(text):
        assert 1 <= applied.line <= len(lines)


@given(st.integers(1, 2**31 - 1), st.sampled_from([MAX, "nf_conntrack_udp_timeout"]), st.integers(0, 40))
def test_any_number_is_found_on_its_line(number, key, before):
    text = "true\n" * before + f"sysctl -w net.netfilter.{key}={number}\n"
    (write,) = script_lines.find_writes(text)
    assert (write.line, write.key, write.value) == (before + 1, key, number)


@pytest.mark.parametrize(
    "part",
    [
        f"> {PROC} ",
        f"echo > {PROC} ",
        f"echo 5 | tee {PROC} ",
        "modprobe nf_conntrack ",
        "modprobe nf_conntrack; ",
        "net.netfilter.nf_conntrack_max ",
        "sysctl -p ",
        "tee -a ",
        "echo ",
        f"F={PROC} > $F ",
        "\\\n",
    ],
)
@pytest.mark.parametrize("end", ["", f"> {PROC}", "\n"])
def test_no_file_takes_long(part, end):
    text = f"nf_conntrack sysctl {part}" + (part + end) * ((1 << 18) // len(part + end))
    before = time.process_time()
    script_lines.find_writes(text)
    script_lines.find_applied(text)
    assert time.process_time() - before < 4


def test_many_variables_do_not_take_long():
    text = "".join(f"F{number}={PROC}\necho {number} > $F{number}\n" for number in range(1, 3000))
    before = time.process_time()
    found = script_lines.find_writes(text)
    assert time.process_time() - before < 2
    assert [write.value for write in found] == list(range(1, 3000))


def test_of_a_long_line_there_is_one_character_more_than_is_searched():
    most = script_lines.MOST
    for text in ("x" * most, "x" * (most + 1), "x" * 5 * most, ("x" * 99 + "\\\n") * 999):
        lines = list(script_lines.logical_lines(text))
        assert [len(line) for _number, line in lines] == [min(len(text), most + 1)]
        assert script_lines.is_cut(lines) is (len(text) > most)
