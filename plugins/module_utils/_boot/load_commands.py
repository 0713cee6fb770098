# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the commands set that are run when nf_conntrack is loaded.

Those of an ``install`` line of modprobe.d, and of udev rules.
"""

from __future__ import annotations

import functools
import posixpath
import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._boot.at_load import MODPROBE, UDEV, Applier
from ansible_collections.netops.conntrack.plugins.module_utils._config import (
    drop_ins,
    modprobe_d,
    procps_sysctl,
    sysctl_command,
    systemd_sysctl,
    udev_rules,
    wildcards,
)
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import DropIns, Origin, Reading
from ansible_collections.netops.conntrack.plugins.module_utils._kernel import MODULE

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._config.sysctl_command import Call
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host


class Commands:
    """Finds those of a host.

    :param host: whose files they read.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._read = functools.lru_cache(maxsize=None)(functools.partial(_read, host))

    def of_install(self, modprobe_files: DropIns, origin: Origin) -> t.Iterator[Applier]:
        """Firewalld has an ``install`` line with sysctl.

        It is ``install nf_conntrack modprobe --ignore-install nf_conntrack $CMDLINE_OPTS && sysctl ... --system``.
        """
        for call in sysctl_command.of_shell(modprobe_d.install_command(modprobe_files, MODULE)):
            yield from self._applier(MODPROBE, origin.path, origin.number, call)

    def of_rules(self, rules: DropIns) -> t.Iterator[Applier]:
        """What udev runs."""
        for command in udev_rules.commands(rules, MODULE):
            # A program without a directory is looked for in one that has none of those.
            if posixpath.dirname(command.words[0]) != udev_rules.PROGRAMS or self._host.exists(command.words[0]):
                for call in sysctl_command.of_words(command.words):
                    yield from self._applier(UDEV, command.path, command.number, call)

    def _applier(self, by: str, path: str, number: int, call: Call) -> t.Iterator[Applier]:
        if call.program == sysctl_command.PROCPS and not all(map(_is_regular, call.only)):
            return
        files = None if call.assignments else self._read(call.program, call.files)
        if files is not None or call.assignments:
            yield Applier(by, path, number, call.program, call.only, files, call.assignments)


def _is_regular(pattern: str) -> bool:
    """Whether Python reads a regular expression as regcomp(3) does, as far as can be told."""
    if "[:" in pattern or "(?" in pattern:
        return False
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _read(host: Host, program: str, files: tuple[str, ...] | None) -> DropIns | None:
    """The files that a program reads; None where that cannot be told."""
    is_systemd = program == sysctl_command.SYSTEMD
    if files is None:
        return drop_ins.read(host, systemd_sysctl.KIND, Reading() if is_systemd else procps_sysctl.READING)
    named = [_named(host, path) if is_systemd else _expanded(host, path) for path in files]
    listed = tuple(path for paths in named for path in paths)
    if not all(path.startswith("/") for path in listed):
        return None
    return drop_ins.read(host, "", Reading(listed=listed)) if listed else DropIns("", ())


def _named(host: Host, path: str) -> list[str]:
    """systemd-sysctl looks for a name without a directory in those of sysctl.d."""
    if path.startswith("/"):
        return [path]
    paths = [f"{directory}/{path}" for directory in drop_ins.directories(systemd_sysctl.KIND)]
    return [found for found in paths if host.exists(found)][:1]


def _expanded(host: Host, path: str) -> list[str]:
    """The files that procps reads, which takes a name for a pattern."""
    directory, name = posixpath.split(path)
    if not wildcards.is_pattern(path) or wildcards.is_pattern(directory):
        return [path]
    hits = [found for found in host.names(directory) if wildcards.matches(name, found)]
    return [posixpath.join(directory, hit) for hit in hits if hit[0] != "." or name[0] == "."] or [path]
