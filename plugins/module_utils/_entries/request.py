# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user asks of conntrack_entries_info, checked as far as the host need not be known for it. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._entries import filter as filters
from ansible_collections.netops.conntrack.plugins.module_utils._entries.count import Prefixes
from ansible_collections.netops.conntrack.plugins.module_utils._errors import InvalidInput

_ALL = "all"
_MOST_READ = 2**31 - 1
_MOST_LISTED = 1000
_MOST_RETURNED = 1000


class Request(t.NamedTuple):
    """A checked request.

    :ivar sample: entries to read; None for all.
    :ivar top: length of the lists of the busiest.
    :ivar prefixes: how many bits of an address count.
    :ivar meant: which entries are meant.
    :ivar entries: how many to return as they are.
    :ivar namespace: name, path or PID; None for the module's own.
    :ivar what_if: seconds to judge by short name of the timeout, not checked yet; None to choose.
    """

    sample: int | None
    top: int
    prefixes: Prefixes
    meant: filters.Filter
    entries: int
    namespace: str | None
    what_if: t.Mapping[str, t.Any] | None


def parse(params: t.Mapping[str, t.Any]) -> Request:
    """A request from the module's parameters.

    :raises InvalidInput: a value cannot be meant; the message says which, what is allowed and what to do.
    """
    prefix = params["prefix"] or {}
    bits = {"ipv4": 32, "ipv6": 64, **{name: value for name, value in prefix.items() if value is not None}}
    return Request(
        sample=_sample(params["sample"]),
        top=_within("top", params["top"], 0, _MOST_LISTED),
        prefixes=Prefixes(
            _within("prefix.ipv4", bits["ipv4"], 0, 32),
            _within("prefix.ipv6", bits["ipv6"], 0, 128),
        ),
        meant=filters.parse(params["filter"]),
        entries=_within("entries", params["entries"], 0, _MOST_RETURNED),
        namespace=params["namespace"],
        what_if=params["what_if"],
    )


def _sample(value: str) -> int | None:
    if value == _ALL:
        return None
    if not (value.isdigit() and value.isascii() and len(value) <= 10 and 1 <= int(value) <= _MOST_READ):
        raise InvalidInput(f"sample is {value!r}, but must be the number of entries to read, from 1 on, or all")
    return int(value)


def _within(option: str, value: int, minimum: int, maximum: int) -> int:
    if not minimum <= value <= maximum:
        raise InvalidInput(f"{option} is {value}, but must be a whole number from {minimum} to {maximum}")
    return value
