# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wildcards as the C library knows them: fnmatch(3) and glob(3). Pure."""

from __future__ import annotations

import fnmatch
import re


def is_pattern(text: str) -> bool:
    """Whether a text stands for all that match it."""
    return "*" in text or "?" in text or "[" in text


def matches(pattern: str, text: str) -> bool:
    """Whether fnmatch(3) finds that a text matches.

    Unlike Python's, that negates a set by ``^`` too, and takes what follows a backslash as it is.
    """
    if not is_pattern(pattern) and "\\" not in pattern:
        return pattern == text
    escaped = re.sub(r"\\(.)", r"[\1]", pattern.replace("[^", "[!"), flags=re.DOTALL)
    try:
        return fnmatch.fnmatchcase(text, escaped)
    except re.error:
        return False  # a range without a member such as [z-a], to a Python before 3.10


def path_matches(pattern: str, path: str) -> bool:
    """The same for glob(3), where no wildcard stands for a ``/``."""
    patterns, parts = pattern.split("/"), path.split("/")
    return len(patterns) == len(parts) and all(map(matches, patterns, parts))
