# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs are run, heard and ended."""

from __future__ import annotations

import os
import signal
import time

import pytest
from small_host import gone

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
from ansible_collections.netops.conntrack.plugins.module_utils._machine import programs


@pytest.fixture
def host(tmp_path):
    (tmp_path / "etc").mkdir()
    return Host(str(tmp_path))


def test_a_program_that_fails_is_named_with_what_it_said(host):
    with pytest.raises(HostError, match="cannot run sh -c echo no >&2; exit 3: no"):
        host.run(["sh", "-c", "echo no >&2; exit 3"])
    with pytest.raises(HostError, match="exit code 3"):
        host.run(["sh", "-c", "exit 3"])
    with pytest.raises(HostError, match="cannot run /no/such/program"):
        host.run(["/no/such/program"])


def test_a_program_runs_in_the_c_locale_and_cannot_ask(host):
    assert host.run(["sh", "-c", "cat; echo $LC_ALL"]) == "C\n"


def test_a_program_that_takes_too_long_is_ended_with_all_that_it_started_and_named(host, tmp_path):
    begun = time.monotonic()
    with pytest.raises(HostError) as raised:
        host.run(["sh", "-c", f"sleep 60 & echo $! $$ >{tmp_path}/pids; wait"], seconds=0.5)
    assert time.monotonic() - begun < 20
    assert raised.value.message.startswith("cannot run sh -c ")
    assert raised.value.reason == "it did not end within 0.5 s, and was ended"
    assert all(gone(int(pid)) for pid in (tmp_path / "pids").read_text().split())


def test_a_program_is_not_waited_for_longer_whatever_holds_its_output(host, tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "_END_SECONDS", 0.5)
    begun = time.monotonic()
    with pytest.raises(HostError, match=r"^cannot run sh -c .*: it did not end within 0\.5 s, and was ended$"):
        host.run(["sh", "-c", f"setsid sleep 60 & echo $! >{tmp_path}/pid; wait"], seconds=0.5)
    assert time.monotonic() - begun < 20
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_a_program_that_hangs_in_the_kernel_is_left_and_named(host, monkeypatch):
    # As rmmod does when a reference to a module is never given back; SIGKILL does not end it then.
    left = []
    monkeypatch.setattr(programs, "_END_SECONDS", 0.2)
    monkeypatch.setattr(programs.os, "killpg", lambda pid, _number: left.append(pid))
    with pytest.raises(HostError) as raised:
        host.run(["sleep", "60"], seconds=0.3)
    os.kill(left[0], signal.SIGKILL)
    assert raised.value.reason == (
        f"it did not end within 0.3 s, and cannot be ended: process {left[0]} hangs in the kernel, perhaps until the "
        "next boot"
    )


def test_a_program_has_a_limit_that_nobody_has_to_ask_for(host, monkeypatch):
    monkeypatch.setattr(programs, "SECONDS", 0.3)
    with pytest.raises(HostError, match=r"it did not end within 0\.3 s"):
        host.run(["sleep", "60"])


def test_a_program_that_says_a_lot_is_heard_to_the_end(host):
    assert len(host.run(["sh", "-c", "seq 200000; sleep 0.5; seq 200000"])) == 2 * 1288895
