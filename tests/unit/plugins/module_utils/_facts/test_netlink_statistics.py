# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statistics where /proc has none. tests/namespaces and scenario `entries` ask real kernels."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils import _ctnetlink as netlink
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError, Refused
from ansible_collections.netops.conntrack.plugins.module_utils._facts import gather, netlink_statistics
from ansible_collections.netops.conntrack.plugins.module_utils._facts.statistics import PATH

ANSWER = {"drop": [17, 0], "early_drop": [9, 8]}


def message(counters, cpu=0):
    """One message, of counters by number."""
    attributes = b"".join(struct.pack("=HH", 8, kind) + struct.pack(">I", value) for kind, value in counters.items())
    body = netlink.FAMILY.pack(0, 0, cpu) + attributes
    return netlink.HEADER.pack(netlink.HEADER.size + len(body), 0x104, 2, 7, 0) + body


def test_each_counter_has_its_name_and_a_number_for_each_cpu():
    messages = [message({2: 204, 10: 17, 15: 1}), message({2: 3, 10: 0xFFFFFFFF, 15: 0}, 1)]
    assert netlink_statistics.parse(messages) == {"found": [204, 3], "drop": [17, 2**32 - 1], "chain_too_long": [1, 0]}


def test_what_an_old_kernel_tells_no_more_than_zeros_of_is_left_out():
    assert netlink_statistics.parse([message({1: 0, 3: 0, 5: 0, 6: 0, 7: 0, 11: 5, 99: 1})]) == {"early_drop": [5]}


def test_a_counter_of_another_size_is_a_clear_error():
    data = message({})
    data = netlink.HEADER.pack(len(data) + 8, 0x104, 2, 7, 0) + data[16:] + struct.pack("=HHHH", 6, 10, 1, 0)
    with pytest.raises(HostError, match="a counter of 2 bytes"):
        netlink_statistics.parse([data])


@given(st.lists(st.binary(max_size=60)))
def test_no_bytes_are_a_crash(bodies):
    try:
        found = netlink_statistics.parse([netlink.HEADER.pack(0, 0, 0, 0, 0) + body for body in bodies])
    except HostError:
        return
    assert all(len(values) == len(bodies) for values in found.values())


@pytest.fixture
def kernel(monkeypatch):
    """Notes whether the kernel was asked."""
    asked = []

    def ask():
        asked.append(True)
        return ANSWER

    monkeypatch.setattr(netlink_statistics, "ask", ask)
    return asked


def host_with(recorded_host, files, is_root=True):
    release = recorded_host("trixie-6.12-full").read_value("/proc/sys/kernel/osrelease")
    host = recorded_host(
        "trixie-6.12-full",
        {path.replace("RELEASE", release): content for path, content in {PATH: None, **files}.items()},
    )
    host.is_root = is_root
    return host


LOADED = {
    "/proc/modules": "nf_conntrack_netlink 57344 0 - Live 0x0\nnf_conntrack 200704 1 nf_conntrack_netlink, Live 0x0\n"
}
NOT_LOADED = {"/proc/modules": "nf_conntrack 200704 0 - Live 0x0\n"}
BUILT_IN = {**NOT_LOADED, "/lib/modules/RELEASE/modules.builtin": "kernel/net/netfilter/nf_conntrack_netlink.ko\n"}


@pytest.mark.parametrize("files", [LOADED, BUILT_IN], ids=["loaded", "built in"])
def test_facts_have_them_where_the_module_that_answers_is_there(recorded_host, kernel, files):
    host = host_with(recorded_host, files)
    facts = gather.gather(host, gather.Request({"statistics"}))
    assert facts["statistics"] == {"drop": 17, "early_drop": 17, "per_cpu": ANSWER} and kernel


@pytest.mark.parametrize(
    ("files", "is_root"), [(NOT_LOADED, True), (LOADED, False)], ids=["would be loaded", "without root"]
)
def test_the_kernel_is_not_asked_where_that_would_load_a_module_or_is_not_allowed(
    recorded_host, kernel, files, is_root
):
    facts = gather.gather(host_with(recorded_host, files, is_root), gather.Request({"statistics"}))
    assert facts["statistics"] is None and not kernel


def test_proc_comes_first(recorded_host, kernel):
    host = recorded_host("trixie-6.12-full", LOADED)
    assert gather.gather(host, gather.Request({"statistics"}))["statistics"]["per_cpu"] != ANSWER and not kernel


def test_root_of_a_container_that_may_not_has_none(recorded_host, monkeypatch):
    def refuse():
        raise Refused("no")

    monkeypatch.setattr(netlink_statistics, "ask", refuse)
    facts = gather.gather(host_with(recorded_host, LOADED), gather.Request({"statistics"}))
    assert facts["statistics"] is None and facts["unreadable"] == []
