# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of NAT and of connection tracking is loaded, kept out, and loaded by a boot.

For who has to know whether conntrack_modules would change anything, without asking it.
"""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel, _kmod, _modules_dep
from ansible_collections.netops.conntrack.plugins.module_utils._config import modprobe_d, modules_load_d
from ansible_collections.netops.conntrack.plugins.module_utils._kmod import CONNTRACK, NAT, ROOTS
from ansible_collections.netops.conntrack.plugins.module_utils._own_files import BLOCK_FILE, STACK_LOAD_FILES

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import DropIns
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host


#: Without connection tracking there is no NAT either.
_INSTALLS = {NAT: ("nf_nat", _kernel.MODULE), CONNTRACK: (_kernel.MODULE,)}


def observe(host: Host, modprobe_files: DropIns) -> dict[str, dict[str, t.Any]]:
    """The state of each stack, by its name, as users see it in ``stacks``.

    :param modprobe_files: what modprobe reads.
    :raises HostError: a file that tells it cannot be read.
    """
    loaded = _kmod.parse_modules(host.lines(_kmod.PATH))
    lines = [
        (f"{conf.path}:{line.number}", line.name)
        for conf in modules_load_d.read(host).files
        for line in modules_load_d.parse(conf.text)
    ]
    names = {name for _place, name in lines}
    # Most hosts name none, and modules.dep is a large file.
    brought = _modules_dep.brought(host.lines(_modules_dep.path(_kernel.release(host))) if names else [], names)
    kept_out = modprobe_d.blocked(modprobe_files)
    own_block = modprobe_d.blocked(_only(modprobe_files, BLOCK_FILE))
    found = {}
    for stack, roots in ROOTS.items():
        modules = sorted(_kmod.holders_of(loaded, roots))
        at_boot = [place for place, name in lines if not brought[name].isdisjoint(roots)]
        own = [BLOCK_FILE] if own_block[stack] is not None else []
        own += [path for path in [STACK_LOAD_FILES[stack]] if host.exists(path)]
        found[stack] = {
            "modules": modules,
            "kept_out": kept_out[stack],
            "loaded_at_boot": at_boot,
            "own_files": own,
            "is_out": not modules and not at_boot and _is_refused(modprobe_files, stack),
        }
    return found


def _is_refused(files: DropIns, stack: str) -> bool:
    """Whether an attempt to load a stack fails. With ``install nf_nat /bin/true`` it seems to succeed."""
    origins = [modprobe_d.install_origin(files, module) for module in _INSTALLS[stack]]
    return any(
        origin is not None and (origin.path == BLOCK_FILE or modprobe_d.is_refusal(origin.value)) for origin in origins
    )


def _only(files: DropIns, path: str) -> DropIns:
    return files._replace(files=tuple(conf for conf in files.files if conf.path == path))
