# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
import tempfile
import typing as t
from pathlib import Path

import pytest
from conf_files import drop_ins
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._config import modprobe_d, procps_sysctl
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import ConfFile, DropIns, Reading, read
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host


@pytest.fixture
def tree(tmp_path):
    """``tree({path: text or {"link": target} or None for a directory})``: a host with these paths."""
    return lambda entries: make(tmp_path, entries)


def make(root, entries):
    for path, entry in entries.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if entry is None:
            place.mkdir()
        elif isinstance(entry, dict):
            place.symlink_to(entry["link"])
        else:
            place.write_bytes(entry.encode("utf-8", "surrogateescape"))
    return Host(str(root))


def paths(drop_ins):
    return [conf.path for conf in drop_ins.files]


@pytest.mark.parametrize("kind", ["sysctl.d", "modprobe.d", "modules-load.d"])
def test_a_file_hides_those_of_the_same_name_in_later_directories(tree, kind):
    for hidden, base in enumerate(["/lib", "/usr/lib", "/usr/local/lib", "/run", "/etc"]):
        path = f"{base}/{kind}/a.conf"
        drop_ins = read(tree({path: base}), kind)
        assert [(conf.path, conf.text) for conf in drop_ins.files] == [(path, base)], hidden


def test_files_are_read_in_the_order_of_their_names_whatever_the_directory(tree):
    host = tree(
        {
            "/etc/sysctl.d/10-a.conf": "",
            "/usr/lib/sysctl.d/99-zz.conf": "",
            "/etc/sysctl.d/Z.conf": "",
            "/run/sysctl.d/20-b.conf": "",
            "/etc/sysctl.d/zz.conf": "",
            "/usr/local/lib/sysctl.d/99-a.conf": "",
        }
    )
    names = [conf.name for conf in read(host, "sysctl.d").files]
    assert names == ["10-a.conf", "20-b.conf", "99-a.conf", "99-zz.conf", "Z.conf", "zz.conf"]


@pytest.mark.parametrize("name", ["README", "a.conf~", "a.conf.bak", "a.CONF", ".a.conf", ".conf", "a"])
def test_only_visible_conf_files_are_read(tree, name):
    drop_ins = read(tree({"/etc/sysctl.d/" + name: "x"}), "sysctl.d")
    assert drop_ins.files == ()
    assert not drop_ins.reads("/etc/sysctl.d/" + name)


@pytest.mark.parametrize("mask", ["/dev/null", "/nowhere", "../../dev/null"])
def test_a_mask_or_a_dangling_link_hides_the_vendor_file(tree, mask):
    drop_ins = read(tree({"/etc/sysctl.d/a.conf": {"link": mask}, "/usr/lib/sysctl.d/a.conf": "x"}), "sysctl.d")
    assert [(conf.path, conf.text) for conf in drop_ins.files] == [("/etc/sysctl.d/a.conf", "")]
    assert drop_ins.hidden_by("/usr/lib/sysctl.d/a.conf") == "/etc/sysctl.d/a.conf"


def test_a_directory_with_a_files_name_is_passed_over(tree):
    assert read(tree({"/etc/sysctl.d/a.conf": None}), "sysctl.d").files == ()


def test_modprobe_looks_past_what_is_no_file_and_systemd_and_procps_do_not(tree):
    host = tree(
        {
            "/etc/modprobe.d/a.conf": None,
            "/lib/modprobe.d/a.conf": "x",
            "/etc/modprobe.d/b.conf": {"link": "nowhere"},
            "/lib/modprobe.d/b.conf": "x",
            "/etc/modprobe.d/c.conf": {"link": "/dev/null"},
            "/lib/modprobe.d/c.conf": "x",
            "/dev/null": "",
        }
    )
    found = read(host, "modprobe.d", modprobe_d.READING)
    assert paths(found) == ["/lib/modprobe.d/a.conf", "/lib/modprobe.d/b.conf", "/etc/modprobe.d/c.conf"]
    assert paths(read(host, "modprobe.d")) == ["/etc/modprobe.d/b.conf", "/etc/modprobe.d/c.conf"]


