# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The most important of these tests as a program, for the kernels and Pythons of test machines.

Scenario `entries` runs it there. It needs root and the standard library, and prints what it did as JSON.
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "unit")]

import collection_path

collection_path.make_importable()

from kinds import FILTERS, agree, all_kinds, statistics_agree, told, told_by_conntrack
from netns import raw

from ansible_collections.netops.conntrack.plugins.module_utils._entries import delete
from ansible_collections.netops.conntrack.plugins.module_utils._entries.filter import parse as parse_filter
from ansible_collections.netops.conntrack.plugins.module_utils._facts import netlink_statistics
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

ENTRIES = 1500


def read(name: str) -> int:
    """Hold counts, statistics and filters against conntrack(8) and the careful parser; how many entries there are.

    :raises AssertionError: they differ.
    """
    agree(told(name), told_by_conntrack(name))
    statistics_agree()
    assert netlink_statistics.read(Host()), "ctnetlink answers, but is not asked"
    entries = raw(name)
    for fields in FILTERS:
        meant = parse_filter(fields)
        result = told(name, filter=fields)
        expected = sum(map(meant.matches, entries))
        assert expected and result["matched"] == expected, f"{fields}: {result['matched']}, but {expected} are meant"
    return len(entries)


def free(name: str) -> int:
    """Delete by one filter after another what it means and nothing else; how many of them deleted something.

    :raises AssertionError: another entry went, or one stayed.
    """
    effective = 0
    # The last ones mean few entries, so most of them find some.
    for fields in reversed(FILTERS):
        meant = parse_filter(fields)
        before = {entry.id: meant.matches(entry) for entry in raw(name)}
        parameters = {"all": False, "filter": fields, "limit": 0, "entries": 0, "namespace": name}
        deleted = delete.run(Host(), delete.parse(parameters), False)["deleted"]
        left = {number for number, is_meant in before.items() if not is_meant}
        assert told_by_conntrack(name).ids == left, f"{fields}: what is left is not what is to be left"
        assert deleted == len(before) - len(left)
        effective += bool(deleted)
    return effective


def main() -> None:
    """Do all of it in one namespace after another."""
    with all_kinds(ENTRIES, 1) as name:
        entries = read(name)
    with all_kinds(ENTRIES, 2) as name:
        effective = free(name)
    versions = {"kernel": platform.release(), "python": platform.python_version()}
    print(json.dumps({**versions, "entries": entries, "filters_that_deleted": effective}))


if __name__ == "__main__":
    main()
