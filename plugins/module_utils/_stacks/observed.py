# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is observed of a host for conntrack_modules, and in what terms it is asked for."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import (
    _kernel,
    _kmod,
    _leftovers,
    _modules_dep,
    _programs,
)
from ansible_collections.netops.conntrack.plugins.module_utils._boot import needs as boot_needs
from ansible_collections.netops.conntrack.plugins.module_utils._config import drop_ins, modprobe_d, modules_load_d
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import below_etc
from ansible_collections.netops.conntrack.plugins.module_utils._kmod import DEFRAG, ROOTS, Module
from ansible_collections.netops.conntrack.plugins.module_utils._own_files import BLOCK_FILE, STACK_LOAD_FILES
from ansible_collections.netops.conntrack.plugins.module_utils._pins import find as find_pins
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._boot.needs import Need
    from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import DropIns
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
    from ansible_collections.netops.conntrack.plugins.module_utils._pins.find import Pin

NAT = _kmod.NAT
CONNTRACK = _kmod.CONNTRACK
STACKS = (NAT, CONNTRACK)

ABSENT = "absent"
PRESENT = "present"
UNMANAGED = "unmanaged"
STATES = (ABSENT, PRESENT, UNMANAGED)

NAT_MODULE = "nf_nat"

#: The module of each stack that all others of it depend on.
ROOT = {NAT: NAT_MODULE, CONNTRACK: _kernel.MODULE}


#: Seconds between looks at a reference that nothing explains: who lists connections, or makes a rule, holds modules
#: too, but only as long as that takes.
_PAUSES = (0.2, 0.8, 2.0)


class Request(Record):
    """What a user asks for: one of STACKS, and one of STATES.

    :ivar force: whether a stack goes that services will need at their next start.
    """

    stack: str
    state: str
    force: bool = False


class Observed(Record):
    """A host as it is.

    :ivar may_change_modules: whether this process has the capability that it takes.
    :ivar modules_disabled: whether the kernel takes no more changes of modules until it is booted again.
    :ivar modules: every loaded module.
    :ivar built_in: the stacks that are a fixed part of the kernel.
    :ivar has_kmod: whether the host has modprobe.
    :ivar has_files: whether the files of the running kernel's modules are there; an upgrade may take them away.
    :ivar pins: what keeps the modules of the stack from being unloaded; looked for only where they shall be.
    :ivar services: well-known services that run, where there are pins.
    :ivar needed_by: what services that the boot starts will need of the stack; looked for only where it shall go.
    :ivar unread: why, by path, of what could not be read to tell that.
    :ivar modules_load_d: what the boot loads modules from, /etc/modules too.
    :ivar needs: what each module that the boot loads brings along.
    :ivar kept: those of DEFRAG that the boot loads for something else, such as xt_TPROXY.
    :ivar command_line: the kernel's command line.
    :ivar at_boot: modules that it has the boot load.
    :ivar unwritable: files in question that this process cannot write.
    :ivar leftovers: what stopped runs left beside those files, the content by path.
    """

    release: str
    initial_namespace: bool
    is_root: bool
    has_kmod: bool
    has_files: bool
    may_change_modules: bool
    modules_disabled: bool
    modules: t.Mapping[str, Module]
    built_in: frozenset[str]
    pins: t.Sequence[Pin]
    services: t.Sequence[str]
    needed_by: t.Sequence[Need]
    unread: t.Mapping[str, str]
    modprobe_d: DropIns
    modules_load_d: DropIns
    needs: t.Mapping[str, frozenset[str]]
    kept: frozenset[str]
    command_line: str
    at_boot: t.Sequence[str]
    unwritable: frozenset[str]
    leftovers: t.Mapping[str, str]


