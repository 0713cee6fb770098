# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan for conntrack_modules."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._boot import needs as boot_needs
from ansible_collections.netops.conntrack.plugins.module_utils._change import (
    Change,
    ModuleLoaded,
    ModuleUnloaded,
    Plan,
    carry_out,
)
from ansible_collections.netops.conntrack.plugins.module_utils._config import modprobe_d
from ansible_collections.netops.conntrack.plugins.module_utils._errors import Refused
from ansible_collections.netops.conntrack.plugins.module_utils._kmod import ROOTS
from ansible_collections.netops.conntrack.plugins.module_utils._pins import find as find_pins
from ansible_collections.netops.conntrack.plugins.module_utils._stacks.files import loads, plan_files
from ansible_collections.netops.conntrack.plugins.module_utils._stacks.observed import (
    ABSENT,
    CONNTRACK,
    NAT,
    ROOT,
    UNMANAGED,
    Observed,
    Request,
    members,
    observe,
    to_unload,
)

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
    from ansible_collections.netops.conntrack.plugins.module_utils._pins.find import Pin

_INSTEAD = (
    "What you can do instead: remove the rules that need it, because without such a rule nothing is tracked; exempt"
    " traffic with notrack rules; or size the table with conntrack_settings"
)
_COMES_BACK = "an enabled service starts again at the next boot"
_RULES = (
    "Rules are never flushed: remove them, or stop and disable the service that makes them (systemctl disable --now"
    f" UNIT), because {_COMES_BACK}; then run this again"
)
_UNKNOWN = (
    "To find what is unknown, look at ipvsadm -Ln, ovs-vsctl show, tc filter show, and at network namespaces without"
    " a process, then run this again"
)


def run(host: Host, request: Request, check_mode: bool, diff: bool = False) -> dict[str, t.Any]:
    """Bring a host to what is requested; the module's result.

    :param diff: whether that shall have the contents of files.
    :raises ConntrackError: refused, or failed and reverted.
    """
    return carry_out(host, lambda: plan(observe(host, request), request), check_mode, diff)


def plan(observed: Observed, request: Request) -> Plan:
    """The changes that bring an observed host to what is requested; pure.

    :raises Refused: this host cannot or should not be brought there.
    """
    if request.state == ABSENT:
        _check_can_go(observed, request.stack)
    files, modprobe_files = plan_files(observed, request)
    modules = _plan_modules(observed, request)
    # The block comes first, so that nothing is loaded again in between. What loads is let in first, too.
    changes: list[Change] = [*files, *modules]
    _check_privileges(observed, request, changes, modules)
    if request.state == ABSENT and observed.pins:
        raise _pinned(observed, request)
    if observed.needed_by and not request.force and _goes_now(observed, request, modules):
        raise _needed(observed, request)
    after = members(observed.modules, request.stack) - {change.subject for change in modules}
    added = {change.subject for change in modules if isinstance(change, ModuleLoaded)}
    after |= added.intersection(ROOTS[request.stack])
    return Plan(
        changes,
        {
            "stack": request.stack,
            "state": request.state,
            "modules": sorted(after),
            "blocked": modprobe_d.blocked(modprobe_files),
            "pins": [],
            "needed_by": [need.result() for need in observed.needed_by],
            "notices": _notices(observed, request),
        },
    )


def _plan_modules(observed: Observed, request: Request) -> list[Change]:
    if request.state == ABSENT:
        return [ModuleUnloaded(name) for name in to_unload(observed.modules, request.stack, observed.kept)]
    if request.state == UNMANAGED:
        return []
    wanted = [CONNTRACK, NAT] if request.stack == NAT else [CONNTRACK]
    return [
        # Connection tracking is loaded before NAT is, and by itself.
        ModuleLoaded(ROOT[stack])
        for stack in wanted
        if ROOT[stack] not in observed.modules and stack not in observed.built_in
    ]


def _check_can_go(observed: Observed, stack: str) -> None:
    if stack in observed.built_in:
        raise Refused(
            f"{ROOT[stack]} is built into this kernel ({observed.release}) and can be neither unloaded nor blocked."
            f" {_INSTEAD}"
        )


