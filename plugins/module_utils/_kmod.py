# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loaded kernel modules and who holds whom, from one read of /proc/modules."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel, _modules_dep
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

PATH = "/proc/modules"

#: The two stacks, as users name them.
NAT = "nat"
CONNTRACK = "conntrack"

#: Modules of connection tracking, NAT, iptables and nftables: how their names begin, or what they are.
_FAMILY_PREFIXES = (
    *("nf_conntrack", "nf_nat", "nf_defrag", "nf_tables"),
    *("xt_", "ipt_", "ip6t_", "nft_", "iptable_", "ip6table_"),
)
_FAMILY_NAMES = ("x_tables", "ip_tables", "ip6_tables")

#: What holds one of these belongs to it, whatever its name: openvswitch, ip_vs, nf_flow_table, act_ct. The names with
#: ``ip_`` are those of the oldest kernels.
NAT_ROOTS = ("nf_nat", "ip_nat")
CONNTRACK_ROOTS = ("nf_conntrack", "ip_conntrack")

#: Those by which one tells what needs a stack. What needs NAT needs connection tracking.
ROOTS = {NAT: NAT_ROOTS, CONNTRACK: CONNTRACK_ROOTS + NAT_ROOTS}

#: What connection tracking loads for itself, and others use too, such as xt_TPROXY.
DEFRAG = ("nf_defrag_ipv4", "nf_defrag_ipv6")


class Module(Record):
    """One loaded module.

    :ivar size: bytes of memory it takes.
    :ivar refcount: users of any kind, holders included; None where the kernel cannot unload modules.
    :ivar holders: names of the loaded modules that use it, sorted.
    :ivar is_permanent: whether it has no way to be unloaded at all.
    """

    name: str
    size: int
    refcount: int | None
    holders: tuple[str, ...]
    is_permanent: bool = False

    @property
    def pins(self) -> int:
        """References beyond its holders: rules, chains, open sockets. Each holder counts for one."""
        return max(0, (self.refcount or 0) - len(self.holders))


def parse_modules(lines: t.Iterable[bytes]) -> dict[str, Module]:
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
                "[permanent]" in holders.split(","),
            )
        except ValueError:
            continue
    return modules


def holders_of(modules: t.Mapping[str, Module], roots: t.Iterable[str]) -> set[str]:
    """The roots that are loaded, and every module that holds one of them, directly or through others."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in modules and name not in found:
            found.add(name)
            waiting.extend(modules[name].holders)
    return found


def related(modules: t.Mapping[str, Module]) -> dict[str, Module]:
    """Those of connection tracking, NAT, iptables and nftables, and whatever holds connection tracking or NAT."""
    holders = holders_of(modules, CONNTRACK_ROOTS + NAT_ROOTS)
    return {name: modules[name] for name in sorted(modules) if name in holders or _is_of_family(name)}


def _is_of_family(name: str) -> bool:
    return name.startswith(_FAMILY_PREFIXES) or name.endswith("_nat") or name in _FAMILY_NAMES


def nat_is_built_in(host: Host, modules: t.Mapping[str, Module]) -> bool:
    """Whether NAT is a fixed part of the kernel.

    :param modules: those that are loaded.
    :raises HostError: the list of what is built in cannot be read.
    """
    if "nf_nat" in modules:
        return False
    lines = host.lines(f"/lib/modules/{_kernel.release(host)}/modules.builtin")
    names = {_modules_dep.module_name(line.decode("utf-8", "replace").strip()) for line in lines}
    # A kernel of one's own may have no such list, and then has everything in it.
    return "nf_nat" in names or (not names and _kernel.presence(host) == _kernel.BUILT_IN)


def unload_order(modules: t.Mapping[str, Module], names: t.Collection[str]) -> list[str]:
    """The names in an order in which each can be unloaded: whatever holds a module comes before it.

    :param names: loaded modules, each with all its holders, as :func:`holders_of` gives them.
    """
    left, order = set(names), []
    while left:
        free = sorted(name for name in left if left.isdisjoint(modules[name].holders))
        # A ring cannot be loaded; should a list show one, rmmod will say what it thinks of it.
        order += free or sorted(left)
        left.difference_update(order)
    return order
