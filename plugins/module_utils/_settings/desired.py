# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a request comes to on one host: concrete values, and sizes that fit it. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel, _sizing
from ansible_collections.netops.conntrack.plugins.module_utils._boot import outcome
from ansible_collections.netops.conntrack.plugins.module_utils._errors import InvalidInput, Refused
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, COUNT, KEYS, MAX
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record
from ansible_collections.netops.conntrack.plugins.module_utils._settings.request import AUTO

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._settings.observed import Observed
    from ansible_collections.netops.conntrack.plugins.module_utils._settings.request import Request
    from ansible_collections.netops.conntrack.plugins.module_utils._sizing import Hardware

#: A full table above this share of memory needs ``force``.
_MEMORY_GUARD = 4


class Desired(Record):
    """A request made concrete for one host.

    :ivar live: value by key name for the running kernel, the buckets among them.
    :ivar boot: value by key name for boots and loads, without the hashsize.
    :ivar hashsize: buckets for loads, as the kernel will round them; None to leave that alone.
    :ivar left: names of sizes that other programs' files set to something larger, which shall stay.
    :ivar missing: names of keys that this kernel does not have.
    :ivar sizing: how automatic sizes came about.
    """

    live: t.Mapping[str, int]
    boot: t.Mapping[str, int]
    hashsize: int | None
    left: t.Sequence[str]
    missing: t.Sequence[str]
    sizing: t.Mapping[str, t.Any] | None


class _Size(Record):
    """One of the two sizes, in entries or in buckets.

    :ivar wish: what is asked for.
    :ivar live: what the running kernel shall have.
    :ivar others: what other programs' files set for boots; None where they set nothing, or that does not matter.
    """

    wish: int
    live: int
    others: int | None = None

    @property
    def is_left(self) -> bool:
        """Whether boots are left to other programs' files, which set more."""
        return self.others is not None and self.others > self.wish

    @property
    def boot(self) -> int:
        """What boots will have."""
        return max(self.wish, self.others or 0)


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
    others = None
    if request.keep_larger and observed.boot is not None:
        others = outcome.set_by_others(observed.boot)
    entries = _entries(observed, request, automatic, others)
    expected = expected_max(observed, request)
    buckets = _buckets(observed, request, entries or _Size(expected, expected), per_bucket, others)

    live, boot, left = dict(values), dict(values), []
    for name, size in ((MAX, entries), (BUCKETS, buckets)):
        if size is not None:
            live[name] = size.live
            if size.is_left:
                left.append(name)
    if entries is not None and not entries.is_left:
        boot[MAX] = entries.wish
    hashsize = None if buckets is None or buckets.is_left else buckets.wish

    sizing = None
    if entries is not None or buckets is not None:
        table_entries = expected if entries is None else entries.boot
        as_they_are = _expected_buckets(observed, request) or _sizing.kernel_hashsize(hardware)
        table_buckets = as_they_are if buckets is None else buckets.boot
        sizing = {
            "max": table_entries,
            "hashsize": table_buckets,
            "automatic_max": automatic,
            "kernel_default_max": _sizing.kernel_max(hardware),
            "entries_per_bucket": per_bucket,
            "memory_bytes": hardware.memory_bytes,
            "memory_percent": request.memory_percent,
            "entry_bytes": _sizing.ENTRY_BYTES,
            "bucket_bytes": hardware.bucket_bytes,
            "table_bytes": _sizing.table_bytes(table_entries, table_buckets, hardware),
        }
    desired = Desired(live, boot, hashsize, left, missing, sizing)
    _check_memory(observed, desired, request)
    return desired


def _entries(observed: Observed, request: Request, automatic: int, others: outcome.BootFiles | None) -> _Size | None:
    """The max; None to leave it alone."""
    if request.max is None:
        return None
    wish = automatic if request.max == AUTO else int(request.max)
    if not request.keep_larger:
        return _Size(wish, wish)
    elsewhere = None if others is None else outcome.number_set(others, KEYS[MAX])
    return _Size(wish, max(wish, observed.live.get(MAX, 0)), elsewhere)


def _buckets(
    observed: Observed, request: Request, entries: _Size, per_bucket: int, others: outcome.BootFiles | None
) -> _Size | None:
    """The hashsize, rounded; None to leave it alone.

    :raises InvalidInput: it is more than this kernel can allocate.
    """
    hardware, live = observed.hardware, observed.live.get(BUCKETS, 0)
    if request.hashsize is None:
        return None
    elsewhere = None if others is None else outcome.hashsize_at_load(others)
    elsewhere = None if elsewhere is None else _sizing.round_hashsize(elsewhere, hardware)
    if request.hashsize == AUTO:
        # A resize stops the traffic for a moment, so the live table is never made smaller for a guess.
        wish = _sizing.hashsize_for(entries.boot, per_bucket, hardware)
        return _Size(wish, max(_sizing.hashsize_for(entries.live, per_bucket, hardware), live), elsewhere)
    wish = _sizing.round_hashsize(int(request.hashsize), hardware)
    largest = _sizing.largest_hashsize(hardware)
    if wish > largest:
        raise InvalidInput(f"hashsize is {request.hashsize}, but this kernel can allocate {largest} buckets at most")
    return _Size(wish, max(wish, live) if request.keep_larger else wish, elsewhere)


