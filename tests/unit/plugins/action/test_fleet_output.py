# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks for people, as Ansible runs them, on this machine and on hosts that do not answer."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from collection_path import ROOT

from ansible_collections.netops.conntrack.plugins.action import fleet_output

PROGRAM = Path(sys.executable).with_name("ansible-playbook")
INVENTORY = {
    "all": {
        "hosts": {
            "here": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
            "broken": {"ansible_connection": "local", "ansible_python_interpreter": "/no/such/python"},
            # Nothing listens on the port that is for discarding.
            "silent": {"ansible_host": "127.0.0.1", "ansible_port": 9},
        }
    }
}


def play(tmp_path, name, **variables):
    """Run a playbook of the collection; the finished process."""
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps(INVENTORY))
    given = [f"-e{key}={value}" for key, value in variables.items()]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCAL_TEMP": str(tmp_path / "local")}
    return subprocess.run(
        [str(PROGRAM), "-i", str(inventory), str(ROOT / "playbooks" / name), *given],
        check=False, capture_output=True, text=True, env=environment,
    )  # fmt: skip


def test_facts_are_plain_lines_also_of_hosts_that_fail_or_do_not_answer(tmp_path):
    done = play(tmp_path, "facts.yml")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    begin = next(number for number, line in enumerate(lines) if line.startswith("health "))
    told = lines[begin : lines.index("", begin)]
    assert {line.split()[-1] for line in told[1:] if not line.startswith(" ")} == {"silent", "broken", "here"}
    assert "  The module interpreter '/no/such/python' was not found." in told


def test_a_file_for_programs_is_written_whole_and_not_again_where_it_holds_the_same(tmp_path):
    path = tmp_path / "fleet.csv"
    path.write_text("old")
    done = play(tmp_path, "facts.yml", conntrack_output="csv", conntrack_path=path)
    assert done.returncode == 0, done.stdout
    with path.open(newline="") as stream:
        assert {row["host"]: row["status"] for row in csv.DictReader(stream)} == {
            "here": "ok", "broken": "failed", "silent": "unreachable",
        }  # fmt: skip
    assert sorted(os.listdir(tmp_path)) == ["fleet.csv", "inventory.json", "local"] and path.stat().st_mode & 0o600


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"conntrack_path": "/no/such/directory/fleet.csv"}, "there is no directory /no/such/directory"),
        ({"conntrack_path": "/"}, "it is a directory"),
        ({"conntrack_output": "xml"}, "conntrack_output is xml, but must be text"),
    ],
)
def test_what_cannot_be_written_is_told_before_any_host_is_asked(tmp_path, variables, words):
    done = play(tmp_path, "facts.yml", **variables)
    assert done.returncode != 0 and words in done.stdout and "Read the table" not in done.stdout


def test_a_file_of_another_user_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(fleet_output.os, "access", lambda _path, _mode: False)
    assert fleet_output.problem(str(tmp_path / "x")) == "this user may not; name a file elsewhere"