def _check_privileges(
    observed: Observed, request: Request, changes: t.Sequence[Change], modules: t.Sequence[Change]
) -> None:
    if not changes:
        return
    subjects = ", ".join(change.subject for change in changes)
    if not observed.initial_namespace:
        raise Refused(
            "modules belong to the whole host and cannot be changed in this network namespace (a container?): run this"
            f" on the host itself. Changes would be needed ({subjects})"
        )
    if not observed.is_root:
        raise Refused(f"changes are needed ({subjects}), which needs root: use become: true")
    if not observed.may_change_modules:
        # Files alone are of no use either: in a container they are its own, which the host's modprobe never reads.
        raise Refused(
            f"changes are needed ({subjects}), which needs CAP_SYS_MODULE, and root does not have it here (a"
            " container, or a service with ProtectKernelModules=yes?): run this on the host itself"
        )
    undone = "{0} cannot be {1}".format(
        ", ".join(change.subject for change in modules), "unloaded" if request.state == ABSENT else "loaded"
    )
    if modules and observed.modules_disabled:
        raise Refused(
            f"kernel.modules_disabled is 1, so {undone} until the next boot: reboot, and run this before it is set"
            " again. If a line in sysctl.d sets it at boot, remove that line first and put it back after the run"
        )
    if modules and not observed.has_kmod:
        raise Refused(f"this host has no modprobe, so {undone}: install the package kmod")
    if modules and not observed.has_files:
        consequence = "a failure could not be undone" if request.state == ABSENT else "nothing can be loaded"
        raise Refused(
            f"the module files of the running kernel {observed.release} do not exist, probably because of an upgrade,"
            f" so {consequence}: reboot first"
        )


def _goes_now(observed: Observed, request: Request, modules: t.Sequence[Change]) -> bool:
    """Whether this run would take a stack away, rather than find it kept out."""
    return bool(modules) or modprobe_d.blocked(observed.modprobe_d)[request.stack] is None


def _needed(observed: Observed, request: Request) -> Refused:
    return Refused(
        f"{boot_needs.NAMES[request.stack]} is needed by services that would not start, or would start without their"
        f" rules, if it were blocked: {boot_needs.describe(observed.needed_by)}. If one is stopped now, note that"
        f" {_COMES_BACK}: disable it ({boot_needs.remedies(observed.needed_by)}), then run this again; or set force:"
        " true if this host can do without it. Nothing was changed",
        needed_by=[need.result() for need in observed.needed_by],
    )


def _pinned(observed: Observed, request: Request) -> Refused:
    running = ""
    if observed.services:
        running = " Running here, and known to use it: {0}.".format(", ".join(observed.services))
    if observed.needed_by:
        running += f" The next boot starts services that need it: {boot_needs.describe(observed.needed_by)}."
    return Refused(
        f"{boot_needs.NAMES[request.stack]} is in use and cannot be unloaded: {find_pins.describe(observed.pins)}."
        f"{running} {_advice(observed.pins)}. Nothing was changed",
        pins=[pin.result() for pin in observed.pins],
        needed_by=[need.result() for need in observed.needed_by],
    )


def _advice(pins: t.Sequence[Pin]) -> str:
    has_rules = any(pin.reason is None for pin in pins)
    has_unknown = any(pin.is_unknown for pin in pins)
    if any(pin.reason is not None and not pin.is_unknown for pin in pins):
        return _INSTEAD  # this host cannot be without it, whatever rules go
    return ". ".join(([_RULES] if has_rules else []) + ([_UNKNOWN] if has_unknown else []))


def _notices(observed: Observed, request: Request) -> list[str]:
    if request.state != ABSENT:
        return []
    notices = [
        f"the kernel's command line makes the boot load {name}, which will fail while it is blocked; remove it from"
        " modules_load= in the boot loader's configuration"
        for name in observed.at_boot
        if loads(observed, name, request.stack)
    ]
    if observed.needed_by:
        notices.append(
            f"{boot_needs.NAMES[request.stack]} is blocked, and services will not start, or will start without their"
            f" rules: {boot_needs.describe(observed.needed_by)}. To solve this:"
            f" {boot_needs.remedies(observed.needed_by)}; or allow it again"
        )
    notices += [
        f"{path} cannot be read ({reason}), so a service that needs {boot_needs.NAMES[request.stack]} may have been"
        " missed"
        for path, reason in sorted(observed.unread.items())
    ]
    return notices
