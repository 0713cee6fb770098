# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time

import pytest
from small_host import gone

from ansible_collections.netops.conntrack.plugins.module_utils import _host
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError, Interrupted
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
from ansible_collections.netops.conntrack.plugins.module_utils._machine import lock as lock_file


@pytest.fixture
def host(tmp_path):
    (tmp_path / "etc").mkdir()
    return Host(str(tmp_path))


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


@pytest.mark.parametrize(("denied", "replaceable"), [("none", True), ("etc/a.conf", False), ("etc", False)])
def test_a_file_can_be_replaced_where_its_directory_can_be_written_too(
    host, tmp_path, monkeypatch, denied, replaceable
):
    (tmp_path / "etc" / "a.conf").write_bytes(b"")
    # As an immutable file or directory answers root.
    monkeypatch.setattr(_host.os, "access", lambda path, _mode: path != str(tmp_path / denied))
    assert host.replaceable("/etc/a.conf") is replaceable
    assert host.replaceable("/etc/new.d/new.conf") is (denied != "etc")


# --- signals


@pytest.fixture
def lock(host, tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(lock_file, "_SECONDS", 0)
    return tmp_path / "run" / "netops-conntrack.lock"


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
    monkeypatch.setattr(lock_file, "_SECONDS", 60)
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
