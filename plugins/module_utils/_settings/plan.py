# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Observe and plan for conntrack_settings."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

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
from ansible_collections.netops.conntrack.plugins.module_utils._errors import InvalidInput, Refused
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, COUNT, DIRECTORY, KEYS, MAX
from ansible_collections.netops.conntrack.plugins.module_utils._settings.request import AUTO, Request
from ansible_collections.netops.conntrack.plugins.module_utils._sizing import Hardware

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
    from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import Origin

#: The other door to the buckets, for kernels whose sysctl is read-only.
_HASHSIZE_FILE = "/sys/module/nf_conntrack/parameters/hashsize"

#: A full table above this share of memory needs ``force``.
_MEMORY_GUARD = 4


@dataclass(frozen=True)
class Observed:
    """A host as it is.

    :ivar presence: loaded, built_in or absent.
    :ivar initial_namespace: whether max and hashsize can be set from here.
    :ivar release: kernel release.
    :ivar hardware: what automatic sizes depend on.
    :ivar is_root: whether this process may change anything at all.
    :ivar may_load: whether it may load modules, as far as root may.
    :ivar live: value of each key in question that the kernel has, and of max, buckets and count.
    :ivar paths: file of each of those.
    :ivar read_only: keys that this process cannot write.
    :ivar boot: configuration files; None where neither the boot is to be changed nor the module to be loaded.
    """

    presence: str
    initial_namespace: bool
    release: str
    hardware: Hardware
    is_root: bool
    may_load: bool
    live: t.Mapping[str, int]
    paths: t.Mapping[str, str]
    read_only: frozenset[str]
    boot: outcome.BootFiles | None


@dataclass(frozen=True)
class Desired:
    """A request made concrete for one host.

    :ivar values: value by key name, without the hashsize.
    :ivar hashsize: buckets as the kernel will round them; None to leave it alone.
    :ivar skipped: names of keys that this kernel does not have.
    :ivar sizing: how automatic sizes came about.
    """

    values: t.Mapping[str, int]
    hashsize: int | None
    skipped: t.Sequence[str]
    sizing: t.Mapping[str, t.Any] | None


def run(host: Host, request: Request, check_mode: bool) -> dict[str, t.Any]:
    """Bring a host to what is requested; the module's result.

    :raises ConntrackError: refused, or failed and reverted.
    """
    return carry_out(host, lambda: plan(observe(host, request), request, check_mode), check_mode)


def observe(host: Host, request: Request) -> Observed:
    """Read the live kernel and, where the boot is to be changed, the configuration files."""
    release = _kernel.release(host)
    present = set(host.names(DIRECTORY))
    names = [name for name in (MAX, BUCKETS, COUNT, *request.values) if name in present]
    paths = {name: f"{DIRECTORY}/{name}" for name in names}
    if BUCKETS in paths and not host.writable(paths[BUCKETS]) and host.writable(_HASHSIZE_FILE):
        paths[BUCKETS] = _HASHSIZE_FILE
    return Observed(
        presence=_kernel.presence(host),
        initial_namespace=_kernel.in_initial_namespace(host),
        release=release,
        hardware=Hardware(
            memory_bytes=_kernel.memory_bytes(host),
            page_bytes=host.page_size,
            bucket_bytes=host.pointer_bytes,
            kernel=_kernel.version(release),
        ),
        is_root=host.is_root,
        may_load=_kernel.may_change_modules(host) and not _kernel.modules_disabled(host),
        live={name: host.read_number(path) or 0 for name, path in paths.items()},
        paths=paths,
        read_only=frozenset(name for name, path in paths.items() if not host.writable(path)),
        boot=(
            outcome.observe(host, request.sysctl_file or outcome.SYSCTL_FILE) if request.boot or request.load else None
        ),
    )


def plan(observed: Observed, request: Request, is_prediction: bool = False) -> Plan:
    """The changes that bring an observed host to what is requested; pure.

    :param is_prediction: whether this is check mode, where tasks before this one changed nothing.
    :raises Refused: this host cannot or should not be brought there.
    """
    if request.absent:
        return _plan_absence(observed, request)
    _check_namespace(observed, request)
    desired = _desire(observed, request)
    _check_sizes(observed, desired, request)
    is_loaded = observed.presence != _kernel.ABSENT
    loads = request.load and request.runtime and not is_loaded
    pending = not is_loaded and not loads
    if pending and not request.boot:
        raise Refused(
            "nf_conntrack is not loaded, so scope: runtime has nothing to set; use load: true, or scope: both, which"
            " sets the values whenever it is loaded"
        )

    files, boot_after = _plan_boot(observed, desired, request)
    loads_at_boot = request.load and request.boot and _is_module(observed)
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
        "skipped": list(desired.skipped),
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


