# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import ConfFile, DropIns
from ansible_collections.netops.conntrack.plugins.module_utils._config.modprobe_d import (
    blacklist_origin,
    blocked,
    command_line_values,
    command_origins,
    drop_blacklist,
    drop_block,
    drop_install,
    drop_parameter,
    install_origin,
    is_block,
    is_refusal,
    parameter_origins,
    set_parameter,
)

MODPROBE = shutil.which("modprobe", path="/usr/sbin:/sbin:/usr/bin:/bin")


def origin(*texts):
    paths = [f"/etc/modprobe.d/{number}.conf" for number in range(len(texts))]
    files = tuple(ConfFile(path, path, text) for path, text in zip(paths, texts))
    return next(reversed(parameter_origins(DropIns("modprobe.d", files), "nf_conntrack", "hashsize")), None)


def value(*texts):
    found = origin(*texts)
    return None if found is None else found.value


CASES = [
    ("5", "options nf_conntrack hashsize=5\n"),
    ("5", "options nf_conntrack hashsize=5"),
    ("5", " \toptions\tnf_conntrack\t hashsize=5 \n"),
    ("5", "options nf-conntrack hashsize=5\n"),
    ("5", "options nf_conntrack acct=1 hashsize=5 tstamp=1\n"),
    ("6", "options nf_conntrack hashsize=5 hashsize=6\n"),
    ("6", "options nf_conntrack hashsize=5\noptions nf_conntrack hashsize=6\n"),
    ("5", "options nf_conntrack hashsize=5\noptions nf_conntrack acct=1\n"),
    ("5", "options nf_conntrack \\\nhashsize=5\n"),
    ("55", "options nf_conntrack hashsize=5\\\n5\n"),
    ("5", "opti\\\nons nf_con\\\nntrack hash\\\nsize=5\n"),
    ("5", "options nf_conntrack hash\\size=5\n"),
    ("5", "options nf_conntrack acct=1 # hashsize=4 hashsize=5\n"),
    (None, "options nf_conntrack\n"),
    (None, "# options nf_conntrack hashsize=5\n"),
    (None, "# comment \\\noptions nf_conntrack hashsize=5\n"),
    ("5", "# comment \\\\\noptions nf_conntrack hashsize=5\n"),
    (None, "options nf_conntrack_ftp hashsize=5\n"),
    (None, "options nf_conntrack expect_hashsize=5\n"),
    (None, "install nf_conntrack hashsize=5\n"),
    (None, "Options nf_conntrack hashsize=5\n"),
    (None, "options nf_conntrack\r hashsize=5\n"),
    ("5", "options nf_conntrack hashsize=5\0options nf_conntrack hashsize=6\n"),
    (None, ""),
]

# How the kernel, which gets the parameters as they stand, takes them apart.
KERNEL_CASES = [
    ("5", 'options nf_conntrack hashsize="5"\n'),
    ("5", 'options nf_conntrack "hashsize=5"\n'),
    ("5", "options nf_conntrack hashsize=5\r\n"),
    ("a b", 'options nf_conntrack hashsize="a\tb"\n'),
    (None, 'options nf_conntrack x="a hashsize=5 b"\n'),
    ("", "options nf_conntrack hashsize=\n"),
    # A name alone is refused as what is no number is.
    ("", "options nf_conntrack hashsize 5\n"),
    ("6", 'options nf_conntrack x="a hashsize=5 b" hashsize=6\n'),
]


@pytest.mark.parametrize(("wanted", "text"), CASES + KERNEL_CASES)
def test_a_parameter_is_read_as_kmod_and_the_kernel_read_it(wanted, text):
    assert value(text) == wanted


