# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole module: what the controller gets. With a real kernel: tests/namespaces."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml
from entries_made import address, datagrams, reply_of

from ansible_collections.netops.conntrack.plugins.module_utils import _ctnetlink as netlink
from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump, gather, tables
from ansible_collections.netops.conntrack.plugins.module_utils._errors import Refused
from ansible_collections.netops.conntrack.plugins.modules import conntrack_entries_info

PLUGINS = Path(conntrack_entries_info.__file__).resolve().parents[1]

#: What Ansible itself makes of these keys would be a surprise: a task that returns `skipped` counts as skipped.
RESERVED = {
    "failed", "skipped", "rc", "results", "msg", "exception", "warnings", "deprecations", "invocation", "diff",
    "stdout",
    "stderr", "ansible_facts", "unreachable", "attempts", "failed_when_result",
}  # fmt: skip


class OneDump:
    """A socket that gives one dump."""

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        pass

    def dump(self, _body, _family):
        original = dump.Tuple(2, dump.UDP, address(1), address(2), 5, 53)
        entry = dump.Entry(original, reply_of(original, destination=address(9)), status=0x1A, id=5, timeout=3)
        return datagrams([entry] * 20)


@pytest.fixture
def one_table(monkeypatch, recorded_host):
    keys = tables.Keys(20, 100, 1024, {"udp": 30})
    monkeypatch.setattr(gather.tables, "connect", lambda *_: tables.Table(OneDump(), keys))
    return recorded_host("linux-6.18-built-in")


def test_returned_keys_are_those_documented(run_module, one_table):
    documented = yaml.safe_load(conntrack_entries_info.RETURN)
    result = run_module("conntrack_entries_info", one_table, {"entries": 1})
    assert set(result) - {"changed", "invocation"} == set(documented)
    assert not result["changed"] and not set(documented) & RESERVED
    assert set(result["counts"]) == set(documented["counts"]["contains"])
    assert set(result["entries"][0]) == set(documented["entries"]["contains"])
    assert set(result["nat_ports"][0]) == set(documented["nat_ports"]["sample"][0])
    assert set(result["timeouts"]["udp"]) == set(documented["timeouts"]["contains"]["NAME"]["contains"])
    judged = documented["timeouts"]["contains"]["NAME"]["contains"]["what_if"]["sample"][0]
    assert set(result["timeouts"]["udp"]["what_if"][0]) == set(judged)
    for name in ("sources", "destinations", "ports", "pairs"):
        assert set(result[name][0]) == set(documented[name]["sample"][0])


def test_check_mode_is_the_same(run_module, one_table):
    arguments = {"top": 1}
    done, checked = (run_module("conntrack_entries_info", one_table, arguments, check=check) for check in (False, True))
    assert {**done, "invocation": None} == {**checked, "invocation": None}


@pytest.mark.parametrize(("arguments", "words"), [
    ({"sample": "x"}, "sample is 'x'"), ({"filter": {"source": "10.0.0.1/8"}}, "give 10.0.0.0/8"),
    ({"filter": {"colour": "red"}}, "colour"), ({"prefix": {"ipv4": 40}}, "prefix.ipv4"),
    ({"what_if": {"upd": [5]}}, "'upd' is not a timeout"), ({"what_if": "udp"}, "what_if"),
])  # fmt: skip
def test_a_bad_request_is_one_message(run_module, one_table, arguments, words):
    result = run_module("conntrack_entries_info", one_table, arguments)
    assert result["failed"] and words in result["msg"]


def test_a_host_without_connection_tracking_succeeds_and_says_so(run_module, recorded_host):
    result = run_module("conntrack_entries_info", recorded_host("trixie-6.12-absent"), {})
    assert result["tracking"] is False and "Nothing was loaded" in result["advice"][0]


def test_without_root_it_is_one_message_with_what_to_do(run_module, one_table, monkeypatch):
    def refuse(*_unused):
        raise netlink._refusal(1)

    monkeypatch.setattr(gather.tables, "connect", refuse)
    result = run_module("conntrack_entries_info", one_table, {})
    assert result["failed"] and "become: true" in result["msg"]
    assert isinstance(netlink._refusal(13), Refused)


def imported_by(path, seen):
    """Files of the collection that a file imports, and what those import."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("ansible_collections.netops"):
            continue
        base = PLUGINS.parent / "/".join(node.module.split(".")[3:])
        for found in (base.with_suffix(".py"), *(base / f"{alias.name}.py" for alias in node.names)):
            if found.exists() and found not in seen:
                seen.add(found)
                imported_by(found, seen)
    return seen


@pytest.mark.parametrize("module", ["conntrack_facts", "conntrack_settings", "conntrack_modules"])
def test_other_modules_do_not_carry_the_wing(module):
    carried = imported_by(PLUGINS / "modules" / f"{module}.py", set())
    assert carried and not [path for path in carried if "_entries" in path.parts]


@pytest.mark.parametrize("module", ["conntrack_entries", "conntrack_entries_info"])
def test_the_wing_does_not_carry_others(module):
    carried = imported_by(PLUGINS / "modules" / f"{module}.py", set())
    others = {path.relative_to(PLUGINS / "module_utils").parts[0] for path in carried} - {"_entries"}
    assert others <= {
        "_compile_once.py",
        "_ctnetlink.py",
        "_errors.py",
        "_host.py",
        "_keys.py",
        "_machine",
        "_record.py",
        "_recvmmsg.py",
    }
