# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan the files that keep a stack out, or have the boot load it.

A stack is kept out by ``install NAME /bin/false`` for the modules that all others of it depend on. kmod loads what a
module depends on before it looks at the module itself, so nothing is gained by naming iptable_nat or nft_chain_nat;
and nf_defrag_*, which come before nf_conntrack, have to be named too, or every attempt would leave them loaded.
"""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel
from ansible_collections.netops.conntrack.plugins.module_utils._change import FileContent, check_writable, removals
from ansible_collections.netops.conntrack.plugins.module_utils._config import modprobe_d, modules_load_d
from ansible_collections.netops.conntrack.plugins.module_utils._config.draft import Draft
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import ConfFile, DropIns, Origin
from ansible_collections.netops.conntrack.plugins.module_utils._errors import Refused
from ansible_collections.netops.conntrack.plugins.module_utils._kmod import DEFRAG, ROOTS
from ansible_collections.netops.conntrack.plugins.module_utils._own_files import (
    BLOCK_FILE,
    MODULES_HEADER,
    SETTINGS_HEADER,
    STACK_LOAD_FILES,
)
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record
from ansible_collections.netops.conntrack.plugins.module_utils._stacks.observed import (
    ABSENT,
    CONNTRACK,
    NAT,
    NAT_MODULE,
    PRESENT,
    ROOT,
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
    """The files to change, in order, and what modprobe will then read.

    :raises Refused: a file that is not the administrator's stands against it, or one cannot be written.
    """
    blocks = _plan_modprobe_d(observed, request)
    boot_loads = _plan_modules_load_d(observed, request)
    # A boot after a power cut in between does not try to load what is kept out, which systemd-modules-load calls a
    # failure.
    drafts = (boot_loads, blocks) if request.state == ABSENT else (blocks, boot_loads)
    changes = [*removals(observed.leftovers), *drafts[0].changes, *drafts[1].changes]
    if observed.is_root:
        check_writable(changes, observed.unwritable)
    return changes, blocks.files


def block_text(names: t.Sequence[str]) -> str:
    """The collection's own file, which keeps these modules out."""
    return MODULES_HEADER + "".join(f"install {name} {_BLOCK}\n" for name in names)


def _wanted_block(observed: Observed, request: Request) -> list[str]:
    """The modules that the collection's own file shall keep out."""
    text = observed.modprobe_d.content(BLOCK_FILE)
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


def _plan_modprobe_d(observed: Observed, request: Request) -> Draft:
    draft = Draft(observed.modprobe_d)
    names = _wanted_block(observed, request)
    if request.state == UNMANAGED and request.stack == NAT and len(names) > 1:
        return draft  # a block of conntrack stays just as it is
    draft = draft.put(BLOCK_FILE, draft.files.content(BLOCK_FILE), block_text(names) if names else None)
    if request.state == ABSENT:
        for name in names:
            draft = _keep_out(draft, name)
    if request.state == PRESENT:
        let_in = [_kernel.MODULE, *DEFRAG] + ([NAT_MODULE] if request.stack == NAT else [])
        _check_command_line(observed, request.stack, let_in)
        for name in let_in:
            draft = _let_in(draft, name)
        draft = _let_in_at_boot(draft, ROOT[request.stack])
    return draft


class _Obstacle(Record):
    """A line that stands against what is asked for.

    :ivar origin: where it is.
    :ivar drop: gives a file's text without the lines about a module.
    :ivar refusal: what is wrong with it, for where it cannot be taken out.
    """

    origin: Origin
    drop: t.Callable[[str, str], str]
    refusal: str


def _keep_out(draft: Draft, name: str) -> Draft:
    """Take out every ``install`` that would be run in place of the collection's own, and loads or seems to load."""

    def in_place_of_own(files: DropIns) -> _Obstacle | None:
        origin = modprobe_d.install_origin(files, name)
        if origin is None:
            raise Refused(f"{name} would not be blocked: nothing reads {BLOCK_FILE}. Remove what hides that file")
        if origin.path == BLOCK_FILE or modprobe_d.is_refusal(origin.value):
            return None
        wins = f"{name} would not be blocked: {_place(origin)} wins over {BLOCK_FILE} (install {name} {origin.value})"
        return _Obstacle(origin, modprobe_d.drop_install, wins)

    return _without(draft, name, in_place_of_own)


