# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan the files that keep a stack out, or have the boot load it.

A stack is kept out by ``install NAME /bin/false`` for the modules that all others of it depend on. kmod loads what a
module depends on before it looks at the module itself, so nothing is gained by naming iptable_nat or nft_chain_nat;
and nf_defrag_*, which come before nf_conntrack, have to be named too, or every attempt would leave them loaded.
"""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel, _leftovers
from ansible_collections.netops.conntrack.plugins.module_utils._boot import outcome
from ansible_collections.netops.conntrack.plugins.module_utils._boot import plan as boot_plan
from ansible_collections.netops.conntrack.plugins.module_utils._boot.outcome import BLOCK_FILE
from ansible_collections.netops.conntrack.plugins.module_utils._change import FileContent, check_writable
from ansible_collections.netops.conntrack.plugins.module_utils._config import modprobe_d, modules_load_d
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import ConfFile, DropIns, Origin
from ansible_collections.netops.conntrack.plugins.module_utils._errors import Refused
from ansible_collections.netops.conntrack.plugins.module_utils._kmod import DEFRAG
from ansible_collections.netops.conntrack.plugins.module_utils._stacks.observed import (
    ABSENT,
    CONNTRACK,
    HEADER,
    LOAD_FILES,
    NAT,
    NAT_MODULE,
    PRESENT,
    ROOT,
    ROOTS,
    STACKS,
    UNMANAGED,
    Observed,
    Request,
    to_unload,
)

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._config.modules_load_d import Line

_BLOCK = "/bin/false"


def plan_files(observed: Observed, request: Request) -> tuple[list[FileContent], DropIns]:
    blocks: list[FileContent] = []
    loads_at_boot: list[FileContent] = []
    modprobe_files = _plan_modprobe_d(observed, request, blocks)
    _plan_modules_load_d(observed, request, loads_at_boot)
    # A boot after a power cut in between does not try to load what is kept out, which systemd-modules-load calls a failure.
    ordered = [*loads_at_boot, *blocks] if request.state == ABSENT else [*blocks, *loads_at_boot]
    changes = [*_leftovers.plan(observed.leftovers), *ordered]
    if observed.is_root:
        check_writable(changes, observed.unwritable)
    return changes, modprobe_files


def block_text(names: t.Sequence[str]) -> str:
    """The collection's own file, which keeps these modules out."""
    return HEADER + "".join(f"install {name} {_BLOCK}\n" for name in names)


def _wanted_block(observed: Observed, request: Request) -> list[str]:
    """The modules that the collection's own file shall keep out."""
    text = _text(observed.modprobe_d, BLOCK_FILE)
    own = DropIns(modprobe_d.KIND, (ConfFile(BLOCK_FILE, BLOCK_FILE, text or ""),))
    is_now = {stack for stack in STACKS if modprobe_d.blocked(own)[stack] is not None}
    nat_block = [NAT_MODULE]
    # Others, such as xt_TPROXY, may use them too, now or from the next boot on; then they stay.
    gone = to_unload(observed.modules, CONNTRACK, observed.kept)
    defrag = [name for name in DEFRAG if name not in observed.kept and (name not in observed.modules or name in gone)]
    conntrack_block = [_kernel.MODULE, NAT_MODULE, *defrag]
    if request.state == ABSENT:
        return nat_block if request.stack == NAT else conntrack_block
    if request.stack == NAT:
        return conntrack_block if request.state == UNMANAGED and CONNTRACK in is_now else []
    # A block of NAT alone is no obstacle to connection tracking, and somebody asked for it.
    return nat_block if request.state == PRESENT and is_now == {NAT} else []


def _plan_modprobe_d(observed: Observed, request: Request, changes: list[FileContent]) -> DropIns:
    before = _text(observed.modprobe_d, BLOCK_FILE)
    names = _wanted_block(observed, request)
    if request.state == UNMANAGED and request.stack == NAT and len(names) > 1:
        return observed.modprobe_d  # a block of conntrack stays just as it is
    after = boot_plan.plan_text(observed.modprobe_d, BLOCK_FILE, before, block_text(names) if names else None, changes)
    if request.state == ABSENT:
        for name in names:
            after = _plan_first_install(after, name, changes)
    if request.state == PRESENT:
        let_in = [_kernel.MODULE, *DEFRAG] + ([NAT_MODULE] if request.stack == NAT else [])
        _check_command_line(observed, request.stack, let_in)
        for name in let_in:
            after = _plan_no_block(after, name, changes)
        after = _plan_no_blacklist(after, ROOT[request.stack], changes)
    return after


