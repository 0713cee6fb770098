# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the running kernel or a file says something else than the next boot, and what is wrong there."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel
from ansible_collections.netops.conntrack.plugins.module_utils._boot import outcome
from ansible_collections.netops.conntrack.plugins.module_utils._boot import writers as boot_writers
from ansible_collections.netops.conntrack.plugins.module_utils._config import (
    modprobe_d,
    sysctl_names,
    systemd_sysctl,
    wildcards,
)
from ansible_collections.netops.conntrack.plugins.module_utils._facts import boot
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, COUNT, KEYS, MAX

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import ConfFile, Origin
    from ansible_collections.netops.conntrack.plugins.module_utils._facts.boot import Observed

_LOST = "lost when nf_conntrack is loaded after boot, because nothing applies it then"

RUNTIME = "runtime"
FORMER_NAME = "former_name"
UNKNOWN_KEY = "unknown_key"
INVALID_VALUE = "invalid_value"
MALFORMED = "malformed"
NOT_LOADED = "not_loaded"
NOT_READ = "not_read"
NOT_AT_LOAD = "not_at_load"
RACE = "race"
WRITER = "writer"

#: What max is called beside its name in net.netfilter.
_ALIAS = "net/nf_conntrack_max"


def find(
    observed: Observed,
    certain: t.Mapping[str, Origin],
    races: t.Mapping[str, list[Origin]],
    lost: t.Mapping[str, Origin],
    persistent: t.Mapping[str, t.Mapping[str, t.Any]],
    live: t.Mapping[str, int | None],
    writers: boot_writers.Found,
) -> list[dict[str, t.Any]]:
    """``drift`` of the facts.

    :param certain: what sets each key for sure.
    :param races: what sets a key to different values side by side.
    :param lost: lines that a later load undoes.
    :param persistent: as in the facts.
    :param live: the running kernel's values of those keys.
    :param writers: what else sets keys.
    """
    # Where what runs at a load disagrees with itself, that is told by name.
    settled = {name: found for name, found in persistent.items() if name not in races}
    return [
        *_differing(observed, certain, live),
        *_racing(races, live),
        *_lost(observed, lost, live),
        *_without_effect(observed),
        *_not_read(observed),
        *_not_loaded(observed),
        *_written(observed, settled, live, writers),
    ]


def _item(
    kind: str, key: str, value: t.Any, runtime: int | None, path: str, line: int | None, message: str
) -> dict[str, t.Any]:
    return {
        "kind": kind,
        "key": key,
        "value": value,
        "runtime": runtime,
        "file": path,
        "line": line,
        "message": message,
    }


def _differing(
    observed: Observed, origins: t.Mapping[str, Origin], live: t.Mapping[str, int | None]
) -> t.Iterator[dict[str, t.Any]]:
    """Keys whose live value is not that of the boot."""
    for name, origin in sorted(origins.items()):
        number, runtime = boot.number(observed, name, origin), live[name]
        if runtime is not None and runtime != number:
            message = f"{name} is {runtime}, but the boot sets {number} ({origin.path}:{origin.number})"
            yield _item(RUNTIME, name, number, runtime, origin.path, origin.number, message)


def _lost(
    observed: Observed, lines: t.Mapping[str, Origin], live: t.Mapping[str, int | None]
) -> t.Iterator[dict[str, t.Any]]:
    """Lines that the boot may apply in vain."""
    others = f": {_places(observed)} sets other keys" if observed.appliers else ""
    for name, origin in sorted(lines.items()):
        if observed.appliers and _names_alias(observed, origin):
            continue  # told with the name that would do
        message = f"{origin.path}:{origin.number} ({name} = {origin.value}): {_LOST}{others}"
        number = boot.number(observed, name, origin)
        yield _item(NOT_AT_LOAD, name, number, live[name], origin.path, origin.number, message)


def _places(observed: Observed) -> str:
    return " and ".join(dict.fromkeys(applier.place for applier in observed.appliers))


