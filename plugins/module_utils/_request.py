# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection: names and behaviour may change in any release.

"""What a user asks of conntrack_settings, checked. Pure."""

from __future__ import annotations

import posixpath
import re
import typing as t
from dataclasses import dataclass

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
    timeout_name,
)

AUTO = "auto"

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,20}")
_PREFIX = re.compile(r"(net[./]netfilter[./])?(?P<name>.*)", re.DOTALL)

#: A size: a number, AUTO, or None where the user does not manage it.
Size = t.Union[int, str, None]


@dataclass(frozen=True)
class Request:
    """A checked request.

    :ivar max: entries, ``auto``, or None to leave it alone.
    :ivar hashsize: buckets before rounding, ``auto``, or None to leave it alone.
    :ivar entries_per_bucket: None for what the running kernel uses itself.
    :ivar memory_percent: budget of an automatic max, in percent of memory.
    :ivar values: value by key name, for timeouts and all other keys.
    :ivar runtime: whether to change the live kernel.
    :ivar boot: whether to change what later boots set.
    :ivar sysctl_file: None for the collection's own drop-in.
    :ivar skip_missing: leave out keys that the kernel does not have.
    :ivar load: load nf_conntrack, now and at boot as ``runtime`` and ``boot`` say.
    :ivar force: allow what would lose connections or take too much memory.
    """

    max: Size
    hashsize: Size
    entries_per_bucket: t.Optional[int]
    memory_percent: int
    values: t.Mapping[str, int]
    runtime: bool
    boot: bool
    sysctl_file: t.Optional[str]
    skip_missing: bool
    load: bool
    force: bool


def parse(params: t.Mapping[str, t.Any]) -> Request:
    """A request from the module's parameters.

    :raises InvalidInput: a value cannot be meant; the message says which, what is allowed and what to do.
    """
    values = _timeouts(params["timeouts"] or {})
    values.update(_sysctls(params["sysctls"] or {}))
    entries_per_bucket = params["entries_per_bucket"]
    return Request(
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
        load=params["load"],
        force=params["force"],
    )


def _number(option: str, value: t.Any, minimum: int, maximum: int, unit: str) -> int:
    """A whole number within limits, given as a number or as its decimal digits and nothing else."""
    allowed = "a whole number from {0} to {1} ({2})".format(minimum, maximum, unit)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not is_number and not (isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value)):
        raise InvalidInput("{0} is {1!r}, but must be {2}".format(option, value, allowed))
    number = int(value)
    if not minimum <= number <= maximum:
        raise InvalidInput("{0} is {1}, but must be {2}".format(option, number, allowed))
    return number


def _size(option: str, value: t.Any, unit: str) -> Size:
    if value is None or value == AUTO:
        return value
    return _number(option, value, 1, INT_MAX, unit + ", or auto")


def _mapping(option: str, value: t.Any) -> t.Mapping[str, t.Any]:
    if not all(isinstance(name, str) for name in value):
        raise InvalidInput("{0} is {1!r}, but its keys must be names".format(option, value))
    return value


def _timeouts(wanted: t.Mapping[str, t.Any]) -> t.Dict[str, int]:
    values = {}
    for name, value in _mapping("timeouts", wanted).items():
        key = TIMEOUTS.get(name)
        if key is None:
            short = timeout_name(_PREFIX.match(name).group("name"))  # type: ignore[union-attr]
            raise InvalidInput(_unknown("timeouts", name, TIMEOUTS, [short] if short in TIMEOUTS else []))
        values[key.name] = _key_value("timeouts." + name, key, value)
    return values


def _sysctls(wanted: t.Mapping[str, t.Any]) -> t.Dict[str, int]:
    values: t.Dict[str, int] = {}
    for given, value in _mapping("sysctls", wanted).items():
        name = _PREFIX.match(given).group("name")  # type: ignore[union-attr]
        option = "sysctls." + given
        key = KEYS.get(name)
        if name in (MAX, BUCKETS) or name in KEYS[MAX].aliases + KEYS[MAX].former_names:
            raise InvalidInput(
                "{0} has an option of its own: use {1}".format(option, "hashsize" if name == BUCKETS else "max")
            )
        if name == COUNT:
            raise InvalidInput("{0} cannot be set: it is the number of entries in use".format(option))
        if key is None:
            raise InvalidInput(_unknown("sysctls", given, [name for name, key in KEYS.items() if not key.timeout], []))
        if key.timeout is not None:
            raise InvalidInput("{0} is a timeout: use timeouts.{1}".format(option, key.timeout))
        if name in values:
            raise InvalidInput("{0} names a key that sysctls already sets".format(option))
        values[name] = _key_value(option, key, value)
    return values


def _key_value(option: str, key: Key, value: t.Any) -> int:
    if key.unit == "flag" and isinstance(value, bool):
        return int(value)
    return _number(option, value, key.minimum, key.maximum, key.unit)


def _unknown(option: str, name: str, known: t.Iterable[str], nearest: t.List[str]) -> str:
    import difflib

    known = list(known)
    nearest = nearest or difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if nearest:
        advice = "the nearest are {0}".format(", ".join(nearest))
    else:
        advice = "known are {0}".format(", ".join(sorted(known)))
    owner = "" if not name.startswith("nf_conntrack_frag6_") or is_conntrack(name) else " (it belongs to nf_defrag_ipv6)"
    return "{0} has no key {1!r}{2}; {3}".format(option, name, owner, advice)


def _sysctl_file(path: t.Optional[str]) -> t.Optional[str]:
    if path is None:
        return None
    if not path.startswith("/") or "\n" in path or "\0" in path:
        raise InvalidInput(
            "sysctl_file is {0!r}, but must be an absolute path such as /etc/sysctl.d/90-conntrack.conf".format(path)
        )
    return posixpath.normpath("/" + path.lstrip("/"))  # normpath keeps two leading slashes