def test_procps_reads_hidden_files_and_sysctl_conf_last_of_all(tree):
    host = tree(
        {
            "/etc/sysctl.conf": "x",
            "/etc/sysctl.d/99-sysctl.conf": {"link": "../sysctl.conf"},
            "/run/sysctl.d/.a.conf": "",
            "/etc/sysctl.d/zz.conf": "",
            "/usr/lib/sysctl.d/zz.conf": "",
        }
    )
    found = read(host, "sysctl.d", procps_sysctl.READING)
    assert paths(found) == [
        "/run/sysctl.d/.a.conf",
        "/etc/sysctl.d/99-sysctl.conf",
        "/etc/sysctl.d/zz.conf",
        "/etc/sysctl.conf",
    ]
    assert found.reads("/etc/sysctl.conf") and found.reads("/etc/sysctl.d/.new.conf")
    assert found.names_of("/etc/sysctl.conf") == {"/etc/sysctl.conf", "/etc/sysctl.d/99-sysctl.conf"}
    assert found.after("/etc/sysctl.d/99-sysctl.conf") == ()
    assert [conf.path for conf in found.after("/etc/sysctl.d/zz.conf")] == ["/etc/sysctl.conf"]
    changed = found.with_text("/etc/sysctl.d/99-sysctl.conf", "y").with_text("/etc/sysctl.d/zzz.conf", "z")
    assert [conf.text for conf in changed.files] == ["", "y", "", "z", "y"]
    without = read(tree({}), "sysctl.d", procps_sysctl.READING).with_text("/etc/sysctl.conf", None)
    assert without.reads("/etc/sysctl.conf")


def test_sysctl_conf_is_read_through_debians_link_at_the_links_place(tree):
    host = tree(
        {
            "/etc/sysctl.conf": "x",
            "/etc/sysctl.d/99-sysctl.conf": {"link": "../sysctl.conf"},
            "/etc/sysctl.d/zz.conf": "",
        }
    )
    drop_ins = read(host, "sysctl.d")
    assert [(conf.path, conf.target, conf.text) for conf in drop_ins.files] == [
        ("/etc/sysctl.d/99-sysctl.conf", "/etc/sysctl.conf", "x"),
        ("/etc/sysctl.d/zz.conf", "/etc/sysctl.d/zz.conf", ""),
    ]
    assert drop_ins.reads("/etc/sysctl.conf")


def test_a_lib_that_is_a_link_to_usr_lib_is_not_read_twice(tree):
    host = tree({"/usr/lib/sysctl.d/a.conf": "x", "/lib": {"link": "usr/lib"}})
    assert paths(read(host, "sysctl.d")) == ["/usr/lib/sysctl.d/a.conf"]


def test_no_directory_at_all_is_no_files(tree):
    assert read(tree({}), "sysctl.d").files == ()


def test_bytes_that_are_no_utf_8_are_kept(tree):
    assert read(tree({"/etc/sysctl.d/a.conf": "# \udcff"}), "sysctl.d").files[0].text == "# \udcff"


def test_a_ring_of_links_is_passed_over_as_the_programs_do(tree):
    host = tree(
        {"/etc/sysctl.d/a.conf": {"link": "a.conf"}, "/etc/sysctl.d/b.conf": "", "/usr/lib/sysctl.d/a.conf": ""}
    )
    assert [conf.path for conf in read(host, "sysctl.d").files] == ["/etc/sysctl.d/b.conf"]
    reading = Reading(unreadable_hides=False)
    assert [conf.path for conf in read(host, "sysctl.d", reading).files] == [
        "/usr/lib/sysctl.d/a.conf",
        "/etc/sysctl.d/b.conf",
    ]


def test_a_link_to_nowhere_has_no_content(tree):
    conf = read(tree({"/etc/sysctl.d/a.conf": {"link": "nowhere"}}), "sysctl.d").files[0]
    assert (conf.text, conf.content) == ("", None)


def test_an_error_that_says_nothing_of_a_ring_of_links_is_not_passed_over(tree):
    host = tree({"/etc/sysctl.d/a.conf": ""})
    resolve = host.resolve

    def fail(path):
        if path == "/etc/sysctl.d/a.conf":
            raise HostError("follow", path, os.strerror(errno.EIO), errno.EIO)
        return resolve(path)

    host.resolve = fail
    with pytest.raises(HostError, match=r"cannot follow /etc/sysctl\.d/a\.conf"):
        read(host, "sysctl.d")


class Place(t.NamedTuple):
    """A path for a file, what hides it, and what it would hide, where other files are there."""

    path: str
    hidden_by: str | None
    hides: str | None


HIDING = [
    Place("/etc/sysctl.d/new.conf", None, None),
    Place("/etc/sysctl.d/vendor.conf", None, "/usr/lib/sysctl.d/vendor.conf"),
    Place("/usr/lib/sysctl.d/vendor.conf", None, None),
    Place("/usr/local/lib/sysctl.d/mine.conf", "/etc/sysctl.d/mine.conf", None),
    Place("/run/sysctl.d/vendor.conf", None, "/usr/lib/sysctl.d/vendor.conf"),
    Place("/etc/sysctl.d/mine.conf", None, None),
    Place("/etc/sysctl.conf", None, None),
]


