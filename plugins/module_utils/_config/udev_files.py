# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files of udev rules may set a sysctl when a module is loaded. Pure.

That is a look at their text: most hosts have fifty such files and at most our own is one of these. What takes rules
apart is in ``udev_rules``, and is loaded where there is another.
"""

from __future__ import annotations

from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import Reading

KIND = "udev/rules.d"

READING = Reading(suffixes=(".rules",))

#: What only a rule has that runs a program for sysctl, or sets one itself.
_MENTIONS = ("sysctl", "SYSCTL{", "/proc/sys", "parameters/hashsize")

_SUBSYSTEM = 'SUBSYSTEM=="'


def is_of_interest(text: str) -> bool:
    """Whether a file may have a module's load set a sysctl, or take from what others run then."""
    return _mentions(text) and any(_mentions(line) and not _is_about_others(line) for line in text.split("\n"))


def _mentions(text: str) -> bool:
    return any(word in text for word in _MENTIONS) or any(map(_assigns, text.split("RUN")[1:]))


def _assigns(after: str) -> bool:
    """Whether what follows RUN takes from the list of programs, by ``=`` or ``:=``."""
    return (after.partition("}")[2] if after[:1] == "{" else after).lstrip().startswith(("=", ":="))


def _is_about_others(line: str) -> bool:
    """Whether a line is a comment, or belongs to a rule about something that is no module, such as network cards."""
    if line.lstrip().startswith("#"):
        return True
    subsystem = line.partition(_SUBSYSTEM)[2].partition('"')[0]
    return subsystem not in ("", "module") and not any(char in subsystem for char in "*?[|\\")
