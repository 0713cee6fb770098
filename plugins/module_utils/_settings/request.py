# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user asks of conntrack_settings, checked. Pure."""

from __future__ import annotations

import posixpath
import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._errors import InvalidInput
from ansible_collections.netops.conntrack.plugins.module_utils._keys import (
    BUCKETS,
    COUNT,
    INT_MAX,
    KEYS,
    MAX,
    TIMEOUTS,
    Key,
    is_conntrack,
)
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

AUTO = "auto"

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,20}")
_PREFIX = re.compile(r"\A(net\.netfilter\.|net/netfilter/)")

#: A size: a number, AUTO, or None where the user does not manage it.
Size = t.Union[int, str, None]


class Request(Record):
    """A checked request.

    :ivar absent: take away what boots and loads set.
    :ivar only_these: make this request the whole truth: what the collection set by earlier ones, and this one does not
        name, goes.
    :ivar max: entries, ``auto``, or None to leave it alone.
    :ivar hashsize: buckets before rounding, ``auto``, or None to leave it alone.
    :ivar entries_per_bucket: None for what the running kernel uses itself.
    :ivar memory_percent: budget of an automatic max, in percent of memory.
    :ivar values: value by key name, for timeouts and all other keys.
    :ivar runtime: whether to change the live kernel.
    :ivar boot: whether to change what later boots set.
    :ivar sysctl_file: None for the collection's own drop-in.
    :ivar skip_missing: leave out keys that the kernel does not have.
    :ivar keep_larger: leave a max and a hashsize that are larger, live or set for boots by other programs' files.
    :ivar keep_others: refuse where lines of other files would have to be taken out.
    :ivar load: load nf_conntrack, now and at boot as ``runtime`` and ``boot`` say.
    :ivar force: allow what would lose connections or take too much memory.
    """

    absent: bool
    only_these: bool
    max: Size
    hashsize: Size
    entries_per_bucket: int | None
    memory_percent: int
    values: t.Mapping[str, int]
    runtime: bool
    boot: bool
    sysctl_file: str | None
    skip_missing: bool
    keep_larger: bool
    keep_others: bool
    load: bool
    force: bool

    @property
    def names(self) -> list[str]:
        """The names of all keys that it names, sorted, and those of the sizes."""
        sizes = [name for name, size in ((MAX, self.max), (BUCKETS, self.hashsize)) if size is not None]
        return sorted([*self.values, *sizes])


def parse(params: t.Mapping[str, t.Any]) -> Request:
    """A request from the module's parameters.

    :raises InvalidInput: a value cannot be meant; the message says which, what is allowed and what to do.
    """
    if params["state"] == "absent":
        params = _names_alone(params)
    if params["other_keys"] == "remove" and params["scope"] == "runtime":
        raise InvalidInput(
            "other_keys is remove, which reads the collection's own files, but scope is runtime, which does not use"
            " files: set scope to both or boot, or other_keys to keep"
        )
    values = _timeouts(params["timeouts"] or {})
    values.update(_sysctls(params["sysctls"] or {}))
    entries_per_bucket = params["entries_per_bucket"]
    return Request(
        absent=params["state"] == "absent",
        only_these=params["other_keys"] == "remove",
        max=_size("max", params["max"], "entries"),
        hashsize=_size("hashsize", params["hashsize"], "buckets"),
        entries_per_bucket=(
            None
            if entries_per_bucket == AUTO
            else _number("entries_per_bucket", entries_per_bucket, 1, 1024, "entries, or auto")
        ),
        memory_percent=_number("memory_percent", params["memory_percent"], 1, 100, "percent of the host's memory"),
        values=values,
        runtime=params["scope"] != "boot",
        boot=params["scope"] != "runtime",
        sysctl_file=_sysctl_file(params["sysctl_file"]),
        skip_missing=params["missing_keys"] == "skip",
        keep_larger=params["keep_larger"],
        keep_others=params["conflicting_entries"] == "fail",
        load=params["load"],
        force=params["force"],
    )


