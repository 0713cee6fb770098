# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Patterns match as the C library matches them, of which this machine's own is the judge."""

from __future__ import annotations

import ctypes
import glob

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._config import wildcards

MATCHES: list[tuple[str, str, bool]] = [
    ("nf_conntrack", "nf_conntrack", True),
    ("nf_conntrack", "NF_conntrack", False),
    ("nf_*", "nf_conntrack", True),
    ("nf_*", "nf_", True),
    ("nf_*", "xnf_nat", False),
    ("nf_na?", "nf_nat", True),
    ("nf_na?", "nf_na", False),
    ("nf_[mn]at", "nf_nat", True),
    ("nf_[a-m]at", "nf_nat", False),
    ("nf_[!m]at", "nf_nat", True),
    ("nf_[^m]at", "nf_nat", True),
    ("nf_[^n]at", "nf_nat", False),
    (r"nf_\*", "nf_*", True),
    (r"nf_\*", "nf_nat", False),
    ("", "", True),
    ("", "x", False),
    ("*", "", True),
    ("nf_nat\n", "nf_nat", False),
    # A range without a member is an error to a Python before 3.10, and matches nothing.
    ("[z-a]", "b", False),
]


@pytest.mark.parametrize(("pattern", "text", "is_match"), MATCHES)
def test_a_pattern_matches_the_names_that_the_c_library_says(pattern, text, is_match):
    assert wildcards.matches(pattern, text) is is_match
    assert c_matches(pattern, text) is is_match


def c_matches(pattern, text):
    """What fnmatch(3) of this machine says."""
    return ctypes.CDLL(None).fnmatch(pattern.encode(), text.encode(), 0) == 0


@given(st.text("ab-*?\\", max_size=6), st.text("ab-*?\\", max_size=5))
def test_any_pattern_without_a_set_matches_as_in_the_c_library(pattern, text):
    # One that ends in a single backslash matches nothing there, and no name of a key or module has one.
    assume((len(pattern) - len(pattern.rstrip("\\"))) % 2 == 0)
    assert wildcards.matches(pattern, text) == c_matches(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "path", "is_match"),
    [
        ("net/*/nf_conntrack_max", "net/netfilter/nf_conntrack_max", True),
        ("net/*", "net/nf_conntrack_max", True),
        ("net/*", "net/netfilter/nf_conntrack_max", False),
        ("net/netfilter/*", "net/netfilter/nf_conntrack_max", True),
        ("*", "net/nf_conntrack_max", False),
        ("net?netfilter", "net/netfilter", False),
    ],
)
def test_no_wildcard_stands_for_a_slash(tmp_path, pattern, path, is_match):
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).touch()
    assert wildcards.path_matches(pattern, path) is is_match
    assert (str(tmp_path / path) in glob.glob(f"{tmp_path}/{pattern}")) is is_match


@pytest.mark.parametrize(("text", "is_one"), [("a*", True), ("a?", True), ("[a]", True), ("a", False), ("a]!^", False)])
def test_what_is_a_pattern(text, is_one):
    assert wildcards.is_pattern(text) is is_one
