# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection: names and behaviour may change in any release.

"""Loaded kernel modules and who holds whom, from one read of /proc/modules."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

PATH = "/proc/modules"

#: Modules of connection tracking, NAT, iptables and nftables, by name.
_FAMILY = re.compile(
    r"(nf_conntrack|nf_nat|nf_defrag|nf_tables|xt_|ipt_|ip6t_|nft_|iptable_|ip6table_).*"
    r"|.*_nat|x_tables|ip_tables|ip6_tables"
)

#: What holds one of these belongs to it, whatever its name: openvswitch, ip_vs, nf_flow_table, act_ct.
_ROOTS = ("nf_conntrack", "nf_nat")


@dataclass(frozen=True)
class Module:
    """One loaded module.

    :ivar size: bytes of memory it takes.
    :ivar refcount: users of any kind, holders included; None where the kernel cannot unload modules.
    :ivar holders: names of the loaded modules that use it, sorted.
    """

    name: str
    size: int
    refcount: t.Optional[int]
    holders: t.Tuple[str, ...]


def parse_modules(lines: t.Iterable[bytes]) -> t.Dict[str, Module]:
    """Every loaded module by name. Lines that are not of the form of kernel/module/procfs.c are passed over.

    ``nf_nat 65536 2 nft_chain_nat,iptable_nat, Live 0x0000000000000000``
    """
    modules = {}
    for line in lines:
        fields = line.decode("utf-8", "replace").split()
        if len(fields) < 4:
            continue
        name, size, refcount, holders = fields[:4]
        try:
            modules[name] = Module(
                name,
                int(size),
                None if refcount == "-" else int(refcount),
                # A module that can never go holds itself, as "[permanent]".
                tuple(sorted(holder for holder in holders.split(",") if holder not in ("", "-", "[permanent]"))),
            )
        except ValueError:
            continue
    return modules


def holders_of(modules: t.Mapping[str, Module], roots: t.Iterable[str]) -> t.Set[str]:
    """The roots that are loaded, and every module that holds one of them, directly or through others."""
    found: t.Set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in modules and name not in found:
            found.add(name)
            waiting.extend(modules[name].holders)
    return found


def related(modules: t.Mapping[str, Module]) -> t.Dict[str, Module]:
    """Those of connection tracking, NAT, iptables and nftables, and whatever holds connection tracking or NAT."""
    holders = holders_of(modules, _ROOTS)
    return {name: modules[name] for name in sorted(modules) if name in holders or _FAMILY.fullmatch(name)}
