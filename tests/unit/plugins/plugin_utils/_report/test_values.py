# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.plugin_utils._report.values import (
    at,
    mapping,
    mappings,
    number,
    texts,
)

NODE = {"a": {"b": 1, "list": [{"x": 1}, "text", None, {"y": 2}]}, "none": None, "flag": True}


def test_what_is_there_is_found():
    assert at(NODE, "a", "b") == number(NODE, "a", "b") == 1
    assert mapping(NODE, "a") == NODE["a"]
    assert mappings(NODE, "a", "list") == [{"x": 1}, {"y": 2}]
    assert texts(NODE, "a", "list") == ["text"]


@pytest.mark.parametrize("names", [("z",), ("none",), ("none", "b"), ("a", "b", "c"), ("flag",)])
def test_what_a_host_did_not_return_is_nothing_and_no_error(names):
    assert number(NODE, *names) is None
    assert (mapping(NODE, *names), mappings(NODE, *names), texts(NODE, *names)) == ({}, [], [])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "12", [1], True])
def test_what_is_no_number_is_not_taken_for_one(value):
    assert number({"n": value}, "n") is None