@pytest.mark.skipif(MODPROBE is None, reason="no modprobe here to compare with")
@pytest.mark.parametrize(("wanted", "text"), CASES)
def test_modprobe_of_this_machine_reads_it_so(tmp_path, wanted, text):
    (tmp_path / "a.conf").write_text(text, encoding="utf-8")
    shown = subprocess.run(
        [MODPROBE, "--showconfig", "-C", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    ).stdout.decode("utf-8", "replace")
    given_values = [
        word.partition("=")[2]
        for line in shown.splitlines()
        if line.startswith("options nf_conntrack ")
        for word in line.split()[2:]
        if word.startswith("hashsize=")
    ]
    assert (given_values or [None])[-1] == wanted


def test_the_last_file_wins_and_the_line_in_force_is_named():
    found = origin("options nf_conntrack hashsize=5\n", "\n# a \\\nb\noptions nf_conntrack \\\n hashsize=6\n", "# c\n")
    assert (found.value, found.path, found.number) == ("6", "/etc/modprobe.d/1.conf", 4)


def test_all_that_the_kernel_is_given_is_named_in_its_order():
    files = DropIns(
        "modprobe.d",
        tuple(
            ConfFile("/etc/modprobe.d/" + name, "/x", f"# a\noptions nf_conntrack hashsize={name} hashsize=2\n")
            for name in ("3", "1")
        ),
    )
    found = parameter_origins(files, "nf-conntrack", "hashsize")
    assert [(one.value, one.path[-1], one.number) for one in found] == [
        ("3", "3", 2),
        ("2", "3", 2),
        ("1", "1", 2),
        ("2", "1", 2),
    ]
    words = "a nf_conntrack.hashsize=64K x.hashsize=1 nf-conntrack.hashsize nf_conntrack.acct=1 nf_conntrack.hashsize=5"
    assert command_line_values(words, "nf_conntrack", "hashsize") == ["64K", "", "5"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "options nf_conntrack hashsize=7\n"),
        ("# a", "# a\noptions nf_conntrack hashsize=7\n"),
        ("options nf_conntrack hashsize=5\n", "options nf_conntrack hashsize=7\n"),
        (
            "options nf_conntrack hashsize=5 acct=1\n# b\n",
            "options nf_conntrack acct=1\n# b\noptions nf_conntrack hashsize=7\n",
        ),
        ("options nf-conntrack acct=1 hashsize=7\n", "options nf-conntrack acct=1 hashsize=7\n"),
        # A file that ends within a line would swallow the new one.
        ("options snd x=1\\", "options snd x=1\\\n\noptions nf_conntrack hashsize=7\n"),
        ("options snd x=1 \\\n", "options snd x=1 \\\n\noptions nf_conntrack hashsize=7\n"),
    ],
)
def test_setting_a_parameter(before, after):
    assert set_parameter(before, "nf_conntrack", "hashsize", "7") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("options nf_conntrack hashsize=5\n# b", "# b"),
        ("options nf_conntrack hashsize=5 hashsize=6\n", ""),
        ("options nf_conntrack \\\n hashsize=5 \\\n acct=1\n", "options nf_conntrack \\\n acct=1\n"),
        ("options nf_conntrack acct=1 \\\n hash\\\nsize=5\n", "options nf_conntrack acct=1\n"),
        (
            'options nf_conntrack x="a hashsize=5 b" hashsize=5\n',
            'options nf_conntrack x="a hashsize=5 b"\n',
        ),
        ("options nf_conntrack expect_hashsize=5\n", "options nf_conntrack expect_hashsize=5\n"),
        ("options other hashsize=5\n", "options other hashsize=5\n"),
    ],
)
def test_dropping_a_parameter(before, after):
    assert drop_parameter(before, "nf_conntrack", "hashsize") == after


PIECES = st.lists(
    st.sampled_from(
        [
            "options",
            "options nf_conntrack",
            " hashsize=5",
            "hash",
            "size=66",
            " acct=1",
            ' "',
            "nf-conntrack",
            " ",
            "\t",
            "\\\n",
            "\\",
            "\n",
            "#",
            "\r\n",
            "options nf_conntrack hashsize=4\n",
            "options snd index=-2\n",
            "\udcff",
            "é",
        ]
    ),
    max_size=14,
).map("".join)


@given(PIECES)
def test_after_setting_a_parameter_it_has_that_value_and_no_other(text):
    after = set_parameter(text, "nf_conntrack", "hashsize", "4242")
    assert value(after) == "4242"
    assert set_parameter(after, "nf_conntrack", "hashsize", "4242") == after
    assert value(drop_parameter(after, "nf_conntrack", "hashsize")) is None


@given(PIECES)
def test_dropping_a_parameter_leaves_none_and_every_line_without_it(text):
    after = drop_parameter(text, "nf_conntrack", "hashsize")
    assert value(after) is None
    assert drop_parameter(after, "nf_conntrack", "hashsize") == after
    if value(text) is None:
        assert after == text