@pytest.mark.parametrize("place", HIDING, ids=lambda place: place.path)
def test_which_file_a_new_one_would_hide_or_be_hidden_by(place):
    there = drop_ins("sysctl.d", {"/etc/sysctl.d/mine.conf": "", "/usr/lib/sysctl.d/vendor.conf": ""})
    assert (there.hidden_by(place.path), there.hides(place.path)) == (place.hidden_by, place.hides)


def test_a_file_is_known_by_all_its_names_and_read_last_by_the_last_of_them():
    there = drop_ins(
        "sysctl.d",
        {
            "/etc/sysctl.d/10-a.conf": ConfFile("/etc/sysctl.d/10-a.conf", "/etc/a", "1"),
            "/etc/sysctl.d/20-b.conf": "2",
            "/etc/sysctl.d/30-a.conf": ConfFile("/etc/sysctl.d/30-a.conf", "/etc/a", "1"),
            "/etc/sysctl.d/40-c.conf": "4",
            "/etc/sysctl.d/50-mask.conf": ConfFile("/etc/sysctl.d/50-mask.conf", "/dev/null", ""),
            "/etc/sysctl.d/60-mask.conf": ConfFile("/etc/sysctl.d/60-mask.conf", "/dev/null", ""),
        },
    )
    names = {"/etc/a", "/etc/sysctl.d/10-a.conf", "/etc/sysctl.d/30-a.conf"}
    for name in names:
        assert there.names_of(name) == names
        assert there.after(name)[0].name == "40-c.conf"
    # Two masks are no names of one file.
    assert there.names_of("/etc/sysctl.d/50-mask.conf") == {"/etc/sysctl.d/50-mask.conf"}
    assert there.names_of("/etc/none.conf") == {"/etc/none.conf"} and there.after("/etc/none.conf") == there.files


@pytest.mark.parametrize(
    ("target", "is_theirs", "place"),
    [
        ("/etc/sysctl.d/a.conf", True, "/etc/sysctl.d/a.conf"),
        ("/etc/ct.conf", True, "/etc/sysctl.d/a.conf -> /etc/ct.conf"),
        ("/usr/share/ct.conf", False, "/etc/sysctl.d/a.conf -> /usr/share/ct.conf"),
        ("/etcetera/ct.conf", False, "/etc/sysctl.d/a.conf -> /etcetera/ct.conf"),
    ],
)
def test_whose_a_file_is_is_told_by_where_its_bytes_are(target, is_theirs, place):
    conf = ConfFile("/etc/sysctl.d/a.conf", target, "")
    assert conf.is_administrators is is_theirs and conf.place == place


@pytest.mark.parametrize(
    ("path", "is_read"),
    [
        ("/etc/sysctl.d/new.conf", True),
        ("/usr/lib/sysctl.d/new.conf", True),
        ("/etc/sysctl.conf", False),
        ("/etc/sysctl.d/new", False),
        ("/etc/sysctl.d/sub/new.conf", False),
        ("/etc/new.conf", False),
        # Of the same name as one that is there.
        ("/usr/lib/sysctl.d/a.conf", False),
        ("/etc/a.conf", False),
        ("/etc/sysctl.d/a.conf", True),
    ],
)
def test_which_new_file_would_be_read(tree, path, is_read):
    drop_ins = read(tree({"/run/sysctl.d/a.conf": "x"}), "sysctl.d")
    assert drop_ins.reads(path) is is_read


def test_a_text_that_is_planned_takes_its_place_in_the_order(tree):
    drop_ins = read(tree({"/etc/sysctl.d/b.conf": "x", "/etc/sysctl.d/c.conf": {"link": "b.conf"}}), "sysctl.d")
    more = drop_ins.with_text("/etc/sysctl.d/a.conf", "new")
    assert [(conf.name, conf.text) for conf in more.files] == [("a.conf", "new"), ("b.conf", "x"), ("c.conf", "x")]
    both = drop_ins.with_text("/etc/sysctl.d/b.conf", "new")
    assert [(conf.name, conf.text) for conf in both.files] == [("b.conf", "new"), ("c.conf", "new")]
    assert paths(more.with_text("/etc/sysctl.d/a.conf", None)) == paths(drop_ins)
    assert drop_ins.with_text("/etc/unread", "new") == drop_ins


def test_planning_changes_nothing_that_was_read():
    drop_ins = DropIns("sysctl.d", ())
    drop_ins.with_text("/etc/sysctl.d/a.conf", "new")
    assert drop_ins.files == ()


