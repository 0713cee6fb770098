# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which modules a boot is told to load, and what the program that loads them makes of each line.

Sources: src/modules-load/modules-load.c of systemd; /etc/init.d/kmod of Debian's kmod; kmod_module_new_from_lookup().
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _modules_dep
from ansible_collections.netops.conntrack.plugins.module_utils._boot import sysctl_program
from ansible_collections.netops.conntrack.plugins.module_utils._config import drop_ins, modprobe_d, modules_load_d
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import DropIns, Origin, Reading
from ansible_collections.netops.conntrack.plugins.module_utils._kernel import COMMAND_LINE, MODULE
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

# Names that a kernel may know nf_conntrack by, of today or before.
_MAYBE_ALIAS = r"(?:ip|nf)_conntrack(?:_[0-9]+)?"

# What a line has to name for its author to have meant connection tracking.
_MEANT = r"\b(?:ip|nf)[_-]conntrack\b|\b(?:ip|nf)[_-]conntrack[_-]ipv[46]\b"


class LoadLine(Record):
    """A line that a boot takes for a module to load.

    :ivar path: the file, or the kernel's command line.
    :ivar number: from 1.
    :ivar text: the line without blanks around it.
    :ivar name: what is looked up, with underscores.
    :ivar parameters: what the module is given with it.
    """

    path: str
    number: int
    text: str
    name: str
    parameters: str = ""

    @property
    def is_meant_for_conntrack(self) -> bool:
        """Whether it names nf_conntrack, by a name of today or before, wherever in the line."""
        return "conntrack" in self.text and re.search(_MEANT, self.text) is not None


class BootLoads(Record):
    """What a boot is told to load.

    :ivar lines: in the order in which they are loaded.
    :ivar is_by_systemd: whether systemd-modules-load loads them, which takes a line for one name; else an init script
        does, which takes what follows the name for parameters.
    :ivar aliases: what kernels know nf_conntrack by besides its name, among the names of the lines.
    """

    lines: tuple[LoadLine, ...]
    is_by_systemd: bool
    aliases: frozenset[str]

    @property
    def conntrack(self) -> LoadLine | None:
        """The first line that names nf_conntrack itself, also by an alias; a module that needs it may come before."""
        return next((line for line in self.lines if line.name == MODULE or line.name in self.aliases), None)

    def names(self) -> tuple[str, ...]:
        """What nf_conntrack gets the options of at boot: its name, and the alias by which it is loaded, if by one."""
        line = self.conntrack
        return (MODULE,) if line is None or line.name == MODULE else (MODULE, line.name)

    def parameters(self, parameter: str) -> list[Origin]:
        """What the line that loads nf_conntrack gives it for a parameter."""
        line = self.conntrack
        if line is None:
            return []
        words = [word.partition("=") for word in line.parameters.split()]
        return [Origin(value, line.path, line.number) for name, equals, value in words if equals and name == parameter]


def find(host: Host, release: str, modprobe_files: DropIns) -> BootLoads:
    """Read what the boot of a host is told to load.

    :param release: of the kernel whose modules count.
    :raises HostError: a file cannot be read.
    """
    is_by_systemd = sysctl_program.boots_by_systemd(host)
    words = modules_load_d.command_line(host.read_value(COMMAND_LINE) or "") if is_by_systemd else []
    lines = [LoadLine(COMMAND_LINE, 1, word, word) for word in words]
    reading = Reading() if is_by_systemd else Reading(last=modules_load_d.ETC_MODULES)
    parse = _by_systemd if is_by_systemd else _by_init_script
    files = drop_ins.read(host, modules_load_d.KIND, reading).files
    for index, conf in enumerate(files):
        # The script reads /etc/modules by its own name only where no link leads there.
        if conf.path != reading.last or all(other.target != conf.target for other in files[:index]):
            lines += parse(conf.path, conf.text)
    maybe = {line.name for line in lines if line.name != MODULE and re.fullmatch(_MAYBE_ALIAS, line.name)}
    known = resolve(host, release, modprobe_files, maybe)
    return BootLoads(tuple(lines), is_by_systemd, frozenset(name for name in maybe if MODULE in known[name]))


def _by_systemd(path: str, text: str) -> t.Iterator[LoadLine]:
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip(" \t\r")
        if line and line[0] not in "#;":
            yield LoadLine(path, number, line, line.replace("-", "_"))


def _by_init_script(path: str, text: str) -> t.Iterator[LoadLine]:
    for number, raw in enumerate(text.split("\n"), 1):
        words = raw.split(None, 1)
        if words and not raw.startswith("#"):
            yield LoadLine(path, number, raw.strip(), words[0].replace("-", "_"), "".join(words[1:]).strip())


def resolve(host: Host, release: str, modprobe_files: DropIns, names: t.Collection[str]) -> dict[str, frozenset[str]]:
    """The modules that kmod loads for each of these names; none for a name that it does not find.

    It looks for an ``alias`` of modprobe.d, then for a module, then for an alias that the kernel's modules have.
    """
    if not names:
        return {}
    found = {name: frozenset(modprobe_d.aliased(modprobe_files, name)) for name in names}
    path = _modules_dep.path(release)
    if not host.exists(path):
        # Nothing is known of this kernel's modules, so a name is taken for that of one.
        return {name: targets or frozenset([name]) for name, targets in found.items()}
    left = {name for name, targets in found.items() if not targets}
    listed = _modules_dep.needs(host.lines(path), left)
    left -= set(listed)
    directory = path.rpartition("/")[0]
    if left:
        built_in = {
            _modules_dep.module_name(raw.decode("utf-8", "replace").strip())
            for raw in host.lines(directory + "/modules.builtin")
        }
        aliases = host.read(directory + "/modules.alias") or b""
        found.update({name: frozenset([name]) if name in built_in else _by_alias(aliases, name) for name in left})
    found.update({name: frozenset([name]) for name in listed})
    return found


def _by_alias(text: bytes, name: str) -> frozenset[str]:
    """The modules that modules.alias has for a name.

    Of ten thousands of lines those are looked at that begin like it.
    """
    begins = re.escape(name[:1].encode("utf-8", "surrogateescape"))
    lines = re.findall(rb"^alias ((?:" + begins + rb"|[*?\[])\S*) (\S+)$", text, re.MULTILINE)
    pairs = [(pattern.decode("utf-8", "replace"), module.decode("utf-8", "replace")) for pattern, module in lines]
    return frozenset(module.replace("-", "_") for pattern, module in pairs if modprobe_d.is_alias_of(pattern, name))
