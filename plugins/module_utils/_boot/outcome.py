# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What boots, and later loads of nf_conntrack, will set by the files of a host."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel, _udev
from ansible_collections.netops.conntrack.plugins.module_utils._boot import at_load, loads, sysctl_program
from ansible_collections.netops.conntrack.plugins.module_utils._config import drop_ins, modprobe_d, systemd_sysctl
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import (
    ConfFile,
    DropIns,
    Origin,
    below_etc,
    last,
)
from ansible_collections.netops.conntrack.plugins.module_utils._config.systemd_sysctl import SYSCTL_CONF
from ansible_collections.netops.conntrack.plugins.module_utils._kernel import COMMAND_LINE, MODULE
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, KEYS, MAX, Key
from ansible_collections.netops.conntrack.plugins.module_utils._own_files import (
    LOAD_FILE,
    MODPROBE_FILE,
    SETTINGS_HEADER,
    SYSCTL_FILE,
    UDEV_FILE,
)
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._boot.at_load import AtLoad
    from ansible_collections.netops.conntrack.plugins.module_utils._boot.loads import BootLoads
    from ansible_collections.netops.conntrack.plugins.module_utils._boot.sysctl_program import BootValues, SysctlProgram
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

    class Writer(t.Protocol):
        """What writes values in some order."""

        def writes(self, *names: str) -> list[Origin]:
            """All that it writes to a variable that has these names (with dots), in that order."""


class BootFiles(Record):
    """The configuration that was observed.

    :ivar program: what applies the sysctl files.
    :ivar sysctl_d: the files that it reads.
    :ivar at_load: what sets sysctl values whenever nf_conntrack is loaded.
    :ivar loads: what the boot is told to load.
    :ivar modprobe_d: the files that modprobe reads.
    :ivar command_line: the kernel's, which modprobe reads for parameters after all files.
    :ivar own: text of the collection's udev rule and modules-load.d file; None where there is none.
    :ivar sysctl_file: where sysctl lines shall go, by a name that the boot reads it by if there is one.
    :ivar unread: the requested file where the boot does not read it; and /etc/sysctl.conf, which an operator's
        ``sysctl -p`` then still does.
    :ivar udev_runs: whether a udevd runs that has to be told of new rules; not so in an image that is being built.
    :ivar unwritable: files in question that this process cannot write.
    :ivar leftovers: what stopped runs left beside those files, the content by path.
    """

    program: SysctlProgram
    sysctl_d: DropIns
    at_load: AtLoad
    loads: BootLoads
    modprobe_d: DropIns
    command_line: str
    own: t.Mapping[str, str | None]
    sysctl_file: str
    unread: t.Sequence[ConfFile]
    udev_runs: bool
    unwritable: frozenset[str]
    leftovers: t.Mapping[str, str]


def observe(host: Host, sysctl_file: str | None = None) -> BootFiles:
    """Read the configuration files, once.

    :param sysctl_file: where sysctl lines shall go; None where nothing will be changed.
    :raises HostError: one cannot be read.
    """
    program = sysctl_program.find(host)
    sysctl_d = drop_ins.read(host, systemd_sysctl.KIND, program.reading)
    modprobe_files = drop_ins.read(host, modprobe_d.KIND, modprobe_d.READING)
    own = {path: None if host.resolve(path) == "/dev/null" else host.read_text(path) for path in (UDEV_FILE, LOAD_FILE)}
    candidates: set[str] = set()
    if sysctl_file is not None:
        candidates = {SYSCTL_CONF, SYSCTL_FILE, MODPROBE_FILE, UDEV_FILE, LOAD_FILE}
        candidates.update(conf.path for conf in sysctl_d.files + modprobe_files.files)
        candidates = {path for path in candidates if below_etc(path)} | {sysctl_file}
    return BootFiles(
        program=program,
        sysctl_d=sysctl_d,
        at_load=at_load.find(host, modprobe_files, program.at_load, sysctl_d),
        loads=loads.find(host, _kernel.release(host), modprobe_files),
        modprobe_d=modprobe_files,
        command_line=host.read_value(COMMAND_LINE) or "",
        own=own,
        sysctl_file=_read_name(host, sysctl_d, sysctl_file or SYSCTL_FILE),
        unread=[
            ConfFile(path, host.resolve(path), host.read_text(path) or "")
            for path in sorted(candidates & {SYSCTL_CONF, sysctl_file})
            if host.is_file(path) and not sysctl_d.reads(host.resolve(path))
        ],
        udev_runs=_udev.runs(host),
        unwritable=frozenset(path for path in candidates if not host.replaceable(path)),
        leftovers=_leftovers(host, candidates),
    )