def observe(host: Host, request: Request) -> Observed:
    """Read modules and configuration; where modules shall go that something pins, find out what."""
    release = _kernel.release(host)
    initial_namespace = _kernel.in_initial_namespace(host)
    may_change_modules = _kernel.may_change_modules(host)
    modules_disabled = _kernel.modules_disabled(host)
    modprobe_files = drop_ins.read(host, modprobe_d.KIND, modprobe_d.READING)
    load_files = modules_load_d.read(host)
    command_line = host.read_value(_kernel.COMMAND_LINE) or ""
    at_boot = modules_load_d.command_line(command_line)
    names = {line.name for conf in load_files.files for line in modules_load_d.parse(conf.text)}
    files = [conf.path for conf in modprobe_files.files + load_files.files]
    files += [BLOCK_FILE, *STACK_LOAD_FILES.values()]
    needs = _modules_dep.brought(host.lines(_modules_dep.path(release)), names.union(at_boot))
    kept = _kept(needs)
    can_unload = host.is_root and initial_namespace and may_change_modules and not modules_disabled
    is_to_unload = request.state == ABSENT and can_unload
    modules, pins = _look(host, request.stack if is_to_unload else None, kept)
    for pause in _PAUSES:
        if any(pin.is_unknown for pin in pins):
            host.wait(pause)
            modules, pins = _look(host, request.stack, kept)
    unread: dict[str, str] = {}
    needed_by = boot_needs.find(host, unread) if request.state == ABSENT else []
    return Observed(
        release=release,
        initial_namespace=initial_namespace,
        is_root=host.is_root,
        has_kmod=_programs.find(host, "modprobe") is not None,
        has_files=host.exists(_modules_dep.path(release)),
        may_change_modules=may_change_modules,
        modules_disabled=modules_disabled,
        modules=modules,
        built_in=_built_in(host, modules),
        pins=pins,
        services=find_pins.services(host) if pins else (),
        needed_by=boot_needs.of_stack(needed_by, request.stack),
        unread=unread,
        modprobe_d=modprobe_files,
        modules_load_d=load_files,
        needs=needs,
        kept=kept,
        command_line=command_line,
        at_boot=at_boot,
        unwritable=frozenset(path for path in files if not host.replaceable(path)),
        leftovers=_leftovers.find(host, (path for path in files if below_etc(path))),
    )


def _kept(needs: t.Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Those of DEFRAG that are brought along by a module which the boot can load without connection tracking."""
    others = [brought for brought in needs.values() if brought.isdisjoint(ROOTS[CONNTRACK])]
    return frozenset(name for name in DEFRAG if any(name in brought for brought in others))


def _look(host: Host, stack: str | None, kept: frozenset[str]) -> tuple[dict[str, Module], list[Pin]]:
    """The loaded modules, and what keeps those of a stack from being unloaded."""
    modules = _kmod.parse_modules(host.lines(_kmod.PATH))
    return modules, find_pins.find(host, modules, to_unload(modules, stack, kept)) if stack else []


def _built_in(host: Host, modules: t.Mapping[str, Module]) -> frozenset[str]:
    found = set()
    if _kernel.presence(host) == _kernel.BUILT_IN:
        found.add(CONNTRACK)
    if _kmod.nat_is_built_in(host, modules):
        found.add(NAT)
    return frozenset(found)


def members(modules: t.Mapping[str, Module], stack: str) -> set[str]:
    """The loaded modules of a stack: its roots, and whatever holds them."""
    return _kmod.holders_of(modules, ROOTS[stack])


def to_unload(modules: t.Mapping[str, Module], stack: str, kept: frozenset[str]) -> list[str]:
    """The loaded modules that go with a stack, in the order in which they can be unloaded.

    :param kept: what the next boot would load again.
    """
    names = members(modules, stack)
    if stack == CONNTRACK:
        defrag = [name for name in DEFRAG if name in modules and name not in kept]
        names |= {name for name in defrag if _is_free(modules[name], names)}
    return _kmod.unload_order(modules, names)


def _is_free(module: Module, names: set[str]) -> bool:
    """Whether nothing else uses a module.

    None but these modules, and nothing that is no module, such as a BPF program.
    """
    return names.issuperset(module.holders) and not module.pins
