# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection: names and behaviour may change in any release.

"""Observe and plan for conntrack_modules.

A stack is kept out by ``install NAME /bin/false`` for the modules that all others of it depend on. kmod loads what a
module depends on before it looks at the module itself, so nothing is gained by naming iptable_nat or nft_chain_nat;
and nf_defrag_*, which come before nf_conntrack, have to be named too, or every attempt would leave them loaded.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netops.conntrack.plugins.module_utils import (
    _boot,
    _drop_ins,
    _kernel,
    _kmod,
    _modprobe_conf,
    _modules_load,
    _pins,
)
from ansible_collections.netops.conntrack.plugins.module_utils._change import (
    Change,
    FileContent,
    ModuleLoaded,
    ModuleUnloaded,
    Plan,
    carry_out,
)
from ansible_collections.netops.conntrack.plugins.module_utils._drop_ins import ConfFile, DropIns, Origin
from ansible_collections.netops.conntrack.plugins.module_utils._errors import Refused
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
from ansible_collections.netops.conntrack.plugins.module_utils._kmod import CONNTRACK_ROOTS, DEFRAG, NAT_ROOTS, Module
from ansible_collections.netops.conntrack.plugins.module_utils._modules_load import Line
from ansible_collections.netops.conntrack.plugins.module_utils._pins import Pin

NAT = "nat"
CONNTRACK = "conntrack"
STACKS = (NAT, CONNTRACK)

ABSENT = "absent"
PRESENT = "present"
UNMANAGED = "unmanaged"
STATES = (ABSENT, PRESENT, UNMANAGED)

HEADER = "# Written by Ansible: netops.conntrack.conntrack_modules\n"

#: Sorts before the usual names, because of several ``install`` commands for a module the first is run.
BLOCK_FILE = "/etc/modprobe.d/00-netops-conntrack-modules.conf"
#: What has the boot load a stack. Not conntrack_settings' own file: its ``load: true`` is no business of ``unmanaged``.
LOAD_FILES = {
    "nat": "/etc/modules-load.d/netops-conntrack-nat.conf",
    "conntrack": "/etc/modules-load.d/netops-conntrack-tracking.conf",
}

NAT_MODULE = "nf_nat"

#: The module of each stack that all others of it depend on.
ROOT = {NAT: NAT_MODULE, CONNTRACK: _kernel.MODULE}

_ROOTS = {NAT: NAT_ROOTS, CONNTRACK: CONNTRACK_ROOTS + NAT_ROOTS}

_BLOCK = "/bin/false"


@dataclass(frozen=True)
class Request:
    """What a user asks for: one of STACKS, and one of STATES."""

    stack: str
    state: str


@dataclass(frozen=True)
class Observed:
    """A host as it is.

    :ivar modules: every loaded module.
    :ivar built_in: the stacks that are a fixed part of the kernel.
    :ivar has_kmod: whether the host has modprobe.
    :ivar pins: what keeps the modules of the stack from being unloaded; looked for only where they shall be.
    :ivar services: well-known services that run, where there are pins.
    :ivar modules_load_d: what the boot loads modules from, /etc/modules too.
    :ivar needs: what each module that the boot loads brings along.
    :ivar command_line: modules that the kernel's command line has the boot load.
    :ivar unwritable: files in question that this process cannot write.
    """

    release: str
    initial_namespace: bool
    is_root: bool
    has_kmod: bool
    modules: t.Mapping[str, Module]
    built_in: t.FrozenSet[str]
    pins: t.Sequence[Pin]
    services: t.Sequence[str]
    modprobe_d: DropIns
    modules_load_d: DropIns
    needs: t.Mapping[str, t.FrozenSet[str]]
    command_line: t.Sequence[str]
    unwritable: t.FrozenSet[str]


def run(host: Host, request: Request, check_mode: bool) -> t.Dict[str, t.Any]:
    """Bring a host to what is requested; the module's result.

    :raises ConntrackError: refused, or failed and reverted.
    """
    return carry_out(host, lambda: plan(observe(host, request), request), check_mode)


def observe(host: Host, request: Request) -> Observed:
    """Read modules and configuration; where modules shall go that something pins, find out what."""
    modules = _kmod.parse_modules(host.lines(_kmod.PATH))
    release = _kernel.release(host)
    initial_namespace = _kernel.in_initial_namespace(host)
    modprobe_d = _drop_ins.read(host, _modprobe_conf.KIND)
    modules_load_d = _read_modules_load(host)
    command_line = _modules_load.command_line(host.read_value(_boot.COMMAND_LINE) or "")
    names = {line.name for conf in modules_load_d.files for line in _modules_load.parse(conf.text)}
    pins: t.Sequence[Pin] = ()
    if request.state == ABSENT and host.is_root and initial_namespace:
        pins = _pins.find(host, modules, to_unload(modules, request.stack))
    files = [conf.path for conf in modprobe_d.files + modules_load_d.files]
    files += [BLOCK_FILE, *LOAD_FILES.values()]
    return Observed(
        release=release,
        initial_namespace=initial_namespace,
        is_root=host.is_root,
        has_kmod=_pins.program(host, "modprobe") is not None,
        modules=modules,
        built_in=_built_in(host, modules, release),
        pins=pins,
        services=_pins.services(host) if pins else (),
        modprobe_d=modprobe_d,
        modules_load_d=modules_load_d,
        needs=_needs(host, release, names.union(command_line)),
        command_line=command_line,
        unwritable=frozenset(path for path in files if not host.writable(path)),
    )


def _read_modules_load(host: Host) -> DropIns:
    drop_ins = _drop_ins.read(host, _modules_load.KIND)
    path = _modules_load.ETC_MODULES
    text = host.read_text(path)
    if text is None or drop_ins.reads(path):
        return drop_ins
    # Boots without systemd read it, and a package may link it again.
    return DropIns(drop_ins.kind, drop_ins.files + (ConfFile(path, host.resolve(path), text),))


def _needs(host: Host, release: str, names: t.Collection[str]) -> t.Dict[str, t.FrozenSet[str]]:
    if not names:
        return {}
    listed = _modules_load.needs(host.lines("/lib/modules/{0}/modules.dep".format(release)), names)
    return {name: listed.get(name) or _modules_load.guess(name) for name in names}


def _built_in(host: Host, modules: t.Mapping[str, Module], release: str) -> t.FrozenSet[str]:
    found = set()
    if _kernel.presence(host) == _kernel.BUILT_IN:
        found.add(CONNTRACK)
    if NAT_MODULE not in modules:
        lines = host.lines("/lib/modules/{0}/modules.builtin".format(release))
        names = {_modules_load.module_name(line.decode("utf-8", "replace").strip()) for line in lines}
        # A kernel without modules has no such list, and everything in it.
        if NAT_MODULE in names or (CONNTRACK in found and not host.exists(_kmod.PATH)):
            found.add(NAT)
    return frozenset(found)


def members(modules: t.Mapping[str, Module], stack: str) -> t.Set[str]:
    """The loaded modules of a stack: its roots, and whatever holds them."""
    return _kmod.holders_of(modules, _ROOTS[stack])


def to_unload(modules: t.Mapping[str, Module], stack: str) -> t.List[str]:
    """The loaded modules that go with a stack, in the order in which they can be unloaded."""
    names = members(modules, stack)
    if stack == CONNTRACK:
        names |= {name for name in DEFRAG if name in modules and names.issuperset(modules[name].holders)}
    return _kmod.unload_order(modules, names)


def plan(observed: Observed, request: Request) -> Plan:
    """The changes that bring an observed host to what is requested; pure.

    :raises Refused: this host cannot or should not be brought there.
    """
    if request.state == ABSENT:
        _check_can_go(observed, request.stack)
    files, modprobe_d = _plan_files(observed, request)
    modules = _plan_modules(observed, request)
    # The block comes first, so that nothing is loaded again in between. What loads is let in first, too.
    changes: t.List[Change] = [*files, *modules]
    _check_privileges(observed, request, changes, modules)
    if request.state == ABSENT and observed.pins:
        raise _pinned(observed, request)
    after = members(observed.modules, request.stack) - {change.subject for change in modules}
    after |= {change.subject for change in modules if isinstance(change, ModuleLoaded)}
    return Plan(
        changes,
        {
            "stack": request.stack,
            "state": request.state,
            "modules": sorted(after),
            "blocked": _modprobe_conf.blocked(modprobe_d),
            "pins": [],
            "notices": _notices(observed, request),
        },
    )


# --- files


def _plan_files(observed: Observed, request: Request) -> t.Tuple[t.List[FileContent], DropIns]:
    changes: t.List[FileContent] = []
    modprobe_d = _plan_modprobe_d(observed, request, changes)
    _plan_modules_load_d(observed, request, changes)
    for change in changes:
        if change.subject in observed.unwritable and observed.is_root:
            raise Refused(
                "{0} must be changed but cannot be written: a read-only file system, or a link to /dev/null".format(
                    change.subject
                )
            )
    return changes, modprobe_d


def block_text(names: t.Sequence[str]) -> str:
    """The collection's own file, which keeps these modules out."""
    return HEADER + "".join("install {0} {1}\n".format(name, _BLOCK) for name in names)


