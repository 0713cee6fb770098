# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The changes that conntrack_settings makes. Pure but for :func:`run`."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel, _sizing
from ansible_collections.netops.conntrack.plugins.module_utils._boot import outcome
from ansible_collections.netops.conntrack.plugins.module_utils._boot import plan as boot_plan
from ansible_collections.netops.conntrack.plugins.module_utils._boot import writers as boot_writers
from ansible_collections.netops.conntrack.plugins.module_utils._change import (
    Change,
    FileContent,
    ModuleLoaded,
    Plan,
    RuntimeValue,
    carry_out,
    check_writable,
    removals,
)
from ansible_collections.netops.conntrack.plugins.module_utils._errors import Refused
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, KEYS, MAX
from ansible_collections.netops.conntrack.plugins.module_utils._own_files import SYSCTL_FILE
from ansible_collections.netops.conntrack.plugins.module_utils._settings.desired import (
    Desired,
    after_boot,
    check_room,
    desire,
    expected_max,
)
from ansible_collections.netops.conntrack.plugins.module_utils._settings.observed import Observed, observe

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import Origin
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
    from ansible_collections.netops.conntrack.plugins.module_utils._settings.request import Request


def run(host: Host, request: Request, check_mode: bool, diff: bool = False) -> dict[str, t.Any]:
    """Bring a host to what is requested; the module's result.

    :param diff: whether that shall have the contents of files.
    :raises ConntrackError: refused, or failed and reverted.
    """
    result = carry_out(host, lambda: plan(observe(host, request), request, check_mode), check_mode, diff)
    return {**result, **boot_writers.against(host, _wanted(request, result["settings"]), _sysctl_file(request))}


def _sysctl_file(request: Request) -> str | None:
    """Where the sysctl lines are; None where none are written."""
    return (request.sysctl_file or SYSCTL_FILE) if request.boot else None


def _wanted(request: Request, settings: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, int]:
    """What the host is to have, by key; nothing where it is only taken away."""
    values = {name: found["runtime"] if found["boot"] is None else found["boot"] for name, found in settings.items()}
    return {name: value for name, value in values.items() if value is not None and not request.absent}


def plan(observed: Observed, request: Request, is_prediction: bool = False) -> Plan:
    """The changes that bring an observed host to what is requested; pure.

    :param is_prediction: whether this is check mode, where tasks before this one changed nothing.
    :raises Refused: this host cannot or should not be brought there.
    """
    if request.absent:
        return _plan_absence(observed, request)
    _check_namespace(observed, request)
    desired = desire(observed, request)
    is_loaded = observed.presence != _kernel.ABSENT
    loads = request.load and request.runtime and not is_loaded
    pending = not is_loaded and not loads
    if pending and not request.boot:
        raise Refused(
            "nf_conntrack is not loaded, so scope: runtime has nothing to set; use load: true, or scope: both, which"
            " sets the values whenever it is loaded"
        )

    implied = _implied(observed, desired, request)
    removed = sorted(observed.own.difference(request.names, _as_they_are(observed, implied)))
    files, boot_after = _plan_boot(observed, desired, request, implied)
    loads_at_boot = request.load and request.boot and observed.is_module
    files_then = boot_after or observed.boot
    if files_then is not None and (loads or loads_at_boot):
        boot_plan.check_load(files_then, loads_at_boot, is_prediction)
    live = dict(desired.live)
    kept_live: list[str] = []
    if boot_after is not None and request.runtime:
        back, kept_live = _back_to_default(observed, boot_after, removed)
        live.update(back)
    check_room(observed, request, live.get(MAX))
    runtime = _plan_runtime(observed, live) if request.runtime and not pending else []
    # The kernel judges values before a file carries them to the next boot; but a load reads its files.
    changes: list[Change] = [*files, ModuleLoaded(_kernel.MODULE), *runtime] if loads else [*runtime, *files]
    _check_privileges(observed, changes, [change.subject for change in runtime])
    live_then = {**observed.live, **{change.subject: change.after for change in runtime}}
    results = {
        "pending": pending,
        "missing": list(desired.missing),
        "sizing": desired.sizing,
        "settings": _report(observed, live_then, sorted(desired.live), boot_after),
    }
    return Plan(changes, results, {"kept_live": kept_live, "stacks": observed.stacks})


def _back_to_default(
    observed: Observed, files: outcome.BootFiles, names: t.Sequence[str]
) -> tuple[dict[str, int], list[str]]:
    """Live values of keys that were taken out of the files: as after a boot, and those of which that is not known."""
    there = [name for name in names if name in observed.live]
    if not observed.initial_namespace:
        there = [name for name in there if KEYS[name].scope == "namespace"]
    values = {name: after_boot(observed, files, name) for name in there}
    known = {name: value for name, value in values.items() if value is not None}
    return known, [name for name in there if name not in known]


def _plan_absence(observed: Observed, request: Request) -> Plan:
    """Take away what boots set; the live kernel stays as it is."""
    files: t.Sequence[Change] = []
    boot_after = None
    if observed.boot is not None and request.boot:
        everything = request.only_these or not request.names
        files, boot_after = boot_plan.plan_absence(observed.boot, request.names, everything)
        files = [*removals(observed.boot.leftovers), *files]
    _check_privileges(observed, files, [])
    return Plan(
        list(files),
        {
            "pending": False,
            "missing": [],
            "sizing": None,
            "settings": _report(observed, observed.live, request.names, boot_after),
        },
        {"kept_live": [], "stacks": observed.stacks},
    )