def test_a_sysctl_conf_that_leads_round_in_a_ring_is_passed_over(tree):
    assert read(tree({"/etc/sysctl.conf": {"link": "sysctl.conf"}}), "sysctl.d", procps_sysctl.READING).files == ()


# --- what is planned is what will be read


DIRECTORIES = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/lib/sysctl.d")
PLACES = [f"{directory}/{name}.conf" for directory in DIRECTORIES for name in "abc"] + ["/etc/sysctl.conf", "/srv/x"]
ENTRIES = st.one_of(st.sampled_from(["old", "older"]), st.sampled_from(PLACES).map(lambda link: {"link": link}))
READINGS = st.sampled_from([Reading(), modprobe_d.READING, procps_sysctl.READING])
TREES = st.dictionaries(st.sampled_from(PLACES), ENTRIES)

NEXT_TO_IT = {"/etc/sysctl.d/a.conf": {"link": "b.conf"}}


def leads_round(host, path):
    try:
        host.resolve(path)
    except HostError:
        return True
    return False


@given(entries=TREES, path=st.sampled_from(PLACES), reading=READINGS)
@example(entries=NEXT_TO_IT, path="/etc/sysctl.d/a.conf", reading=Reading())
@example(entries=NEXT_TO_IT, path="/etc/sysctl.d/a.conf", reading=modprobe_d.READING)
@example(
    entries=dict(NEXT_TO_IT, **{"/usr/lib/sysctl.d/b.conf": "older"}), path="/etc/sysctl.d/a.conf", reading=Reading()
)
@example(
    entries={"/etc/sysctl.d/b.conf": {"link": "../sysctl.conf"}}, path="/etc/sysctl.conf", reading=procps_sysctl.READING
)
def test_a_file_that_is_planned_is_read_by_the_same_names_when_it_is_written(tmp_path_factory, entries, path, reading):
    with tempfile.TemporaryDirectory(dir=str(tmp_path_factory.getbasetemp())) as root:
        host = make(Path(root), entries)
        for directory in (*DIRECTORIES, "/srv"):
            host.make_directory(directory)
        before = read(host, "sysctl.d", reading)
        # What is not so is refused before anything is planned.
        assume(not any(leads_round(host, place) for place in PLACES))
        assume(before.reads(path) and before.hidden_by(path) is None)
        planned = before.with_text(path, "new")
        host.replace(path, b"new")
        assert read(host, "sysctl.d", reading) == planned


#: No file of these hides another, of which nobody would know what it says.
UNHIDDEN = st.dictionaries(st.sampled_from("abc"), st.tuples(st.sampled_from(DIRECTORIES), ENTRIES), min_size=1).map(
    lambda found: {f"{directory}/{name}.conf": entry for name, (directory, entry) in found.items()}
)


@given(entries=UNHIDDEN, sysctl_conf=st.sampled_from(["old", None]), number=st.integers(0), reading=READINGS)
@example(
    entries={"/etc/sysctl.d/a.conf": {"link": "../sysctl.conf"}},
    sysctl_conf="old",
    number=0,
    reading=procps_sysctl.READING,
)
@example(
    entries=dict(NEXT_TO_IT, **{"/etc/sysctl.d/b.conf": "old"}), sysctl_conf=None, number=0, reading=modprobe_d.READING
)
def test_a_file_that_is_planned_to_go_is_not_read_when_it_is_gone(
    tmp_path_factory, entries, sysctl_conf, number, reading
):
    with tempfile.TemporaryDirectory(dir=str(tmp_path_factory.getbasetemp())) as root:
        host = make(Path(root), dict(entries, **({} if sysctl_conf is None else {"/etc/sysctl.conf": sysctl_conf})))
        before = read(host, "sysctl.d", reading)
        there = [conf.path for conf in before.files if conf.content is not None]
        assume(there)
        path = there[number % len(there)]
        planned = before.with_text(path, None)
        host.remove(path)
        assert read(host, "sysctl.d", reading) == planned


@pytest.mark.parametrize("reading", [Reading(), modprobe_d.READING])
def test_a_file_that_would_hide_one_of_its_links_name_is_told(tree, reading):
    found = read(tree(dict(NEXT_TO_IT, **{"/usr/lib/sysctl.d/b.conf": "x"})), "sysctl.d", reading)
    assert found.hides("/etc/sysctl.d/a.conf") == "/usr/lib/sysctl.d/b.conf"
    assert read(tree({}), "sysctl.d", reading).hides("/etc/sysctl.d/c.conf") is None
