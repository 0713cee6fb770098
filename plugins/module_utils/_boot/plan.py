# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files to change so that boots, and later loads of nf_conntrack, set what is wished. Pure.

A ``net.netfilter`` line in sysctl.d is lost when nf_conntrack is loaded after the boot applied it, which is the normal
case. So the sysctl lines go with a udev rule that applies them at every load, and the hashsize is a modprobe.d option.
"""

from __future__ import annotations

import posixpath
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel, _sizing
from ansible_collections.netops.conntrack.plugins.module_utils._boot.at_load import udev_rule
from ansible_collections.netops.conntrack.plugins.module_utils._boot.outcome import (
    BootFiles,
    buckets,
    hashsize_as_written,
    hashsize_origin,
    load_origins,
    number,
    own_keys,
    own_sysctl_files,
    refused_hashsizes,
    value_origin,
)
from ansible_collections.netops.conntrack.plugins.module_utils._change import FileContent
from ansible_collections.netops.conntrack.plugins.module_utils._config import modprobe_d, systemd_sysctl
from ansible_collections.netops.conntrack.plugins.module_utils._config.draft import Draft
from ansible_collections.netops.conntrack.plugins.module_utils._config.systemd_sysctl import SYSCTL_CONF
from ansible_collections.netops.conntrack.plugins.module_utils._errors import Refused
from ansible_collections.netops.conntrack.plugins.module_utils._kernel import MODULE
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, KEYS, MAX, Key
from ansible_collections.netops.conntrack.plugins.module_utils._kmod import DEFRAG
from ansible_collections.netops.conntrack.plugins.module_utils._own_files import (
    BLOCK_FILE,
    LOAD_FILE,
    LOAD_TEXT,
    MODPROBE_FILE,
    SETTINGS_HEADER,
    SYSCTL_FILE,
    UDEV_FILE,
)
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import ConfFile, DropIns, Origin

# udevd looks for changed rules at most every three seconds (manager_reload() in src/udev/udev-manager.c), so a module
# loaded right after the rule was written could miss it.
_UDEV_RELOAD = ("udevadm", "control", "--reload")


class BootSettings(Record):
    """What later boots and loads shall set.

    :ivar values: value by key name, for the requested sysctl file.
    :ivar implied: what is to be set with those and was not asked for, so for the collection's own file.
    :ivar gone: key names that shall not stand in the sysctl file.
    :ivar hashsize: parameter of the module, in buckets as the kernel rounds them; None where it is not wanted.
    :ivar only_these: whether the collection's own files shall hold nothing but this.
    :ivar buckets_per_page: what the kernel rounds to.
    :ivar at_load: whether the values must be applied at later loads too, so not where conntrack is built in.
    :ivar load: whether the boot shall load nf_conntrack.
    :ivar keep_others: whether lines of other files stay, so that one that would have to go is refused.
    """

    values: t.Mapping[str, int]
    implied: t.Mapping[str, int]
    gone: t.Sequence[str]
    hashsize: int | None
    only_these: bool
    buckets_per_page: int
    at_load: bool
    load: bool
    keep_others: bool


class BootPlan(Record):
    """The files to change, in order, and the configuration as it will then be."""

    changes: list[FileContent]
    files: BootFiles


def plan(files: BootFiles, wanted: BootSettings) -> BootPlan:
    """The changes of files after which boots and loads set what is wanted.

    :raises Refused: the host's boot would not do that.
    """
    then, sysctls, options = files, Draft(files.sysctl_d), Draft(files.modprobe_d)
    if wanted.only_these:
        then, sysctls = _without_own_keys(files, sysctls)
    if wanted.values or wanted.gone:
        then, sysctls = _plan_sysctl_d(then, sysctls, files.sysctl_file, wanted.values, wanted)
    if wanted.implied:
        then, sysctls = _plan_sysctl_d(then, sysctls, SYSCTL_FILE, wanted.implied, wanted)
    if wanted.hashsize is not None:
        options = _plan_hashsize(files, options, wanted.hashsize, wanted.buckets_per_page)
    elif wanted.only_these or BUCKETS in wanted.gone:
        options = _without_hashsize(options)
    conflicts = [*sysctls.conflicts, *options.conflicts]
    if conflicts and wanted.keep_others:
        raise Refused(
            f"conflicting_entries is fail, and these lines set the same keys: {', '.join(conflicts)}. Remove them, or"
            " set conflicting_entries: replace",
            conflicts=conflicts,
        )
    own: list[FileContent] = []
    if (wanted.values or wanted.implied or wanted.hashsize is not None) and wanted.at_load:
        check_hashsizes(then._replace(modprobe_d=options.files))
        own += _plan_udev_rule(files, udev_rule(files.program.at_load))
    elif wanted.only_these:
        own += _plan_udev_rule(files, None)
    if wanted.load or wanted.only_these:
        own += _plan_own(files, LOAD_FILE, LOAD_TEXT if wanted.load else None)
    return BootPlan(
        [*sysctls.changes, *options.changes, *own],
        then._replace(sysctl_d=sysctls.files, modprobe_d=options.files),
    )


def _without_own_keys(files: BootFiles, draft: Draft) -> tuple[BootFiles, Draft]:
    """Take every key out of the collection's own sysctl files.

    So they then get those that are wanted, and no other.
    """
    for conf in own_sysctl_files(files):
        draft = draft.put(conf.path, conf.text, _without_keys(conf.text, KEYS))
    unread = [
        conf._replace(text=_without_keys(conf.text, KEYS) or "") if conf in own_sysctl_files(files) else conf
        for conf in files.unread
    ]
    return _with_sysctl_files(files, draft.files, unread), draft


def _with_sysctl_files(files: BootFiles, sysctl_d: DropIns, unread: t.Sequence[ConfFile]) -> BootFiles:
    """The configuration once the sysctl files are these, which what runs at a load reads as well."""
    at_load = files.at_load
    texts: dict[str, str | None] = {conf.target: None for conf in files.sysctl_d.files}
    texts.update({conf.target: conf.content for conf in (*sysctl_d.files, *unread)})
    for path, text in texts.items():
        at_load = at_load.with_text(path, text)
    return files._replace(sysctl_d=sysctl_d, at_load=at_load, unread=unread)


def _without_keys(text: str, names: t.Iterable[str]) -> str | None:
    """A sysctl file without these keys, in any name; None where nothing of the collection's is left in it."""
    keys = [KEYS[name] for name in names]
    return _unless_empty(
        systemd_sysctl.edit(text, {}, [name for key in keys for name in (key.sysctl, *key.aliases, *key.former_names)])
    )