def _names_alias(observed: Observed, origin: Origin) -> bool:
    """Whether a line has the name of max that is no key of net.netfilter, and nothing sets that at a load."""
    entries = [
        entry
        for conf in observed.files.sysctl_d.files
        if conf.path == origin.path
        for entry in systemd_sysctl.parse(conf.text)
        if entry.number == origin.number
    ]
    return any(entry.key == _ALIAS for entry in entries) and not _is_applied(observed, origin.path, origin.number)


def _is_applied(observed: Observed, path: str, number: int) -> bool:
    """Whether something applies this line for max at every load."""
    written = (one for applier in observed.appliers for one in applier.writes(*KEYS[MAX].aliases))
    return any((one.path, one.number) == (path, number) for one in written)


def _racing(races: t.Mapping[str, list[Origin]], live: t.Mapping[str, int | None]) -> t.Iterator[dict[str, t.Any]]:
    """Keys that modprobe and udev set to different values at a load, side by side."""
    for name, (first, second) in sorted(races.items()):
        message = (
            f"{name}: at each load a command of modprobe sets it to {outcome.number(first)}"
            f" ({first.path}:{first.number}), a rule of udev sets it to {outcome.number(second)}"
            f" ({second.path}:{second.number}), and either may be last"
        )
        yield _item(RACE, name, outcome.number(second), live[name], second.path, second.number, message)


def _without_effect(observed: Observed) -> t.Iterator[dict[str, t.Any]]:
    """Lines that are read and can never apply."""
    for origin in boot.refused(observed):
        written = outcome.hashsize_as_written(observed.files, origin)
        message = (
            f"{origin.path}:{origin.number} ({written}): the kernel does not accept this value, and refuses to load"
            f" {_kernel.MODULE} with it"
        )
        yield _item(INVALID_VALUE, BUCKETS, _hashsize(origin), None, origin.path, origin.number, message)
    if boot.problem_of_boot(observed):
        return
    for conf in observed.files.sysctl_d.files:
        for entry, name in _conntrack_entries(conf):
            problem = _problem(observed, conf, entry, name)
            if problem is not None:
                kind, words = problem
                yield _line(kind, conf, entry, name, words)
        yield from _malformed(conf)


def _malformed(conf: ConfFile) -> t.Iterator[dict[str, t.Any]]:
    """Lines of a file that were meant to set a key, and are no assignment."""
    lines = systemd_sysctl.split_lines(conf.text)
    for mistake in systemd_sysctl.mistakes(conf.text):
        name = sysctl_names.name_of_today(mistake.key) or ""
        key = KEYS[name].sysctl if name in KEYS else mistake.key.replace("/", ".")
        line = lines[mistake.number - 1].strip().lstrip("\ufeff")
        message = (
            f"{conf.place}:{mistake.number} ({line}): {mistake.why}, so it sets nothing;"
            f" {key} = {mistake.value or 'VALUE'} was meant"
        )
        yield _item(MALFORMED, name, _value(mistake.value), None, conf.target, mistake.number, message)


def _not_loaded(observed: Observed) -> t.Iterator[dict[str, t.Any]]:
    """Lines for nf_conntrack that have the boot load nothing."""
    for line in observed.not_found:
        words = f"no module and no alias of this kernel ({observed.release}) has this name"
        if " " in line.text or "\t" in line.text:
            words = "a line here must be the name of one module; its options belong in modprobe.d"
        message = f"{line.path}:{line.number} ({line.text}): this loads nothing: {words}"
        yield _item(NOT_LOADED, _kernel.MODULE, line.text, None, line.path, line.number, message)


def _not_read(observed: Observed) -> t.Iterator[dict[str, t.Any]]:
    """Lines for connection tracking in files that the boot does not read."""
    for conf, words in _unread_sysctl_files(observed):
        # What is run at a load may read it, as firewalld's does /etc/sysctl.conf.
        if any(applier.files is not None and applier.files.reads(conf.target) for applier in observed.appliers):
            continue
        for entry, name in _conntrack_entries(conf):
            yield _line(NOT_READ, conf, entry, name, words)
    for conf in observed.unread[modprobe_d.KIND]:
        for origin in modprobe_d.parameter_lines(conf, _kernel.MODULE, "hashsize"):
            message = f"{conf.place}:{origin.number} (hashsize={origin.value}): modprobe does not read this file"
            yield _item(NOT_READ, BUCKETS, _hashsize(origin), None, conf.target, origin.number, message)