def _desire(observed: Observed, request: Request) -> Desired:
    values = dict(request.values)
    skipped: list[str] = []
    if observed.presence != _kernel.ABSENT:
        skipped = sorted(name for name in values if name not in observed.live)
        if skipped and not request.skip_missing:
            raise Refused(
                "this kernel ({0}) does not have {1}. Take it out, or set missing_keys: skip".format(
                    observed.release,
                    ", ".join(name + (KEYS[name].kernels and f" ({KEYS[name].kernels})") for name in skipped),
                )
            )
        for name in skipped:
            del values[name]

    hardware = observed.hardware
    per_bucket = request.entries_per_bucket or _sizing.kernel_entries_per_bucket(hardware.kernel)
    automatic = _sizing.automatic_max(hardware, per_bucket, request.memory_percent)
    if request.max is not None:
        values[MAX] = automatic if request.max == AUTO else int(request.max)
    hashsize = None
    entries = values.get(MAX) or _expected_max(observed, request)
    if request.hashsize == AUTO:
        hashsize = max(_sizing.hashsize_for(entries, per_bucket, hardware), _given_buckets(observed, request) or 0)
    elif request.hashsize is not None:
        hashsize = _sizing.round_hashsize(int(request.hashsize), hardware)
        largest = _sizing.largest_hashsize(hardware)
        if hashsize > largest:
            raise InvalidInput(
                f"hashsize is {request.hashsize}, but this kernel can allocate {largest} buckets at most"
            )

    sizing = None
    if MAX in values or hashsize is not None:
        buckets = hashsize or _given_buckets(observed, request) or _sizing.kernel_hashsize(hardware)
        sizing = {
            "max": entries,
            "hashsize": buckets,
            "automatic_max": automatic,
            "kernel_default_max": _sizing.kernel_max(hardware),
            "entries_per_bucket": per_bucket,
            "memory_bytes": hardware.memory_bytes,
            "memory_percent": request.memory_percent,
            "entry_bytes": _sizing.ENTRY_BYTES,
            "bucket_bytes": hardware.bucket_bytes,
            "table_bytes": _sizing.table_bytes(entries, buckets, hardware),
        }
    return Desired(values, hashsize, skipped, sizing)


def _expected_max(observed: Observed, request: Request) -> int:
    """The max of a host where nobody asks for another: the live one, else the one that a load will set."""
    if MAX in observed.live:
        return observed.live[MAX]
    line = given = None
    if observed.boot is not None:
        line = _line_at_load(observed, request, MAX)
        if line is None and request.boot:
            line = outcome.number_set(observed.boot, KEYS[MAX])
        given = outcome.number_given(observed.boot)
    if line is None and given is not None:
        return _sizing.MAX_PER_GIVEN_BUCKET * _sizing.round_hashsize(given, observed.hardware)
    return line or _sizing.kernel_max(observed.hardware)


def _given_buckets(observed: Observed, request: Request) -> int | None:
    """The live buckets, else those that a load is told to make; None where the kernel will choose."""
    if BUCKETS in observed.live or observed.boot is None:
        return observed.live.get(BUCKETS)
    # A sysctl line is applied after the load, so it comes before the module's option.
    given = _line_at_load(observed, request, BUCKETS) or outcome.number_given(observed.boot)
    return _sizing.round_hashsize(given, observed.hardware) if given else None


def _line_at_load(observed: Observed, request: Request, name: str) -> int | None:
    """The number that a sysctl line sets at a load, where the udev rule that applies it is there or will be."""
    if observed.boot is None or not (request.boot or observed.boot.own[outcome.UDEV_FILE]):
        return None
    return outcome.number_at_load(observed.boot, KEYS[name])


def _check_sizes(observed: Observed, desired: Desired, request: Request) -> None:
    if request.force or desired.sizing is None:
        return
    table, memory = desired.sizing["table_bytes"], observed.hardware.memory_bytes
    live_table = _sizing.table_bytes(observed.live.get(MAX, 0), observed.live.get(BUCKETS, 0), observed.hardware)
    if table > max(memory // _MEMORY_GUARD, live_table):
        raise Refused(
            "a full table of {0} entries and {1} buckets would take {2} MiB, more than a quarter of this host's {3}"
            " MiB of memory. Lower {4} or hashsize, or set force: true".format(
                desired.sizing["max"],
                desired.sizing["hashsize"],
                table >> 20,
                memory >> 20,
                "memory_percent" if request.max == AUTO else "max",
            )
        )
    wanted, in_use = desired.values.get(MAX), observed.live.get(COUNT, 0)
    if request.runtime and wanted is not None and wanted < in_use and wanted != observed.live.get(MAX):
        raise Refused(
            f"max {wanted} is below the {in_use} entries in use: new connections would be dropped until enough have expired."
            " Choose a larger max, or set force: true"
        )


def _is_module(observed: Observed) -> bool:
    """Whether nf_conntrack is a module that is loaded here, if it is; containers have it from their host."""
    return observed.presence != _kernel.BUILT_IN and observed.initial_namespace


def _plan_boot(observed: Observed, desired: Desired, request: Request) -> tuple[list[t.Any], outcome.BootFiles | None]:
    if observed.boot is None or not request.boot:
        return [], None
    values, hashsize = dict(desired.values), desired.hashsize
    implied: dict[str, int] = {}
    is_module = _is_module(observed)
    if hashsize is not None and not is_module:
        values[BUCKETS], hashsize = hashsize, None
    if hashsize is not None and MAX not in values and outcome.number_at_load(observed.boot, KEYS[MAX]) is None:
        # Loading with a hashsize sets max to eight times that, which nobody asked for.
        implied[MAX] = _expected_max(observed, request)
    if hashsize is not None and outcome.number_at_load(observed.boot, KEYS[BUCKETS]) is not None:
        # Such a line comes after the module's option, and would win.
        implied[BUCKETS] = hashsize
    wish = boot_plan.Wish(
        values=values,
        implied=implied,
        gone=desired.skipped,
        hashsize=hashsize,
        buckets_per_page=observed.hardware.buckets_per_page,
        at_load=is_module,
        load=request.load and is_module,
        keep_others=request.keep_others,
    )
    files, after = boot_plan.plan(observed.boot, wish)
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