def _wanted_block(observed: Observed, request: Request) -> t.List[str]:
    """The modules that the collection's own file shall keep out."""
    text = _text(observed.modprobe_d, BLOCK_FILE)
    own = DropIns(_modprobe_conf.KIND, (ConfFile(BLOCK_FILE, BLOCK_FILE, text or ""),))
    is_now = {stack for stack in STACKS if _modprobe_conf.blocked(own)[stack] is not None}
    nat_block = [NAT_MODULE]
    # Others, such as xt_TPROXY, may use them too; then they stay.
    defrag = [name for name in DEFRAG if name not in observed.modules or name in to_unload(observed.modules, CONNTRACK)]
    conntrack_block = [_kernel.MODULE, NAT_MODULE, *defrag]
    if request.state == ABSENT:
        return nat_block if request.stack == NAT else conntrack_block
    if request.stack == NAT:
        return conntrack_block if request.state == UNMANAGED and CONNTRACK in is_now else []
    # A block of NAT alone is no obstacle to connection tracking, and somebody asked for it.
    return nat_block if request.state == PRESENT and is_now == {NAT} else []


def _plan_modprobe_d(observed: Observed, request: Request, changes: t.List[FileContent]) -> DropIns:
    before = _text(observed.modprobe_d, BLOCK_FILE)
    names = _wanted_block(observed, request)
    if request.state == UNMANAGED and request.stack == NAT and len(names) > 1:
        return observed.modprobe_d  # a block of conntrack stays just as it is
    after = _plan_text(observed.modprobe_d, BLOCK_FILE, before, block_text(names) if names else None, changes)
    if request.state == ABSENT:
        for name in names:
            after = _plan_first_install(after, name, changes)
    if request.state == PRESENT:
        let_in = [_kernel.MODULE, *DEFRAG] + ([NAT_MODULE] if request.stack == NAT else [])
        for name in let_in:
            after = _plan_no_block(after, name, changes)
        after = _plan_no_blacklist(after, ROOT[request.stack], changes)
    return after


