# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which program sets sysctl lines when a host boots: systemd-sysctl, or ``sysctl --system`` of procps."""

from __future__ import annotations

import posixpath
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _programs
from ansible_collections.netops.conntrack.plugins.module_utils._config import systemd_sysctl
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import Reading
from ansible_collections.netops.conntrack.plugins.module_utils._kernel import COMMAND_LINE
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import DropIns, Origin
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

SYSTEMD_SYSCTL = ("/usr/lib/systemd/systemd-sysctl", "/lib/systemd/systemd-sysctl")
_SERVICE = "systemd-sysctl.service"

#: What has systemd-sysctl set these keys alone, and how it calls them then.
ONLY_NETFILTER = " --prefix=/net/netfilter"
NETFILTER = "net/netfilter"

#: Where systemd looks for units, first those that hide others. What is below /run is gone by the next boot.
_UNITS = (
    "/etc/systemd/system.control",
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)

#: What hosts have that boot by something else again, unless they have an init script of procps as well.
_OTHER_BOOTS = {
    "/etc/openwrt_release": "OpenWrt's own scripts",
    "/sbin/openrc": "OpenRC",
    "/usr/sbin/openrc": "OpenRC",
    "/etc/runit": "runit",
    "/etc/s6": "s6",
}
_RUNNING_SYSTEMD = "/run/systemd/system"
_INIT = "/sbin/init"
_INIT_SCRIPTS = ("/etc/init.d/procps", "/etc/init.d/procps.sh")


if t.TYPE_CHECKING:

    class BootValues(t.Protocol):
        """What a program writes at boot, or at a load, from the files that it reads."""

        def __init__(self, drop_ins: DropIns, only: tuple[str, ...] = ()) -> None: ...

        def writes(self, *names: str) -> list[Origin]:
            """All that is written to a variable that has these names (with dots), in that order."""


class SysctlProgram(Record):
    """What sets sysctl lines at boot.

    :ivar reading: how it reads the directories of sysctl.d.
    :ivar values: what it writes, given the files.
    :ivar at_load: the command that sets the keys below net.netfilter and no other, as a udev rule says it.
    :ivar problem: why nothing can be said about the boot; empty where something can.
    :ivar masked: what keeps the program from being run at boot, though udev may run it at loads; empty where nothing
        does.
    """

    reading: Reading
    values: type[BootValues]
    at_load: str = ""
    problem: str = ""
    masked: str = ""


def find(host: Host) -> SysctlProgram:
    """The program that sets sysctl lines when this host boots.

    systemd-sysctl where it is installed and systemd boots the host. Else procps, where an init script runs its
    ``sysctl --system`` and udev can run it at later loads.
    """
    program = _first(host, SYSTEMD_SYSCTL)
    if program is not None and boots_by_systemd(host):
        return SysctlProgram(Reading(), systemd_sysctl.BootValues, program + ONLY_NETFILTER, masked=_mask(host))
    sysctl, script = _programs.find(host, "sysctl"), _first(host, _INIT_SCRIPTS)
    other = next((name for path, name in _OTHER_BOOTS.items() if host.exists(path)), None)
    if script is None and other is not None:
        return _unknown(f"this host boots with {other}, and it is not known here what that sets and in which order")
    if sysctl is None or script is None:
        return _unknown(
            "this host's boot runs neither systemd-sysctl nor an init script of procps ({0}), so it is not known here"
            " what applies sysctl files at boot".format(" or ".join(_INIT_SCRIPTS))
        )
    behind = host.resolve(sysctl)
    if posixpath.basename(behind) != "sysctl":
        return _unknown(
            f"this host's boot runs no systemd-sysctl, and its {sysctl} is not that of procps but {behind}, so it is"
            " not known here what applies sysctl files at boot"
        )
    if _programs.find(host, "udevadm") is None:
        return _unknown(
            "this host has no udev, which is needed to set the values whenever nf_conntrack is loaded after boot;"
            f" {script} sets them only once"
        )
    from ansible_collections.netops.conntrack.plugins.module_utils._config import procps_sysctl

    # sysctl 3.3.17 to 4.0.4 acts on --system where it stands, so what stands behind it is not seen.
    at_load = f"{sysctl} --quiet --pattern '{procps_sysctl.PATTERN}' --system"
    return SysctlProgram(procps_sysctl.READING, procps_sysctl.BootValues, at_load)


def _mask(host: Host) -> str:
    """What masks systemd-sysctl.service, an empty file or a link to /dev/null in its place; empty where nothing does.

    Sources: systemd.unit(5); kernel-command-line(7) for systemd.mask=.
    """
    words = (host.read_value(COMMAND_LINE) or "").split()
    if {f"systemd.mask={_SERVICE}", "systemd.mask=systemd-sysctl"}.intersection(words):
        return f"{COMMAND_LINE} (systemd.mask=)"
    for directory in _UNITS:
        path = f"{directory}/{_SERVICE}"
        target = host.resolve(path)
        if target == "/dev/null" or host.is_file(target):
            return "" if target != "/dev/null" and host.read(target) else path
    return ""


def boots_by_systemd(host: Host) -> bool:
    """Whether systemd boots a host that has it installed; an image or a container may have nothing that says no."""
    if host.exists(_RUNNING_SYSTEMD) or not host.exists(_INIT):
        return True
    return posixpath.basename(host.resolve(_INIT)) == "systemd"


def _unknown(problem: str) -> SysctlProgram:
    return SysctlProgram(Reading(), systemd_sysctl.BootValues, problem=problem)


def _first(host: Host, paths: t.Iterable[str]) -> str | None:
    return next((path for path in paths if host.exists(path)), None)
