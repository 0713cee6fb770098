# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A text for people or a file for programs; tests/pages/test_fleet_playbooks.py has Ansible run it."""

from __future__ import annotations

import os
from unittest import mock

import pytest
from ansible.errors import AnsibleActionFail
from ansible.playbook.task import Task

from ansible_collections.netops.conntrack.plugins.action import fleet_output


@pytest.fixture
def output(capsys):
    """``output(arguments, check)``: the result, and what was printed."""

    def run(arguments, check=False):
        task = Task()
        task.action, task.args, task.check_mode = "netops.conntrack.fleet_output", arguments, check
        action = fleet_output.ActionModule(task, mock.MagicMock(), None, None, None, None)
        return action.run(task_vars={}), capsys.readouterr().out

    return run


def test_a_text_is_printed_as_it_is(output):
    assert output({"text": "a\n  b"}) == ({"changed": False, "path": "-"}, "a\n  b\n")


def test_a_file_is_written_whole_and_not_again_where_it_holds_the_same(output, tmp_path):
    path = tmp_path / "a.csv"
    assert output({"text": "a\n", "path": str(path)}) == ({"changed": True, "path": str(path)}, "")
    assert output({"text": "a\n", "path": str(path)})[0]["changed"] is False
    assert path.read_text() == "a\n" and os.listdir(tmp_path) == ["a.csv"]


def test_check_mode_and_a_look_at_the_path_write_nothing(output, tmp_path):
    assert output({"text": "a", "path": str(tmp_path / "a")}, check=True)[0]["changed"] is True
    assert output({"path": str(tmp_path / "a")})[0]["changed"] is False
    assert os.listdir(tmp_path) == []


def test_a_file_keeps_its_mode_and_a_link_its_file(output, tmp_path):
    path, link = tmp_path / "a", tmp_path / "link"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    output({"text": "new", "path": str(link)})
    assert path.read_text() == "new" and path.stat().st_mode & 0o777 == 0o640 and link.is_symlink()


def test_a_new_file_can_be_read_as_the_users_other_files(output, tmp_path):
    (tmp_path / "other").write_text("")
    output({"text": "new", "path": str(tmp_path / "a")})
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_disk_that_is_full_leaves_the_old_file_and_is_told(output, tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_text("old")

    def full(_source, _target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fleet_output.os, "replace", full)
    with pytest.raises(AnsibleActionFail, match=f"cannot write {path}: No space left on device"):
        output({"text": "new", "path": str(path)})
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/no/such/directory/a", "there is no directory /no/such/directory"),
        ("/", "it is a directory"),
        ("/dev/null", "it is no regular file; name one, or - to print"),
    ],
)
def test_what_cannot_be_written_is_told(output, path, words):
    with pytest.raises(AnsibleActionFail, match=f"cannot write {path}: {words}"):
        output({"path": path})


def test_a_file_of_another_user_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(fleet_output.os, "access", lambda _path, _mode: False)
    assert fleet_output.problem(str(tmp_path / "x")) == "this user may not; name a file elsewhere"
