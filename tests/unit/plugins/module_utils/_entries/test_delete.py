# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which entries go and what is said of it, with a kernel that is made up. With a real one: tests/namespaces."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket

import pytest
from entries_made import address, datagrams, entries, reply_of
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils import _ctnetlink as netlink
from ansible_collections.netops.conntrack.plugins.module_utils._entries import advice, delete, dump, sessions, tables
from ansible_collections.netops.conntrack.plugins.module_utils._entries.filter import Filter
from ansible_collections.netops.conntrack.plugins.module_utils._errors import (
    ApplyError,
    HostError,
    Interrupted,
    InvalidInput,
    Refused,
)

PARAMS = {"all": False, "filter": None, "limit": 0, "entries": 0, "namespace": None}
CLIENT, SERVER = (address(9000), 50001), (address(7), 22)


def udp(number, **changes):
    original = dump.Tuple(socket.AF_INET, dump.UDP, address(number), address(5000), 1000, 53)
    return dump.Entry(original, reply_of(original), status=8, id=number, timeout=20)._replace(**changes)


def ssh(number=1):
    original = dump.Tuple(socket.AF_INET, dump.TCP, CLIENT[0], SERVER[0], CLIENT[1], SERVER[1])
    return dump.Entry(original, reply_of(original), status=14, id=number, timeout=400000, state=3)


class FakeKernel:
    """A table, the sockets to it, and what was asked of them.

    :ivar answers: the errno for a request by id, where it is not 0.
    :ivar deleted: the requests.
    """

    def __init__(self, found, answers=None, size=32000):
        self.found, self.answers, self.size = found, answers or {}, size
        self.deleted, self.closed, self.asked = [], 0, []
        self.ends_with = None
        self.asks = False

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.closed += 1

    def dump(self, body, family):
        self.asked.append((family, body))
        yield from datagrams(self.found, self.size)
        if self.ends_with is not None:
            raise self.ends_with

    def requests(self, kind, bodies):
        assert kind == netlink.DELETE
        asked = list(bodies)
        self.deleted += asked
        return [self.answers.get(int.from_bytes(body[-4:], "big"), 0) for _family, body in asked]


@pytest.fixture
def deleting(recorded_host, monkeypatch):
    """``deleting(kernel, check=False, own=[pairs], **params)``: what is returned of a run against a table."""
    host = recorded_host("linux-6.18-built-in")
    host.is_root = True

    def make(kernel, check=False, own=(), **params):
        keys = tables.Keys(len(kernel.found), 0, 1024, {})
        monkeypatch.setattr(delete.tables, "connect", lambda *_: tables.Table(kernel, keys))
        monkeypatch.setattr(delete.sessions, "find", lambda _host: list(own))
        result = delete.run(host, delete.parse({**PARAMS, **params}), check)
        assert json.loads(json.dumps(result)) == result
        assert kernel.closed == (1 if check else 2)
        return result

    make.host = host
    return make


@pytest.mark.parametrize("check", [False, True])
def test_just_what_a_filter_means_is_deleted_and_check_mode_counts_the_same(deleting, check):
    found = [udp(number, zone=number % 3) for number in range(500)]
    kernel = FakeKernel(found)
    result = deleting(kernel, check, filter={"zone": 2})
    meant = [entry for entry in found if entry.zone == 2]
    assert (result["matched"], result["deleted"], result["changed"]) == (len(meant), len(meant), True)
    assert result["kept"] == {"ssh": 0, "limit": 0, "gone": 0, "busy": 0} and result["advice"] == []
    assert kernel.deleted == ([] if check else [(2, dump.encode_deletion(entry)) for entry in meant])


def test_every_request_has_addresses_zone_and_id(deleting):
    # Without a tuple the kernel takes it for one to delete everything.
    kernel = FakeKernel([udp(77, zone=5)])
    deleting(kernel, all=True)
    ((family, body),) = kernel.deleted
    asked = dump.nest(body, (0, len(body)))
    assert family == socket.AF_INET and set(asked) == {dump.TUPLE_ORIG, dump.ZONE, dump.ID}
    assert dump.number(body, asked[dump.ID], 4) == 77 and dump.number(body, asked[dump.ZONE], 2) == 5


@pytest.mark.parametrize("check", [False, True])
def test_ssh_sessions_stay_and_are_counted(deleting, check):
    result = deleting(FakeKernel([udp(2), ssh(), udp(3)]), check, own=[(SERVER, CLIENT)], all=True)
    assert (result["matched"], result["deleted"], result["kept"]["ssh"]) == (3, 2, 1)
    assert result["advice"] == ["Kept as ssh sessions of this host: 1."]


