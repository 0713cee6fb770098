# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Searching a host never waits, never ends for one file, and says what it left out."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._boot import writers
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
from ansible_collections.netops.conntrack.plugins.module_utils._writers.files import Files, Limits

SET = "sysctl -w net.netfilter.nf_conntrack_max=65536\n"


def test_what_is_no_regular_file_is_not_waited_for(files_of, tmp_path):
    files = files_of({"/etc/cron.d/real": SET})
    directory = tmp_path / "etc/cron.d"
    os.mkfifo(str(directory / "fifo"))
    (directory / "ring").symlink_to("ring")
    (directory / "far").symlink_to("/nowhere")
    (directory / "null").symlink_to("/dev/null")
    (directory / "directory").mkdir()
    (tmp_path / "etc/rc.local").symlink_to("cron.d/fifo")
    names = ("fifo", "ring", "far", "null", "directory")
    assert [files.text(f"/etc/cron.d/{name}") for name in names] == [None] * 5
    found = writers.find(files.host)
    assert [one.path for one in found.writers] == ["/etc/cron.d/real"]
    assert not found.unreadable and not found.left_out


def test_devices_are_not_opened():
    assert Files(Host()).text("/dev/zero") is None and Files(Host()).text("/dev/tty") is None


def test_binary_files_are_passed_over_and_bytes_that_are_no_utf_8_kept(files_of):
    files = files_of({"/a": "\0" + SET, "/b": "caf\udce9\n" + SET})
    assert files.text("/a") is None
    assert files.text("/b").text == "caf\udce9\n" + SET


def test_a_huge_file_is_read_from_its_beginning_and_that_is_said(files_of):
    files = files_of({"/a": "x" * 10 + SET * 10}, Limits(file_bytes=20))
    assert len(files.text("/a").text) == 20
    assert files.left_out == {"/a": "only its first 0 KiB were searched for lines that set connection tracking"}


def test_past_the_number_of_files_nothing_more_is_read_and_each_directory_is_named(files_of):
    files = files_of({f"/etc/cron.d/{number}": SET for number in range(5)}, Limits(files=2))
    assert [files.text(f"/etc/cron.d/{number}") is not None for number in range(5)] == [True, True, False, False, False]
    ((path, reason),) = files.left_out.items()
    assert path == "/etc/cron.d" and "3 files" in reason and "limit of 2 files" in reason


def test_past_the_bytes_nothing_more_is_read(files_of):
    files = files_of({"/a": SET, "/b": SET}, Limits(bytes=10))
    assert files.text("/a") is not None and files.text("/b") is None
    assert "1 file," in files.left_out["/"]


def test_past_the_time_nothing_more_is_read(files_of):
    now = [0.0]
    files = files_of({"/x/a": SET, "/x/b": SET}, Limits(seconds=2), clock=lambda: now[0])
    assert files.text("/x/a") is not None
    now[0] = 2.5
    assert files.text("/x/b") is None and files.text("/x/a") is not None
    assert "2 s" in files.left_out["/x"]


def test_a_file_is_read_once(files_of, tmp_path):
    files = files_of({"/a": "one"})
    assert files.text("/a").text == "one"
    (tmp_path / "a").write_text("two")
    assert files.text("/a").text == "one"


def test_what_cannot_be_read_is_listed_and_ends_nothing(recorded_host):
    host = recorded_host(
        "trixie-6.12-nat",
        {"/etc/rc.local": {"content": SET, "mode": "0755"}, "/etc/cron.d/secret": SET, "/etc/cron.d/z": SET},
    )
    host.denied = {"/etc/cron.d/secret", "/var/spool/cron", "/etc/credstore"}
    found = writers.find(host)
    assert [one.path for one in found.writers] == ["/etc/rc.local", "/etc/cron.d/z"]
    assert found.unreadable == dict.fromkeys(host.denied, "Permission denied")


def test_an_error_of_the_disk_is_listed(files_of, monkeypatch):
    files = files_of({"/a": SET})

    def fail(path, most):
        raise HostError("read", path, "Input/output error", 5)

    monkeypatch.setattr(files.host, "look", fail)
    assert files.text("/a") is None and files.unreadable == {"/a": "Input/output error"}


def test_two_thousand_units_and_scripts_are_searched_in_bounded_time(files_of):
    tree = {
        f"/usr/lib/systemd/system/u{number}.service": "[Service]\nExecStart=/bin/true\n" * 40 for number in range(1000)
    }
    tree.update({f"/etc/cron.d/c{number}": "# nothing\n" * 100 for number in range(1000)})
    tree["/etc/cron.d/last"] = SET
    files = files_of(tree)
    before = time.process_time()
    found = writers.find(files.host)
    assert time.process_time() - before < 2
    assert [one.path for one in found.writers] == ["/etc/cron.d/last"] and not found.left_out


@given(content=st.binary(max_size=400), place=st.sampled_from(["etc/rc.local", "etc/crontab", "etc/default/ufw"]))
@pytest.mark.parametrize("enabled", [b"ENABLED=yes\n"])
def test_no_content_of_a_file_ends_the_search(tmp_path_factory, content, place, enabled):
    root = tmp_path_factory.mktemp("host")
    for path, text in {place: content, "etc/ufw/ufw.conf": enabled, "etc/tuned/active_profile": b"a b\n"}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text)
        (root / path).chmod(0o755)
    for path in (
        "etc/tuned/a/tuned.conf",
        "etc/kubernetes/manifests/x.yaml",
        "etc/pve/firewall/cluster.fw",
        "proc/cmdline",
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    found = writers.find(Host(str(root)))
    assert not found.unreadable
