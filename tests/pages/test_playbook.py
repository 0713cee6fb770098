# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook report as a user has it: installed from the archive, on hosts that answer well, badly or not at all."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fleets
import pytest
import yaml
from collection_path import ROOT

HOSTILE = "<script>document.title = 'taken'</script>{{ 7 * 191 }}{% for x in 'ab' %}"


def run(*command, cwd, **environment):
    found = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False,
    )  # fmt: skip
    return found.returncode, found.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Where the collection is installed from its archive."""
    made = tmp_path_factory.mktemp("installed")
    for command in (
        ("collection", "build", "--output-path", str(made), str(ROOT)),
        ("collection", "install", "-p", str(made), str(made / "netops-conntrack-1.0.0.tar.gz")),
    ):
        # Not to find the checkout and have nothing to do.
        status, said = run("ansible-galaxy", *command, cwd=made, ANSIBLE_COLLECTIONS_PATH=str(made), PYTHONPATH="")
        assert status == 0, said
    return made


class Fleet:
    """Hosts whose interpreter answers what is written for each, and a directory for the report."""

    def __init__(self, directory, installed):
        self.directory, self.installed, self.hosts = directory, installed, {}

    def add(self, name, facts):
        """A host that answers these facts."""
        script = self.directory / f"python{len(self.hosts)}"
        script.write_text(f"#!/bin/sh\necho x >> {self.directory}/asked\ncat {script}.json\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        Path(f"{script}.json").write_text(json.dumps({"changed": False, "ansible_facts": {"conntrack": facts}}))
        self.hosts[name] = {"ansible_connection": "local", "ansible_python_interpreter": str(script)}

    def add_silent(self, name):
        """A host that cannot be reached."""
        self.hosts[name] = {"ansible_host": "127.0.0.1", "ansible_port": 1}

    def play(self, *arguments):
        """Run the playbook; its status and what it said."""
        inventory = self.directory / "inventory.yml"
        inventory.write_text(yaml.safe_dump({"all": {"hosts": self.hosts}}))
        command = ("ansible-playbook", "-i", str(inventory), "netops.conntrack.report", *arguments)
        return run(*command, cwd=self.directory, ANSIBLE_COLLECTIONS_PATH=str(self.installed), PYTHONPATH="")

    def read(self, name):
        return (self.directory / name).read_text(encoding="utf-8")

    @property
    def was_asked(self):
        return (self.directory / "asked").exists()


@pytest.fixture
def fleet(tmp_path, installed):
    return Fleet(tmp_path, installed)


def test_a_report_of_hosts_that_answer_lie_and_are_silent(fleet, browser):
    fleet.add("gw1", fleets.facts(1000))
    fleet.add("<script>document.title='taken'", fleets.replaced(fleets.facts(262144), lambda text: HOSTILE + text))
    fleet.add_silent("lb1")
    status, said = fleet.play()
    assert status == 0, said
    document = json.loads(fleet.read("report.json"))
    assert {host["name"]: host["status"] for host in document["hosts"]} == {
        "gw1": "ok", "<script>document.title='taken'": "ok", "lb1": "unreachable",
    }  # fmt: skip
    assert HOSTILE in fleet.read("report.json").replace("\\u0027", "'") and "1337" not in fleet.read("report.html")
    assert len(fleet.read("report.csv").splitlines()) == 4
    browser.open(fleet.directory / "report.html")
    assert browser.driver.title.startswith("Connection tracking of 3 hosts")
    assert "Connection refused" in browser.find(".trouble").text
    browser.find("#all").click()
    assert HOSTILE in browser.find("main").text


def test_a_fleet_of_which_no_host_answers_has_a_report(fleet):
    fleet.add_silent("lb1")
    fleet.add_silent("lb2")
    status, said = fleet.play("-e", "conntrack_report=all.html")
    assert status == 0, said
    assert fleet.read("all.html").count("Connection refused") >= 2


def test_a_report_is_compared_with_the_one_before_and_takes_its_place(fleet):
    fleet.add("gw1", fleets.facts(1000))
    assert fleet.play()[0] == 0
    fleet.add("gw2", fleets.facts(1000))
    status, said = fleet.play("-e", "conntrack_compare=report.json")
    assert status == 0, said
    assert '<b>New:</b> <a href="#host-gw2">' in fleet.read("report.html")
    assert len(json.loads(fleet.read("report.json"))["hosts"]) == 2


def test_two_runs_that_write_one_report_leave_a_whole_one(fleet):
    fleet.add("gw1", fleets.facts(1000))
    with ThreadPoolExecutor() as pool:
        assert [status for status, _said in pool.map(lambda _number: fleet.play(), range(2))] == [0, 0]
    assert fleet.read("report.html").endswith("</html>") and len(fleet.read("report.csv").splitlines()) == 2
    assert json.loads(fleet.read("report.json"))["hosts"][0]["name"] == "gw1"
    written = {path.name for path in fleet.directory.iterdir() if "report" in path.name}
    assert written == {"report.html", "report.json", "report.csv"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-e", "conntrack_report=none/report.html"), "there is no directory"),
        (("-e", "conntrack_report=report.pdf"), "has to end in .html"),
        (("-e", "conntrack_compare=none.json"), "No such file or directory"),
        (("-e", "conntrack_compare=other.json"), "has version 7 of the format"),
    ],
)
def test_what_cannot_be_written_or_compared_ends_the_run_before_hosts_are_asked(fleet, arguments, words):
    (fleet.directory / "other.json").write_text(json.dumps(dict(fleets.fleet(1), version=7)))
    fleet.add("gw1", fleets.facts(1000))
    status, said = fleet.play(*arguments)
    assert status != 0 and words in said.replace("\n", " ")
    assert not fleet.was_asked
