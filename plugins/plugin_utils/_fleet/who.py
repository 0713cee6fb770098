# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who fills the tables of a fleet: of each host, and of all of them together. Pure."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet import document
from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet.words import below, printable, short

Entries = t.Mapping[str, t.Any]

#: The lists of the busiest, with what names one in them.
_LISTS: dict[str, tuple[str, ...]] = {
    "sources": ("source",),
    "destinations": ("destination",),
    "ports": ("protocol", "port"),
    "nat_ports": ("address", "protocol", "destination", "port"),
}
_TITLES = {"sources": "sources", "destinations": "destinations", "ports": "ports", "nat_ports": "NAT ports"}

#: Lines of each list, for a host and for the fleet.
_OF_HOST, _OF_FLEET = 5, 10
#: Percent of the entries below which an item of a list tells nothing.
_LEAST = 0.1


def text(about: document.Document) -> str:
    """The busiest of each host, the fullest table first, and added up over the fleet."""
    hosts = [host for host in about["hosts"] if host["entries"] is not None]
    hosts.sort(key=lambda host: (-_usage(host["entries"]), host["name"]))
    lines: list[str] = []
    for host in hosts:
        lines += [*_host(host["name"], host["entries"]), ""]
    lines += [line for host in about["hosts"] if host["entries"] is None for line in _silent(host)]
    if len(hosts) > 1:
        lines += ["", *_fleet([host["entries"] for host in hosts])]
    return "\n".join(lines).strip("\n")


def _usage(entries: Entries) -> float:
    return entries["total"] / entries["limit"] if entries["limit"] else 0.0


def _silent(host: document.Host) -> list[str]:
    status = "no reply" if host["status"] == document.UNREACHABLE else host["status"]
    return [f"{printable(host['name'])}: {status}", *below(host["reason"] or "its entries were not asked for")]


def _host(name: str, entries: Entries) -> list[str]:
    if not entries["tracking"]:
        return [f"{printable(name)}: connection tracking is not used"]
    limit = f" of {entries['limit']:,}" if entries["limit"] else ", no limit"
    sampled = "" if entries["complete"] else f", by a sample of {entries['read']:,}"
    lines = [f"{printable(name)}: {entries['total']:,} entries{limit}{sampled}"]
    for kind, keys in _LISTS.items():
        told = [item for item in entries[kind][:_OF_HOST] if item["share_percent"] >= _LEAST]
        lines += _listed(_TITLES[kind], [(_named(item, keys), _share(item)) for item in told])
    lines += _listed("timeouts", [(f"{held} {of['seconds']} s", _share(of)) for held, of in _held(entries)])
    return [*lines, *(line for advice in entries["advice"] for line in below(advice))]


def _held(entries: Entries) -> list[tuple[str, t.Mapping[str, t.Any]]]:
    """What timeouts hold, the most first, without those that hold nothing."""
    held = [(name, about) for name, about in entries["timeouts"].items() if about["entries"]]
    return sorted(held, key=lambda item: -item[1]["entries"])[:_OF_HOST]


def _named(item: t.Mapping[str, t.Any], keys: t.Sequence[str]) -> str:
    """What an item of a list is about."""
    if keys[0] == "protocol":
        return f"{item['protocol']} {item['port']}"
    if keys[0] == "address":
        port = "" if item["port"] is None else f" port {item['port']}"
        return f"{item['address']} to {item['destination']} {item['protocol']}{port}"
    return str(item[keys[0]])


def _share(item: t.Mapping[str, t.Any]) -> str:
    margin = item["margin_percent"]
    exact = f"{item['share_percent']:.1f} %" + (f" +-{margin:.1f}" if margin else "")
    return f"{exact}, {item['used_percent']:.0f} % of its ports used" if "used_percent" in item else exact


def _listed(title: str, items: t.Sequence[tuple[str, str]]) -> list[str]:
    """A list under its title, the shares below each other."""
    if not items:
        return []
    width = max(len(printable(name)) for name, _share_of in items)
    return [f"  {title}", *(f"    {printable(name).ljust(width)}  {share}" for name, share in items)]


def _fleet(all_entries: t.Sequence[Entries]) -> list[str]:
    """The same added up, by how many entries each host is estimated to have of it."""
    total = sum(entries["total"] for entries in all_entries)
    lines = [
        f"The whole fleet: {total:,} entries on {len(all_entries)} hosts",
        *below("What a host does not list among its own busiest is not counted, so each share is at least so large."),
    ]
    for kind, keys in _LISTS.items():
        if kind != "nat_ports":  # each belongs to one host
            lines += _listed(_TITLES[kind], [added.words(total) for added in _added(all_entries, kind, keys)])
    return lines


class _Added(t.NamedTuple):
    """One of the busiest of the fleet.

    :ivar entries: as estimated on the hosts that list it.
    :ivar margin: how far off that may be.
    :ivar hosts: how many list it.
    """

    name: str
    entries: float
    margin: float
    hosts: int

    def words(self, total: int) -> tuple[str, str]:
        """Its name and its share."""
        share, margin = (100 * count / total if total else 0.0 for count in (self.entries, self.margin))
        words = f"{share:.1f} %" + (f" +-{margin:.1f}" if margin else "")
        return self.name, f"{words}, {short(self.entries)} on {self.hosts} host{'' if self.hosts == 1 else 's'}"


def _added(all_entries: t.Sequence[Entries], kind: str, keys: t.Sequence[str]) -> list[_Added]:
    """The busiest of all hosts. Margins of hosts are independent, so their squares add up."""
    counts: dict[str, list[float]] = {}
    for entries in all_entries:
        for item in entries[kind]:
            sums = counts.setdefault(_named(item, keys), [0.0, 0.0, 0])
            sums[0] += item["entries"] if item["estimate"] is None else item["estimate"]
            sums[1] += (item["margin_percent"] * entries["total"] / 100) ** 2
            sums[2] += 1
    busiest = sorted(counts.items(), key=lambda item: (-item[1][0], item[0]))[:_OF_FLEET]
    return [_Added(name, count, math.sqrt(square), int(hosts)) for name, (count, square, hosts) in busiest]