def _written(
    observed: Observed,
    persistent: t.Mapping[str, t.Mapping[str, t.Any]],
    live: t.Mapping[str, int | None],
    writers: boot_writers.Found,
) -> t.Iterator[dict[str, t.Any]]:
    """What else sets keys, to another value than the boot."""
    values = {name: found["boot"] for name, found in persistent.items() if found["boot"] is not None}
    for writer in boot_writers.disagreeing(writers, values, observed.buckets_per_page):
        key = writer.key or ""
        boot = persistent[key]
        message = writer.sentence(f", but the boot sets {boot['boot']} ({boot['file']}:{boot['line']})")
        yield _item(WRITER, key, writer.value, live[key], writer.path, writer.line, message)


def _unread_sysctl_files(observed: Observed) -> t.Iterator[tuple[ConfFile, str]]:
    """The sysctl files that the boot does not read, and why."""
    program, is_unset = observed.files.program, boot.problem_of_boot(observed)
    if is_unset and program.masked:
        for conf in observed.files.sysctl_d.files:
            yield conf, f"systemd-sysctl, which would set it at boot, is masked by {program.masked}"
    # Where it is not known what applies such files, neither is which of them it reads.
    for conf in [] if is_unset else observed.unread[systemd_sysctl.KIND]:
        yield conf, "this host's boot does not read this file"


def _conntrack_entries(conf: ConfFile) -> t.Iterator[tuple[systemd_sysctl.Entry, str]]:
    """The lines of a file that set a key of connection tracking.

    Each with the key's name of today as far as there is one.
    """
    for entry in systemd_sysctl.parse(conf.text):
        name = sysctl_names.name_of_today(entry.key)
        if name is not None and entry.value is not None and not wildcards.is_pattern(name):
            yield entry, name


def _problem(observed: Observed, conf: ConfFile, entry: systemd_sysctl.Entry, name: str) -> tuple[str, str] | None:
    """Why a line for a key, which is ``name`` today, never applies; None where it may."""
    if not sysctl_names.is_of_today(entry.key):
        today = f"its name is now {KEYS[name].sysctl}" if name in KEYS else "nothing replaced it"
        return FORMER_NAME, "no kernel since 4.9 has this key; " + today
    number = _kernel.parse_number(entry.value or "")
    if name in KEYS and (number is None or not KEYS[name].takes(number)):
        return INVALID_VALUE, "the kernel does not accept this value"
    is_lost = entry.key == _ALIAS and bool(observed.appliers) and not observed.is_there_first
    if is_lost and not _is_applied(observed, conf.path, entry.number):
        return NOT_AT_LOAD, _LOST + f"; {_places(observed)} sets only {KEYS[name].sysctl}"
    if name == COUNT:
        return UNKNOWN_KEY, "this is the number of entries in use, and cannot be set"
    if observed.names is None:
        return None if name in KEYS else (UNKNOWN_KEY, "no kernel is known to have this key")
    return None if name in observed.names else (UNKNOWN_KEY, f"this kernel ({observed.release}) has no such key")


def _line(kind: str, conf: ConfFile, entry: systemd_sysctl.Entry, name: str, words: str) -> dict[str, t.Any]:
    key = entry.key.replace("/", ".")
    message = f"{conf.place}:{entry.number} ({key} = {entry.value}): {words}"
    return _item(kind, name, _value(entry.value or ""), None, conf.target, entry.number, message)


def _value(text: str) -> int | str:
    """What a line sets, as the kernel reads it; as it stands where that is no number."""
    number = _kernel.parse_number(text)
    return text if number is None else number


def _hashsize(origin: Origin) -> int | str:
    """The same for what gives a hashsize."""
    buckets = outcome.buckets(origin)
    return origin.value if buckets is None else buckets