def test_a_session_that_begins_meanwhile_stays(deleting, monkeypatch):
    times = iter([0.0, 0.1, 5.0, 5.1, *[5.2] * 50])
    monkeypatch.setattr(deleting.host, "clock", lambda: next(times))
    kernel = FakeKernel([*map(udp, range(10, 210)), ssh()], size=4000)
    looks = iter([[], [(SERVER, CLIENT)]])
    monkeypatch.setattr(delete.sessions, "find", lambda _host: next(looks))
    keys = tables.Keys(1, 0, 1024, {})
    monkeypatch.setattr(delete.tables, "connect", lambda *_: tables.Table(kernel, keys))
    result = delete.run(deleting.host, delete.parse({**PARAMS, "all": True}), check_mode=False)
    assert (result["deleted"], result["kept"]["ssh"]) == (200, 1)
    assert next(looks, None) is None


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(("limit", "deleted"), [(1, 1), (150, 150), (299, 299), (300, 300), (301, 300), (0, 300)])
def test_no_more_than_the_limit_go(deleting, check, limit, deleted):
    kernel = FakeKernel(list(map(udp, range(300))), size=8000)
    result = deleting(kernel, check, all=True, limit=limit)
    assert (result["matched"], result["deleted"], result["kept"]["limit"]) == (300, deleted, 300 - deleted)
    assert len(kernel.deleted) == (0 if check else deleted)
    assert bool(result["advice"]) is (deleted < 300)


def test_what_was_gone_already_does_not_count_against_the_limit(deleting):
    kernel = FakeKernel(list(map(udp, range(10))), {0: errno.ENOENT, 3: errno.ENOENT, 4: errno.EBUSY})
    result = deleting(kernel, all=True, limit=5)
    assert (result["deleted"], result["matched"]) == (5, 10)
    assert result["kept"] == {"ssh": 0, "limit": 2, "gone": 2, "busy": 1}


def test_what_a_flow_table_forwards_is_told_where_the_kernel_keeps_it(deleting):
    result = deleting(FakeKernel([udp(1)], {1: errno.EBUSY}), all=True)
    assert not result["changed"] and result["kept"]["busy"] == 1
    assert result["advice"] == [
        "Left because a flow table forwards them, and this kernel does not delete such entries: 1."
    ]


@pytest.mark.parametrize("check", [False, True])
def test_the_first_that_were_deleted_are_returned(deleting, check):
    kernel = FakeKernel([ssh(), *map(udp, range(100))], {} if check else {0: errno.ENOENT})
    result = deleting(kernel, check, own=[(SERVER, CLIENT)], all=True, entries=3)
    assert [entry["id"] for entry in result["entries"]] == ([0, 1, 2] if check else [1, 2, 3])


@pytest.mark.parametrize("check", [False, True])
def test_a_filter_that_means_nothing_there_changes_nothing(deleting, check):
    kernel = FakeKernel(list(map(udp, range(20))))
    result = deleting(kernel, check, filter={"protocol": "tcp"})
    assert not result["changed"] and (result["matched"], result["deleted"]) == (0, 0) and not kernel.deleted


def test_the_kernel_is_asked_to_leave_out_what_is_not_meant(deleting):
    kernel = FakeKernel([udp(1)])
    deleting(kernel, filter={"mark": "0x10"})
    assert kernel.asked == [Filter(mark=(16, 0xFFFFFFFF)).request()] and not kernel.deleted


@pytest.mark.parametrize("check", [False, True])
def test_without_connection_tracking_nothing_is_to_delete_and_nothing_is_loaded(recorded_host, check):
    host = recorded_host("trixie-6.12-absent")
    host.is_root = True
    before = host.snapshot()
    result = delete.run(host, delete.parse({**PARAMS, "all": True}), check)
    assert (result["tracking"], result["changed"], result["deleted"]) == (False, False, 0)
    assert result["advice"] == [advice.NO_TRACKING] and host.snapshot() == before and host.ran == []


def test_who_is_not_root_is_refused_before_anything_is_asked(deleting):
    deleting.host.is_root = False
    kernel = FakeKernel([udp(1)])
    with pytest.raises(Refused, match="needs root"):
        deleting(kernel, all=True)
    assert not kernel.asked


def test_where_sessions_are_not_known_nothing_is_deleted(deleting, monkeypatch):
    kernel = FakeKernel([udp(1)])
    monkeypatch.setattr(delete.tables, "connect", lambda *_: tables.Table(kernel, tables.Keys(1, 0, 1, {})))
    for path in ("/proc/5/comm", "/proc/5/stat"):
        deleting.host.put(path, "5 (sshd) S 1\n" if path.endswith("stat") else "sshd\n")
    deleting.host.put("/proc/5/fd/0", {"link": "socket:[1]"})
    deleting.host.denied.add("/proc/5/fd")
    with pytest.raises(Refused, match="cannot be kept"):
        delete.run(deleting.host, delete.parse({**PARAMS, "all": True}), check_mode=False)
    assert not kernel.deleted


def test_a_run_waits_for_others_that_change_the_host_and_check_mode_does_not(deleting, monkeypatch):
    waited = []
    lock = deleting.host.lock
    monkeypatch.setattr(deleting.host, "lock", lambda: waited.append(1) or lock())
    deleting(FakeKernel([udp(1)]), check=True, all=True)
    assert not waited
    deleting(FakeKernel([udp(1)]), all=True)
    assert waited == [1]


