# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the next boot will set, and where the running kernel or a file says something else."""

from __future__ import annotations

import functools
import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel, _modules_dep, _sizing
from ansible_collections.netops.conntrack.plugins.module_utils._boot import loads, outcome
from ansible_collections.netops.conntrack.plugins.module_utils._boot import writers as boot_writers
from ansible_collections.netops.conntrack.plugins.module_utils._config import (
    drop_ins,
    modprobe_d,
    sysctl_names,
    systemd_sysctl,
    wildcards,
)
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import ConfFile, Origin
from ansible_collections.netops.conntrack.plugins.module_utils._keys import (
    BUCKETS,
    COUNT,
    DIRECTORY,
    KEYS,
    MAX,
)
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._boot.at_load import Applier
    from ansible_collections.netops.conntrack.plugins.module_utils._boot.loads import LoadLine
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

#: Calls a function that reads, as `_facts` does where one refusal shall not end it all: None then.
Attempt = t.Callable[[t.Callable[[], t.Optional[str]]], t.Optional[str]]

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

#: Files that were read once, and are not by the boot of every host.
_ONCE_READ = {systemd_sysctl.KIND: systemd_sysctl.SYSCTL_CONF, modprobe_d.KIND: "/etc/modprobe.conf"}


class Observed(Record):
    """What a host's boot reads, what it does not read, and what its kernel is.

    :ivar presence: loaded, built_in or absent.
    :ivar release: kernel release.
    :ivar buckets_per_page: what the kernel rounds a hashsize to.
    :ivar names: all keys of this kernel; None where they are not known because connection tracking is not loaded.
    :ivar files: the configuration that is read.
    :ivar unread: files below /etc that stand beside those and are not read, by kind.
    :ivar is_initial: whether this is the initial network namespace, the one that the whole host's keys belong to.
    :ivar is_there_first: whether nf_conntrack is there before the boot applies sysctl.d.
    :ivar not_found: lines that were meant to have the boot load nf_conntrack, and load nothing.
    :ivar appliers: what sets sysctl values at every load; nothing where nothing is loaded on this host.
    """

    presence: str
    release: str
    buckets_per_page: int
    names: frozenset[str] | None
    files: outcome.BootFiles
    unread: t.Mapping[str, t.Sequence[ConfFile]]
    is_initial: bool
    is_there_first: bool
    appliers: t.Sequence[Applier]
    not_found: t.Sequence[LoadLine]


def observe(host: Host, attempt: Attempt) -> Observed:
    """Read it all, once.

    :raises HostError: one of the files that the boot reads cannot be read.
    """
    presence, release = _kernel.presence(host), _kernel.release(host)
    is_initial = _kernel.in_initial_namespace(host)
    files = outcome.observe(host)
    is_loaded_here = is_initial and presence != _kernel.BUILT_IN
    not_found = _not_found(host, release, files) if is_loaded_here else []
    # What starts in a container finds the kernel of the host with its modules.
    is_there_first = not is_initial or presence == _kernel.BUILT_IN or _is_loaded_first(host, release, files)
    return Observed(
        presence=presence,
        release=release,
        buckets_per_page=host.page_size // host.pointer_bytes,
        names=None if presence == _kernel.ABSENT else frozenset(host.names(DIRECTORY)),
        files=files,
        unread={
            kind: _unread(host, kind, found, attempt)
            for kind, found in ((systemd_sysctl.KIND, files.sysctl_d), (modprobe_d.KIND, files.modprobe_d))
        },
        is_initial=is_initial,
        is_there_first=is_there_first,
        appliers=files.at_load.found if is_loaded_here else (),
        not_found=not_found,
    )


