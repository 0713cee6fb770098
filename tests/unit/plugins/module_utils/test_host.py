# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
import signal
import stat
import struct
import sys
import threading
import time

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils import _host
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError, Interrupted, Refused
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

ACL = "system.posix_acl_access"

#: Where an entry of an access list is about no user or group by number.
NOBODY = 0xFFFFFFFF


@pytest.fixture
def host(tmp_path):
    (tmp_path / "etc").mkdir()
    return Host(str(tmp_path))


def names(tmp_path):
    return sorted(path.name for path in (tmp_path / "etc").iterdir())


def fail(code):
    def call(*_arguments, **_options):
        raise OSError(code, os.strerror(code))

    return call


# --- paths


@pytest.mark.parametrize(
    ("link", "resolved"),
    [
        ("b", "/etc/b"),
        ("/b", "/b"),
        ("../b", "/b"),
        ("../../../../b", "/b"),
        ("./x/../b", "/etc/b"),
        ("/proc/self/root/b", "/proc/self/root/b"),
    ],
)
def test_links_are_followed_inside_the_root(host, tmp_path, link, resolved):
    (tmp_path / "etc" / "a").symlink_to(link)
    assert host.resolve("/etc/a") == resolved
    assert host.resolve("/etc/./a/c") == resolved + "/c"


def test_links_to_links_and_to_directories_are_followed(host, tmp_path):
    (tmp_path / "lib").symlink_to("/usr/lib")
    (tmp_path / "usr").symlink_to("etc")
    assert host.resolve("/lib/a") == "/etc/lib/a"


def test_a_loop_of_links_is_an_error(host, tmp_path):
    (tmp_path / "etc" / "a").symlink_to("b")
    (tmp_path / "etc" / "b").symlink_to("a")
    with pytest.raises(HostError) as raised:
        host.resolve("/etc/a")
    assert raised.value.code == errno.ELOOP


# --- reading


@pytest.mark.parametrize("path", ["/etc/none", "/none/none", "/etc/file/none"])
def test_what_is_not_there_reads_as_nothing(host, tmp_path, path):
    (tmp_path / "etc" / "file").write_bytes(b"")
    assert host.read(path) is None
    assert host.read_value(path) is None
    assert list(host.lines(path)) == []
    assert host.names(path) == []
    assert not host.exists(path)


def test_a_directory_cannot_be_read_and_a_file_cannot_be_listed(host, tmp_path):
    with pytest.raises(HostError, match="cannot read /etc: "):
        host.read("/etc")
    (tmp_path / "file").write_bytes(b"")
    assert host.names("/file") == []


def test_a_value_is_text_without_white_space_around_it(host, tmp_path):
    (tmp_path / "etc" / "value").write_bytes(b" 65536\t1 \n")
    assert host.read_value("/etc/value") == "65536\t1"


# --- replacing


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


@pytest.mark.parametrize(("denied", "replaceable"), [("none", True), ("etc/a.conf", False), ("etc", False)])
def test_a_file_can_be_replaced_where_its_directory_can_be_written_too(
    host, tmp_path, monkeypatch, denied, replaceable
):
    (tmp_path / "etc" / "a.conf").write_bytes(b"")
    # As an immutable file or directory answers root.
    monkeypatch.setattr(_host.os, "access", lambda path, _mode: path != str(tmp_path / denied))
    assert host.replaceable("/etc/a.conf") is replaceable
    assert host.replaceable("/etc/new.d/new.conf") is (denied != "etc")


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
        monkeypatch.setattr(_host.os, "fstat", lambda _descriptor: os.stat_result((0, 0, 0, 0, -1, -1, 0, 0, 0, 0)))
    with monkeypatch.context() as patch, pytest.raises(HostError) as raised:
        patch.setattr(_host.os, call, fail(code))
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

    monkeypatch.setattr(_host.os, "open", full)
    monkeypatch.setattr(_host, "_copy_attributes", lambda _source, _descriptor: None)
    with pytest.raises(HostError, match="No space left on device"):
        host.replace("/etc/a.conf", b"new")
    assert place.read_bytes() == b"old"
    assert names(tmp_path) == ["a.conf"]


