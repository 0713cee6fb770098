# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""iptables-services of the RHEL family, which applies some lines of sysctl files again when it starts.

load_sysctl() of iptables.init: for each word of IPTABLES_SYSCTL_LOAD_LIST, ``fgrep`` it and have ``sysctl -p -`` apply
what it finds, in /etc/sysctl.conf (read in releases up to RHEL 6) or in /etc/sysctl.d (later ones, reported). So what
is applied is named, and not told as certain.
"""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._writers import shell_variables, sysctl_lines
from ansible_collections.netops.conntrack.plugins.module_utils._writers.writer import Writer

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._writers.files import Files

_SERVICES = {
    "iptables.service": "/etc/sysconfig/iptables-config",
    "ip6tables.service": "/etc/sysconfig/ip6tables-config",
}
_VARIABLE = "IPTABLES_SYSCTL_LOAD_LIST"
_SYSCTL_D = "/etc/sysctl.d"
_SYSCTL_CONF = "/etc/sysctl.conf"


def find(files: Files, is_started: t.Callable[[str], bool | None]) -> t.Iterator[Writer]:
    """What iptables-services sets.

    :param is_started: whether the boot starts a unit; None where that is not known.
    """
    for unit, path in _SERVICES.items():
        config = files.text(path)
        listed = shell_variables.parse(config.text).get(_VARIABLE) if config is not None else None
        if listed is None or not listed.value:
            continue
        paths = [_SYSCTL_CONF] + [f"{_SYSCTL_D}/{name}" for name in files.names(_SYSCTL_D) if name.endswith(".conf")]
        texts = [(name, files.text(name)) for name in paths]
        words = listed.value.split()
        lines = sysctl_lines.in_force((name, _matching(text.text, words)) for name, text in texts if text is not None)
        starts = is_started(unit) is not False if lines else True
        service = unit.partition(".")[0]
        when = f"when {service} starts" + ("" if starts else ", which the boot does not do")
        for key, line in lines.items():
            then = f", by {_VARIABLE} ({path}:{listed.line})"
            yield Writer(
                service, line.path, line.number, key, line.value, when, then=then, by_itself=starts, yields=True
            )


def _matching(text: str, words: t.Sequence[str]) -> str:
    """A text whose lines are those that have one of the words; the others are empty, so that numbers stay."""
    return "\n".join(line if any(word in line for word in words) else "" for line in text.split("\n"))
