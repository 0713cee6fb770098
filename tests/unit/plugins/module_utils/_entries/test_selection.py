# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A filter means the same messages by columns as one by one."""

from __future__ import annotations

from entries_made import entries, message_of
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump
from ansible_collections.netops.conntrack.plugins.module_utils._entries.filter import parse
from ansible_collections.netops.conntrack.plugins.module_utils._entries.layout import Layout, UnusualError
from ansible_collections.netops.conntrack.plugins.module_utils._entries.selection import Columns

VALUES = {
    "family": st.sampled_from(["ipv4", "ipv6"]),
    "source": st.sampled_from(["10.0.0.0/21", "10.0.0.5", "2001:db8::/53", "::/0"]),
    "destination": st.sampled_from(["10.0.0.0/22", "0.0.0.0/0", "2001:db8::/54"]),
    "zone": st.sampled_from([0, 1, 7]),
    "mark": st.sampled_from(["0", "0x1/0x1", "0/0xff"]),
    "state": st.sampled_from(["established", "time_wait", "cookie_wait", "open"]),
    "status": st.sampled_from([["assured"], ["!assured"], ["unreplied"], ["src_nat", "seen_reply"]]),
}


@given(st.lists(entries(), min_size=1, max_size=30), st.sampled_from(sorted(VALUES)), st.data())
def test_each_field_means_the_same_entries(found, name, data):
    meant = parse({name: data.draw(VALUES[name])})
    by_shape = {}
    for entry in found:
        message = message_of(entry)
        try:
            shape = Layout(message)
        except UnusualError:
            continue
        by_shape.setdefault(tuple(shape._template), (shape, []))[1].append(message)
    for shape, messages in by_shape.values():
        chosen = list(Columns(shape, b"".join(messages), len(messages)).meant(meant))
        assert chosen == [meant.matches(dump.parse(message)) for message in messages]


@given(st.lists(entries(), min_size=1, max_size=30))
def test_a_protocol_and_its_port_mean_the_same_entries(found):
    first = found[0].original
    fields = {"protocol": str(first.protocol)}
    if first.protocol in dump.WITH_PORTS and first.destination_port:
        fields["port"] = first.destination_port
    meant = parse(fields)
    for entry in found:
        message = message_of(entry)
        shape = Layout(message)
        assert list(Columns(shape, message, 1).meant(meant)) == [meant.matches(entry)]
