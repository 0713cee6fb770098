# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection: names and behaviour may change in any release.

"""Observe and plan for what boots, and later loads of nf_conntrack, will set.

A ``net.netfilter`` line in sysctl.d is lost when nf_conntrack is loaded after the boot applied it, which is the normal
case. So the sysctl lines go with a udev rule that applies them at every load, and the hashsize is a modprobe.d option.
"""

from __future__ import annotations

import functools
import posixpath
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.netops.conntrack.plugins.module_utils import (
    _drop_ins,
    _kernel,
    _leftovers,
    _modprobe_conf,
    _sizing,
    _sysctl_conf,
    _sysctl_program,
)
from ansible_collections.netops.conntrack.plugins.module_utils._change import FileContent
from ansible_collections.netops.conntrack.plugins.module_utils._drop_ins import ConfFile, DropIns, Origin
from ansible_collections.netops.conntrack.plugins.module_utils._errors import Refused
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
from ansible_collections.netops.conntrack.plugins.module_utils._kernel import MODULE
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, KEYS, Key
from ansible_collections.netops.conntrack.plugins.module_utils._kmod import DEFRAG
from ansible_collections.netops.conntrack.plugins.module_utils._sysctl_conf import BootValues
from ansible_collections.netops.conntrack.plugins.module_utils._sysctl_program import SysctlProgram

HEADER = "# Written by Ansible: netops.conntrack.conntrack_settings\n"

#: Names that sort after the usual ones, because the last file read wins.
SYSCTL_FILE = "/etc/sysctl.d/zz-netops-conntrack.conf"
MODPROBE_FILE = "/etc/modprobe.d/zz-netops-conntrack.conf"
UDEV_FILE = "/etc/udev/rules.d/99-netops-conntrack.rules"
MODULES_LOAD_FILE = "/etc/modules-load.d/netops-conntrack.conf"

#: What that last one holds.
MODULES_LOAD_TEXT = HEADER + MODULE + "\n"

#: What conntrack_modules keeps modules out by. Sorts before the usual names, because of several ``install`` commands for
#: a module the first is run.
BLOCK_FILE = "/etc/modprobe.d/00-netops-conntrack-modules.conf"

SYSCTL_CONF = "/etc/sysctl.conf"

COMMAND_LINE = "/proc/cmdline"

# udevd looks for changed rules at most every three seconds (manager_reload() in src/udev/udev-manager.c), so a module
# loaded right after the rule was written could miss it.
_UDEV_RELOAD = ("udevadm", "control", "--reload")

#: Sockets of a running udevd: of systemd up to 257, and since.
_UDEV_SOCKETS = ("/run/udev/control", "/run/udev/io.systemd.Udev")