def _plan_first_install(modprobe_d: DropIns, name: str, changes: t.List[FileContent]) -> DropIns:
    """Take away every ``install`` that would be run in place of the collection's own."""
    while True:
        origin = _modprobe_conf.install_origin(modprobe_d, name)
        if origin is not None and origin.path == BLOCK_FILE:
            return modprobe_d
        where = "nothing reads {0}".format(BLOCK_FILE) if origin is None else _place(origin)
        modprobe_d = _plan_without(
            modprobe_d, origin, name, _modprobe_conf.drop_install, changes,
            "{0} would not be kept out: {1} is in force over {2} (install {0} {3}). Take that line away".format(
                name, where, BLOCK_FILE, origin.value if origin is not None else ""
            ),
        )


def _plan_no_block(modprobe_d: DropIns, name: str, changes: t.List[FileContent]) -> DropIns:
    while True:
        origin = _modprobe_conf.install_origin(modprobe_d, name)
        if origin is None or not _modprobe_conf.is_block(origin.value):
            return modprobe_d
        modprobe_d = _plan_without(
            modprobe_d, origin, name, _modprobe_conf.drop_install, changes,
            "{0} cannot be loaded: {1} keeps it out (install {0} {2}). Take that line away".format(
                name, _place(origin), origin.value
            ),
        )


def _plan_no_blacklist(modprobe_d: DropIns, name: str, changes: t.List[FileContent]) -> DropIns:
    while True:
        origin = _modprobe_conf.blacklist_origin(modprobe_d, name)
        if origin is None:
            return modprobe_d
        modprobe_d = _plan_without(
            modprobe_d, origin, name, _modprobe_conf.drop_blacklist, changes,
            "{0} would not be loaded at boot: {1} keeps systemd-modules-load from it (blacklist {0}). Take that line"
            " away".format(name, _place(origin)),
        )


def _plan_without(
    modprobe_d: DropIns,
    origin: t.Optional[Origin],
    name: str,
    drop: t.Callable[[str, str], str],
    changes: t.List[FileContent],
    refusal: str,
) -> DropIns:
    """Take the lines about a module out of the file of one of them, where that is below /etc.

    :raises Refused: it is elsewhere, or the line is about more than this module.
    """
    path = "" if origin is None else origin.path
    conf = next((conf for conf in modprobe_d.files if conf.path == path), None)
    text = conf.text if conf is None else drop(conf.text, name)
    if conf is None or text == conf.text or not _below_etc(conf):
        raise Refused(refusal)
    return _plan_text(modprobe_d, path, conf.text, text, changes)


def _place(origin: Origin) -> str:
    return "{0}:{1}".format(origin.path, origin.number)


def _below_etc(conf: ConfFile) -> bool:
    return conf.path.startswith("/etc/") and conf.target.startswith("/etc/")


def _plan_text(
    drop_ins: DropIns, path: str, before: t.Optional[str], after: t.Optional[str], changes: t.List[FileContent]
) -> DropIns:
    """Plan one file, where it changes, and once for all its lines; the files as they will then be."""
    if before == after:
        return drop_ins
    earlier = next((change for change in changes if change.subject == path), None)
    if earlier is None:
        changes.append(FileContent(path, before, after))
    else:
        earlier.after = after
    return drop_ins.with_text(path, after)