@given(PIECES, PIECES)
def test_other_lines_stay_byte_for_byte(before, after):
    if (before and not before.endswith("\n")) or before.endswith("\\\n"):
        before += "\n\n"
    if value(before) is None and value(after) is None:
        text = before + "options nf_conntrack hashsize=5\n" + after
        assert drop_parameter(text, "nf_conntrack", "hashsize") == before + after


# --- what is run in place of a load

INSTALLS = [
    (None, ["options nf_nat x=1\n", "blacklist nf_nat\n", "#install nf_nat /bin/no\n", "install nf_nat\n"]),
    ("/bin/first", ["install nf_nat /bin/first\ninstall nf_nat /bin/second\n"]),
    ("/bin/first", ["install nf_nat /bin/first", "install nf_nat /bin/second\n"]),
    ("/bin/it", ["install nf-nat /bin/it\n"]),
    ("/bin/it", ["install nf_natx /bin/no\n", "\tinstall  \\\n nf_nat  /bin/it\n"]),
    ("/bin/it a b", ["install nf_nat /bin/it a b\r\n"]),
    ("/bin/it", ["# x \\\ninstall nf_nat /bin/no\ninstall nf_nat /bin/it\n"]),
    ("/bin/it", ["install nf_nat\r\ninstall nf_nat /bin/it\n"]),
    ("/bin/it", ["install nf_nat /bin/it\0install nf_nat /bin/no\n"]),
    # Blanks alone are a command too.
    ("", ["install nf_nat  \ninstall nf_nat /bin/no\n"]),
]


# kmod 28 and 34 take names for patterns once they have found the module, so not in the tree of the test below.
PATTERNS = [
    ("/bin/it", ["install nf_n* /bin/it\n", "install nf_nat /bin/no\n"]),
    ("/bin/it", ["install nf[_-]nat /bin/it\n"]),
    ("/bin/it", ["install nf[-]nat /bin/no\n", "install nf?nat /bin/it\n"]),
    ("/bin/it", ["install \\\\nf?nat /bin/it\n"]),
]


def drop_ins(*texts):
    paths = [f"/etc/modprobe.d/{number}.conf" for number in range(len(texts))]
    return DropIns("modprobe.d", tuple(ConfFile(path, path, text) for path, text in zip(paths, texts)))


@pytest.mark.parametrize(("wanted", "texts"), INSTALLS + PATTERNS)
def test_the_first_install_that_fits_is_run(wanted, texts):
    found = install_origin(drop_ins(*texts), "nf_nat")
    assert (None if found is None else found.value) == wanted


@pytest.mark.skipif(MODPROBE is None, reason="no modprobe here to compare with")
@pytest.mark.parametrize(("wanted", "texts"), INSTALLS)
def test_modprobe_of_this_machine_runs_it_so(tmp_path, wanted, texts):
    modules = tmp_path / "lib" / "modules" / "1"
    modules.mkdir(parents=True)
    (modules / "modules.dep").write_text("a/nf_nat.ko:\n", encoding="utf-8")
    config = tmp_path / "conf"
    config.mkdir()
    for number, text in enumerate(texts):
        (config / f"{number}.conf").write_bytes(text.encode("utf-8"))
    command = [MODPROBE, "-d", str(tmp_path), "-S", "1", "-C", str(config), "--show-depends", "nf_nat"]
    shown = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout.decode()
    words = shown.split()
    assert (" ".join(words[1:]) if words[:1] == ["install"] else None) == wanted


@pytest.mark.parametrize(
    ("command", "blocks"),
    [
        ("/bin/false", True),
        ("/bin/true", True),
        ("true", True),
        (":", True),
        ("exit 1", True),
        ("/usr/bin/false x", True),
        ("/sbin/modprobe --ignore-install nf_nat", False),
        ("/bin/true; /sbin/insmod x", False),
        ("", True),
        ("/bin/false $(/sbin/modprobe -i nf_nat)", False),
        ("/bin/false $x", True),
        ("/bin/false `modprobe -i nf_nat`", False),
        ("/bin/true <(modprobe -i nf_nat)", False),
        ("/bin/true >(modprobe -i nf_nat)", False),
    ],
)
def test_a_command_that_loads_nothing_is_a_block(command, blocks):
    assert is_block(command) is blocks


@pytest.mark.parametrize(
    ("command", "refuses"),
    [
        ("/bin/false", True),
        ("/usr/bin/false x", True),
        ("/bin/true", False),
        ("exit 1", False),
        ("/bin/false || /sbin/modprobe -i nf_nat", False),
        ("", False),
        ("/bin/false $(/sbin/modprobe -i nf_nat)", False),
    ],
)
def test_a_command_that_only_fails_is_a_refusal(command, refuses):
    assert is_refusal(command) is refuses


