# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are replaced, written and removed, whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import struct

import pytest
from small_host import fail, names

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._host import TEMPORARY, Host
from ansible_collections.netops.conntrack.plugins.module_utils._machine import files


@pytest.fixture
def host(tmp_path):
    (tmp_path / "etc").mkdir()
    return Host(str(tmp_path))


ACL = "system.posix_acl_access"

#: Where an entry of an access list is about no user or group by number.
NOBODY = 0xFFFFFFFF


def test_a_new_file_can_be_read_by_all_whatever_the_umask(host, tmp_path):
    before = os.umask(0o077)
    try:
        host.replace("/etc/a.conf", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "etc" / "a.conf").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "etc" / "a.conf").stat().st_mode) == 0o644
    assert names(tmp_path) == ["a.conf"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o444])
def test_a_replaced_file_keeps_its_mode(host, tmp_path, mode):
    place = tmp_path / "etc" / "a.conf"
    place.write_bytes(b"old")
    place.chmod(mode)
    host.replace("/etc/a.conf", b"new")
    assert place.read_bytes() == b"new"
    assert stat.S_IMODE(place.stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_replaced_file_keeps_its_owner(host, tmp_path):
    place = tmp_path / "etc" / "a.conf"
    place.write_bytes(b"old")
    os.chown(str(place), 12, 34)
    place.chmod(0o2640)
    host.replace("/etc/a.conf", b"new")
    assert (place.stat().st_uid, place.stat().st_gid, stat.S_IMODE(place.stat().st_mode)) == (12, 34, 0o2640)


def test_a_link_stays_and_its_target_is_replaced(host, tmp_path):
    (tmp_path / "etc" / "sysctl.d").mkdir()
    (tmp_path / "etc" / "sysctl.conf").write_bytes(b"old")
    link = tmp_path / "etc" / "sysctl.d" / "99-sysctl.conf"
    link.symlink_to("../sysctl.conf")
    host.replace("/etc/sysctl.d/99-sysctl.conf", b"new")
    assert os.readlink(str(link)) == "../sysctl.conf"
    assert (tmp_path / "etc" / "sysctl.conf").read_bytes() == b"new"
    assert names(tmp_path) == ["sysctl.conf", "sysctl.d"]


def test_an_absolute_link_is_replaced_inside_the_root(host, tmp_path):
    (tmp_path / "etc" / "a.conf").symlink_to("/etc/b.conf")
    host.replace("/etc/a.conf", b"new")
    assert (tmp_path / "etc" / "b.conf").read_bytes() == b"new"


def test_what_is_no_regular_file_is_never_replaced(host, tmp_path):
    # As a link to /dev/null would lead to.
    os.mkfifo(str(tmp_path / "null"))
    (tmp_path / "etc" / "a.conf").symlink_to("/null")
    assert not host.replaceable("/etc/a.conf")
    with pytest.raises(HostError, match="cannot write /etc/a.conf: it is not a regular file"):
        host.replace("/etc/a.conf", b"new")
    assert stat.S_ISFIFO((tmp_path / "null").stat().st_mode)


def access_list(user):
    """The value of system.posix_acl_access: owner, one more user, group, mask, others."""
    entries = [(1, 6, NOBODY), (2, 6, user), (4, 4, NOBODY), (0x10, 6, NOBODY), (0x20, 0, NOBODY)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def test_the_access_list_of_a_file_is_kept(host, tmp_path):
    place = str(tmp_path / "etc" / "a.conf")
    (tmp_path / "etc" / "a.conf").write_bytes(b"old")
    try:
        os.setxattr(place, ACL, access_list(1000))
    except OSError:
        pytest.skip("the file system of the tests has no access lists")
    host.replace("/etc/a.conf", b"new")
    assert os.getxattr(place, ACL) == access_list(1000)


def test_a_file_without_an_access_list_does_not_take_over_that_of_its_directory(host, tmp_path):
    place = tmp_path / "etc" / "a.conf"
    place.write_bytes(b"old")
    try:
        os.setxattr(str(tmp_path / "etc"), "system.posix_acl_default", access_list(1000))
    except OSError:
        pytest.skip("the file system of the tests has no access lists")
    host.replace("/etc/a.conf", b"new")
    assert ACL not in os.listxattr(str(place)) and stat.S_IMODE(place.stat().st_mode) == 0o644


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("open", errno.ENOSPC),
        ("open", errno.EROFS),
        ("write", errno.ENOSPC),
        ("fsync", errno.ENOSPC),
        ("fsync", errno.EIO),
        ("fchmod", errno.EPERM),
        ("fchown", errno.EPERM),
        ("rename", errno.EIO),
        ("rename", errno.EXDEV),
    ],
)
def test_a_failure_leaves_the_old_file_and_no_other(host, tmp_path, monkeypatch, call, code):
    place = tmp_path / "etc" / "a.conf"
    place.write_bytes(b"old")
    if call == "fchown":
        monkeypatch.setattr(files.os, "fstat", lambda _descriptor: os.stat_result((0, 0, 0, 0, -1, -1, 0, 0, 0, 0)))
    with monkeypatch.context() as patch, pytest.raises(HostError) as raised:
        patch.setattr(files.os, call, fail(code))
        host.replace("/etc/a.conf", b"new")
    assert raised.value.message == "cannot write /etc/a.conf: " + os.strerror(code)
    assert raised.value.code == code
    assert place.read_bytes() == b"old"
    assert names(tmp_path) == ["a.conf"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_leaves_the_old_file_and_no_other(host, tmp_path, monkeypatch):
    place = tmp_path / "etc" / "a.conf"
    place.write_bytes(b"old")
    make = os.open

    def full(path, flags, mode=0o777):
        descriptor = make(path, flags, mode)
        if not flags & os.O_CREAT:
            return descriptor
        os.close(descriptor)
        return make("/dev/full", os.O_WRONLY)

    monkeypatch.setattr(files.os, "open", full)
    monkeypatch.setattr(files, "_copy_attributes", lambda _source, _descriptor: None)
    with pytest.raises(HostError, match="No space left on device"):
        host.replace("/etc/a.conf", b"new")
    assert place.read_bytes() == b"old"
    assert names(tmp_path) == ["a.conf"]


def test_a_failure_that_also_keeps_the_temporary_file_is_still_one_clear_error(host, monkeypatch):
    monkeypatch.setattr(files.os, "rename", fail(errno.EIO))
    monkeypatch.setattr(files.os, "unlink", fail(errno.EIO))
    with pytest.raises(HostError, match="cannot write /etc/a.conf"):
        host.replace("/etc/a.conf", b"new")


def test_data_reaches_the_disk_before_the_name_does(host, monkeypatch):
    calls = []
    fsync, rename = os.fsync, os.rename

    def kind(descriptor):
        return "directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"

    monkeypatch.setattr(files.os, "fsync", lambda fd: (calls.append("fsync " + kind(fd)), fsync(fd)))
    monkeypatch.setattr(files.os, "rename", lambda *paths: (calls.append("rename"), rename(*paths)))
    host.replace("/etc/a.conf", b"new")
    assert calls == ["fsync file", "rename", "fsync directory"]


def test_no_reader_of_drop_ins_takes_the_temporary_file(host, monkeypatch):
    made = []
    monkeypatch.setattr(files.os, "rename", lambda old, new: made.append(os.path.basename(old)))
    host.replace("/etc/a.conf", b"new")
    assert made[0].startswith(".") and not made[0].endswith((".conf", ".rules"))


def test_what_a_stopped_run_left_is_in_nobodys_way(host, tmp_path):
    (tmp_path / "etc" / TEMPORARY).write_bytes(b"ne")
    assert host.leftover("/etc") == "/etc/" + TEMPORARY
    host.replace("/etc/a.conf", b"new")
    assert names(tmp_path) == ["a.conf"]
    assert host.leftover("/etc") is None


@pytest.mark.parametrize("kind", ["link", "link to nowhere", "directory", "fifo"])
def test_what_no_run_left_is_not_removed_whatever_its_name(host, tmp_path, kind):
    place, other = tmp_path / "etc" / TEMPORARY, tmp_path / "other"
    other.write_bytes(b"precious")
    if kind == "directory":
        place.mkdir()
    elif kind == "fifo":
        os.mkfifo(str(place))
    else:
        place.symlink_to("../other" if kind == "link" else "nowhere")
    (tmp_path / "etc" / "a.conf").write_bytes(b"old")
    before = place.lstat()
    assert host.leftover("/etc") is None
    with pytest.raises(
        HostError, match="cannot write /etc/[.]netops-conntrack.tmp: it is not a regular file, .* move it away"
    ):
        host.replace("/etc/a.conf", b"new")
    assert place.lstat().st_ino == before.st_ino
    assert other.read_bytes() == b"precious" and (tmp_path / "etc" / "a.conf").read_bytes() == b"old"


def test_a_name_as_long_as_names_can_be_is_replaced(host, tmp_path):
    path = "/etc/" + "a" * 250 + ".conf"
    host.replace(path, b"new")
    assert names(tmp_path) == [path[len("/etc/") :]]


def test_a_value_is_written_with_one_write(host, tmp_path, monkeypatch):
    (tmp_path / "etc" / "key").write_bytes(b"a longer value\n")
    writes = []
    write = os.write
    monkeypatch.setattr(files.os, "write", lambda fd, data: (writes.append(data), write(fd, data)))
    host.write_value("/etc/key", "12")
    assert writes == [b"12\n"]
    assert (tmp_path / "etc" / "key").read_bytes() == b"12\n"


def test_a_refused_value_is_named_with_the_kernels_reason(host, tmp_path, monkeypatch):
    (tmp_path / "etc" / "key").write_bytes(b"1\n")
    monkeypatch.setattr(files.os, "write", fail(errno.EINVAL))
    with pytest.raises(HostError, match="^cannot write 12 to /etc/key: Invalid argument$"):
        host.write_value("/etc/key", "12")


def test_writing_a_value_never_makes_a_file(host, tmp_path):
    with pytest.raises(HostError, match="No such file"):
        host.write_value("/etc/key", "12")
    assert names(tmp_path) == []


def test_making_a_directory_makes_what_is_missing_above_it(host, tmp_path):
    assert host.make_directory("/etc/a/b/c") == ["/etc/a", "/etc/a/b", "/etc/a/b/c"]
    assert (tmp_path / "etc" / "a" / "b" / "c").is_dir()
    assert host.make_directory("/etc/a/b/c") == []
    assert host.make_directory("") == []


def test_a_directory_that_cannot_be_made_leaves_none_of_those_above_it(host, tmp_path, monkeypatch):
    mkdir = os.mkdir

    def make(path, mode):
        if path.endswith("c"):
            fail(errno.ENOSPC)()
        mkdir(path, mode)

    monkeypatch.setattr(files.os, "mkdir", make)
    with pytest.raises(HostError, match="cannot create directory /etc/a/b/c: No space left"):
        host.make_directory("/etc/a/b/c")
    assert names(tmp_path) == []


def test_a_file_in_the_place_of_a_directory_is_an_error(host, tmp_path):
    (tmp_path / "etc" / "a").write_bytes(b"")
    with pytest.raises(HostError, match="/etc/a"):
        host.make_directory("/etc/a/b")
    assert (tmp_path / "etc" / "a").is_file()


def test_removing_follows_a_link_and_reports_what_is_not_there(host, tmp_path):
    (tmp_path / "etc" / "b").write_bytes(b"")
    (tmp_path / "etc" / "a").symlink_to("b")
    host.remove("/etc/a")
    assert names(tmp_path) == ["a"]
    with pytest.raises(HostError, match="cannot remove /etc/a: No such file"):
        host.remove("/etc/a")


def test_only_an_empty_directory_is_removed(host, tmp_path):
    (tmp_path / "etc" / "a").write_bytes(b"")
    with pytest.raises(HostError, match="cannot remove directory /etc: "):
        host.remove_directory("/etc")
