# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which settings a host differs from most of the others. Pure."""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.netops.conntrack.plugins.plugin_utils._report.values import mapping, number


class Differs(t.NamedTuple):
    """A value of a host that is not that of most others.

    :ivar others: the value that most others have.
    :ivar hosts: how many others have it, of so many that have this setting.
    """

    setting: str
    value: int | float
    others: int | float
    hosts: int
    of: int


def settings(facts: t.Any) -> dict[str, int | float]:
    """What can be set on a host: ``max``, ``buckets``, timeouts by short name, other keys by full name."""
    found = {name: number(facts, name) for name in ("max", "buckets")}
    for part in ("timeouts", "settings"):
        found.update({name: number(value) for name, value in mapping(facts, part).items()})
    return {name: value for name, value in found.items() if value is not None}


class Usual:
    """What most hosts have."""

    def __init__(self, fleet: t.Iterable[t.Any]) -> None:
        """Count the values of each setting.

        :param fleet: the facts of each host.
        """
        self._values: dict[str, collections.Counter[int | float]] = {}
        for facts in fleet:
            for name, value in settings(facts).items():
                self._values.setdefault(name, collections.Counter())[value] += 1

    def differences(self, facts: t.Any) -> list[Differs]:
        """Where a host of the fleet differs: more than half of the others, and at least two, have one other value."""
        found = []
        for name, value in settings(facts).items():
            values = self._values[name]
            usual, hosts = values.most_common(1)[0]
            others = sum(values.values()) - 1
            if usual != value and hosts >= 2 and 2 * hosts > others:
                found.append(Differs(name, value, usual, hosts, others))
        return found