def _unread(host: Host, kind: str, read: drop_ins.DropIns, attempt: Attempt) -> list[ConfFile]:
    """Files that look as if they were read.

    Those of the kind's directory in /etc, but for backups, and the one file of old.
    """
    directory = "/etc/" + kind
    paths = [f"{directory}/{name}" for name in host.names(directory) if ".conf" not in name and name[0] != "."]
    found = []
    for path in [*paths, _ONCE_READ[kind]]:
        target = attempt(functools.partial(host.resolve, path))
        if target is not None and host.is_file(target) and not read.reads(target):
            text = attempt(functools.partial(host.read_text, target))
            if text is not None:
                found.append(ConfFile(path, target, text))
    return found


def _is_loaded_first(host: Host, release: str, files: outcome.BootFiles) -> bool:
    """Whether a boot loads nf_conntrack before systemd-sysctl runs, which waits for systemd-modules-load."""
    if modprobe_d.blocked(files.modprobe_d)["conntrack"] is not None:
        return False
    named = {line.name for line in files.loads.lines}
    modules = {module for found in loads.resolve(host, release, files.modprobe_d, named).values() for module in found}
    if files.loads.is_by_systemd:
        modules = {name for name in modules if modprobe_d.blacklist_origin(files.modprobe_d, name) is None}
    brought = _modules_dep.brought(host.lines(_modules_dep.path(release)), modules)
    return any(_kernel.MODULE in found for found in brought.values())


def _not_found(host: Host, release: str, files: outcome.BootFiles) -> list[LoadLine]:
    """The lines that were meant to have the boot load nf_conntrack, and load nothing."""
    meant = [line for line in files.loads.lines if line.is_meant_for_conntrack]
    found = loads.resolve(host, release, files.modprobe_d, {line.name for line in meant})
    return [line for line in meant if not found[line.name] or not re.fullmatch(r"[\w.]+", line.name)]


def _lines(observed: Observed) -> dict[str, Origin]:
    """The sysctl line that sets each key at boot, for those that one sets."""
    if observed.files.program.problem or observed.files.program.masked:
        return {}
    lines = {
        name: outcome.value_origin(observed.files, key)
        for name, key in KEYS.items()
        if observed.is_initial or key.scope == "namespace"
    }
    return {name: origin for name, origin in lines.items() if origin is not None}


def _at_load(observed: Observed) -> dict[str, list[Origin]]:
    """What sets each key at every load, for those that something sets: by modprobe, and then by udev."""
    if observed.files.program.problem or not observed.appliers:
        return {}
    lines = {name: outcome.load_origins(observed.files, key, with_rule=False) for name, key in KEYS.items()}
    return {name: origins for name, origins in lines.items() if origins}


def _problem_of_boot(observed: Observed) -> str | None:
    """Why the sysctl files set nothing, or nothing that is known; None where they do."""
    program = observed.files.program
    if program.masked and not observed.appliers:
        return (
            f"systemd-sysctl, which sets sysctl lines at boot, is masked by {program.masked}, and no udev rule runs it"
            " when nf_conntrack is loaded, so no line of sysctl.d is set"
        )
    return program.problem or None


def _refused(observed: Observed) -> list[Origin]:
    """The hashsizes with which the kernel loads no nf_conntrack."""
    given, refused = _hashsizes(observed), []
    for position, origin in enumerate(given, 1):
        buckets = outcome.buckets(origin)
        # Of 0 the kernel makes a size of its own; a number that is too large matters only where it is in force.
        is_too_large = buckets and not KEYS[BUCKETS].takes(buckets) and position == len(given)
        if buckets is None or is_too_large:
            refused.append(origin)
    return refused


def _problem_of_load(observed: Observed) -> str | None:
    """Why nf_conntrack cannot be loaded as the files are; None where nothing is known to be in the way."""
    refused = _refused(observed)
    if not refused or observed.presence == _kernel.BUILT_IN:
        return None
    origin = refused[-1]
    written = outcome.hashsize_as_written(observed.files, origin)
    return (
        f"{origin.path}:{origin.number} ({written}), so every load of nf_conntrack fails: the kernel does not accept"
        " this hashsize"
    )