def test_a_failure_that_also_keeps_the_temporary_file_is_still_one_clear_error(host, monkeypatch):
    monkeypatch.setattr(_host.os, "rename", fail(errno.EIO))
    monkeypatch.setattr(_host.os, "unlink", fail(errno.EIO))
    with pytest.raises(HostError, match="cannot write /etc/a.conf"):
        host.replace("/etc/a.conf", b"new")


def test_data_reaches_the_disk_before_the_name_does(host, monkeypatch):
    calls = []
    fsync, rename = os.fsync, os.rename

    def kind(descriptor):
        return "directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"

    monkeypatch.setattr(_host.os, "fsync", lambda fd: (calls.append("fsync " + kind(fd)), fsync(fd)))
    monkeypatch.setattr(_host.os, "rename", lambda *paths: (calls.append("rename"), rename(*paths)))
    host.replace("/etc/a.conf", b"new")
    assert calls == ["fsync file", "rename", "fsync directory"]


def test_no_reader_of_drop_ins_takes_the_temporary_file(host, monkeypatch):
    made = []
    monkeypatch.setattr(_host.os, "rename", lambda old, new: made.append(os.path.basename(old)))
    host.replace("/etc/a.conf", b"new")
    assert made[0].startswith(".") and not made[0].endswith((".conf", ".rules"))


def test_what_a_stopped_run_left_is_in_nobodys_way(host, tmp_path):
    (tmp_path / "etc" / _host.TEMPORARY).write_bytes(b"ne")
    assert host.leftover("/etc") == "/etc/" + _host.TEMPORARY
    host.replace("/etc/a.conf", b"new")
    assert names(tmp_path) == ["a.conf"]
    assert host.leftover("/etc") is None


@pytest.mark.parametrize("kind", ["link", "link to nowhere", "directory", "fifo"])
def test_what_no_run_left_is_not_removed_whatever_its_name(host, tmp_path, kind):
    place, other = tmp_path / "etc" / _host.TEMPORARY, tmp_path / "other"
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


# --- one run at a time