def _without_hashsize(draft: Draft) -> Draft:
    """Take the hashsize out of the collection's own file."""
    text = draft.files.content(MODPROBE_FILE)
    if text is None:
        return draft
    return draft.put(
        MODPROBE_FILE, text, _unless_empty(modprobe_d.drop_parameter(text, MODULE, "hashsize", modprobe_d.is_any))
    )


def plan_absence(files: BootFiles, names: t.Sequence[str], everything: bool) -> BootPlan:
    """The changes of files after which boots and loads no longer set what the collection set.

    :param names: the keys that go, out of the collection's own files and out of the requested sysctl file, whether that
        is read or not.
    :param everything: whether the collection's own files go as well, with all that they hold.
    """
    sysctls, options = Draft(files.sysctl_d), Draft(files.modprobe_d)
    target = files.sysctl_d.names_of(files.sysctl_file)
    # Beside another sysctl file, what stands in the collection's own came with a hashsize.
    came_along = [MAX] if BUCKETS in names and SYSCTL_FILE not in target else []
    own = {conf.path for conf in own_sysctl_files(files)} | {SYSCTL_FILE}
    for conf in (*files.sysctl_d.files, *files.unread):
        if conf.content is None:
            continue  # a mask is not of this collection
        if everything and conf.path in own:
            text = None if conf.path == SYSCTL_FILE else _without_keys(conf.text, KEYS)
            sysctls = sysctls.put(conf.path, conf.text, text)
        elif conf.path in own or conf.path in target:
            gone = [*names, *(came_along if conf.path == SYSCTL_FILE else [])]
            sysctls = sysctls.put(conf.path, conf.text, _without_keys(conf.text, gone))
    if everything:
        options = options.put(MODPROBE_FILE, options.files.content(MODPROBE_FILE), None)
    elif BUCKETS in names:
        options = _without_hashsize(options)
    then = files._replace(sysctl_d=sysctls.files, modprobe_d=options.files)
    changes = [*sysctls.changes, *options.changes]
    if everything or not own_keys(then):
        changes += _plan_udev_rule(files, None)
    if everything:
        changes += _plan_own(files, LOAD_FILE, None)
    return BootPlan(changes, then)


