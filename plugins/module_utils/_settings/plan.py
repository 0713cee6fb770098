# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The changes that conntrack_settings makes. Pure but for :func:`run`."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel, _leftovers, _sizing
from ansible_collections.netops.conntrack.plugins.module_utils._boot import outcome
from ansible_collections.netops.conntrack.plugins.module_utils._boot import plan as boot_plan
from ansible_collections.netops.conntrack.plugins.module_utils._change import (
    Change,
    ModuleLoaded,
    Plan,
    RuntimeValue,
    carry_out,
    check_writable,
)
from ansible_collections.netops.conntrack.plugins.module_utils._errors import Refused
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, KEYS, MAX
from ansible_collections.netops.conntrack.plugins.module_utils._settings.desired import Desired, desire, expected_max
from ansible_collections.netops.conntrack.plugins.module_utils._settings.observed import Observed, observe

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import Origin
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
    from ansible_collections.netops.conntrack.plugins.module_utils._settings.request import Request


def run(host: Host, request: Request, check_mode: bool) -> dict[str, t.Any]:
    """Bring a host to what is requested; the module's result.

    :raises ConntrackError: refused, or failed and reverted.
    """
    return carry_out(host, lambda: plan(observe(host, request), request, check_mode), check_mode)


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

    files, boot_after = _plan_boot(observed, desired, request)
    loads_at_boot = request.load and request.boot and observed.is_module
    files_then = boot_after or observed.boot
    if files_then is not None and (loads or loads_at_boot):
        boot_plan.check_load(files_then, loads_at_boot, is_prediction)
    runtime = _plan_runtime(observed, desired) if request.runtime and not pending else []
    # The kernel judges values before a file carries them to the next boot; but a load reads its files.
    changes: list[Change] = [*files, ModuleLoaded(_kernel.MODULE), *runtime] if loads else [*runtime, *files]
    _check_privileges(observed, changes, [change.subject for change in runtime])
    live = {**observed.live, **{change.subject: change.after for change in runtime}}
    names = sorted(desired.values) + ([BUCKETS] if desired.hashsize is not None else [])
    results = {
        "pending": pending,
        "skipped": list(desired.missing),
        "sizing": desired.sizing,
        "settings": _report(observed, live, names, boot_after),
    }
    return Plan(changes, results)


def _plan_absence(observed: Observed, request: Request) -> Plan:
    """Take away what holds at boot; the live kernel stays as it is."""
    names = sorted(request.values)
    names += [MAX] if request.max is not None else []
    names += [BUCKETS] if request.hashsize is not None else []
    files: t.Sequence[Change] = []
    boot_after = None
    if observed.boot is not None and request.boot:
        files, boot_after = boot_plan.plan_absence(observed.boot, names)
        files = [*_leftovers.plan(observed.boot.leftovers), *files]
    _check_privileges(observed, files, [])
    settings = _report(observed, observed.live, names, boot_after)
    return Plan(list(files), {"pending": False, "skipped": [], "sizing": None, "settings": settings})


def _check_namespace(observed: Observed, request: Request) -> None:
    if observed.initial_namespace:
        return
    wanted = [name for name in request.values if KEYS[name].scope == "host"]
    wanted += [option for option in ("max", "hashsize") if getattr(request, option) is not None]
    if wanted:
        raise Refused(
            "{0}: of the whole host, and cannot be set in this network namespace (a container?): set it on the"
            " host itself. Timeouts and most other keys can be set here".format(" and ".join(sorted(wanted)))
        )


def _plan_boot(observed: Observed, desired: Desired, request: Request) -> tuple[list[t.Any], outcome.BootFiles | None]:
    if observed.boot is None or not request.boot:
        return [], None
    values, hashsize = dict(desired.values), desired.hashsize
    implied: dict[str, int] = {}
    is_module = observed.is_module
    if hashsize is not None and not is_module:
        values[BUCKETS], hashsize = hashsize, None
    if hashsize is not None and MAX not in values and outcome.number_at_load(observed.boot, KEYS[MAX]) is None:
        # Loading with a hashsize sets max to eight times that, which nobody asked for.
        implied[MAX] = expected_max(observed, request)
    if hashsize is not None and outcome.number_at_load(observed.boot, KEYS[BUCKETS]) is not None:
        # Such a line comes after the module's option, and would win.
        implied[BUCKETS] = hashsize
    wanted = boot_plan.BootSettings(
        values=values,
        implied=implied,
        gone=desired.missing,
        hashsize=hashsize,
        buckets_per_page=observed.hardware.buckets_per_page,
        at_load=is_module,
        load=request.load and is_module,
        keep_others=request.keep_others,
    )
    files, after = boot_plan.plan(observed.boot, wanted)
    return [*_leftovers.plan(observed.boot.leftovers), *files], after


def _plan_runtime(observed: Observed, desired: Desired) -> list[RuntimeValue]:
    """Values to write, in an order that never makes room for more entries than the table has buckets for."""
    wanted = dict(desired.values)
    if desired.hashsize is not None:
        wanted[BUCKETS] = desired.hashsize
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
            "changes are needed ({0}), which takes root: use become: true".format(
                ", ".join(change.subject for change in changes)
            )
        )
    if not observed.may_load and any(isinstance(change, ModuleLoaded) for change in changes):
        raise Refused(
            "load is true, but no module can be loaded here: kernel.modules_disabled is 1 until the next boot, or root has"
            " no CAP_SYS_MODULE (a container?). Nothing was changed. Load nf_conntrack on the host itself, or use scope:"
            " boot"
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
