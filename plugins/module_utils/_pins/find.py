# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps modules from being unloaded, in words an operator can act on.

A module's references beyond its holders pin it. What they are, the kernel does not say; so the rules of every network
namespace are listed, and those that need a pinned module are named. Listing loads nothing: nft is run only where
nf_tables is there, and iptables-legacy-save reads only tables that the kernel has listed.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _namespaces, _programs
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._pins import owners
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record
from ansible_collections.netops.conntrack.plugins.module_utils._rules import iptables, nft
from ansible_collections.netops.conntrack.plugins.module_utils._rules.rule import ANY_EXTENSION, ANY_HELPER, Rule

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
    from ansible_collections.netops.conntrack.plugins.module_utils._kmod import Module
    from ansible_collections.netops.conntrack.plugins.module_utils._namespaces import Namespace

#: In the name of the program that an iptables of nftables is a link to; its tables are those that nft lists.
_NFT_VARIANT = "nft"

#: Before Linux 5.2 some modules of nftables were one a family, nft_masq_ipv4 and nft_masq_ipv6.
_OF_A_FAMILY = re.compile(r"(nft_\w+)_ipv[46]")

#: What the reason starts with where it could not be found out.
_UNKNOWN = "unknown"

#: On kernels before 4.19 every rule that needs connection tracking takes a reference to these.
_PROTOCOLS = ("nf_conntrack_ipv4", "nf_conntrack_ipv6", "nf_nat_ipv4", "nf_nat_ipv6")

#: Those of which each expression that a listing shows takes one reference, and nothing else in it takes any.
_COUNTED = frozenset(
    [
        "nft_chain_nat",
        "nft_ct",
        "nft_flow_offload",
        "nft_masq",
        "nft_nat",
        "nft_redir",
        "nft_synproxy",
        "xt_connbytes",
        "xt_connlabel",
        "xt_connlimit",
        "xt_connmark",
        "xt_connsecmark",
        "xt_conntrack",
        "xt_ct",
        "xt_helper",
        "xt_masquerade",
        "xt_nat",
        "xt_netmap",
        "xt_redirect",
    ]
)

#: (modules, what stands for any of them in a rule that does not show which it uses)
_HIDDEN = [
    (re.compile(r"(?:xt|ipt|ip6t)_.*"), ANY_EXTENSION),
    (re.compile(r"nf_conntrack_(?!(?:bridge|ipv4|ipv6|netlink)$).*|nfnetlink_ct(?:helper|timeout)"), ANY_HELPER),
]

#: Each shows that nf_tables is there: built in, it is no loaded module itself.
_NFT_MODULES = ("nf_tables", "nft_")


class Pin(Record):
    """One thing that pins a module.

    :ivar references: how many references beyond its holders the module has, over all its pins.
    :ivar reason: in words, where it is no rule that could be named.
    :ivar tool: the program that shows the rule.
    :ivar namespace: name of the network namespace; None for the one the module runs in.
    :ivar owner: the service that likely made it.
    """

    module: str
    references: int
    reason: str | None = None
    tool: str | None = None
    table: str | None = None
    chain: str | None = None
    rule: str | None = None
    namespace: str | None = None
    owner: str | None = None

    @property
    def is_unknown(self) -> bool:
        """Whether what pins the module, or all that does, could not be found out."""
        return self.reason is not None and self.reason.startswith(_UNKNOWN)

    def result(self) -> dict[str, t.Any]:
        """As users see it in ``pins``."""
        return self._asdict()


class _Found(Record):
    rule: Rule
    namespace: Namespace


class _Search:
    """The rules of every network namespace.

    :ivar problems: what could not be listed, and why.
    """

    def __init__(self, host: Host, loaded: t.Collection[str]) -> None:
        self._host = host
        self.problems: list[str] = []
        self.found: list[_Found] = []
        has_nft = any(name.startswith(_NFT_MODULES) for name in loaded)
        # The kernel has the file, in every namespace, where it has the code.
        legacy = {tool: path for tool, path in iptables.NAMES.items() if host.exists(path)}
        for namespace in _namespaces.find(host):
            if has_nft:
                self._list(namespace, "nft", nft.COMMAND, nft.parse)
            for tool, path in legacy.items():
                self._list_legacy(namespace, tool, path)

    def using(self, name: str, stack: t.Collection[str]) -> list[_Found]:
        """The rules that a module's references can come from.

        :param stack: the modules that go with it.
        """
        candidates = {name.lower(), _OF_A_FAMILY.sub(r"\1", name.lower())}
        if name in _PROTOCOLS:
            candidates.update(module.lower() for module in stack)
        rules = [found for found in self.found if not candidates.isdisjoint(found.rule.modules)]
        return rules or self._hiding(name)

    def unexplained(self, module: Module, rules: t.Sequence[_Found]) -> int:
        """How many references of a module these rules cannot have taken; 0 where that cannot be told."""
        name = module.name.lower()
        if name not in _COUNTED or not rules or self._hiding(name):
            return 0
        return max(0, module.pins - sum(found.rule.modules[name] for found in rules))

    def _hiding(self, name: str) -> list[_Found]:
        """The rules that may use a module without showing it."""
        hidden = {any_of_them for modules, any_of_them in _HIDDEN if modules.fullmatch(name)}
        return [found for found in self.found if not hidden.isdisjoint(found.rule.modules)]

    def _list_legacy(self, namespace: Namespace, tool: str, names: str) -> None:
        # Also keeps the program from asking for a table where the kernel has none.
        if self._read(namespace, tool, names):
            save = self._legacy_program(tool)
            self._list(namespace, tool, [save], lambda text: iptables.parse(tool, text))

    def _legacy_program(self, tool: str) -> str:
        """iptables-legacy-save, or iptables-save of before there was any other."""
        plain = tool.replace("-legacy", "") + "-save"
        path = _programs.find(self._host, plain)
        is_old = path is not None and _NFT_VARIANT not in self._host.resolve(path)
        return plain if is_old and _programs.find(self._host, tool + "-save") is None else tool + "-save"

    def _list(
        self, namespace: Namespace, tool: str, command: t.Sequence[str], parse: t.Callable[[str], list[Rule]]
    ) -> None:
        output = self._try(namespace, tool, lambda: self._host.run(namespace.enter(command)))
        self.found += [_Found(rule, namespace) for rule in parse(output or "")]

    def _read(self, namespace: Namespace, tool: str, path: str) -> str | None:
        if namespace.path is None:
            return self._try(namespace, tool, lambda: self._host.read_value(path))
        return self._try(namespace, tool, lambda: self._host.run(namespace.enter(["cat", path])))

    def _try(self, namespace: Namespace, tool: str, look: t.Callable[[], str | None]) -> str | None:
        try:
            return look()
        except HostError as error:
            place = "" if namespace.name is None else f" in network namespace {namespace.name}"
            hint = (
                ", install the package nftables" if tool == "nft" and _programs.find(self._host, tool) is None else ""
            )
            self.problems.append(f"rules of {tool}{place} could not be listed: {error.message}{hint}")
            return None


