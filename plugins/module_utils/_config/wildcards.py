# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wildcards as the C library knows them: fnmatch(3) and glob(3). Pure."""

from __future__ import annotations

import fnmatch
import re

_WILDCARD = re.compile(r"[*?\[]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def is_pattern(text: str) -> bool:
    """Whether a text stands for all that match it."""
    return _WILDCARD.search(text) is not None


def matches(pattern: str, text: str) -> bool:
    """Whether fnmatch(3) finds that a text matches.

    Unlike Python's, that negates a set by ``^`` too, and takes what follows a backslash as it is.
    """
    try:
        return fnmatch.fnmatchcase(text, _ESCAPED.sub(r"[\1]", pattern.replace("[^", "[!")))
    except re.error:
        return False  # a range without a member such as [z-a], to a Python before 3.10


def path_matches(pattern: str, path: str) -> bool:
    """The same for glob(3), where no wildcard stands for a ``/``."""
    patterns, parts = pattern.split("/"), path.split("/")
    return len(patterns) == len(parts) and all(map(matches, patterns, parts))