def _check_namespace(observed: Observed, request: Request) -> None:
    if observed.initial_namespace:
        return
    wanted = [name for name in request.values if KEYS[name].scope == "host"]
    wanted += [option for option in ("max", "hashsize") if getattr(request, option) is not None]
    if wanted:
        raise Refused(
            "{0} cannot be set in this network namespace (a container?), but only for the whole host: set it on the"
            " host itself. Timeouts and most other keys can be set here".format(" and ".join(sorted(wanted)))
        )


def _implied(observed: Observed, desired: Desired, request: Request) -> dict[str, int]:
    """What boots have to set because of a hashsize that is asked for, though nobody asks for it."""
    if observed.boot is None or desired.hashsize is None or not observed.is_module:
        return {}
    implied = {}
    # What the collection set by an earlier call is no line to rely on where it may go.
    files = outcome.set_by_others(observed.boot) if request.only_these else observed.boot
    if MAX not in desired.boot and MAX not in desired.left and outcome.number_at_load(files, KEYS[MAX]) is None:
        # Loading with a hashsize sets max to eight times that.
        implied[MAX] = expected_max(observed, request)
    if outcome.number_at_load(observed.boot, KEYS[BUCKETS]) is not None:
        # Such a line comes after the module's option, and would win.
        implied[BUCKETS] = desired.hashsize
    return implied


def _as_they_are(observed: Observed, implied: t.Mapping[str, int]) -> list[str]:
    """Those of the implied keys that the files set to just that already."""
    files = observed.boot
    return [name for name, value in implied.items() if files and outcome.number_set(files, KEYS[name]) == value]


def _plan_boot(
    observed: Observed, desired: Desired, request: Request, implied: t.Mapping[str, int]
) -> tuple[list[FileContent], outcome.BootFiles | None]:
    """The files to change, and the configuration as it will then be; None where files are left alone.

    :param implied: what has to be set though nobody asks for it.
    """
    if observed.boot is None or not request.boot:
        return [], None
    values, hashsize, is_module = dict(desired.boot), desired.hashsize, observed.is_module
    if hashsize is not None and not is_module:
        values[BUCKETS], hashsize = hashsize, None
    wanted = boot_plan.BootSettings(
        values=values,
        implied=implied,
        gone=[*desired.missing, *desired.left],
        hashsize=hashsize,
        only_these=request.only_these,
        buckets_per_page=observed.hardware.buckets_per_page,
        at_load=is_module,
        load=request.load and is_module,
        keep_others=request.keep_others,
    )
    files, after = boot_plan.plan(observed.boot, wanted)
    return [*removals(observed.boot.leftovers), *files], after


def _plan_runtime(observed: Observed, wanted: t.Mapping[str, int]) -> list[RuntimeValue]:
    """Values to write, in an order that never makes room for more entries than the table has buckets for."""
    changes = [
        RuntimeValue(name, observed.paths.get(name, KEYS[name].path), observed.live.get(name), value)
        for name, value in sorted(wanted.items())
        if observed.live.get(name) != value
    ]
    grows = wanted.get(MAX, 0) >= observed.live.get(MAX, 0)
    sizes = [BUCKETS, MAX] if grows else [MAX, BUCKETS]

    def rank(change: RuntimeValue) -> int:
        if change.subject in sizes:
            return 1 + sizes.index(change.subject)
        is_lowered = change.before is not None and change.after < change.before
        # Timeouts that go down empty the table first.
        return 0 if KEYS[change.subject].timeout is not None and is_lowered else 3

    return sorted(changes, key=rank)


def _check_privileges(observed: Observed, changes: t.Sequence[Change], runtime: t.Sequence[str]) -> None:
    if changes and not observed.is_root:
        raise Refused(
            "changes are needed ({0}), which needs root: use become: true".format(
                ", ".join(change.subject for change in changes)
            )
        )
    if not observed.may_load and any(isinstance(change, ModuleLoaded) for change in changes):
        raise Refused(
            "load is true, but no module can be loaded here: kernel.modules_disabled is 1 until the next boot, or root"
            " has no CAP_SYS_MODULE (a container?). Nothing was changed. Load nf_conntrack on the host itself, or use"
            " scope: boot"
        )
    if observed.boot is not None:
        check_writable(changes, observed.boot.unwritable, ". With scope: runtime no file is written")
    read_only = [observed.paths[name] for name in runtime if name in observed.read_only]
    if read_only:
        raise Refused(
            "{0} cannot be written, not even by root: /proc/sys is mounted read-only here (a container?), or something"
            " read-only is mounted over that file (findmnt). Nothing was changed. Set it on the host itself, or use"
            " scope: boot".format(", ".join(read_only))
        )


def _report(
    observed: Observed, live: t.Mapping[str, int], names: t.Sequence[str], boot_after: outcome.BootFiles | None
) -> dict[str, dict[str, t.Any]]:
    """Runtime and boot value of each of these keys, as they are once the plan is carried out."""
    report = {}
    for name in names:
        origin: Origin | None = None
        boot: int | None = None
        if boot_after is not None:
            if name == BUCKETS and observed.presence != _kernel.BUILT_IN:
                origin = outcome.hashsize_origin(boot_after)
                boot = outcome.buckets(origin)
            else:
                origin = outcome.value_origin(boot_after, KEYS[name])
                boot = outcome.number(origin)
        if name == BUCKETS and boot is not None:
            boot = _sizing.round_hashsize(boot, observed.hardware)
        report[name] = {
            "runtime": live.get(name),
            "boot": boot,
            "file": origin.path if origin is not None else None,
            "line": origin.number if origin is not None else None,
        }
    return report