def _leftovers(host: Host, candidates: t.Collection[str]) -> dict[str, str]:
    # Facts change nothing, and so need none of what changes are made by.
    if not candidates:
        return {}
    from ansible_collections.netops.conntrack.plugins.module_utils import _leftovers as leftovers

    return leftovers.find(host, candidates)


def _read_name(host: Host, sysctl_d: DropIns, path: str) -> str:
    """The name that the boot reads a file by, which may be a link to that; the path itself where it reads none."""
    target = host.resolve(path)
    return target if sysctl_d.reads(target) and not sysctl_d.reads(path) else path


def own_keys(files: BootFiles) -> frozenset[str]:
    """The keys that the collection's own files set, also a sysctl file of another name that it made."""
    names = {systemd_sysctl.normalise(name): key.name for key in KEYS.values() for name in (key.sysctl, *key.aliases)}
    entries = [entry for conf in own_sysctl_files(files) for entry in systemd_sysctl.parse(conf.text)]
    found = {names[entry.key] for entry in entries if entry.key in names}
    options = files.modprobe_d.content(MODPROBE_FILE) or ""
    if modprobe_d.parameter_lines(ConfFile(MODPROBE_FILE, MODPROBE_FILE, options), MODULE, "hashsize"):
        found.add(BUCKETS)
    return frozenset(found)


def own_sysctl_files(files: BootFiles) -> list[ConfFile]:
    """The sysctl files that the collection made, by what they begin with; also one that the boot does not read."""
    return [conf for conf in (*files.sysctl_d.files, *files.unread) if conf.content is not None and _is_own(conf)]


def _is_own(conf: ConfFile) -> bool:
    """Whether the collection made a file: the one of its own name, or another by what that begins with."""
    is_local = conf.is_administrators or conf.target.startswith("/usr/local/lib/")
    return is_local and (conf.path == SYSCTL_FILE or conf.text.startswith(SETTINGS_HEADER))


def set_by_others(files: BootFiles) -> BootFiles:
    """The configuration as it would be without the collection's own files."""
    sysctl_d, at_load_then = files.sysctl_d, files.at_load
    for path in (SYSCTL_FILE, files.sysctl_file, *(conf.path for conf in own_sysctl_files(files))):
        text = sysctl_d.content(path)
        if text is not None:
            # A file that the collection did not make may hold lines of others beside those it was asked for.
            sizes = [name for key in (KEYS[MAX], KEYS[BUCKETS]) for name in (key.sysctl, *key.aliases)]
            edited = systemd_sysctl.edit(text, {}, sizes)
            sysctl_d, at_load_then = sysctl_d.with_text(path, edited), at_load_then.with_text(path, edited)
    return files._replace(
        sysctl_d=sysctl_d, at_load=at_load_then, modprobe_d=files.modprobe_d.with_text(MODPROBE_FILE, None)
    )


def value_origin(files: BootFiles, key: Key) -> Origin | None:
    """What sets a key at boot: of all lines that are written to it, the last one that the kernel takes."""
    return last_taken([_values(files.program.values, files.sysctl_d)], key)


def load_origins(files: BootFiles, key: Key, with_rule: bool = True) -> list[Origin]:
    """What sets a key whenever nf_conntrack is loaded: what modprobe runs has set, and then what udev runs.

    Which of the two comes last is not certain, since udev runs beside modprobe; mostly it is the last.

    :param with_rule: with the collection's own udev rule, be it there or not.
    """
    appliers = files.at_load.with_rule if with_rule else files.at_load.found
    groups = ([one for one in appliers if one.by == by] for by in (at_load.MODPROBE, at_load.UDEV))
    return [origin for origin in (last_taken(group, key) for group in groups) if origin is not None]