def _let_in(draft: Draft, name: str) -> Draft:
    """Take out every ``install`` that keeps a module from being loaded."""

    def block(files: DropIns) -> _Obstacle | None:
        origin = modprobe_d.install_origin(files, name)
        if origin is None or not modprobe_d.is_block(origin.value):
            return None
        keeps_out = f"{name} cannot be loaded: {_place(origin)} blocks it (install {name} {origin.value})"
        return _Obstacle(origin, modprobe_d.drop_block, keeps_out)

    return _without(draft, name, block)


def _let_in_at_boot(draft: Draft, name: str) -> Draft:
    """Take out every ``blacklist``, which systemd-modules-load obeys and modprobe does not."""

    def blacklist(files: DropIns) -> _Obstacle | None:
        origin = modprobe_d.blacklist_origin(files, name)
        if origin is None:
            return None
        keeps_out = f"{_place(origin)} keeps systemd-modules-load from loading it (blacklist {name})"
        return _Obstacle(origin, modprobe_d.drop_blacklist, f"{name} would not be loaded at boot: {keeps_out}")

    return _without(draft, name, blacklist)


def _without(draft: Draft, name: str, find: t.Callable[[DropIns], _Obstacle | None]) -> Draft:
    """Take the lines about a module out of one file after the other, until nothing stands against it.

    :raises Refused: a line is not in a file of the administrator's, or is about more than this module.
    """
    while True:
        obstacle = find(draft.files)
        if obstacle is None:
            return draft
        conf = next(conf for conf in draft.files.files if conf.path == obstacle.origin.path)
        text = obstacle.drop(conf.text, name)
        if text == conf.text or not conf.is_administrators:
            raise Refused(f"{obstacle.refusal}. Remove that line")
        draft = draft.put(conf.path, conf.text, text)


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
                f"{ROOT[stack]} would not be loaded: {_kernel.COMMAND_LINE} has {word}. Remove that in the boot"
                " loader's configuration, then reboot"
            )


def _place(origin: Origin) -> str:
    return f"{origin.path}:{origin.number}"


def _plan_modules_load_d(observed: Observed, request: Request) -> Draft:
    draft = Draft(observed.modules_load_d)
    for stack, path in STACK_LOAD_FILES.items():
        before = draft.files.content(path)
        if request.state == PRESENT:
            is_built_in = stack in observed.built_in
            after = MODULES_HEADER + ROOT[stack] + "\n" if stack == request.stack and not is_built_in else before
        else:
            # Without connection tracking there is no NAT.
            after = None if request.stack in (stack, CONNTRACK) else before
        draft = draft.put(path, before, after)
    if request.state != ABSENT:
        return draft
    for conf in observed.modules_load_d.files:
        if conf.path not in STACK_LOAD_FILES.values():
            lines = [line for line in modules_load_d.parse(conf.text) if loads(observed, line.name, request.stack)]
            draft = _without_lines(draft, conf, lines, request) if lines else draft
    return draft


def loads(observed: Observed, name: str, stack: str) -> bool:
    """Whether the load of a module brings a stack along."""
    return not observed.needs[name].isdisjoint(ROOTS[stack])


def _without_lines(draft: Draft, conf: ConfFile, lines: t.Sequence[Line], request: Request) -> Draft:
    if not conf.is_administrators:
        line = lines[0]
        raise Refused(
            f"{conf.path}:{line.number} makes the boot load {line.name}, which needs {ROOT[request.stack]}. Hide the"
            f" file with a link to /dev/null, /etc/modules-load.d/{conf.name}, or remove the line"
        )
    text = modules_load_d.drop(conf.text, [line.name for line in lines])
    return draft.put(conf.path, conf.text, None if text == SETTINGS_HEADER else text)