@dataclass(frozen=True)
class BootFiles:
    """The configuration that was observed.

    :ivar program: what applies the sysctl files.
    :ivar sysctl_d: the files that it reads.
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
    modprobe_d: DropIns
    command_line: str
    own: t.Mapping[str, t.Optional[str]]
    sysctl_file: str
    unread: t.Sequence[ConfFile]
    udev_runs: bool
    unwritable: t.FrozenSet[str]
    leftovers: t.Mapping[str, str]


@dataclass(frozen=True)
class Wish:
    """What the boot shall set.

    :ivar values: value by key name, for the requested sysctl file.
    :ivar implied: what is to be set with those and was not asked for, so for the collection's own file.
    :ivar gone: key names that shall not stand in the sysctl file.
    :ivar hashsize: parameter of the module, in buckets as the kernel rounds them; None to leave it alone.
    :ivar buckets_per_page: what the kernel rounds to.
    :ivar at_load: whether the values must be applied at later loads too, so not where conntrack is built in.
    :ivar load: whether the boot shall load nf_conntrack.
    :ivar keep_others: whether lines of other files stay, so that one that would have to go is refused.
    """

    values: t.Mapping[str, int]
    implied: t.Mapping[str, int]
    gone: t.Sequence[str]
    hashsize: t.Optional[int]
    buckets_per_page: int
    at_load: bool
    load: bool
    keep_others: bool


def observe(host: Host, sysctl_file: t.Optional[str] = None) -> BootFiles:
    """Read the configuration files, once.

    :param sysctl_file: where sysctl lines shall go; None where nothing will be changed.
    :raises HostError: one cannot be read.
    """
    program = _sysctl_program.find(host)
    sysctl_d = _drop_ins.read(host, _sysctl_conf.KIND, program.reading)
    modprobe_d = _drop_ins.read(host, _modprobe_conf.KIND, _modprobe_conf.READING)
    own = {
        path: None if host.resolve(path) == "/dev/null" else host.read_text(path)
        for path in (UDEV_FILE, MODULES_LOAD_FILE)
    }
    candidates: t.Set[str] = set()
    if sysctl_file is not None:
        candidates = {SYSCTL_CONF, SYSCTL_FILE, MODPROBE_FILE, UDEV_FILE, MODULES_LOAD_FILE}
        candidates.update(conf.path for conf in sysctl_d.files + modprobe_d.files)
        candidates = {path for path in candidates if _below_etc(path)} | {sysctl_file}
    return BootFiles(
        program=program,
        sysctl_d=sysctl_d,
        modprobe_d=modprobe_d,
        command_line=host.read_value(COMMAND_LINE) or "",
        own=own,
        sysctl_file=_read_name(host, sysctl_d, sysctl_file or SYSCTL_FILE),
        unread=[
            ConfFile(path, host.resolve(path), host.read_text(path) or "")
            for path in sorted(candidates & {SYSCTL_CONF, sysctl_file})
            if host.is_file(path) and not sysctl_d.reads(host.resolve(path))
        ],
        udev_runs=any(host.exists(path) for path in _UDEV_SOCKETS),
        unwritable=frozenset(path for path in candidates if not host.replaceable(path)),
        leftovers=_leftovers.find(host, candidates),
    )


def _read_name(host: Host, sysctl_d: DropIns, path: str) -> str:
    """The name that the boot reads a file by, which may be a link to that; the path itself where it reads none."""
    target = host.resolve(path)
    return target if sysctl_d.reads(target) and not sysctl_d.reads(path) else path


def _below_etc(path: str) -> bool:
    return path.startswith("/etc/")


def plan(files: BootFiles, wish: Wish) -> t.Tuple[t.List[FileContent], BootFiles]:
    """The files to change, and the configuration as it will then be.

    :raises Refused: the host's boot would not do what is wished.
    """
    changes: t.List[FileContent] = []
    conflicts: t.List[str] = []
    then, modprobe_d = files, files.modprobe_d
    if wish.values or wish.gone:
        then = _plan_sysctl_d(then, files.sysctl_file, wish.values, wish, changes, conflicts)
    if wish.implied:
        then = _plan_sysctl_d(then, SYSCTL_FILE, wish.implied, wish, changes, conflicts)
    if wish.hashsize is not None:
        modprobe_d = _plan_modprobe_d(files, wish.hashsize, wish.buckets_per_page, changes, conflicts)
    if conflicts and wish.keep_others:
        raise Refused(
            "conflicting_entries is fail, and these lines set the same keys: {0}. Take them out, or set"
            " conflicting_entries: replace".format(", ".join(conflicts)),
            conflicts=conflicts,
        )
    if (wish.values or wish.hashsize is not None) and wish.at_load:
        rule = udev_rule(files.program.at_load)
        _plan_own(files, UDEV_FILE, rule, changes, _UDEV_RELOAD if files.udev_runs else ())
    if wish.load:
        _plan_own(files, MODULES_LOAD_FILE, MODULES_LOAD_TEXT, changes)
    return changes, replace(then, modprobe_d=modprobe_d)


def plan_absence(files: BootFiles, names: t.Sequence[str]) -> t.Tuple[t.List[FileContent], BootFiles]:
    """As :func:`plan`, for a boot that sets nothing more: without the collection's own files, and, where another
    sysctl file is given, without the lines of these keys in it, be it read or not.
    """
    changes: t.List[FileContent] = []
    sysctl_d, modprobe_d = files.sysctl_d, files.modprobe_d
    for conf in (*files.sysctl_d.files, *files.unread):
        if conf.content is None:
            continue  # a mask is not of this collection
        if conf.path == SYSCTL_FILE:
            sysctl_d = plan_text(sysctl_d, conf.path, conf.text, None, changes)
        elif conf.path in files.sysctl_d.names_of(files.sysctl_file):
            text = _sysctl_conf.edit(conf.text, {}, [KEYS[name].sysctl for name in names])
            sysctl_d = plan_text(sysctl_d, conf.path, conf.text, None if text == HEADER else text, changes)
    for conf in files.modprobe_d.files:
        if conf.path == MODPROBE_FILE and conf.content is not None:
            modprobe_d = plan_text(modprobe_d, conf.path, conf.text, None, changes)
    _plan_own(files, UDEV_FILE, None, changes, _UDEV_RELOAD if files.udev_runs else ())
    _plan_own(files, MODULES_LOAD_FILE, None, changes)
    return changes, replace(files, sysctl_d=sysctl_d, modprobe_d=modprobe_d)


def udev_rule(command: str) -> str:
    """The rule that applies the sysctl lines by a command whenever nf_conntrack is loaded."""
    return (
        "{0}# sysctl.d lines for net.netfilter are lost when nf_conntrack is loaded later: apply them at every load.\n"
        'ACTION=="add", SUBSYSTEM=="module", KERNEL=="{1}", RUN+="{2}"\n'
    ).format(HEADER, MODULE, command)


def value_origin(files: BootFiles, key: Key, at_load: bool = False) -> t.Optional[Origin]:
    """What sets a key at boot: of all lines that are written to it, the last one that the kernel takes.

    :param at_load: what sets it when nf_conntrack is loaded after boot, by the udev rule.
    """
    return in_force(_values(files.program.values, files.sysctl_d, at_load), key)


@functools.lru_cache(maxsize=4)
def _values(rules: t.Type[BootValues], sysctl_d: DropIns, at_load: bool) -> BootValues:
    """What the files set, parsed once for all keys."""
    return rules(sysctl_d, at_load)


def in_force(values: BootValues, key: Key) -> t.Optional[Origin]:
    """The last of all that is written to a key that the kernel takes; None where it takes none."""
    written = values.writes(key.sysctl, *key.aliases)
    return next((origin for origin in reversed(written) if _is_taken(origin, key)), None)


def _is_taken(origin: Origin, key: Key) -> bool:
    value = number(origin)
    return value is not None and key.takes(value)


def number_set(files: BootFiles, key: Key) -> t.Optional[int]:
    """The number that the sysctl files set a key to; None when they set none, or one that the kernel refuses."""
    return _within_limits(key, number(value_origin(files, key)))


def number_given(files: BootFiles) -> t.Optional[int]:
    """The hashsize that nf_conntrack will be loaded with, before rounding; None when it is given none."""
    return _within_limits(KEYS[BUCKETS], buckets(hashsize_origin(files)))


def number(origin: t.Optional[Origin]) -> t.Optional[int]:
    """The number that the kernel reads from a line; None where there is no line, or it sets no number."""
    return None if origin is None else _kernel.parse_number(origin.value)


def buckets(origin: t.Optional[Origin]) -> t.Optional[int]:
    """The number that the kernel reads from a hashsize; None where there is none, or it refuses it."""
    return None if origin is None else _kernel.parse_parameter(origin.value)


def number_at_load(files: BootFiles, key: Key) -> t.Optional[int]:
    """The number that the udev rule sets a key to; None where no line sets it to what is allowed."""
    return _within_limits(key, number(value_origin(files, key, at_load=True)))


def _within_limits(key: Key, value: t.Optional[int]) -> t.Optional[int]:
    return value if value is not None and key.minimum <= value <= key.maximum else None


def is_sysctl_file(files: BootFiles, path: str) -> bool:
    """Whether a path is one of the files that set sysctls at boot."""
    return any(conf.path == path for conf in files.sysctl_d.files)


def hashsize_origins(files: BootFiles, built_in: bool = False) -> t.List[Origin]:
    """All that gives nf_conntrack a hashsize when it is loaded, or started with the kernel that it is built into.

    The kernel gets them all, in this order. The last is in force, but it loads no module with one that it refuses.
    """
    words = _modprobe_conf.command_line_values(files.command_line, MODULE, "hashsize")
    on_command_line = [Origin(word, COMMAND_LINE, 1) for word in words]
    if built_in:
        return on_command_line
    by_options = _modprobe_conf.parameter_origins(files.modprobe_d, MODULE, "hashsize")
    before, after = _modprobe_conf.command_origins(files.modprobe_d, MODULE, "hashsize")
    return before + by_options + on_command_line + after


def hashsize_origin(files: BootFiles) -> t.Optional[Origin]:
    """What gives nf_conntrack its hashsize when it is loaded."""
    return next(reversed(hashsize_origins(files)), None)


def check_load(files: BootFiles, at_boot: bool, is_prediction: bool) -> None:
    """Look for lines that keep nf_conntrack from being loaded.

    :param at_boot: whether the boot shall load it: systemd-modules-load obeys ``blacklist``, and modprobe does not.
    :param is_prediction: whether a task before may only have predicted that it lifts the collection's own block.
    :raises Refused: there is one.
    """
    modprobe_d = files.modprobe_d.with_text(BLOCK_FILE, None) if is_prediction else files.modprobe_d
    for name in (MODULE, *DEFRAG):
        origin = _modprobe_conf.install_origin(modprobe_d, name)
        if origin is not None and _modprobe_conf.is_block(origin.value):
            raise _kept_out(origin, "install {0} {1}".format(name, origin.value))
    origin = _modprobe_conf.blacklist_origin(modprobe_d, MODULE)
    if at_boot and origin is not None:
        raise _kept_out(origin, "blacklist " + MODULE)
    check_hashsizes(files)


def _kept_out(origin: Origin, line: str) -> Refused:
    return Refused(
        "load is true, but {0}:{1} keeps nf_conntrack out ({2}). Take that line away, as conntrack_modules does with"
        " stack: conntrack and state: present, or set load: false".format(origin.path, origin.number, line)
    )


def check_hashsizes(files: BootFiles) -> None:
    """Look for what keeps nf_conntrack from being loaded, whatever it is given in the end.

    :raises Refused: it is given a hashsize that the kernel refuses.
    """
    refused = [origin for origin in hashsize_origins(files) if buckets(origin) is None]
    if refused:
        raise Refused(
            "nf_conntrack cannot be loaded: {0} gives it a hashsize that the kernel refuses, and with that the load,"
            " whatever comes after it. Take it away from there, or make it a whole number".format(refused[0])
        )


def _is_refused(value: str) -> bool:
    return _kernel.parse_parameter(value) is None


#: Where packages put files.
_OF_PACKAGES = ("/usr/lib/", "/lib/")


def _check_sysctl_file(files: BootFiles, path: str) -> None:
    advice = "leave sysctl_file out, or name a file in /etc/sysctl.d that ends in .conf"
    problem = None
    hidden_by, hides = files.sysctl_d.hidden_by(path), files.sysctl_d.hides(path)
    target = next((conf.target for conf in files.sysctl_d.files if conf.path == path), path)
    place = "" if target == path else "it leads to {0}, and ".format(target)
    if files.program.problem:
        problem = files.program.problem
        advice = "set scope: runtime"
    elif path.startswith("/run/") or target.startswith("/run/"):
        problem = place + "/run is empty after a reboot"
    elif path.startswith(_OF_PACKAGES) or target.startswith(_OF_PACKAGES):
        problem = place + "files there belong to packages, whose updates replace them"
    elif target == "/dev/null":
        problem = "it is masked by a link to /dev/null"
    elif hides is not None:
        problem = "it would hide {0}, of which nothing would be read then".format(hides)
    elif hidden_by is not None:
        problem = "it is hidden by {0}".format(hidden_by)
    elif path == SYSCTL_CONF and not files.sysctl_d.reads(path):
        problem = "no file in sysctl.d links to it, as on Debian 13, so it is never read"
    elif not files.sysctl_d.reads(path):
        problem = "it is not a .conf file in /etc/sysctl.d or /usr/local/lib/sysctl.d"
    if problem is not None:
        raise Refused("sysctl_file {0} would not hold at boot: {1}; {2}".format(path, problem, advice))


def _plan_sysctl_d(
    files: BootFiles,
    target: str,
    values: t.Mapping[str, int],
    wish: Wish,
    changes: t.List[FileContent],
    conflicts: t.List[str],
) -> BootFiles:
    _check_sysctl_file(files, target)
    keys = [KEYS[name] for name in sorted(values)]
    wanted = {key.sysctl: str(values[key.name]) for key in keys}
    former = [name for key in keys for name in key.former_names]
    aliases = [name for key in keys for name in key.aliases]
    own = files.sysctl_d.names_of(target)
    before = next((conf.content for conf in files.sysctl_d.files if conf.path in own), None)

    after = files.sysctl_d
    gone = [KEYS[name].sysctl for name in wish.gone]
    text = _sysctl_conf.edit(HEADER if before is None else before, wanted, former + aliases + gone)
    after = plan_text(after, target, before, None if text == HEADER else text, changes)
    read_later = {conf.path for conf in after.after(target)}
    for conf in files.sysctl_d.files:
        if _below_etc(conf.target) and conf.path not in own:
            # What stands earlier is outranked; only what would win is taken away. Another name of the same variable
            # may win from anywhere: a line that repeats a value is applied where that stood first. /etc/sysctl.conf is
            # what an operator's `sysctl -p` reads alone, and `sysctl --system` last.
            wins = conf.path in read_later or conf.target == SYSCTL_CONF
            stale = former + aliases + (list(wanted) if wins else [])
            if conf.path != SYSCTL_FILE:
                conflicts += _sysctl_conf.lines_about(conf, stale)
            text = _sysctl_conf.edit(conf.text, {}, stale)
            after = plan_text(after, conf.path, conf.text, None if text == HEADER else text, changes)
    unread = []
    for conf in files.unread:
        stale = former + aliases + list(wanted)
        conflicts += _sysctl_conf.lines_about(conf, stale)
        text = _sysctl_conf.edit(conf.text, {}, stale)
        plan_text(after, conf.path, conf.text, text, changes)
        unread.append(replace(conf, text=text))

    then = replace(files, sysctl_d=after, unread=unread)
    for key in keys:
        origin = value_origin(then, key)
        if wish.at_load and number(origin) == values[key.name]:
            origin = value_origin(then, key, at_load=True)
        if number(origin) != values[key.name]:
            raise Refused(
                "{0} would not be {1} after a boot: {2} is in force over {3}. Name a sysctl_file in /etc/sysctl.d that"
                " sorts after it, or take the line away".format(
                    key.sysctl, values[key.name], origin or _exclusion(after, key), target
                )
            )
    return then


def _exclusion(sysctl_d: DropIns, key: Key) -> str:
    """The last line that takes a key out, for messages."""
    lines = [
        "{0}:{1} (-{2})".format(conf.path, entry.number, key.sysctl)
        for conf in sysctl_d.files
        for entry in _sysctl_conf.parse(conf.text)
        if entry.value is None and entry.key == _sysctl_conf.normalise(key.sysctl)
    ]
    return lines[-1] if lines else "nothing"


def _plan_modprobe_d(
    files: BootFiles, hashsize: int, buckets_per_page: int, changes: t.List[FileContent], conflicts: t.List[str]
) -> DropIns:
    after = files.modprobe_d
    before = next((conf.content for conf in after.files if conf.path == MODPROBE_FILE), None)
    text = _modprobe_conf.set_parameter(HEADER if before is None else before, MODULE, "hashsize", str(hashsize))
    after = plan_text(after, MODPROBE_FILE, before, text, changes)
    own = files.modprobe_d.names_of(MODPROBE_FILE)
    for conf in files.modprobe_d.files:
        if _below_etc(conf.target) and conf.path not in own:
            # Options add up and the last one wins, so what stands earlier is outranked, unless no load gets past it.
            is_stale = _modprobe_conf.is_any if conf.name > posixpath.basename(MODPROBE_FILE) else _is_refused
            conflicts += _modprobe_conf.lines_giving(conf, MODULE, "hashsize", is_stale)
            text = _modprobe_conf.drop_parameter(conf.text, MODULE, "hashsize", is_stale)
            after = plan_text(after, conf.path, conf.text, text, changes)
    then = replace(files, modprobe_d=after)
    check_hashsizes(then)
    origin = hashsize_origin(then)
    if origin is None or _sizing.round_up(buckets(origin) or 0, buckets_per_page) != hashsize:
        raise Refused(
            "nf_conntrack would not get hashsize={0} when it is loaded: {1} is in force over {2}. Take it away from"
            " there, or ask for that hashsize".format(hashsize, origin or "nothing", MODPROBE_FILE)
        )
    return after


def plan_text(
    drop_ins: DropIns, path: str, before: t.Optional[str], after: t.Optional[str], changes: t.List[FileContent]
) -> DropIns:
    """Plan one file, where it changes, and once for all its lines; the files as they will then be."""
    if before == after:
        return drop_ins
    names = drop_ins.names_of(path)
    earlier = next((change for change in changes if change.subject in names), None)
    if earlier is None:
        changes.append(FileContent(path, before, after))
    else:
        earlier.after = after
    return drop_ins.with_text(path, after)


def _plan_own(
    files: BootFiles, path: str, text: t.Optional[str], changes: t.List[FileContent], reload: t.Sequence[str] = ()
) -> None:
    if files.own[path] != text:
        changes.append(FileContent(path, files.own[path], text, reload))
