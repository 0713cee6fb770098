# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user may ask."""

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._entries.count import Prefixes
from ansible_collections.netops.conntrack.plugins.module_utils._entries.request import parse
from ansible_collections.netops.conntrack.plugins.module_utils._errors import InvalidInput

PARAMS = {
    "sample": "all", "top": 10, "prefix": {"ipv4": 32, "ipv6": 64}, "filter": None, "entries": 0, "namespace": None,
    "what_if": None,
}  # fmt: skip


@pytest.mark.parametrize(("params", "words"), [
    ({"sample": "0"}, "sample is '0'"), ({"sample": "-1"}, "or all"), ({"sample": "many"}, "or all"),
    ({"sample": "9" * 40}, "or all"), ({"top": -1}, "top is -1"), ({"top": 1001}, "from 0 to 1000"),
    ({"prefix": {"ipv4": 33}}, "prefix.ipv4 is 33"), ({"prefix": {"ipv6": -1}}, "from 0 to 128"),
    ({"entries": 1001}, "entries is 1001"), ({"filter": {"port": 5}}, "filter.protocol"),
])  # fmt: skip
def test_a_request_that_cannot_be_meant_is_named(params, words):
    with pytest.raises(InvalidInput) as raised:
        parse({**PARAMS, **params})
    assert words in raised.value.message


def test_what_is_given_is_what_is_asked():
    asked = parse({**PARAMS, "sample": "77", "top": 3, "entries": 5, "namespace": "web", "what_if": {"udp": [5]}})
    assert (asked.sample, asked.top, asked.entries, asked.namespace) == (77, 3, 5, "web")
    assert asked.what_if == {"udp": [5]} and asked.meant.is_empty
    assert parse(PARAMS).sample is None


@pytest.mark.parametrize(("given", "expected"), [
    (None, Prefixes(32, 64)), ({"ipv4": 24, "ipv6": None}, Prefixes(24, 64)), ({"ipv4": 24}, Prefixes(24, 64)),
    ({"ipv6": 0}, Prefixes(32, 0)),
])  # fmt: skip
def test_a_prefix_that_is_given_for_one_family_leaves_the_other_as_it_is(given, expected):
    assert parse({**PARAMS, "prefix": given}).prefixes == expected
