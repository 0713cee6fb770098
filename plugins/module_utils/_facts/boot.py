# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the next boot, and a load of nf_conntrack, will set."""

from __future__ import annotations

import functools
import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel, _modules_dep, _sizing
from ansible_collections.netops.conntrack.plugins.module_utils._boot import loads, outcome
from ansible_collections.netops.conntrack.plugins.module_utils._config import drop_ins, modprobe_d, systemd_sysctl
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import ConfFile, Origin
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, DIRECTORY, KEYS, MAX
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._boot.at_load import Applier
    from ansible_collections.netops.conntrack.plugins.module_utils._boot.loads import LoadLine
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

#: Calls a function that reads, as `_facts` does where one refusal shall not end it all: None then.
Attempt = t.Callable[[t.Callable[[], t.Optional[str]]], t.Optional[str]]

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


def lines(observed: Observed) -> dict[str, Origin]:
    """The sysctl line that sets each key at boot, for those that one sets."""
    if observed.files.program.problem or observed.files.program.masked:
        return {}
    lines = {
        name: outcome.value_origin(observed.files, key)
        for name, key in KEYS.items()
        if observed.is_initial or key.scope == "namespace"
    }
    return {name: origin for name, origin in lines.items() if origin is not None}


def at_load(observed: Observed) -> dict[str, list[Origin]]:
    """What sets each key at every load, for those that something sets: by modprobe, and then by udev."""
    if observed.files.program.problem or not observed.appliers:
        return {}
    lines = {name: outcome.load_origins(observed.files, key, with_rule=False) for name, key in KEYS.items()}
    return {name: origins for name, origins in lines.items() if origins}


def problem_of_boot(observed: Observed) -> str | None:
    """Why the sysctl files set nothing, or nothing that is known; None where they do."""
    program = observed.files.program
    if program.masked and not observed.appliers:
        return (
            f"systemd-sysctl, which sets sysctl lines at boot, is masked by {program.masked}, and no udev rule runs it"
            " when nf_conntrack is loaded, so no line of sysctl.d is set"
        )
    return program.problem or None


def refused(observed: Observed) -> list[Origin]:
    """The hashsizes with which the kernel loads no nf_conntrack."""
    given, refused = hashsizes(observed), []
    for position, origin in enumerate(given, 1):
        buckets = outcome.buckets(origin)
        # Of 0 the kernel makes a size of its own; a number that is too large matters only where it is in force.
        is_too_large = buckets and not KEYS[BUCKETS].takes(buckets) and position == len(given)
        if buckets is None or is_too_large:
            refused.append(origin)
    return refused


def problem_of_load(observed: Observed) -> str | None:
    """Why nf_conntrack cannot be loaded as the files are; None where nothing is known to be in the way."""
    found = refused(observed)
    if not found or observed.presence == _kernel.BUILT_IN:
        return None
    origin = found[-1]
    written = outcome.hashsize_as_written(observed.files, origin)
    return (
        f"{origin.path}:{origin.number} ({written}), so every load of nf_conntrack fails: the kernel does not accept"
        " this hashsize"
    )


def hashsizes(observed: Observed) -> list[Origin]:
    """All that gives nf_conntrack a hashsize, the one in force last; a container's own files give it none."""
    is_built_in = observed.presence == _kernel.BUILT_IN
    return outcome.hashsize_origins(observed.files, built_in=is_built_in) if observed.is_initial else []


def by_option(observed: Observed) -> dict[str, Origin]:
    """What the load sets by the hashsize that nf_conntrack is given: the buckets, and with them max."""
    given = hashsizes(observed)
    numbers = [number for number in map(outcome.buckets, given) if number is not None]
    # One alone that the kernel refuses ends the load.
    if not numbers or len(numbers) < len(given) or not KEYS[BUCKETS].takes(numbers[-1]):
        return {}
    implied = _sizing.MAX_PER_GIVEN_BUCKET * _sizing.round_up(numbers[-1], observed.buckets_per_page)
    return {BUCKETS: given[-1]._replace(value=str(numbers[-1])), MAX: given[-1]._replace(value=str(implied))}


def number(observed: Observed, name: str, origin: Origin) -> int | None:
    """What the kernel makes of what sets a key."""
    given = outcome.number(origin)
    return _sizing.round_up(given, observed.buckets_per_page) if given is not None and name == BUCKETS else given
