# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""modules.dep: what the load of a module brings along. Pure.

Source: depmod(8).
"""

from __future__ import annotations

import re
import typing as t

#: Names that modules of connection tracking and NAT have or had, for what this kernel's modules.dep does not list:
#: there is none, or the name is an alias. Compiled where there is such a name, which is rare.
_CONNTRACK = (
    r"(ip|nf)_conntrack(_.*)?"
    r"|(xt|ipt|ip6t)_(conntrack|state|conn(mark|label|bytes|limit)|CONN(SEC)?MARK|cluster|helper|CT|NOTRACK|SYNPROXY)"
    r"|nft_(ct|connlimit|flow_offload|synproxy)"
)
_NAT = (
    r"(ip|nf)_nat(_.*)?|ip6?table_nat"
    r"|(xt|ipt|ip6t)_(nat|[SD]NAT|MASQUERADE|NETMAP|REDIRECT)"
    r"|nft_(chain_nat|masq|nat|redir)(_ipv[46])?"
)


def module_name(file: str) -> str:
    """The name of a module from the path of its file: ``kernel/net/netfilter/nf-x.ko.xz`` is ``nf_x``."""
    return file.rpartition("/")[2].partition(".ko")[0].replace("-", "_")


def path(kernel_release: str) -> str:
    """The file that lists what each module of a kernel depends on."""
    return f"/lib/modules/{kernel_release}/modules.dep"


def needs(lines: t.Iterable[bytes], names: t.Collection[str]) -> dict[str, frozenset[str]]:
    """For each of the names that modules.dep lists, itself and every module that its load brings along.

    ``kernel/net/netfilter/nf_nat.ko: kernel/net/netfilter/nf_conntrack.ko kernel/lib/libcrc32c.ko``
    """
    found = {}
    for raw in lines:
        file, _colon, needed = raw.decode("utf-8", "replace").partition(":")
        name = module_name(file)
        if name in names:
            found[name] = frozenset([name] + [module_name(other) for other in needed.split()])
    return found


def brought(lines: t.Iterable[bytes], names: t.Collection[str]) -> dict[str, frozenset[str]]:
    """What the load of each module brings along, by modules.dep, or by its name where that does not list it."""
    listed = needs(lines, names) if names else {}
    return {name: listed.get(name) or by_old_name(name) for name in names}


def by_old_name(name: str) -> frozenset[str]:
    """What a module of an old name stands for, where modules.dep does not know it."""
    if re.fullmatch(_NAT, name):
        return frozenset([name, "nf_nat", "nf_conntrack"])
    return frozenset([name, "nf_conntrack"] if re.fullmatch(_CONNTRACK, name) else [name])