def test_an_error_after_the_first_deletion_says_how_many_are_gone(deleting):
    kernel = FakeKernel(list(map(udp, range(400))), {150: errno.ENOMEM}, size=8000)
    with pytest.raises(
        ApplyError, match=r"Cannot allocate memory\. \d+ entries had been deleted, which cannot be undone"
    ) as raised:
        deleting(kernel, all=True, entries=1)
    details = raised.value.details
    assert 0 < details["deleted"] == len(kernel.deleted) - 1 < 400 and len(details["entries"]) == 1
    assert f" {details['deleted']} entries" in raised.value.message


def test_a_dump_that_ends_early_after_deletions_says_so_too(deleting):
    kernel = FakeKernel([udp(1)])
    kernel.ends_with = HostError("read", netlink.NAME, "cut")
    with pytest.raises(ApplyError, match=r"cut\. 1 entries had been deleted"):
        deleting(kernel, all=True)


def test_an_error_before_any_deletion_is_just_that(deleting):
    with pytest.raises(HostError, match=r"Cannot allocate memory$"):
        deleting(FakeKernel([udp(1)], {1: errno.ENOMEM}), all=True)


@pytest.mark.parametrize("check", [False, True])
def test_a_run_that_is_told_to_end_does_so_between_datagrams_and_says_what_is_gone(deleting, monkeypatch, check):
    kernel = FakeKernel(list(map(udp, range(400))), size=8000)

    looks = iter(range(9))

    def look(_watch):
        if next(looks) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(delete._Watch, "look", look)
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        if check:
            with pytest.raises(Interrupted, match=r"ended by SIGTERM\. Nothing was deleted$"):
                deleting(kernel, check, all=True)
        else:
            with pytest.raises(ApplyError, match=r"ended by SIGTERM\. \d+ entries had been deleted") as raised:
                deleting(kernel, all=True)
            assert 0 < raised.value.details["deleted"] == len(kernel.deleted) < 400
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_entry_without_an_id_is_not_deleted_by_its_addresses_alone(deleting):
    kernel = FakeKernel([udp(1, id=None)])
    with pytest.raises(HostError, match="this kernel shows no id for it"):
        deleting(kernel, all=True)
    assert not kernel.deleted


@pytest.mark.parametrize(("params", "words"), [
    ({}, "filter is not given and all is not true. Give at least one of family, protocol, source"),
    ({"filter": {}}, "filter is empty and all is not true"),
    ({"filter": {"status": [], "zone": None}}, "filter is empty"),
    ({"all": True, "filter": {"zone": 1}},
     "all is true and filter is given, which cannot be used together. Leave out all"),
    ({"all": True, "filter": {}}, "cannot be used together"),
    ({"all": True, "limit": -1}, "limit is -1, but must be a whole number from 0"),
    ({"all": True, "entries": 1001}, "entries is 1001, but must be a whole number from 0 to 1000"),
    ({"filter": {"source": "10.0.0.1/8"}}, "give 10.0.0.0/8 for the network"),
    ({"filter": {"port": 22}}, "needs filter.protocol"),
])  # fmt: skip
def test_a_request_that_cannot_be_meant_is_refused_with_what_is_allowed(params, words):
    with pytest.raises(InvalidInput) as raised:
        delete.parse({**PARAMS, **params})
    assert words in raised.value.message


FILTERS = st.sampled_from([
    {"family": "ipv6"}, {"protocol": "tcp"}, {"protocol": "udp", "port": 53}, {"source": "10.0.0.0/22"}, {"zone": 0},
    {"status": ["assured"]}, {"status": ["unreplied", "!src_nat"]}, {"mark": "0"}, {"state": "established"},
])  # fmt: skip


@given(st.lists(entries(), max_size=60), FILTERS, st.integers(0, 30), st.integers(0, 8), st.data())
def test_of_any_table_just_those_are_chosen_that_the_filter_means_and_are_no_session(found, fields, limit, own, data):
    request = delete.parse({**PARAMS, "filter": fields, "limit": limit})
    tuples = [(entry.original.source, entry.original.source_port, entry.original) for entry in found[:own]]
    held = sessions.Sessions(
        ((source, port), (tuple_.destination, tuple_.destination_port)) for source, port, tuple_ in tuples
    )
    plan = delete.Plan(request, held)
    gone = set()
    for datagram in datagrams(found, 3000):
        waiting = plan.choose(datagram)
        while waiting:
            now, waiting = plan.within_limit(waiting)
            codes = [data.draw(st.sampled_from([0, 0, 0, errno.ENOENT])) for _entry in now]
            plan.record(now, codes)
            gone |= {id_ for code, id_ in zip(codes, (dump.encode_deletion(entry) for entry in now)) if not code}
    meant = [entry for entry in found if request.meant.matches(entry)]
    may_go = {dump.encode_deletion(entry) for entry in meant if not held.hold(entry)}
    assert gone <= may_go
    assert plan.matched == len(meant) == plan.deleted + sum(plan.kept.values())
    assert plan.deleted <= (limit or len(found))
    assert plan.kept["limit"] == 0 or plan.deleted == limit
    assert plan.kept["ssh"] == sum(held.hold(entry) for entry in meant)