def test_what_keeps_out_conntrack_keeps_out_nat():
    place = {"file": "/etc/modprobe.d/0.conf", "line": 2}
    assert blocked(drop_ins("\ninstall nf_conntrack /bin/false\n")) == {"nat": place, "conntrack": place}
    assert blocked(drop_ins("\ninstall nf_nat /bin/false\n")) == {"nat": place, "conntrack": None}


@pytest.mark.parametrize(
    ("command", "before", "after"),
    [
        ("/sbin/modprobe -i nf_conntrack hashsize=5 $CMDLINE_OPTS", ["5"], []),
        ("/sbin/modprobe -i nf_conntrack $CMDLINE_OPTS hashsize=5", [], ["5"]),
        ("/sbin/modprobe -i nf_conntrack hashsize=5; /sbin/sysctl --system", [], ["5"]),
        ('/bin/sh -c \'/sbin/insmod /x.ko "hashsize=5" hashsize="6"\'', [], ["5", "6"]),
        ("/sbin/modprobe -i nf_conntrack expect_hashsize=5 expect-hashsize=6", [], []),
        ("/sbin/modprobe -i nf_conntrack $CMDLINE_OPTS", [], []),
        ("/bin/false hashsize=5", [], []),
    ],
)
def test_a_parameter_in_a_command_that_loads_the_module_is_found(command, before, after):
    found = command_origins(drop_ins(f"\ninstall nf_conntrack {command}\n"), "nf_conntrack", "hashsize")
    assert tuple([origin.value for origin in origins] for origins in found) == (before, after)
    assert all(origin.number == 2 for origins in found for origin in origins)
    assert command_origins(drop_ins(f"install nf_nat {command}\n"), "nf_conntrack", "hashsize") == ([], [])


@pytest.mark.skipif(MODPROBE is None, reason="no modprobe here to compare with")
def test_modprobe_of_this_machine_puts_the_options_of_files_where_the_command_has_them(tmp_path):
    modules = tmp_path / "lib" / "modules" / "6.1.0"
    modules.mkdir(parents=True)
    (modules / "modules.dep").write_text("kernel/x_none.ko:\n", encoding="utf-8")
    configuration = tmp_path / "modprobe.d"
    configuration.mkdir()
    (configuration / "a.conf").write_text(
        "options x_none p=1\ninstall x_none echo given p=2 $CMDLINE_OPTS p=3\n", encoding="utf-8"
    )
    printed = subprocess.run(
        [MODPROBE, "-d", str(tmp_path), "-S", "6.1.0", "-C", str(configuration), "x_none"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    ).stdout.decode()
    assert printed.split() == ["given", "p=2", "p=1", "p=3"]


def test_the_first_blacklist_is_named():
    found = blacklist_origin(drop_ins("blacklist nf_natx\n", "\nblacklist nf-nat\n"), "nf_nat")
    assert (found.path, found.number) == ("/etc/modprobe.d/1.conf", 2)
    assert blacklist_origin(drop_ins("blacklist\n"), "nf_nat") is None


LINES = st.lists(
    st.sampled_from(
        [
            "install nf_nat /bin/false\n",
            "install nf-nat \\\n x\n",
            "install nf_* x\n",
            "blacklist nf_nat\n",
            "# install nf_nat x\n",
            "options nf_nat x=1\n",
            "\udcff\n",
            "\n",
            "remove nf_nat x\n",
        ]
    )
)


@given(LINES)
def test_dropping_a_command_leaves_every_other_byte(lines):
    after = drop_install("".join(lines), "nf_nat")
    assert after == "".join(line for line in lines if not line.startswith(("install nf_nat", "install nf-nat")))
    blocks = ("install nf_nat /bin/false",)
    assert drop_block("".join(lines), "nf_nat") == "".join(line for line in lines if not line.startswith(blocks))
    assert drop_blacklist("".join(lines), "nf_nat") == "".join(
        line for line in lines if not line.startswith("blacklist")
    )


@given(PIECES)
def test_no_text_is_a_crash_for_commands(text):
    install_origin(drop_ins(text), "nf_nat")
    blocked(drop_ins(text, drop_install(text, "nf_nat")))