@functools.lru_cache(maxsize=4)
def _values(rules: type[BootValues], sysctl_d: DropIns) -> BootValues:
    """What the files set, parsed once for all keys."""
    return rules(sysctl_d)


def last_taken(writers: t.Sequence[Writer], key: Key) -> Origin | None:
    """The last of all that is written to a key that the kernel takes; None where it takes none."""
    written = [origin for writer in writers for origin in writer.writes(key.sysctl, *key.aliases)]
    return next((origin for origin in reversed(written) if _is_taken(origin, key)), None)


def _is_taken(origin: Origin, key: Key) -> bool:
    value = number(origin)
    return value is not None and key.takes(value)


def number_set(files: BootFiles, key: Key) -> int | None:
    """The number that the sysctl files set a key to; None when they set none, or one that the kernel refuses."""
    return _within_limits(key, number(value_origin(files, key)))


def hashsize_at_load(files: BootFiles) -> int | None:
    """The hashsize that nf_conntrack will be loaded with, before rounding; None when it is given none."""
    return _within_limits(KEYS[BUCKETS], buckets(hashsize_origin(files)))


def number(origin: Origin | None) -> int | None:
    """The number that the kernel reads from a line; None where there is no line, or it sets no number."""
    return None if origin is None else _kernel.parse_number(origin.value)


def buckets(origin: Origin | None) -> int | None:
    """The number that the kernel reads from a hashsize; None where there is none, or it refuses it."""
    return None if origin is None else _kernel.parse_parameter(origin.value)


def number_at_load(files: BootFiles, key: Key, with_rule: bool = True) -> int | None:
    """The number that a load sets a key to after the module is there; None where no line sets it to what is allowed."""
    return _within_limits(key, number(last(load_origins(files, key, with_rule))))


def _within_limits(key: Key, value: int | None) -> int | None:
    return value if value is not None and key.minimum <= value <= key.maximum else None


def hashsize_origins(files: BootFiles, built_in: bool = False) -> list[Origin]:
    """All that gives nf_conntrack a hashsize when it is loaded, or started with the kernel that it is built into.

    The kernel gets them all, in this order. The last is in force, but it loads no module with one that it refuses.
    """
    words = modprobe_d.command_line_values(files.command_line, MODULE, "hashsize")
    on_command_line = [Origin(word, COMMAND_LINE, 1) for word in words]
    if built_in:
        return on_command_line
    by_options = modprobe_d.parameter_origins(files.modprobe_d, MODULE, "hashsize", *files.loads.names()[1:])
    before, after = modprobe_d.command_origins(files.modprobe_d, MODULE, "hashsize")
    return before + by_options + on_command_line + after + files.loads.parameters("hashsize")


def refused_hashsizes(files: BootFiles, built_in: bool = False) -> list[Origin]:
    """All of those that the kernel cannot read: with one alone it loads no nf_conntrack, whatever comes after it."""
    return [origin for origin in hashsize_origins(files, built_in) if buckets(origin) is None]


def hashsize_as_written(files: BootFiles, origin: Origin) -> str:
    """A hashsize as its line has it, and what is wrong with the line where that is more than the number."""
    parted = modprobe_d.parted_by_blanks(files.modprobe_d, MODULE, "hashsize", origin)
    if parted is None:
        return f"hashsize={origin.value}"
    return f"{parted}: no blanks are allowed beside the ="


def hashsize_origin(files: BootFiles) -> Origin | None:
    """What gives nf_conntrack its hashsize when it is loaded."""
    return last(hashsize_origins(files))


def sets_parameter(files: BootFiles, parameter: str | None) -> bool:
    """Whether anything gives nf_conntrack this parameter when it is loaded."""
    if parameter is None:
        return False
    before, after = modprobe_d.command_origins(files.modprobe_d, MODULE, parameter)
    by_options = modprobe_d.parameter_origins(files.modprobe_d, MODULE, parameter)
    words = modprobe_d.command_line_values(files.command_line, MODULE, parameter)
    return bool(before or after or by_options or words)
