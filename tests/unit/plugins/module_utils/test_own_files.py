# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection's own files are read by the programs that they are for, and sort where they have to."""

from __future__ import annotations

import posixpath
import typing as t

import pytest
import runs
from collection_path import ROOT

from ansible_collections.netops.conntrack.plugins.module_utils import _own_files
from ansible_collections.netops.conntrack.plugins.module_utils._config import (
    drop_ins,
    modprobe_d,
    modules_load_d,
    procps_sysctl,
    systemd_sysctl,
    udev_files,
    udev_rules,
)
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import Reading


class Own(t.NamedTuple):
    """One of the files, the path that users know it by, and who reads it how."""

    path: str
    known: str
    kind: str
    readings: tuple[Reading, ...]


FILES = [
    Own(_own_files.SYSCTL_FILE, runs.SYSCTL_FILE, systemd_sysctl.KIND, (Reading(), procps_sysctl.READING)),
    Own(_own_files.MODPROBE_FILE, runs.MODPROBE_FILE, modprobe_d.KIND, (modprobe_d.READING,)),
    Own(_own_files.UDEV_FILE, runs.UDEV_FILE, udev_files.KIND, (udev_files.READING,)),
    Own(_own_files.LOAD_FILE, runs.LOAD_FILE, modules_load_d.KIND, (Reading(),)),
    Own(_own_files.BLOCK_FILE, runs.BLOCK_FILE, modprobe_d.KIND, (modprobe_d.READING,)),
    Own(
        _own_files.STACK_LOAD_FILES["nat"],
        "/etc/modules-load.d/netops-conntrack-nat.conf",
        modules_load_d.KIND,
        (Reading(),),
    ),
    Own(
        _own_files.STACK_LOAD_FILES["conntrack"],
        "/etc/modules-load.d/netops-conntrack-tracking.conf",
        modules_load_d.KIND,
        (Reading(),),
    ),
]


@pytest.mark.parametrize("own", FILES, ids=lambda own: own.known)
def test_a_file_keeps_its_path_and_is_read_by_what_it_is_for(own):
    # With another path, what earlier versions wrote would stay on hosts for ever.
    assert own.path == own.known
    directory, name = posixpath.split(own.path)
    assert directory == f"/etc/{own.kind}" == drop_ins.directories(own.kind)[0]
    assert all(reading.takes(name) for reading in own.readings)


def test_each_has_a_place_of_its_own():
    assert len({own.path for own in FILES}) == len(FILES)


#: Names that distributions and other tools use.
USUAL = ["10-magic.conf", "50-default.conf", "99-sysctl.conf", "99-zz.conf", "conntrack.conf", "nf_conntrack.conf"]


@pytest.mark.parametrize("path", [_own_files.SYSCTL_FILE, _own_files.MODPROBE_FILE])
def test_a_value_file_sorts_after_the_usual_names_since_the_last_one_wins(path):
    assert max([*USUAL, posixpath.basename(path)]) == posixpath.basename(path)


def test_the_block_sorts_before_the_usual_names_since_the_first_install_is_run():
    assert min([*USUAL, posixpath.basename(_own_files.BLOCK_FILE)]) == posixpath.basename(_own_files.BLOCK_FILE)


@pytest.mark.parametrize("header", [_own_files.SETTINGS_HEADER, _own_files.MODULES_HEADER])
def test_a_header_is_one_line_of_comment_in_every_format_and_names_the_module(header):
    assert header.count("\n") == 1 and header.endswith("\n")
    assert systemd_sysctl.parse(header) == procps_sysctl.parse(header) == modules_load_d.parse(header) == []
    files = drop_ins.DropIns(modprobe_d.KIND, (drop_ins.ConfFile("/etc/modprobe.d/a.conf", "", header),))
    assert modprobe_d.install_origin(files, "nf_conntrack") is None
    conf = drop_ins.ConfFile("/etc/udev/rules.d/a.rules", "", header)
    assert udev_rules.commands(drop_ins.DropIns(udev_files.KIND, (conf,)), "nf_conntrack") == []
    name = header.split()[-1]
    assert (ROOT / "plugins" / "modules" / (name.rpartition(".")[2] + ".py")).is_file()


def test_what_has_the_boot_load_tracking_loads_that_alone():
    assert [line.name for line in modules_load_d.parse(_own_files.LOAD_TEXT)] == ["nf_conntrack"]
    assert _own_files.LOAD_TEXT.startswith(_own_files.SETTINGS_HEADER)
