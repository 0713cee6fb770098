# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole module: what the controller gets. With a real kernel: tests/namespaces."""

from __future__ import annotations

import pytest
import yaml
from entries_made import address, datagrams, reply_of

from ansible_collections.netops.conntrack.plugins.module_utils._entries import delete, dump, tables
from ansible_collections.netops.conntrack.plugins.modules import conntrack_entries, conntrack_entries_info


class OneTable:
    """A socket to a table whose entries go when they are asked for, but for those that are gone."""

    def __init__(self):
        original = dump.Tuple(2, dump.UDP, address(1), address(2), 5, 53)
        entry = dump.Entry(original, reply_of(original), status=8, timeout=3)
        self.found = [entry._replace(id=number) for number in range(20)]
        self.deleted = 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        pass

    def dump(self, _body, _family):
        return datagrams(self.found)

    def requests(self, _kind, bodies):
        codes = [2 if body[-1] == 19 else self.refuse for _family, body in bodies]
        self.deleted += codes.count(0)
        return codes

    refuse = 0


@pytest.fixture
def table(monkeypatch, recorded_host):
    opened = OneTable()
    monkeypatch.setattr(delete.tables, "connect", lambda *_: tables.Table(opened, tables.Keys(20, 100, 1024, {})))
    opened.host = recorded_host("linux-6.18-built-in")
    opened.host.is_root = True
    return opened


def test_returned_keys_are_those_documented(run_module, table):
    documented = yaml.safe_load(conntrack_entries.RETURN)
    result = run_module("conntrack_entries", table.host, {"state": "absent", "all": True})
    assert set(result) - {"changed", "invocation"} == set(documented)
    assert set(result["kept"]) == set(documented["kept"]["contains"])
    assert set(result["entries"][0]) == set(documented["entries"]["contains"])
    assert (result["changed"], result["deleted"], result["kept"]["gone"], table.deleted) == (True, 19, 1, 19)


def test_an_entry_is_told_as_the_module_that_looks_tells_it():
    looks, deletes = (
        yaml.safe_load(module.RETURN)["entries"] for module in (conntrack_entries_info, conntrack_entries)
    )
    assert looks["contains"] == deletes["contains"]


def test_check_mode_deletes_nothing_and_counts(run_module, table):
    arguments = {"state": "absent", "filter": {"protocol": "udp", "port": 53}, "limit": 7}
    checked = run_module("conntrack_entries", table.host, arguments, check=True)
    assert not table.deleted and (checked["changed"], checked["deleted"]) == (True, 7)
    done = run_module("conntrack_entries", table.host, arguments)
    assert {**done, "invocation": None} == {**checked, "invocation": None} and table.deleted == 7


@pytest.mark.parametrize(("arguments", "words"), [
    ({"all": True}, "state"), ({"state": "present", "all": True}, "absent"),
    ({"state": "absent"}, "at least one of family"),
    ({"state": "absent", "filter": {}}, "filter is empty"),
    ({"state": "absent", "all": True, "filter": {"zone": 1}}, "cannot be used together"),
    ({"state": "absent", "filter": {"colour": "red"}}, "colour"),
    ({"state": "absent", "all": True, "limit": -2}, "limit is -2"),
    ({"state": "absent", "filter": {"state": "opened"}}, "filter.state is 'opened'"),
])  # fmt: skip
def test_a_bad_request_is_one_message_and_deletes_nothing(run_module, table, arguments, words):
    result = run_module("conntrack_entries", table.host, arguments)
    assert result["failed"] and words in result["msg"] and not table.deleted


def test_a_failure_says_what_is_gone(run_module, table, monkeypatch):
    monkeypatch.setattr(table, "refuse", 12)
    monkeypatch.setattr(table, "found", table.found[:3])
    result = run_module("conntrack_entries", table.host, {"state": "absent", "all": True})
    assert result["failed"] and "Cannot allocate memory" in result["msg"]
    monkeypatch.setattr(table, "requests", lambda _kind, bodies: [0, 12, 0][: len(list(bodies))])
    result = run_module("conntrack_entries", table.host, {"state": "absent", "all": True})
    assert result["failed"] and (result["deleted"], result["matched"]) == (2, 3)
    assert "2 entries had been deleted, which cannot be undone" in result["msg"]


def test_a_host_without_connection_tracking_succeeds_and_says_so(run_module, recorded_host):
    host = recorded_host("trixie-6.12-absent")
    host.is_root = True
    result = run_module("conntrack_entries", host, {"state": "absent", "all": True})
    assert not result["changed"] and result["tracking"] is False and "Nothing was loaded" in result["advice"][0]


def test_without_root_it_is_one_message_with_what_to_do(run_module, table):
    table.host.is_root = False
    result = run_module("conntrack_entries", table.host, {"state": "absent", "all": True})
    assert result["failed"] and "become: true" in result["msg"] and not table.deleted