def find(host: Host, modules: t.Mapping[str, Module], wanted: t.Sequence[str]) -> list[Pin]:
    """What keeps the wanted modules from being unloaded, by module; nothing where nothing does.

    :param modules: every loaded module.
    :param wanted: those to be unloaded, all with their holders.

    Starts no program unless a module is pinned.
    """
    pins = [pin for name in wanted for pin in _own_pins(host, modules[name])]
    named = {pin.module for pin in pins}
    pinned = [name for name in wanted if modules[name].pins and name not in named]
    if not pinned:
        return pins
    search = _Search(host, modules)
    for name in pinned:
        references = modules[name].pins
        rules = search.using(name, wanted)
        pins += [_rule_pin(name, references, found) for found in rules]
        unexplained = search.unexplained(modules[name], rules)
        # Also beside rules: what could not be listed may pin it as well.
        if search.problems or not rules or unexplained:
            reason = "; ".join([_unknown(unexplained), *search.problems])
            pins.append(Pin(name, references, reason, owner=owners.of_module(name)))
    return pins


def _unknown(unexplained: int) -> str:
    if not unexplained:
        return _UNKNOWN
    verb = "is" if unexplained == 1 else "are"
    return f"{_UNKNOWN}: {unexplained} of its references {verb} not explained by these rules"


def _own_pins(host: Host, module: Module) -> t.Iterator[Pin]:
    """What can be told without a look at rules."""
    if module.is_permanent or module.refcount is None:
        yield Pin(module.name, module.pins, "the kernel says that it can never be unloaded")
    # A network driver that uses flow tables has no references, and would take the network along.
    drivers = host.names(f"/sys/module/{module.name}/drivers")
    if drivers:
        yield Pin(module.name, module.pins, f"it drives devices of this host ({', '.join(drivers)})")


def _rule_pin(module: str, references: int, found: _Found) -> Pin:
    rule = found.rule
    return Pin(
        module,
        references,
        tool=rule.tool,
        table=rule.table,
        chain=rule.chain,
        rule=rule.text,
        namespace=found.namespace.name,
        owner=owners.of_rule(rule) or owners.of_module(module),
    )


def services(host: Host) -> list[str]:
    """Well-known services that run here and make rules or hold modules."""
    comms = []
    for pid in host.names("/proc"):
        if pid.isdigit():
            try:
                comms.append(host.read_value(f"/proc/{pid}/comm") or "")
            except HostError:
                continue  # it ended meanwhile
    return owners.running(comms)


#: More than these are counted only; all are in ``pins``.
_SHOWN = 12


def describe(pins: t.Sequence[Pin]) -> str:
    """The pins in plain words, a rule or a reason that pins several modules once."""
    groups: dict[tuple[str | None, ...], list[Pin]] = {}
    for pin in pins:
        owner = pin.owner if pin.rule is None else None
        key = (owner, pin.reason, pin.tool, pin.table, pin.chain, pin.rule, pin.namespace)
        groups.setdefault(key, []).append(pin)
    parts = [_words(group[0], " and ".join(_counted(pin) for pin in group)) for group in groups.values()]
    more = len(parts) - _SHOWN
    return "; ".join(parts[:_SHOWN]) + (f"; and {more} more (see pins)" if more > 0 else "")


def _counted(pin: Pin) -> str:
    if not pin.references:
        return pin.module
    return f"{pin.module} ({pin.references} reference{'' if pin.references == 1 else 's'})"


def _words(pin: Pin, modules: str) -> str:
    owner = f" (probably made by {pin.owner})" if pin.owner else ""
    if pin.rule is None:
        return f"{modules}: {pin.reason}{owner}"
    place = f"table {pin.table}" + (f", chain {pin.chain}" if pin.chain else "")
    place += f", network namespace {pin.namespace}" if pin.namespace else ""
    return f"{modules}: {pin.tool}, {place}: {pin.rule}{owner}"
