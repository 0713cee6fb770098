# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a request comes to on one host: concrete values, and sizes that fit it. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel, _sizing
from ansible_collections.netops.conntrack.plugins.module_utils._boot import outcome
from ansible_collections.netops.conntrack.plugins.module_utils._errors import InvalidInput, Refused
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, COUNT, KEYS, MAX
from ansible_collections.netops.conntrack.plugins.module_utils._settings.request import AUTO

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._settings.observed import Observed
    from ansible_collections.netops.conntrack.plugins.module_utils._settings.request import Request

#: A full table above this share of memory needs ``force``.
_MEMORY_GUARD = 4


@dataclass(frozen=True)
class Desired:
    """A request made concrete for one host.

    :ivar values: value by key name, without the hashsize.
    :ivar hashsize: buckets as the kernel will round them; None to leave it alone.
    :ivar missing: names of keys that this kernel does not have.
    :ivar sizing: how automatic sizes came about.
    """

    values: t.Mapping[str, int]
    hashsize: int | None
    missing: t.Sequence[str]
    sizing: t.Mapping[str, t.Any] | None


def desire(observed: Observed, request: Request) -> Desired:
    """What a request comes to on one host.

    :raises InvalidInput: a size is more than this kernel takes.
    :raises Refused: this kernel lacks a key, or the sizes cost too much.
    """
    missing = _missing(observed, request)
    values = {name: value for name, value in request.values.items() if name not in missing}
    hardware = observed.hardware
    per_bucket = request.entries_per_bucket or _sizing.kernel_entries_per_bucket(hardware.kernel)
    automatic = _sizing.automatic_max(hardware, per_bucket, request.memory_percent)
    if request.max is not None:
        values[MAX] = automatic if request.max == AUTO else int(request.max)
    hashsize = None
    entries = values.get(MAX) or expected_max(observed, request)
    if request.hashsize == AUTO:
        hashsize = max(_sizing.hashsize_for(entries, per_bucket, hardware), _expected_buckets(observed, request) or 0)
    elif request.hashsize is not None:
        hashsize = _sizing.round_hashsize(int(request.hashsize), hardware)
        largest = _sizing.largest_hashsize(hardware)
        if hashsize > largest:
            raise InvalidInput(
                f"hashsize is {request.hashsize}, but this kernel can allocate {largest} buckets at most"
            )

    sizing = None
    if MAX in values or hashsize is not None:
        buckets = hashsize or _expected_buckets(observed, request) or _sizing.kernel_hashsize(hardware)
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
    desired = Desired(values, hashsize, missing, sizing)
    _check_sizes(observed, desired, request)
    return desired


def _missing(observed: Observed, request: Request) -> list[str]:
    """The keys that this kernel does not have; none can be told where connection tracking is not loaded.

    :raises Refused: there are some, and they were not to be left out.
    """
    if observed.presence == _kernel.ABSENT:
        return []
    missing = sorted(name for name in request.values if name not in observed.live)
    if missing and not request.skip_missing:
        words = ", ".join(name + (KEYS[name].kernels and f" ({KEYS[name].kernels})") for name in missing)
        raise Refused(f"this kernel ({observed.release}) does not have {words}. Take it out, or set missing_keys: skip")
    return missing


def expected_max(observed: Observed, request: Request) -> int:
    """The max of a host where nobody asks for another: the live one, else the one that a load will set."""
    if MAX in observed.live:
        return observed.live[MAX]
    line = given = None
    if observed.boot is not None:
        line = _line_at_load(observed, request, MAX)
        if line is None and request.boot:
            line = outcome.number_set(observed.boot, KEYS[MAX])
        given = outcome.hashsize_at_load(observed.boot)
    if line is None and given is not None:
        return _sizing.MAX_PER_GIVEN_BUCKET * _sizing.round_hashsize(given, observed.hardware)
    return line or _sizing.kernel_max(observed.hardware)


def _expected_buckets(observed: Observed, request: Request) -> int | None:
    """The live buckets, else those that a load is told to make; None where the kernel will choose."""
    if BUCKETS in observed.live or observed.boot is None:
        return observed.live.get(BUCKETS)
    # A sysctl line is applied after the load, so it comes before the module's option.
    given = _line_at_load(observed, request, BUCKETS) or outcome.hashsize_at_load(observed.boot)
    return _sizing.round_hashsize(given, observed.hardware) if given else None


def _line_at_load(observed: Observed, request: Request, name: str) -> int | None:
    """The number that a sysctl line sets at a load, where something applies it then, or the udev rule will."""
    if observed.boot is None:
        return None
    return outcome.number_at_load(observed.boot, KEYS[name], with_rule=request.boot)


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
