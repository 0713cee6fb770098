# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files to change so that boots, and later loads of nf_conntrack, set what is wished. Pure.

A ``net.netfilter`` line in sysctl.d is lost when nf_conntrack is loaded after the boot applied it, which is the normal
case. So the sysctl lines go with a udev rule that applies them at every load, and the hashsize is a modprobe.d option.
"""

from __future__ import annotations

import posixpath
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel, _sizing
from ansible_collections.netops.conntrack.plugins.module_utils._boot.outcome import (
    BLOCK_FILE,
    HEADER,
    MODPROBE_FILE,
    MODULES_LOAD_FILE,
    MODULES_LOAD_TEXT,
    SYSCTL_CONF,
    SYSCTL_FILE,
    UDEV_FILE,
    BootFiles,
    below_etc,
    buckets,
    hashsize_origin,
    hashsize_origins,
    number,
    value_origin,
)
from ansible_collections.netops.conntrack.plugins.module_utils._change import FileContent
from ansible_collections.netops.conntrack.plugins.module_utils._config import modprobe_d, systemd_sysctl
from ansible_collections.netops.conntrack.plugins.module_utils._errors import Refused
from ansible_collections.netops.conntrack.plugins.module_utils._kernel import MODULE
from ansible_collections.netops.conntrack.plugins.module_utils._keys import KEYS, Key
from ansible_collections.netops.conntrack.plugins.module_utils._kmod import DEFRAG

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import DropIns, Origin

# udevd looks for changed rules at most every three seconds (manager_reload() in src/udev/udev-manager.c), so a module
# loaded right after the rule was written could miss it.
_UDEV_RELOAD = ("udevadm", "control", "--reload")


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
    hashsize: int | None
    buckets_per_page: int
    at_load: bool
    load: bool
    keep_others: bool


def plan(files: BootFiles, wish: Wish) -> tuple[list[FileContent], BootFiles]:
    """The files to change, and the configuration as it will then be.

    :raises Refused: the host's boot would not do what is wished.
    """
    changes: list[FileContent] = []
    conflicts: list[str] = []
    then, modprobe_files = files, files.modprobe_d
    if wish.values or wish.gone:
        then = _plan_sysctl_d(then, files.sysctl_file, wish.values, wish, changes, conflicts)
    if wish.implied:
        then = _plan_sysctl_d(then, SYSCTL_FILE, wish.implied, wish, changes, conflicts)
    if wish.hashsize is not None:
        modprobe_files = _plan_modprobe_d(files, wish.hashsize, wish.buckets_per_page, changes, conflicts)
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
    return changes, replace(then, modprobe_d=modprobe_files)


def plan_absence(files: BootFiles, names: t.Sequence[str]) -> tuple[list[FileContent], BootFiles]:
    """As :func:`plan`, for a boot that sets nothing more: without the collection's own files, and, where another
    sysctl file is given, without the lines of these keys in it, be it read or not.
    """
    changes: list[FileContent] = []
    sysctl_d, modprobe_files = files.sysctl_d, files.modprobe_d
    for conf in (*files.sysctl_d.files, *files.unread):
        if conf.content is None:
            continue  # a mask is not of this collection
        if conf.path == SYSCTL_FILE:
            sysctl_d = plan_text(sysctl_d, conf.path, conf.text, None, changes)
        elif conf.path in files.sysctl_d.names_of(files.sysctl_file):
            text = systemd_sysctl.edit(conf.text, {}, [KEYS[name].sysctl for name in names])
            sysctl_d = plan_text(sysctl_d, conf.path, conf.text, None if text == HEADER else text, changes)
    for conf in files.modprobe_d.files:
        if conf.path == MODPROBE_FILE and conf.content is not None:
            modprobe_files = plan_text(modprobe_files, conf.path, conf.text, None, changes)
    _plan_own(files, UDEV_FILE, None, changes, _UDEV_RELOAD if files.udev_runs else ())
    _plan_own(files, MODULES_LOAD_FILE, None, changes)
    return changes, replace(files, sysctl_d=sysctl_d, modprobe_d=modprobe_files)


def udev_rule(command: str) -> str:
    """The rule that applies the sysctl lines by a command whenever nf_conntrack is loaded."""
    return (
        f"{HEADER}# sysctl.d lines for net.netfilter are lost when nf_conntrack is loaded later: apply them at every load.\n"
        f'ACTION=="add", SUBSYSTEM=="module", KERNEL=="{MODULE}", RUN+="{command}"\n'
    )


def check_load(files: BootFiles, at_boot: bool, is_prediction: bool) -> None:
    """Look for lines that keep nf_conntrack from being loaded.

    :param at_boot: whether the boot shall load it: systemd-modules-load obeys ``blacklist``, and modprobe does not.
    :param is_prediction: whether a task before may only have predicted that it lifts the collection's own block.
    :raises Refused: there is one.
    """
    modprobe_files = files.modprobe_d.with_text(BLOCK_FILE, None) if is_prediction else files.modprobe_d
    for name in (MODULE, *DEFRAG):
        origin = modprobe_d.install_origin(modprobe_files, name)
        if origin is not None and modprobe_d.is_block(origin.value):
            raise _kept_out(origin, f"install {name} {origin.value}")
    origin = modprobe_d.blacklist_origin(modprobe_files, MODULE)
    if at_boot and origin is not None:
        raise _kept_out(origin, "blacklist " + MODULE)
    check_hashsizes(files)


def _kept_out(origin: Origin, line: str) -> Refused:
    return Refused(
        f"load is true, but {origin.path}:{origin.number} keeps nf_conntrack out ({line}). Take that line away, as conntrack_modules does with"
        " stack: conntrack and state: present, or set load: false"
    )


def check_hashsizes(files: BootFiles) -> None:
    """Look for what keeps nf_conntrack from being loaded, whatever it is given in the end.

    :raises Refused: it is given a hashsize that the kernel refuses.
    """
    refused = [origin for origin in hashsize_origins(files) if buckets(origin) is None]
    if refused:
        raise Refused(
            f"nf_conntrack cannot be loaded: {refused[0]} gives it a hashsize that the kernel refuses, and with that the load,"
            " whatever comes after it. Take it away from there, or make it a whole number"
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
    place = "" if target == path else f"it leads to {target}, and "
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
        problem = f"it would hide {hides}, of which nothing would be read then"
    elif hidden_by is not None:
        problem = f"it is hidden by {hidden_by}"
    elif path == SYSCTL_CONF and not files.sysctl_d.reads(path):
        problem = "no file in sysctl.d links to it, as on Debian 13, so it is never read"
    elif not files.sysctl_d.reads(path):
        problem = "it is not a .conf file in /etc/sysctl.d or /usr/local/lib/sysctl.d"
    if problem is not None:
        raise Refused(f"sysctl_file {path} would not hold at boot: {problem}; {advice}")


def _plan_sysctl_d(
    files: BootFiles,
    target: str,
    values: t.Mapping[str, int],
    wish: Wish,
    changes: list[FileContent],
    conflicts: list[str],
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
    text = systemd_sysctl.edit(HEADER if before is None else before, wanted, former + aliases + gone)
    after = plan_text(after, target, before, None if text == HEADER else text, changes)
    read_later = {conf.path for conf in after.after(target)}
    for conf in files.sysctl_d.files:
        if below_etc(conf.target) and conf.path not in own:
            # What stands earlier is outranked; only what would win is taken away. Another name of the same variable
            # may win from anywhere: a line that repeats a value is applied where that stood first. /etc/sysctl.conf is
            # what an operator's `sysctl -p` reads alone, and `sysctl --system` last.
            wins = conf.path in read_later or conf.target == SYSCTL_CONF
            stale = former + aliases + (list(wanted) if wins else [])
            if conf.path != SYSCTL_FILE:
                conflicts += systemd_sysctl.lines_about(conf, stale)
            text = systemd_sysctl.edit(conf.text, {}, stale)
            after = plan_text(after, conf.path, conf.text, None if text == HEADER else text, changes)
    unread = []
    for conf in files.unread:
        stale = former + aliases + list(wanted)
        conflicts += systemd_sysctl.lines_about(conf, stale)
        text = systemd_sysctl.edit(conf.text, {}, stale)
        plan_text(after, conf.path, conf.text, text, changes)
        unread.append(replace(conf, text=text))

    then = replace(files, sysctl_d=after, unread=unread)
    for key in keys:
        origin = value_origin(then, key)
        if wish.at_load and number(origin) == values[key.name]:
            origin = value_origin(then, key, at_load=True)
        if number(origin) != values[key.name]:
            raise Refused(
                f"{key.sysctl} would not be {values[key.name]} after a boot: {origin or _exclusion(after, key)} is in force over {target}. Name a sysctl_file in /etc/sysctl.d that"
                " sorts after it, or take the line away"
            )
    return then


def _exclusion(sysctl_d: DropIns, key: Key) -> str:
    """The last line that takes a key out, for messages."""
    lines = [
        f"{conf.path}:{entry.number} (-{key.sysctl})"
        for conf in sysctl_d.files
        for entry in systemd_sysctl.parse(conf.text)
        if entry.value is None and entry.key == systemd_sysctl.normalise(key.sysctl)
    ]
    return lines[-1] if lines else "nothing"


def _plan_modprobe_d(
    files: BootFiles, hashsize: int, buckets_per_page: int, changes: list[FileContent], conflicts: list[str]
) -> DropIns:
    after = files.modprobe_d
    before = next((conf.content for conf in after.files if conf.path == MODPROBE_FILE), None)
    text = modprobe_d.set_parameter(HEADER if before is None else before, MODULE, "hashsize", str(hashsize))
    after = plan_text(after, MODPROBE_FILE, before, text, changes)
    own = files.modprobe_d.names_of(MODPROBE_FILE)
    for conf in files.modprobe_d.files:
        if below_etc(conf.target) and conf.path not in own:
            # Options add up and the last one wins, so what stands earlier is outranked, unless no load gets past it.
            is_stale = modprobe_d.is_any if conf.name > posixpath.basename(MODPROBE_FILE) else _is_refused
            conflicts += modprobe_d.lines_giving(conf, MODULE, "hashsize", is_stale)
            text = modprobe_d.drop_parameter(conf.text, MODULE, "hashsize", is_stale)
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
    drop_ins: DropIns, path: str, before: str | None, after: str | None, changes: list[FileContent]
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
    files: BootFiles, path: str, text: str | None, changes: list[FileContent], reload: t.Sequence[str] = ()
) -> None:
    if files.own[path] != text:
        changes.append(FileContent(path, files.own[path], text, reload))