def _names_alone(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The same parameters with values that every key takes.

    Those given may no longer be good, and nothing uses them.
    """
    return dict(
        params,
        max=None if params["max"] is None else AUTO,
        hashsize=None if params["hashsize"] is None else AUTO,
        entries_per_bucket=AUTO,
        memory_percent=100,
        timeouts=dict.fromkeys(params["timeouts"] or {}, 1),
        sysctls=dict.fromkeys(params["sysctls"] or {}, 1),
    )


def _number(option: str, value: t.Any, minimum: int, maximum: int, unit: str) -> int:
    """A whole number within limits, given as a number or as its decimal digits and nothing else."""
    allowed = f"a whole number from {minimum} to {maximum} ({unit})"
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not is_number and not (isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value)):
        raise InvalidInput(f"{option} is {value!r}, but must be {allowed}")
    number = int(value)
    if not minimum <= number <= maximum:
        # Python refuses to print numbers of thousands of digits.
        shown = number if number.bit_length() < 200 else "a number of more than 60 digits"
        raise InvalidInput(f"{option} is {shown}, but must be {allowed}")
    return number


def _size(option: str, value: t.Any, unit: str) -> Size:
    if value is None:
        return None
    if value == AUTO:
        return AUTO
    return _number(option, value, 1, INT_MAX, unit + ", or auto")


def _mapping(option: str, value: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    if not all(isinstance(name, str) for name in value):
        raise InvalidInput(f"{option} is {value!r}, but its keys must be names")
    return value


def _timeouts(wanted: t.Mapping[str, t.Any]) -> dict[str, int]:
    values = {}
    for name, value in _mapping("timeouts", wanted).items():
        if name not in TIMEOUTS:
            raise InvalidInput(_misplaced("timeouts", name))
        key = TIMEOUTS[name]
        values[key.name] = _key_value("timeouts." + name, key, value)
    return values


def _sysctls(wanted: t.Mapping[str, t.Any]) -> dict[str, int]:
    values: dict[str, int] = {}
    for given, value in _mapping("sysctls", wanted).items():
        name = _PREFIX.sub("", given)
        if name == COUNT:
            raise InvalidInput(f"sysctls.{given} cannot be set: it is the number of entries in use")
        if name not in KEYS or _home(KEYS[name]) != "sysctls." + name:
            raise InvalidInput(_misplaced("sysctls", given))
        if name in values:
            raise InvalidInput(f"sysctls.{given} names a key that sysctls already sets")
        values[name] = _key_value("sysctls." + given, KEYS[name], value)
    return values


def _key_value(option: str, key: Key, value: t.Any) -> int:
    if key.unit == "flag" and isinstance(value, bool):
        return int(value)
    return _number(option, value, key.minimum, key.maximum, key.unit)


def _home(key: Key) -> str:
    """The option that takes a key."""
    if key.name in (MAX, BUCKETS):
        return "max" if key.name == MAX else "hashsize"
    return "sysctls." + key.name if key.timeout is None else "timeouts." + key.timeout


def _misplaced(option: str, given: str) -> str:
    """What is wrong with a name that an option does not take: which one does, or which names come near."""
    import difflib

    homes: dict[str, str] = {}
    for key in KEYS.values():
        short = key.name[len("nf_conntrack_") :] if is_conntrack(key.name) else key.name
        for spelled in (key.name, short, "ip_conntrack_" + short, key.timeout or short):
            homes.setdefault(spelled, _home(key))
    name = re.split("[./]", given)[-1]
    if name in homes:
        advice = f"use {homes[name]}"
    elif name.startswith("nf_conntrack_frag6_"):
        advice = "it belongs to nf_defrag_ipv6 and is not connection tracking's"
    else:
        near = dict.fromkeys(homes[spelled] for spelled in difflib.get_close_matches(name, homes, n=5, cutoff=0.6))
        known = (home for home in homes.values() if home.startswith(option + "."))
        advice = "the nearest are " + ", ".join(near) if near else "known are " + ", ".join(sorted(set(known)))
    return f"{option} has no key {given!r}: {advice}"


def _sysctl_file(path: str | None) -> str | None:
    if path is None:
        return None
    if not path.startswith("/") or path.endswith("/") or not path.isprintable():
        raise InvalidInput(
            f"sysctl_file is {path!r}, but must be the absolute path of a file, such as /etc/sysctl.d/90-conntrack.conf"
        )
    return posixpath.normpath("/" + path.lstrip("/"))  # normpath keeps two leading slashes
