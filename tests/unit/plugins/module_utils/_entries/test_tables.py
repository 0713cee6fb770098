# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which table is opened. The real ones are opened by tests/namespaces."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._entries import tables
from ansible_collections.netops.conntrack.plugins.module_utils._errors import InvalidInput, Refused


def test_without_connection_tracking_no_socket_is_opened(recorded_host, monkeypatch):
    monkeypatch.setattr(tables, "Socket", None)
    assert tables.connect(recorded_host("trixie-6.12-absent")) is None


def test_the_table_comes_with_its_keys(recorded_host, monkeypatch):
    monkeypatch.setattr(tables, "Socket", object)
    table = tables.connect(recorded_host("trixie-6.12-full"))
    assert (table.keys.entries, table.keys.limit) == (100, 100)
    assert table.keys.timeouts["tcp_established"] == 432000 and "flowtable_tcp" in table.keys.timeouts


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("web", "/run/netns/web"),
        ("17", "/run/netns/17"),
        ("4242", "/proc/4242/ns/net"),
        ("/a/b", "/a/b"),
    ],
)
def test_a_namespace_is_named_by_name_path_or_pid(recorded_host, given, path):
    host = recorded_host(
        "trixie-6.12-nat",
        {
            "/run/netns/web": "",
            "/run/netns/17": "",
            "/proc/17/ns/mnt": "",
            "/proc/4242/ns/mnt": "",
        },
    )
    assert tables.namespace_path(host, given) == path


@pytest.mark.parametrize("given", ["", "db", "..", "a/b", "99", "٣", "-1"])
def test_a_namespace_that_is_not_there_is_named_with_what_is_allowed(recorded_host, given):
    host = recorded_host("trixie-6.12-nat", {"/run/netns/web": ""})
    with pytest.raises(InvalidInput, match="there are web") as raised:
        tables.namespace_path(host, given)
    assert repr(given) in raised.value.message


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc", "/dev/null", "/no/such/file", "/etc/passwd/x"])
def test_a_file_that_is_no_namespace_is_told_and_the_process_stays_where_it_is(path, recorded_host):
    before = threading.active_count()
    with pytest.raises((InvalidInput, Refused), match="network namespace"):
        tables.connect(recorded_host("trixie-6.12-nat"), path)
    assert threading.active_count() == before
