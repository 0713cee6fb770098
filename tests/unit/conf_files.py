# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configuration files as they are once they were read, for what needs no host."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._boot.at_load import UDEV, Applier, AtLoad
from ansible_collections.netops.conntrack.plugins.module_utils._boot.loads import BootLoads
from ansible_collections.netops.conntrack.plugins.module_utils._boot.outcome import BootFiles
from ansible_collections.netops.conntrack.plugins.module_utils._boot.sysctl_program import SysctlProgram
from ansible_collections.netops.conntrack.plugins.module_utils._config import (
    modprobe_d,
    procps_sysctl,
    sysctl_command,
    systemd_sysctl,
)
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import ConfFile, DropIns, Reading
from ansible_collections.netops.conntrack.plugins.module_utils._own_files import LOAD_FILE, SYSCTL_FILE, UDEV_FILE

#: What sets sysctl lines where systemd boots.
SYSTEMD = SysctlProgram(Reading(), systemd_sysctl.BootValues, "/usr/lib/systemd/systemd-sysctl --prefix=/net/netfilter")


def drop_ins(kind: str, files: t.Mapping[str, str | ConfFile], reading: Reading | None = None) -> DropIns:
    """Files of a kind in the order in which they are read.

    :param files: text by path; or, for a link, the file.
    :param reading: how they are read; None for as systemd's programs do.
    """
    confs = [conf if isinstance(conf, ConfFile) else ConfFile(path, path, conf) for path, conf in files.items()]
    read_as = reading or Reading()
    return DropIns(kind, tuple(sorted(confs, key=read_as.rank)), read_as)


def boot_files(
    sysctl_d: t.Mapping[str, str | ConfFile] | None = None,
    modprobe_files: t.Mapping[str, str | ConfFile] | None = None,
    command_line: str = "",
    udev_rule: str | None = None,
    program: SysctlProgram = SYSTEMD,
) -> BootFiles:
    """The configuration of a host where root may write every file.

    :param sysctl_d: text by path.
    :param modprobe_files: text by path.
    :param udev_rule: text of the collection's own rule; None where it is not there.
    """
    sysctl_files = drop_ins(systemd_sysctl.KIND, sysctl_d or {}, program.reading)
    by_procps = program.values is procps_sysctl.BootValues
    name = sysctl_command.PROCPS if by_procps else sysctl_command.SYSTEMD
    only = (procps_sysctl.PATTERN,) if by_procps else ("net/netfilter",)
    own = (Applier(UDEV, UDEV_FILE, 5, name, only, sysctl_files),)
    return BootFiles(
        program=program,
        sysctl_d=sysctl_files,
        at_load=AtLoad(() if udev_rule is None else own, own),
        loads=BootLoads((), is_by_systemd=not by_procps, aliases=frozenset()),
        modprobe_d=drop_ins(modprobe_d.KIND, modprobe_files or {}, modprobe_d.READING),
        command_line=command_line,
        own={UDEV_FILE: udev_rule, LOAD_FILE: None},
        sysctl_file=SYSCTL_FILE,
        unread=(),
        udev_runs=False,
        unwritable=frozenset(),
        leftovers={},
    )