def _hashsizes(observed: Observed) -> list[Origin]:
    """All that gives nf_conntrack a hashsize, the one in force last; a container's own files give it none."""
    is_built_in = observed.presence == _kernel.BUILT_IN
    return outcome.hashsize_origins(observed.files, built_in=is_built_in) if observed.is_initial else []


def _by_option(observed: Observed) -> dict[str, Origin]:
    """What the load sets by the hashsize that nf_conntrack is given: the buckets, and with them max."""
    given = _hashsizes(observed)
    numbers = [number for number in map(outcome.buckets, given) if number is not None]
    # One alone that the kernel refuses ends the load.
    if not numbers or len(numbers) < len(given) or not KEYS[BUCKETS].takes(numbers[-1]):
        return {}
    implied = _sizing.MAX_PER_GIVEN_BUCKET * _sizing.round_up(numbers[-1], observed.buckets_per_page)
    return {BUCKETS: given[-1]._replace(value=str(numbers[-1])), MAX: given[-1]._replace(value=str(implied))}


def gather(
    host: Host, attempt: Attempt = lambda read: read(), writers: boot_writers.Found | None = None
) -> dict[str, t.Any]:
    """``persistent`` and ``drift`` of the facts, and what is in the way of knowing a boot and of a load.

    :param attempt: reads what the boot does not depend on; may give None where that cannot be read.
    :param writers: what else sets the keys; None to search for it.
    :raises HostError: what the boot depends on cannot be read.
    """
    observed = observe(host, attempt)
    lines, by_option, at_load = _lines(observed), _by_option(observed), _at_load(observed)
    by_load = {**by_option, **{name: origins[-1] for name, origins in at_load.items()}}
    races, lost = {}, {}
    if observed.is_there_first:
        origins = certain = {**by_load, **lines}
    else:
        # The load comes after the lines, and undoes those that nothing applies again.
        lost = {name: origin for name, origin in lines.items() if name not in at_load}
        origins = {**lost, **by_load}
        races = {name: two for name, two in at_load.items() if len({outcome.number(origin) for origin in two}) > 1}
        certain = {name: origin for name, origin in by_load.items() if name not in races}
    live = {name: host.read_number(f"{DIRECTORY}/{name}") for name in origins}
    persistent = {
        name: {"boot": _number(observed, name, origin), "file": origin.path, "line": origin.number}
        for name, origin in sorted(origins.items())
    }
    # Where what runs at a load disagrees with itself, that is told by name.
    settled = {name: found for name, found in persistent.items() if name not in races}
    drift = [
        *_differing(observed, certain, live),
        *_racing(races, live),
        *_lost(observed, lost, live),
        *_without_effect(observed),
        *_not_read(observed),
        *_not_loaded(observed),
        *_written(observed, settled, live, boot_writers.find(host) if writers is None else writers),
    ]
    return {
        "persistent": persistent,
        "persistent_problem": _problem_of_boot(observed),
        "load_problem": _problem_of_load(observed),
        "drift": drift,
    }


def unknown(problem: str) -> dict[str, t.Any]:
    """The same where nothing is known, and why."""
    return {"persistent": None, "persistent_problem": problem, "load_problem": None, "drift": None}


def _number(observed: Observed, name: str, origin: Origin) -> int | None:
    number = outcome.number(origin)
    return _sizing.round_up(number, observed.buckets_per_page) if number is not None and name == BUCKETS else number


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
        number, runtime = _number(observed, name, origin), live[name]
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
        number = _number(observed, name, origin)
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
    for origin in _refused(observed):
        written = outcome.hashsize_as_written(observed.files, origin)
        message = (
            f"{origin.path}:{origin.number} ({written}): the kernel does not accept this value, and refuses to load"
            f" {_kernel.MODULE} with it"
        )
        yield _item(INVALID_VALUE, BUCKETS, _hashsize(origin), None, origin.path, origin.number, message)
    if _problem_of_boot(observed):
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
    program, is_unset = observed.files.program, _problem_of_boot(observed)
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
