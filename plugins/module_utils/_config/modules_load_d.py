# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""modules-load.d and /etc/modules: which modules a boot loads. Pure but for :func:`read`.

Sources: modules-load.d(5), src/modules-load/modules-load.c of systemd.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._config import drop_ins
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import DropIns, Reading
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

KIND = "modules-load.d"

#: What Debian links into modules-load.d, and boots without systemd read by this name.
ETC_MODULES = "/etc/modules"

_READING = Reading(last=ETC_MODULES)


class Line(Record):
    """One line that loads a module.

    :ivar number: from 1.
    :ivar name: the module, with underscores.
    """

    number: int
    name: str


def read(host: Host) -> DropIns:
    """Read all files that name modules for a boot to load.

    /etc/modules is among them under its own name, which a boot by systemd does not read; and under that of the link,
    which it does, where modules-load.d has one.

    :raises HostError: one of them cannot be read.
    """
    return drop_ins.read(host, KIND, _READING)


def _name(raw: str) -> str | None:
    words = raw.split()
    # What follows the name are parameters in /etc/modules, and an error to systemd.
    return None if not words or words[0][0] in "#;" else words[0].replace("-", "_")


def parse(text: str) -> list[Line]:
    """The lines of a file that load a module."""
    names = ((number, _name(raw)) for number, raw in enumerate(text.split("\n"), 1))
    return [Line(number, name) for number, name in names if name is not None]


def drop(text: str, modules: t.Collection[str]) -> str:
    """A file without the lines that load these modules; every other byte stays."""
    return "".join(raw for raw in re.findall(r"[^\n]*\n|[^\n]+", text) if _name(raw) not in modules)


def command_line(text: str) -> list[str]:
    """The modules that the kernel's command line has systemd load (``modules_load=`` or ``modules-load=``)."""
    found: list[str] = []
    for word in text.split():
        key, _equals, value = word.partition("=")
        if key.replace("-", "_") in ("modules_load", "rd.modules_load"):
            found += [name.replace("-", "_") for name in value.strip('"').split(",") if name]
    return found


#: What the kernel's command line keeps modules out by: systemd-modules-load obeys the first for the module that it is
#: to load, the kernel the second for every load. Sources: kmod_config_parse_kcmdline(); blacklisted() of the kernel.
BLACKLIST = "modprobe.blacklist"
KERNEL_BLACKLIST = "module_blacklist"


def blacklist_word(text: str, key: str, module: str) -> str | None:
    """The word of the kernel's command line that names a module in the list of this key; None where none does."""
    for word in text.split():
        found, _equals, value = word.partition("=")
        names = value.strip('"').replace("-", "_").split(",")
        if found.replace("-", "_") == key and module in names:
            return word
    return None
