# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is returned of a table, from the messages of a kernel that is made up."""

from __future__ import annotations

import errno
import json
import socket

import pytest
from entries_made import address, datagrams, reply_of, shuffled

from ansible_collections.netops.conntrack.plugins.module_utils._entries import advice, dump, gather, tables
from ansible_collections.netops.conntrack.plugins.module_utils._entries.request import parse
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError

PARAMS = {
    "sample": "all", "top": 10, "prefix": {"ipv4": 32, "ipv6": 64}, "filter": None, "entries": 0, "namespace": None,
    "what_if": None,
}  # fmt: skip

TIMEOUTS = {"tcp_established": 432000, "tcp_time_wait": 120, "udp": 30, "udp_stream": 120, "icmp": 30}


class FakeSocket:
    """In the place of a socket to the kernel."""

    def __init__(self, found, error=None):
        self.found, self.error, self.asked = found, error, []

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        pass

    def dump(self, body, family):
        self.asked.append((family, body))
        if self.error and body:
            raise self.error
        yield from self.found


@pytest.fixture
def told(recorded_host, monkeypatch):
    """``told(entries, total=, limit=, error=, **params)``: what is returned of a table with these entries."""

    def make(found, total=None, limit=0, error=None, size=32000, **params):
        found = list(found)
        keys = tables.Keys(len(found) if total is None else total, limit, 1024, TIMEOUTS)
        opened = FakeSocket(list(datagrams(found, size)), error)
        monkeypatch.setattr(gather.tables, "connect", lambda *_: tables.Table(opened, keys))
        host = recorded_host("linux-6.18-built-in", {"/proc/sys/net/netfilter/nf_conntrack_buckets": "1024\n"})
        result = gather.gather(host, parse({**PARAMS, **params}))
        assert json.loads(json.dumps(result)) == result
        make.asked = opened.asked
        return result

    return make


def tcp(number, source=1, state=3, left=431000, status=14, **changes):
    original = dump.Tuple(socket.AF_INET, dump.TCP, address(source), address(5000), number % 65536, 443)
    return dump.Entry(original, reply_of(original, **changes), status=status, id=number, timeout=left, state=state)


def udp(number, left=29, status=8):
    original = dump.Tuple(socket.AF_INET6, dump.UDP, address(number * 256, 10), address(7, 10), 5000, 53)
    return dump.Entry(original, reply_of(original), status=status, id=number, timeout=left)


def test_a_table_that_is_read_whole_is_told_exactly(told):
    result = told(shuffled([*map(tcp, range(300)), *map(udp, range(100))], 1), limit=1000)
    assert (result["total"], result["read"], result["matched"], result["complete"]) == (400, 400, 400, True)
    assert result["counts"]["protocols"] == {
        "tcp": {"entries": 300, "share_percent": 75.0, "margin_percent": 0.0, "estimate": 300},
        "udp": {"entries": 100, "share_percent": 25.0, "margin_percent": 0.0, "estimate": 100},
    }
    assert result["counts"]["unreplied"]["entries"] == 100 and result["early_drop_percent"] == 25.0
    assert result["sources"][0]["source"] == "10.0.0.1" and result["sources"][0]["entries"] == 300
    assert result["sources"][1]["source"].endswith("::/64")
    assert result["ports"][0]["port"] == 443 and result["pairs"][0]["destination"] == "10.0.19.136"
    assert [line.split(" of the entries")[0] for line in result["advice"]] == ["75.0 %", "75.0 %"]


def test_a_sample_of_a_large_table_is_scaled_to_it(told):
    found = shuffled([*map(tcp, range(3000)), *map(udp, range(1000))], 2)
    result = told(found, total=4000, size=4000, sample="400")
    assert not result["complete"] and 400 <= result["read"] < 450
    share = result["counts"]["protocols"]["tcp"]
    assert abs(share["share_percent"] - 75) <= share["margin_percent"] and abs(share["estimate"] - 3000) < 300
    assert 3 < result["margin_percent"] < 5


