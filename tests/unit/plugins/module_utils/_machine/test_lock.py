# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run at a time."""

from __future__ import annotations

import errno
import os
import stat
import time

import pytest
from small_host import fail

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError, Refused
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
from ansible_collections.netops.conntrack.plugins.module_utils._machine import lock as lock_file


@pytest.fixture
def host(tmp_path):
    (tmp_path / "etc").mkdir()
    return Host(str(tmp_path))


@pytest.fixture
def lock(host, tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(lock_file, "_SECONDS", 0)
    return tmp_path / "run" / "netops-conntrack.lock"


def test_a_second_run_is_told_who_is_at_it_and_what_to_do(host, lock, tmp_path):
    with host.lock(), pytest.raises(Refused) as raised, Host(str(tmp_path)).lock():
        pytest.fail("two runs at once")
    for words in (f"process {os.getpid()} holds /run/netops-conntrack.lock", "Nothing was changed", "again"):
        assert words in raised.value.message
    with host.lock():
        pass


def test_a_run_waits_for_the_one_before_it(host, lock, tmp_path, monkeypatch):
    monkeypatch.setattr(lock_file, "_SECONDS", 60)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with host.lock():
            os.write(writing, b"in")
            (tmp_path / "etc" / "value").write_bytes(b"begun")
            time.sleep(0.3)
            (tmp_path / "etc" / "value").write_bytes(b"done")
            os._exit(0)
    assert os.read(reading, 2) == b"in"
    with host.lock():
        assert (tmp_path / "etc" / "value").read_bytes() == b"done"
    os.waitpid(child, 0)


def test_only_root_can_keep_others_from_changing_the_host(host, lock):
    before = os.umask(0)
    try:
        with host.lock():
            assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_a_link_in_the_place_of_the_lock_is_not_followed(host, lock, tmp_path):
    (tmp_path / "etc" / "precious").write_bytes(b"precious")
    lock.symlink_to("../etc/precious")
    with pytest.raises(HostError, match="cannot lock /run/netops-conntrack.lock: "), host.lock():
        pytest.fail("locked what somebody else chose")
    assert (tmp_path / "etc" / "precious").read_bytes() == b"precious"


def test_a_full_run_directory_keeps_no_run_from_being_the_only_one(host, lock, tmp_path, monkeypatch):
    monkeypatch.setattr(lock_file.os, "pwrite", fail(errno.ENOSPC))
    with host.lock(), pytest.raises(Refused, match="process unknown holds"), Host(str(tmp_path)).lock():
        pytest.fail("two runs at once")


def test_without_a_run_directory_nothing_is_changed_and_the_error_says_why(host, tmp_path):
    words = "No such file or directory. This lock keeps two runs .* make /run a directory"
    with pytest.raises(HostError, match=words), host.lock():
        pytest.fail("no lock")
    assert not (tmp_path / "run").exists()