@pytest.fixture
def lock(host, tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(_host, "_LOCK_SECONDS", 0)
    return tmp_path / "run" / "netops-conntrack.lock"


def test_a_second_run_is_told_who_is_at_it_and_what_to_do(host, lock, tmp_path):
    with host.lock(), pytest.raises(Refused) as raised, Host(str(tmp_path)).lock():
        pytest.fail("two runs at once")
    for words in (f"process {os.getpid()} holds /run/netops-conntrack.lock", "Nothing was changed", "again"):
        assert words in raised.value.message
    with host.lock():
        pass


def test_a_run_waits_for_the_one_before_it(host, lock, tmp_path, monkeypatch):
    monkeypatch.setattr(_host, "_LOCK_SECONDS", 60)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with host.lock():
            os.write(writing, b"in")
            (tmp_path / "etc" / "value").write_bytes(b"begun")
            _host.time.sleep(0.3)
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
    monkeypatch.setattr(_host.os, "pwrite", fail(errno.ENOSPC))
    with host.lock(), pytest.raises(Refused, match="process unknown holds"), Host(str(tmp_path)).lock():
        pytest.fail("two runs at once")


def test_without_a_run_directory_nothing_is_changed_and_the_error_says_why(host, tmp_path):
    words = "No such file or directory. This lock keeps two runs .* make /run a directory"
    with pytest.raises(HostError, match=words), host.lock():
        pytest.fail("no lock")
    assert not (tmp_path / "run").exists()


# --- kernel files, directories, removing


def test_a_value_is_written_with_one_write(host, tmp_path, monkeypatch):
    (tmp_path / "etc" / "key").write_bytes(b"a longer value\n")
    writes = []
    write = os.write
    monkeypatch.setattr(_host.os, "write", lambda fd, data: (writes.append(data), write(fd, data)))
    host.write_value("/etc/key", "12")
    assert writes == [b"12\n"]
    assert (tmp_path / "etc" / "key").read_bytes() == b"12\n"


def test_a_refused_value_is_named_with_the_kernels_reason(host, tmp_path, monkeypatch):
    (tmp_path / "etc" / "key").write_bytes(b"1\n")
    monkeypatch.setattr(_host.os, "write", fail(errno.EINVAL))
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

    monkeypatch.setattr(_host.os, "mkdir", make)
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


# --- programs


def test_a_program_that_fails_is_named_with_what_it_said(host):
    with pytest.raises(HostError, match="cannot run sh -c echo no >&2; exit 3: no"):
        host.run(["sh", "-c", "echo no >&2; exit 3"])
    with pytest.raises(HostError, match="exit code 3"):
        host.run(["sh", "-c", "exit 3"])
    with pytest.raises(HostError, match="cannot run /no/such/program"):
        host.run(["/no/such/program"])


def test_a_program_runs_in_the_c_locale_and_cannot_ask(host):
    assert host.run(["sh", "-c", "cat; echo $LC_ALL"]) == "C\n"


def is_running(pid):
    """Whether a process runs; one that ended and was not waited for, as those of a container may be, does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stream:
            return stream.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def gone(pid):
    """Whether a process ends in a moment."""
    end = time.monotonic() + 5
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not is_running(pid)


def test_a_program_that_takes_too_long_is_ended_with_all_that_it_started_and_named(host, tmp_path):
    begun = time.monotonic()
    with pytest.raises(HostError) as raised:
        host.run(["sh", "-c", f"sleep 60 & echo $! $$ >{tmp_path}/pids; wait"], seconds=0.5)
    assert time.monotonic() - begun < 20
    assert raised.value.message.startswith("cannot run sh -c ")
    assert raised.value.reason == "it did not end within 0.5 s, and was ended"
    assert all(gone(int(pid)) for pid in (tmp_path / "pids").read_text().split())


def test_a_program_is_not_waited_for_longer_whatever_holds_its_output(host, tmp_path, monkeypatch):
    monkeypatch.setattr(_host, "_END_SECONDS", 0.5)
    begun = time.monotonic()
    with pytest.raises(HostError, match=r"^cannot run sh -c .*: it did not end within 0\.5 s, and was ended$"):
        host.run(["sh", "-c", f"setsid sleep 60 & echo $! >{tmp_path}/pid; wait"], seconds=0.5)
    assert time.monotonic() - begun < 20
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_a_program_that_hangs_in_the_kernel_is_left_and_named(host, monkeypatch):
    # As rmmod does when a reference to a module is never given back; SIGKILL does not end it then.
    left = []
    monkeypatch.setattr(_host, "_END_SECONDS", 0.2)
    monkeypatch.setattr(_host.os, "killpg", lambda pid, _number: left.append(pid))
    with pytest.raises(HostError) as raised:
        host.run(["sleep", "60"], seconds=0.3)
    os.kill(left[0], signal.SIGKILL)
    assert raised.value.reason == (
        f"it did not end within 0.3 s, and cannot be ended: process {left[0]} hangs in the kernel, perhaps until the "
        "next boot"
    )


def test_a_program_has_a_limit_that_nobody_has_to_ask_for(host, monkeypatch):
    monkeypatch.setattr(_host, "PROGRAM_SECONDS", 0.3)
    with pytest.raises(HostError, match=r"it did not end within 0\.3 s"):
        host.run(["sleep", "60"])


def test_a_program_that_says_a_lot_is_heard_to_the_end(host):
    assert len(host.run(["sh", "-c", "seq 200000; sleep 0.5; seq 200000"])) == 2 * 1288895


# --- signals


@pytest.fixture
def soon():
    """Sends this process a signal in a moment, which in these tests something heeds."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    timers = []

    def send(number):
        timers.append(threading.Timer(0.3, os.kill, (os.getpid(), number)))
        timers[-1].start()

    yield send
    for timer in timers:
        timer.join()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_program_that_runs(host, tmp_path, soon, number):
    begun = time.monotonic()
    with host.heeding_signals():
        soon(number)
        with pytest.raises(Interrupted, match=f"^this run was ended by {number.name}$"):
            host.run(["sh", "-c", f"echo $$ >{tmp_path}/pid; exec sleep 60"])
    assert time.monotonic() - begun < 20
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_signal_ends_waiting(host, lock, tmp_path, soon, monkeypatch):
    monkeypatch.setattr(_host, "_LOCK_SECONDS", 60)
    begun = time.monotonic()
    with host.heeding_signals():
        soon(signal.SIGTERM)
        with pytest.raises(Interrupted):
            host.wait(60)
    with Host(str(tmp_path)).lock(), host.heeding_signals():
        soon(signal.SIGTERM)
        with pytest.raises(Interrupted), host.lock():
            pytest.fail("two runs at once")
    assert time.monotonic() - begun < 20


def test_what_is_to_be_done_to_the_end_is_not_ended_by_a_signal(host, soon):
    with host.heeding_signals():
        with host.to_the_end():
            soon(signal.SIGTERM)
            assert host.run(["sh", "-c", "sleep 1; echo done"]) == "done\n"
        with pytest.raises(Interrupted):
            host.check_signals()


def test_in_another_thread_signals_are_left_to_the_main_one(host):
    found = []

    def run():
        with host.heeding_signals():
            found.append(host.run(["echo", "done"]))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == ["done\n"]


@pytest.mark.parametrize(
    ("machine", "size"),
    [
        ("x86_64", 8),
        ("aarch64", 8),
        ("ppc64le", 8),
        ("s390x", 8),
        ("riscv64", 8),
        ("mips64", 8),
        ("loongarch64", 8),
        ("i686", 4),
        ("armv7l", 4),
        ("armv8l", 8),  # how a 64-bit kernel names itself to a 32-bit program
        ("ppc", 4),
        ("mips", 4),
        ("riscv32", 4),
    ],
)
def test_the_size_of_a_bucket_by_machine_where_the_kernel_tells_nothing_better(host, monkeypatch, machine, size):
    monkeypatch.setattr(_host.os, "uname", lambda: os.uname_result(("Linux", "host", "6.12", "#1", machine)))
    assert host.pointer_bytes == size


WIDE, NARROW = "0000000000000000 T _stext\n00000000", "00000000 T _stext\n00000000"


@pytest.mark.parametrize("machine", ["x86_64", "i686", "armv8l", "armv7l"])
@pytest.mark.parametrize(
    ("files", "size"),
    [
        ({"sys/kernel/address_bits": "64\n"}, 8),
        ({"sys/kernel/address_bits": "32\n"}, 4),
        ({"sys/kernel/address_bits": "64\n", "proc/kallsyms": NARROW}, 8),
        ({"proc/kallsyms": WIDE}, 8),
        ({"proc/kallsyms": NARROW}, 4),
        # Of a root that is shown the addresses.
        ({"proc/kallsyms": WIDE.replace("0000000000000000", "ffffffff81000000")}, 8),
    ],
)
def test_the_size_of_a_bucket_is_the_kernels_whatever_it_says_to_a_32_bit_program(
    host, tmp_path, monkeypatch, machine, files, size
):
    monkeypatch.setattr(_host.os, "uname", lambda: os.uname_result(("Linux", "host", "6.12", "#1", machine)))
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert host.pointer_bytes == size


def test_a_size_that_is_given_is_taken(tmp_path):
    assert Host(str(tmp_path), pointer_bytes=4).pointer_bytes == 4


def test_what_cannot_be_read_leaves_the_size_to_the_machines_name(host, monkeypatch):
    def refuse(path):
        raise HostError("read", path, "Permission denied")

    monkeypatch.setattr(host, "read_value", refuse)
    monkeypatch.setattr(host, "lines", refuse)
    monkeypatch.setattr(_host.os, "uname", lambda: os.uname_result(("Linux", "host", "6.12", "#1", "armv7l")))
    assert host.pointer_bytes == 4


@pytest.mark.skipif(sys.maxsize < 2**32, reason="a 32-bit Python may run on any kernel")
def test_a_machine_that_runs_64_bit_programs_has_a_64_bit_kernel():
    assert Host().pointer_bytes == 8


FULL = b"4,7,100,-;nf_conntrack: nf_conntrack: table full, dropping packet\n"


class Reads:
    """Answers of os.read to who reads the kernel's ring buffer: bytes to return, and errors to raise."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def __call__(self, descriptor, size):
        assert size >= 8192  # the kernel refuses a buffer that a record does not fit in
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer


@pytest.fixture
def kernel_log(tmp_path, monkeypatch):
    """``kernel_log(*answers)``: the records with "table full" of a ring buffer that answers so."""
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "kmsg").write_bytes(b"")

    def read(*answers):
        monkeypatch.setattr(_host.os, "read", Reads(*answers))
        return Host(str(tmp_path)).kernel_log(b"table full")

    return read


END = BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
OVERWRITTEN = BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_the_kernel_log_is_read_to_its_end_and_what_is_wanted_is_kept(kernel_log):
    assert kernel_log(b"6,1,1,-;eth0: link\n", FULL, FULL, END) == [FULL, FULL]


def test_records_that_were_overwritten_while_reading_are_passed_over(kernel_log):
    assert kernel_log(OVERWRITTEN, FULL, OVERWRITTEN, OVERWRITTEN, FULL, END) == [FULL, FULL]


def test_any_other_error_of_the_kernel_log_is_told(kernel_log):
    with pytest.raises(HostError) as failed:
        kernel_log(FULL, OSError(errno.EINVAL, "Invalid argument"))
    assert (failed.value.path, failed.value.reason, failed.value.code) == (
        "/dev/kmsg",
        "Invalid argument",
        errno.EINVAL,
    )


@pytest.mark.parametrize("answer", [FULL, OVERWRITTEN])
def test_a_kernel_log_that_grows_for_ever_is_given_up(kernel_log, monkeypatch, answer):
    monkeypatch.setattr(_host, "_RECORDS", 100)
    with pytest.raises(HostError) as failed:
        kernel_log(*[answer] * 101)
    assert failed.value.reason == "it grows faster than it can be read"


def test_a_host_without_a_kernel_log_has_none(tmp_path):
    assert Host(str(tmp_path)).kernel_log(b"") is None


def test_what_stands_in_the_place_of_the_kernel_log_is_neither_waited_for_nor_read(tmp_path):
    (tmp_path / "dev").mkdir()
    os.mkfifo(str(tmp_path / "dev" / "kmsg"))
    writer = os.open(str(tmp_path / "dev" / "kmsg"), os.O_RDWR)
    try:
        os.write(writer, b"typed\n")
        assert Host(str(tmp_path)).kernel_log(b"") is None
        assert os.read(writer, 10) == b"typed\n"
    finally:
        os.close(writer)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to read the kernel log of this machine")
def test_the_kernel_log_of_this_machine_can_be_read_again_and_again():
    host = Host()
    first = host.kernel_log(b"")
    if first is None:
        pytest.skip("this machine has no /dev/kmsg")
    assert first and host.kernel_log(b"")[:1] == first[:1]
    assert all(record.count(b";") for record in first)


def test_a_link_is_told_as_it_stands_and_what_is_none_is_none(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("net:[1]")
    host = Host(str(tmp_path))
    assert [host.link(path) for path in ("/link", "/file", "/file/x", "/gone")] == ["net:[1]", None, None, None]


def test_a_link_that_may_not_be_read_is_an_error(monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(_host.os, "readlink", refuse)
    with pytest.raises(HostError) as failed:
        Host().link("/proc/1/ns/net")
    assert (failed.value.path, failed.value.code) == ("/proc/1/ns/net", errno.EACCES)


def test_what_is_no_network_namespace_is_not_entered(tmp_path):
    (tmp_path / "file").write_text("")
    ran = []
    for path, code in (("/file", errno.EINVAL), ("/gone", errno.ENOENT)):
        with pytest.raises(HostError) as failed:
            Host(str(tmp_path)).inside(path, lambda: ran.append(1))
        # Who may not enter any is told that first.
        assert (failed.value.path, failed.value.code in (code, errno.EPERM)) == (path, True)
    assert ran == []


def test_an_error_inside_another_network_namespace_comes_out_of_it(monkeypatch):
    monkeypatch.setattr(_host, "_enter", lambda namespace, place: None)
    assert Host().inside("/run/netns/lab", lambda: 7) == 7
    with pytest.raises(HostError):
        Host().inside("/run/netns/lab", lambda: Host().read("/proc"))