def test_with_a_filter_no_number_is_made_up_for_the_rest_of_the_table(told):
    result = told(map(tcp, range(4000)), size=4000, sample="400", filter={"protocol": "tcp"})
    assert result["counts"]["protocols"]["tcp"]["estimate"] is None


def test_a_sample_with_few_that_are_meant_says_how_to_read_more(told):
    found = [*map(udp, range(2000)), *map(tcp, range(2000))]
    result = told(found, size=4000, sample="400", filter={"protocol": "tcp"})
    assert result["matched"] == 0 and result["margin_percent"] == 100.0
    assert "sample: all" in result["advice"][-1]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EOPNOTSUPP])
def test_a_kernel_that_refuses_a_filter_gets_none_and_the_module_filters(told, code):
    error = HostError("ask", "x", "no", code)
    result = told([*map(tcp, range(30)), *map(udp, range(10))], error=error, filter={"mark": "0", "protocol": "udp"})
    assert (result["read"], result["matched"]) == (40, 10)
    assert [bool(body) for _family, body in told.asked] == [True, False]


def test_another_refusal_is_told(told):
    with pytest.raises(HostError, match="no memory"):
        told([], error=HostError("ask", "x", "no memory", errno.ENOMEM), filter={"mark": "0"})


@pytest.mark.parametrize("sample", ["all", "50000"])
def test_a_message_that_is_cut_fails_the_run_also_in_the_second_thread(told, monkeypatch, sample):
    monkeypatch.setattr(f"{__name__}.datagrams", lambda found, size: [b"\x10" * 40] * 500)
    with pytest.raises(HostError, match="cannot read"):
        told([], sample=sample)


def test_timeouts_say_what_they_hold_and_what_a_day_would_free(told):
    found = [tcp(number, left=432000 - number * 1000) for number in range(400)]
    result = told(found, what_if={"tcp_established": [86400], "icmp": [5]})
    held = result["timeouts"]["tcp_established"]
    assert (held["entries"], held["seconds"], held["unknown"]) == (400, 432000, 0)
    assert held["what_if"] == [
        {"seconds": 86400, "frees": 313, "share_percent": 78.25, "margin_percent": 0.0, "estimate": 313}
    ]
    assert result["timeouts"]["icmp"]["entries"] == 0 and result["timeouts"]["icmp"]["what_if"][0]["frees"] == 0
    assert any("With 86400 s, 78.25 %" in line and "tcp_established: 86400" in line for line in result["advice"])


def test_a_full_range_of_ports_of_translation_is_told_with_what_to_do(told):
    found = [
        tcp(number, source=number, status=0x1E, destination=address(77), destination_port=1024 + number)
        for number in range(60000)
    ]
    result = told(found)
    fullest = result["nat_ports"][0]
    assert (fullest["address"], fullest["port"], fullest["used_percent"]) == ("10.0.0.77", 443, 93.01)
    assert result["counts"]["nat"]["source"]["entries"] == 60000
    assert "NAT address 10.0.0.77 has used 93.01 % of the 64512 tcp ports" in result["advice"][0]


def test_without_connection_tracking_it_says_so_and_nothing_else(recorded_host):
    result = gather.gather(recorded_host("trixie-6.12-absent"), parse({**PARAMS, "what_if": {"udp": [1]}}))
    assert result["tracking"] is False and result["advice"] == [advice.NO_TRACKING]
    assert (result["total"], result["read"], result["complete"]) == (0, 0, True)
    assert result["timeouts"] == {} and result["sources"] == []


def test_evictable_are_those_not_assured_and_those_that_close(told):
    found = [
        tcp(1),
        tcp(2, state=7),
        tcp(3, status=10),
        tcp(4)._replace(status=0x400E, timeout=None, state=None),
    ]
    result = told(found)
    assert result["early_drop_percent"] == 50.0 and result["counts"]["offloaded"]["entries"] == 1