def _missing(observed: Observed, request: Request) -> list[str]:
    """The keys that this kernel does not have; none can be told where connection tracking is not loaded.

    :raises Refused: there are some, and they were not to be left out.
    """
    if observed.presence == _kernel.ABSENT:
        return []
    missing = sorted(name for name in request.values if name not in observed.live)
    if missing and not request.skip_missing:
        words = ", ".join(name + (KEYS[name].kernels and f" ({KEYS[name].kernels})") for name in missing)
        raise Refused(f"this kernel ({observed.release}) does not have {words}. Remove it, or set missing_keys: skip")
    return missing


def expected_max(observed: Observed, request: Request) -> int:
    """The max of a host where nobody asks for another: the live one, else the one that a load will set.

    Where the request is the whole truth, it is what a boot would set without the collection.
    """
    if request.only_these and observed.boot is not None:
        files = outcome.set_by_others(observed.boot)
        line = outcome.number_set(files, KEYS[MAX])
        return line or _max_by_hashsize(outcome.hashsize_at_load(files), observed.hardware)
    if MAX in observed.live:
        return observed.live[MAX]
    if observed.boot is None:
        return _sizing.kernel_max(observed.hardware)
    line = _line_at_load(observed, request, MAX)
    if line is None and request.boot:
        line = outcome.number_set(observed.boot, KEYS[MAX])
    return line or _max_by_hashsize(outcome.hashsize_at_load(observed.boot), observed.hardware)


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


def after_boot(observed: Observed, files: outcome.BootFiles, name: str) -> int | None:
    """What a key that nobody asks for is after a boot with these files; None where that is not known.

    That is what a file sets, else the kernel's own default.
    """
    hardware, key = observed.hardware, KEYS[name]
    line = outcome.number_set(files, key)
    if line is not None:
        return _sizing.round_hashsize(line, hardware) if name == BUCKETS else line
    given = outcome.hashsize_at_load(files)
    if name == BUCKETS:
        return _sizing.kernel_hashsize(hardware) if given is None else _sizing.round_hashsize(given, hardware)
    if name == MAX:
        return _max_by_hashsize(given, hardware)
    is_certain = hardware.kernel >= key.default_since and not outcome.sets_parameter(files, key.parameter)
    return key.default if is_certain else None


def _max_by_hashsize(given: int | None, hardware: Hardware) -> int:
    """The max that a load sets by itself: by the hashsize that it is given, else the kernel's own."""
    if given is None:
        return _sizing.kernel_max(hardware)
    return _sizing.MAX_PER_GIVEN_BUCKET * _sizing.round_hashsize(given, hardware)


def check_room(observed: Observed, request: Request, new_max: int | None) -> None:
    """:raises Refused: the max would be below the entries in use, so that new connections are dropped."""
    in_use = observed.live.get(COUNT, 0)
    if request.force or not request.runtime or new_max is None or new_max == observed.live.get(MAX):
        return
    if new_max < in_use:
        default = "" if request.max is not None else ", which is what a boot would set now that no max is asked for,"
        raise Refused(
            f"max {new_max}{default} is below the {in_use} entries in use: new connections would be dropped until"
            " enough have expired. Choose a larger max, or set force: true"
        )


def _check_memory(observed: Observed, desired: Desired, request: Request) -> None:
    if request.force or desired.sizing is None:
        return
    table, memory = desired.sizing["table_bytes"], observed.hardware.memory_bytes
    live_table = _sizing.table_bytes(observed.live.get(MAX, 0), observed.live.get(BUCKETS, 0), observed.hardware)
    if table > max(memory // _MEMORY_GUARD, live_table):
        raise Refused(
            "a full table of {0} entries and {1} buckets would take {2} MiB, more than a quarter of this host's {3}"
            " MiB of memory{4}. {5}, or set force: true".format(
                desired.sizing["max"],
                desired.sizing["hashsize"],
                table >> 20,
                memory >> 20,
                *_what_helps(observed, desired.sizing, request),
            )
        )


def _what_helps(observed: Observed, sizing: t.Mapping[str, t.Any], request: Request) -> tuple[str, str]:
    """Where sizes that nobody asked for come from, and what makes the table smaller, for a message."""
    origin = None if observed.boot is None else outcome.hashsize_origin(observed.boot)
    given = None if observed.boot is None else outcome.hashsize_at_load(observed.boot)
    if request.max is None and given is not None and sizing["max"] == _max_by_hashsize(given, observed.hardware):
        why = (
            f": max is {_sizing.MAX_PER_GIVEN_BUCKET} times the hashsize that {origin} gives nf_conntrack, because no"
            " other max is set"
        )
        return why, f"Set a max, or remove that hashsize from {origin and origin.path}"
    if request.max is None:
        return (
            f": max is {sizing['max']} as it is, because no other is set",
            "Set a max, or a smaller hashsize",
        )
    if (
        request.hashsize is None
        and given is not None
        and sizing["hashsize"] == _sizing.round_hashsize(given, observed.hardware)
    ):
        why = f": the buckets are those that {origin} gives nf_conntrack, because no other hashsize is set"
        return why, "Set a hashsize, or lower max"
    return "", f"Lower {'memory_percent' if request.max == AUTO else 'max'} or hashsize"