def _text(drop_ins: DropIns, path: str) -> t.Optional[str]:
    return next((conf.text for conf in drop_ins.files if conf.path == path), None)


def _plan_modules_load_d(observed: Observed, request: Request, changes: t.List[FileContent]) -> None:
    drop_ins = observed.modules_load_d
    for stack in STACKS:
        path = LOAD_FILES[stack]
        before = _text(drop_ins, path)
        if request.state == PRESENT:
            is_built_in = stack in observed.built_in
            after = HEADER + ROOT[stack] + "\n" if stack == request.stack and not is_built_in else before
        else:
            # Without connection tracking there is no NAT.
            after = None if request.stack in (stack, CONNTRACK) else before
        _plan_text(drop_ins, path, before, after, changes)
    if request.state != ABSENT:
        return
    for conf in drop_ins.files:
        if conf.path in LOAD_FILES.values():
            continue
        lines = [line for line in _modules_load.parse(conf.text) if _loads(observed, line.name, request.stack)]
        if lines:
            _plan_without_lines(drop_ins, conf, lines, request, changes)


def _loads(observed: Observed, name: str, stack: str) -> bool:
    return not observed.needs[name].isdisjoint(_ROOTS[stack])


def _plan_without_lines(
    drop_ins: DropIns, conf: ConfFile, lines: t.Sequence[Line], request: Request, changes: t.List[FileContent]
) -> None:
    if not _below_etc(conf):
        line = lines[0]
        raise Refused(
            "{0}:{1} has the boot load {2}, which needs {3}. Hide the file with a link to /dev/null,"
            " /etc/modules-load.d/{4}, or take the line away".format(
                conf.path, line.number, line.name, ROOT[request.stack], conf.name
            )
        )
    text = _modules_load.drop(conf.text, [line.name for line in lines])
    _plan_text(drop_ins, conf.path, conf.text, None if text == _boot.HEADER else text, changes)


# --- modules


def _plan_modules(observed: Observed, request: Request) -> t.List[Change]:
    if request.state == ABSENT:
        return [ModuleUnloaded(name) for name in to_unload(observed.modules, request.stack)]
    if request.state == UNMANAGED:
        return []
    wanted = [CONNTRACK, NAT] if request.stack == NAT else [CONNTRACK]
    return [
        # Connection tracking is loaded before NAT is, and by itself.
        ModuleLoaded(ROOT[stack], alone=stack == NAT)
        for stack in wanted
        if ROOT[stack] not in observed.modules and stack not in observed.built_in
    ]


# --- refusals


def _check_can_go(observed: Observed, stack: str) -> None:
    if stack in observed.built_in:
        raise Refused(
            "{0} is a fixed part of this kernel ({1}) and can be neither unloaded nor kept out. What can be done"
            " instead: take away the rules that need it, since without such a rule nothing is tracked; exempt traffic"
            " with notrack rules; or size the table with conntrack_settings".format(ROOT[stack], observed.release)
        )


def _check_privileges(
    observed: Observed, request: Request, changes: t.Sequence[Change], modules: t.Sequence[Change]
) -> None:
    if not changes:
        return
    subjects = ", ".join(change.subject for change in changes)
    if not observed.initial_namespace:
        raise Refused(
            "modules belong to the whole host and cannot be changed in this network namespace (a container?): run this"
            " on the host itself. Changes would be needed ({0})".format(subjects)
        )
    if not observed.is_root:
        raise Refused("changes are needed ({0}), which takes root: use become: true".format(subjects))
    if modules and not observed.has_kmod:
        raise Refused(
            "this host has no modprobe, so {0} cannot be {1}: install the package kmod".format(
                ", ".join(change.subject for change in modules), "unloaded" if request.state == ABSENT else "loaded"
            )
        )


def _pinned(observed: Observed, request: Request) -> Refused:
    running = ""
    if observed.services:
        running = " Running here, and known to use them: {0}.".format(", ".join(observed.services))
    return Refused(
        "{0} is in use and cannot be unloaded: {1}.{2} Rules are never flushed: take them away, or stop what"
        " makes them, then run this again. Nothing was changed".format(
            "NAT" if request.stack == NAT else "connection tracking", _pins.describe(observed.pins), running
        ),
        pins=[pin.result() for pin in observed.pins],
    )


def _notices(observed: Observed, request: Request) -> t.List[str]:
    if request.state != ABSENT:
        return []
    return [
        "the kernel's command line has the boot load {0}, which will fail while it is kept out; take it out of"
        " modules_load= in the boot loader's configuration".format(name)
        for name in observed.command_line
        if _loads(observed, name, request.stack)
    ]