def _unless_empty(text: str) -> str | None:
    """The text of a file, or None where nothing but the collection's header is left of it."""
    return None if text == SETTINGS_HEADER else text


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
        f"load is true, but {origin.path}:{origin.number} blocks nf_conntrack ({line}). Remove that line, as"
        " conntrack_modules does with stack: conntrack and state: present, or set load: false"
    )


def check_hashsizes(files: BootFiles) -> None:
    """Look for what keeps nf_conntrack from being loaded, whatever it is given in the end.

    :raises Refused: it is given a hashsize that the kernel refuses.
    """
    refused = refused_hashsizes(files)
    if refused:
        origin = refused[0]
        raise Refused(
            f"nf_conntrack cannot be loaded: {origin.path}:{origin.number} ({hashsize_as_written(files, origin)})"
            " gives it a hashsize that the kernel refuses, and with it every load, even if a later line sets another"
            " hashsize. Remove it there, or write a whole number, as in hashsize=65536"
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
        problem = f"it would hide {hides}, which the boot would then not read"
    elif hidden_by is not None:
        problem = f"it is hidden by {hidden_by}"
    elif path == SYSCTL_CONF and not files.sysctl_d.reads(path):
        problem = "no file in sysctl.d links to it, as on Debian 13, so it is never read"
    elif not files.sysctl_d.reads(path):
        problem = "it is not a .conf file in /etc/sysctl.d or /usr/local/lib/sysctl.d"
    if problem is not None:
        raise Refused(f"sysctl_file {path} cannot be used for boots: {problem}; {advice}")


def _plan_sysctl_d(
    files: BootFiles, draft: Draft, target: str, values: t.Mapping[str, int], wanted: BootSettings
) -> tuple[BootFiles, Draft]:
    """Set these values in one sysctl file, and take out of the others what would win over it or name them formerly."""
    if files.program.masked and not wanted.at_load:
        raise Refused(
            "nothing would set sysctl lines when this host boots: systemd-sysctl.service is masked by"
            f" {files.program.masked}. Remove the mask (systemctl unmask systemd-sysctl.service), or set scope: runtime"
        )
    _check_sysctl_file(files, target)
    keys = [KEYS[name] for name in sorted(values)]
    lines = {key.sysctl: str(values[key.name]) for key in keys}
    outdated = [name for key in keys for name in (*key.former_names, *key.aliases)]
    gone = [KEYS[name].sysctl for name in wanted.gone]
    before = files.sysctl_d.content(target)
    text = systemd_sysctl.edit(SETTINGS_HEADER if before is None else before, lines, outdated + gone)
    draft = draft.put(target, before, _unless_empty(text))

    own = files.sysctl_d.names_of(target)
    read_later = {conf.path for conf in draft.files.after(target)}
    for conf in files.sysctl_d.files:
        if conf.is_administrators and conf.path not in own:
            # What stands earlier is outranked; only what would win is taken away. Another name of the same variable
            # may win from anywhere: a line that repeats a value is applied where that stood first. /etc/sysctl.conf is
            # what an operator's `sysctl -p` reads alone, and `sysctl --system` last.
            wins = conf.path in read_later or conf.target == SYSCTL_CONF
            stale = outdated + (list(lines) if wins else [])
            if conf.path != SYSCTL_FILE:
                draft = draft.with_conflicts(systemd_sysctl.lines_about(conf, stale, lines))
            draft = draft.put(conf.path, conf.text, _unless_empty(systemd_sysctl.edit(conf.text, {}, stale, lines)))
    unread = []
    for conf in files.unread:
        stale = outdated + list(lines)
        text = systemd_sysctl.edit(conf.text, {}, stale)
        draft = draft.with_conflicts(systemd_sysctl.lines_about(conf, stale)).put(conf.path, conf.text, text)
        unread.append(conf._replace(text=text))

    then = _with_sysctl_files(files, draft.files, unread)
    _check_values(then, target, {key: values[key.name] for key in keys}, wanted.at_load)
    return then, draft


def _check_values(files: BootFiles, target: str, values: t.Mapping[Key, int], at_load: bool) -> None:
    """:raises Refused: the boot, or a later load, would set a key to something else."""
    for key, value in values.items():
        loaded: list[Origin | None] = [*load_origins(files, key)] or [None]
        # A masked program sets nothing at boot, and udev runs it all the same.
        at_boot = [] if files.program.masked else [value_origin(files, key)]
        wrong = [origin for origin in [*at_boot, *(loaded if at_load else [])] if number(origin) != value]
        if wrong:
            raise Refused(
                f"{key.sysctl} would not be {value} after a boot: {wrong[0] or _exclusion(files.sysctl_d, key)} wins"
                f" over {target}. Name a sysctl_file in /etc/sysctl.d that sorts after it, or remove the line"
            )


def _exclusion(sysctl_d: DropIns, key: Key) -> str:
    """The last line that takes a key out, for messages."""
    lines = [
        f"{conf.path}:{entry.number} (-{key.sysctl})"
        for conf in sysctl_d.files
        for entry in systemd_sysctl.parse(conf.text)
        if entry.value is None and entry.key == systemd_sysctl.normalise(key.sysctl)
    ]
    return lines[-1] if lines else "nothing"


def _plan_hashsize(files: BootFiles, draft: Draft, hashsize: int, buckets_per_page: int) -> Draft:
    """Have every load of nf_conntrack make this many buckets."""
    before = files.modprobe_d.content(MODPROBE_FILE)
    text = modprobe_d.set_parameter(SETTINGS_HEADER if before is None else before, MODULE, "hashsize", str(hashsize))
    draft = draft.put(MODPROBE_FILE, before, text)
    own = files.modprobe_d.names_of(MODPROBE_FILE)
    for conf in files.modprobe_d.files:
        if conf.is_administrators and conf.path not in own:
            # Options add up and the last one wins, so what stands earlier is outranked, unless no load gets past it.
            is_stale = modprobe_d.is_any if conf.name > posixpath.basename(MODPROBE_FILE) else _is_refused
            text = conf.text
            for name in files.loads.names():
                draft = draft.with_conflicts(modprobe_d.lines_giving(conf, name, "hashsize", is_stale))
                text = modprobe_d.drop_parameter(text, name, "hashsize", is_stale)
            draft = draft.put(conf.path, conf.text, text)
    then = files._replace(modprobe_d=draft.files)
    check_hashsizes(then)
    origin = hashsize_origin(then)
    if origin is None or _sizing.round_up(buckets(origin) or 0, buckets_per_page) != hashsize:
        raise Refused(
            f"nf_conntrack would not get hashsize={hashsize} when it is loaded: {origin or 'nothing'} wins over"
            f" {MODPROBE_FILE}. Remove it there, or set that hashsize"
        )
    return draft


def _plan_udev_rule(files: BootFiles, text: str | None) -> list[FileContent]:
    return _plan_own(files, UDEV_FILE, text, _UDEV_RELOAD if files.udev_runs else ())


def _plan_own(files: BootFiles, path: str, text: str | None, reload: t.Sequence[str] = ()) -> list[FileContent]:
    """One of the collection's own files that are not drop-ins of a kind which is read here."""
    return [FileContent(path, files.own[path], text, reload)] if files.own[path] != text else []
