# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""udev rules: whether one applies sysctl files when a module is loaded. Pure.

Sources: udev(7), src/udev/udev-rules.c of systemd.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._config import wildcards
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import Reading

KIND = "udev/rules.d"

READING = Reading(suffixes=(".rules",))

# KERNEL=="nf_conntrack", RUN{program}+="/sbin/sysctl --system"
_TOKEN = re.compile(r'([A-Z]+)(?:\{([^}]*)\})?\s*([=!+:-]?=)\s*[a-z]?"((?:[^"\\]|\\.)*)"')
_APPLIES = re.compile(r"\bsystemd-sysctl\b|\bsysctl\b.*\s(?:--system|--load|-\w*[pf])\b")


def applies_sysctl(text: str, module: str) -> bool:
    """Whether a rule of a file runs a program that applies sysctl files when a module is loaded."""
    # Most files name no such program, and taking thousands of rules apart takes time.
    return "sysctl" in text and any(_applies_sysctl(line, module) for line in _logical_lines(text))


def _logical_lines(text: str) -> t.Iterator[str]:
    """The lines, joined where a backslash ends one. A comment is no line, not even between lines that are joined."""
    begun = ""
    for raw in text.split("\n"):
        line = raw.lstrip().rstrip("\r")
        if line.startswith("#"):
            continue
        if line.endswith("\\"):
            begun += line[:-1]
        else:
            yield begun + line
            begun = ""


def _applies_sysctl(line: str, module: str) -> bool:
    event = {"ACTION": "add", "SUBSYSTEM": "module", "KERNEL": module}
    tokens = _TOKEN.findall(line)
    names_it = any((key, operator) == ("KERNEL", "==") for key, _attribute, operator, _value in tokens)
    is_met = all(
        _matches(value, event[key]) == (operator == "==") for key, _attribute, operator, value in tokens if key in event
    )
    return (
        names_it
        and is_met
        and any(
            key == "RUN" and attribute != "builtin" and operator != "-=" and _APPLIES.search(value)
            for key, attribute, operator, value in tokens
        )
    )


def _matches(patterns: str, text: str) -> bool:
    return any(wildcards.matches(pattern, text) for pattern in patterns.split("|"))
