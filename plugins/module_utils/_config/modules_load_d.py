# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""modules-load.d and /etc/modules: which modules a boot loads, and what each of them needs. Pure.

Sources: modules-load.d(5), src/modules-load/modules-load.c of systemd, depmod(8).
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

KIND = "modules-load.d"

#: What Debian links into modules-load.d, and boots without systemd read by this name.
ETC_MODULES = "/etc/modules"

#: Names that modules of connection tracking and NAT have or had, for what this kernel's modules.dep does not list: there
#: is none, or the name is an alias.
_CONNTRACK = re.compile(
    r"(ip|nf)_conntrack(_.*)?"
    r"|(xt|ipt|ip6t)_(conntrack|state|conn(mark|label|bytes|limit)|CONN(SEC)?MARK|cluster|helper|CT|NOTRACK|SYNPROXY)"
    r"|nft_(ct|connlimit|flow_offload|synproxy)"
)
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_NAT = re.compile(
    r"(ip|nf)_nat(_.*)?|ip6?table_nat"
    r"|(xt|ipt|ip6t)_(nat|[SD]NAT|MASQUERADE|NETMAP|REDIRECT)"
    r"|nft_(chain_nat|masq|nat|redir)(_ipv[46])?"
)


@dataclass(frozen=True)
class Line:
    """One line that loads a module.

    :ivar number: from 1.
    :ivar name: the module, with underscores.
    """

    number: int
    name: str


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
    return "".join(raw for raw in _LINE.findall(text) if _name(raw) not in modules)


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


def module_name(path: str) -> str:
    """The name of a module from the path of its file: ``kernel/net/netfilter/nf-x.ko.xz`` is ``nf_x``."""
    return path.rpartition("/")[2].partition(".ko")[0].replace("-", "_")


def needs(modules_dep: t.Iterable[bytes], names: t.Collection[str]) -> dict[str, frozenset[str]]:
    """For each of the names that modules.dep lists, itself and every module that its load brings along.

    ``kernel/net/netfilter/nf_nat.ko: kernel/net/netfilter/nf_conntrack.ko kernel/lib/libcrc32c.ko``
    """
    found = {}
    for raw in modules_dep:
        path, _colon, needed = raw.decode("utf-8", "replace").partition(":")
        name = module_name(path)
        if name in names:
            found[name] = frozenset([name] + [module_name(other) for other in needed.split()])
    return found


def brought(modules_dep: t.Iterable[bytes], names: t.Collection[str]) -> dict[str, frozenset[str]]:
    """What the load of each module brings along, by modules.dep, or by its name where that does not list it."""
    listed = needs(modules_dep, names) if names else {}
    return {name: listed.get(name) or guess(name) for name in names}


def guess(name: str) -> frozenset[str]:
    """What a module of an old name stands for, where modules.dep does not know it."""
    if _NAT.fullmatch(name):
        return frozenset([name, "nf_nat", "nf_conntrack"])
    return frozenset([name, "nf_conntrack"] if _CONNTRACK.fullmatch(name) else [name])