def _plan_first_install(modprobe_files: DropIns, name: str, changes: list[FileContent]) -> DropIns:
    """Take away every ``install`` that would be run in place of the collection's own, and loads or seems to load."""
    while True:
        origin = modprobe_d.install_origin(modprobe_files, name)
        if origin is not None and (origin.path == BLOCK_FILE or modprobe_d.is_refusal(origin.value)):
            return modprobe_files
        where = f"nothing reads {BLOCK_FILE}" if origin is None else _place(origin)
        modprobe_files = _plan_without(
            modprobe_files,
            origin,
            name,
            modprobe_d.drop_install,
            changes,
            "{0} would not be kept out: {1} is in force over {2} (install {0} {3}). Take that line away".format(
                name, where, BLOCK_FILE, origin.value if origin is not None else ""
            ),
        )


def _plan_no_block(modprobe_files: DropIns, name: str, changes: list[FileContent]) -> DropIns:
    while True:
        origin = modprobe_d.install_origin(modprobe_files, name)
        if origin is None or not modprobe_d.is_block(origin.value):
            return modprobe_files
        modprobe_files = _plan_without(
            modprobe_files,
            origin,
            name,
            modprobe_d.drop_block,
            changes,
            f"{name} cannot be loaded: {_place(origin)} keeps it out (install {name} {origin.value}). Take that line away",
        )


def _plan_no_blacklist(modprobe_files: DropIns, name: str, changes: list[FileContent]) -> DropIns:
    while True:
        origin = modprobe_d.blacklist_origin(modprobe_files, name)
        if origin is None:
            return modprobe_files
        modprobe_files = _plan_without(
            modprobe_files,
            origin,
            name,
            modprobe_d.drop_blacklist,
            changes,
            f"{name} would not be loaded at boot: {_place(origin)} keeps systemd-modules-load from it (blacklist {name}). Take that line"
            " away",
        )


def _check_command_line(observed: Observed, stack: str, let_in: t.Sequence[str]) -> None:
    """:raises Refused: the kernel's command line keeps out what is to be loaded, which no file can change."""
    words = [
        modules_load_d.blacklist_word(observed.command_line, key, name)
        for key, names in ((modules_load_d.BLACKLIST, [ROOT[stack]]), (modules_load_d.KERNEL_BLACKLIST, let_in))
        for name in names
    ]
    for word in words:
        if word is not None and stack not in observed.built_in:
            raise Refused(
                f"{ROOT[stack]} would not be loaded: {outcome.COMMAND_LINE} has {word}. Take that out in the boot loader's configuration, then"
                " reboot"
            )


def _plan_without(
    modprobe_files: DropIns,
    origin: Origin | None,
    name: str,
    drop: t.Callable[[str, str], str],
    changes: list[FileContent],
    refusal: str,
) -> DropIns:
    """Take the lines about a module out of the file of one of them, where that is below /etc.

    :raises Refused: it is elsewhere, or the line is about more than this module.
    """
    path = "" if origin is None else origin.path
    conf = next((conf for conf in modprobe_files.files if conf.path == path), None)
    text = conf.text if conf is None else drop(conf.text, name)
    if conf is None or text == conf.text or not _below_etc(conf):
        raise Refused(refusal)
    return boot_plan.plan_text(modprobe_files, path, conf.text, text, changes)


def _place(origin: Origin) -> str:
    return f"{origin.path}:{origin.number}"


def _below_etc(conf: ConfFile) -> bool:
    return conf.path.startswith("/etc/") and conf.target.startswith("/etc/")


def _text(drop_ins: DropIns, path: str) -> str | None:
    """What is in a file of the collection's own; None where there is none, or a link to nothing."""
    conf = next((conf for conf in drop_ins.files if conf.path == path), None)
    return None if conf is None else conf.content


def _plan_modules_load_d(observed: Observed, request: Request, changes: list[FileContent]) -> None:
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
        boot_plan.plan_text(drop_ins, path, before, after, changes)
    if request.state != ABSENT:
        return
    for conf in drop_ins.files:
        if conf.path in LOAD_FILES.values():
            continue
        lines = [line for line in modules_load_d.parse(conf.text) if loads(observed, line.name, request.stack)]
        if lines:
            _plan_without_lines(drop_ins, conf, lines, request, changes)


def loads(observed: Observed, name: str, stack: str) -> bool:
    return not observed.needs[name].isdisjoint(ROOTS[stack])


def _plan_without_lines(
    drop_ins: DropIns, conf: ConfFile, lines: t.Sequence[Line], request: Request, changes: list[FileContent]
) -> None:
    if not _below_etc(conf):
        line = lines[0]
        raise Refused(
            f"{conf.path}:{line.number} has the boot load {line.name}, which needs {ROOT[request.stack]}. Hide the file with a link to /dev/null,"
            f" /etc/modules-load.d/{conf.name}, or take the line away"
        )
    text = modules_load_d.drop(conf.text, [line.name for line in lines])
    boot_plan.plan_text(drop_ins, conf.path, conf.text, None if text == outcome.HEADER else text, changes)
