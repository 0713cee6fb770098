# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks for people, as Ansible runs them, on this machine and on hosts that fail or do not answer."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from collection_path import ROOT

from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet import document

PROGRAM = Path(sys.executable).with_name("ansible-playbook")

HERE = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
BROKEN = {"ansible_connection": "local", "ansible_python_interpreter": "/no/such/python"}
#: Nothing listens on the port that is for discarding.
SILENT = {"ansible_host": "127.0.0.1", "ansible_port": 9}

FLEET = {"here": HERE, "broken": BROKEN, "<script>": BROKEN, "silent": SILENT}


@pytest.fixture
def play(tmp_path, tmp_path_factory):
    """``play(playbook, *arguments, hosts, **variables)``: the lines that it prints, after it ended as it should."""
    around = tmp_path_factory.mktemp("around")
    link = around / "ansible_collections" / "netops" / "conntrack"
    link.parent.mkdir(parents=True)
    link.symlink_to(ROOT)
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(around), "ANSIBLE_LOCAL_TEMP": str(around / "local")}

    def run(playbook, *arguments, hosts=None, status=0, **variables):
        inventory = around / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": hosts or FLEET}}))
        given = [f"-e{key}={value}" for key, value in variables.items()]
        done = subprocess.run(
            [str(PROGRAM), "-i", str(inventory), str(ROOT / "playbooks" / playbook), *arguments, *given],
            check=False, capture_output=True, text=True, cwd=tmp_path,
            env={**os.environ, **environment, "ANSIBLE_NOCOLOR": "1"},
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout.splitlines()

    return run


def names(lines):
    """The hosts that have a line of the playbook facts."""
    begin = next(number for number, line in enumerate(lines) if line.startswith("health "))
    return {line.split()[-1] for line in lines[begin + 1 : lines.index("", begin)] if not line.startswith(" ")}


def test_facts_are_plain_lines_also_of_hosts_that_fail_or_do_not_answer(play):
    told = play("facts.yml", conntrack_interval="0.1")
    assert names(told) == set(FLEET)
    assert any(line.startswith("  ") and "/no/such/python" in line for line in told)
    assert any("full in" in line for line in told)


def test_a_fleet_of_which_no_host_answers_has_lines_too(play):
    assert names(play("facts.yml", hosts={"silent": SILENT, "another": SILENT})) == {"silent", "another"}


@pytest.mark.parametrize("playbook", ["facts.yml", "who.yml"])
def test_hosts_are_picked_by_variable(play, playbook, tmp_path):
    play(playbook, conntrack_hosts="silent,broken", conntrack_output="json", conntrack_path="fleet.json")
    about = json.loads((tmp_path / "fleet.json").read_text())
    assert {host["name"]: host["status"] for host in about["hosts"]} == {"silent": "unreachable", "broken": "failed"}


def test_a_host_that_failed_before_is_told_not_to_have_been_asked(play, tmp_path):
    whole = tmp_path / "whole.yml"
    whole.write_text(
        "- hosts: all\n  gather_facts: false\n"
        "  tasks: [{ansible.builtin.fail: {}, when: inventory_hostname == 'broken'}]\n"
        f"- ansible.builtin.import_playbook: {ROOT}/playbooks/facts.yml\n"
    )
    told = play(whole, hosts={"here": HERE, "broken": BROKEN}, status=2)
    assert names(told) == {"here", "broken"} and "  it was not asked" in told


def test_who_tells_of_every_host_what_its_table_has_or_why_that_is_not_known(play):
    told = play("who.yml", hosts={**FLEET, "here": {**HERE, "ansible_become": False}})
    assert "silent: no reply" in told and "broken: failed" in told
    # Without root, the host itself says what is missing.
    assert [line for line in told if line.startswith("here: ")]
    assert "here: failed" not in told or any("needs root" in line for line in told)


def test_a_file_for_programs_is_written_whole(play, tmp_path):
    path = tmp_path / "fleet.csv"
    path.write_text("old")
    play("facts.yml", conntrack_output="csv", conntrack_path=path)
    with path.open(newline="") as stream:
        assert {row["host"]: row["status"] for row in csv.DictReader(stream)} == {
            "here": "ok", "broken": "failed", "<script>": "failed", "silent": "unreachable",
        }  # fmt: skip
    assert sorted(os.listdir(tmp_path)) == ["fleet.csv"]


@pytest.mark.parametrize("playbook", ["facts.yml", "who.yml"])
def test_json_can_be_cut_out_of_what_is_printed(play, playbook):
    lines = play(playbook, conntrack_output="json")
    about = json.loads("\n".join(lines[lines.index("{") : lines.index("}") + 1]))
    assert document.problem(about) == "" and len(about["hosts"]) == len(FLEET)


@pytest.mark.parametrize("playbook", ["facts.yml", "who.yml"])
@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"conntrack_path": "/no/such/directory/fleet.csv"}, "there is no directory /no/such/directory"),
        ({"conntrack_output": "xml"}, "conntrack_output is xml, but must be text, json or csv"),
    ],
)
def test_what_cannot_be_written_is_told_before_any_host_is_asked_also_with_limit(play, playbook, variables, words):
    told = "\n".join(play(playbook, "--limit", "here", status=2, **variables))
    assert words in told and "TASK [Read" not in told
