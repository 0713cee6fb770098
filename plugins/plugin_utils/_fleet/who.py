# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who fills the tables of a fleet: of each host, and of all of them together. Pure."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet import document, table
from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet.words import REASON_LINES, below, printable, short

Entries = t.Mapping[str, t.Any]

#: The lists of the busiest, each with its title and what names one in it.
_LISTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "sources": ("sources", ("source",)),
    "destinations": ("destinations", ("destination",)),
    "ports": ("ports", ("protocol", "port")),
    "nat_ports": ("NAT ports", ("address", "protocol", "destination", "port")),
}
#: Those that hosts have in common, and so can be added up. An address that does NAT belongs to one host.
_COMMON = ("sources", "destinations", "ports", "timeouts")

COLUMNS = (
    "host", "status", "list", "name", "entries", "share_percent", "margin_percent", "used_percent", "seconds", "reason",
)  # fmt: skip

#: Of a host whose entries are not known.
_NONE: Entries = {**{kind: [] for kind in _LISTS}, "timeouts": {}}

#: Lines of each list, for a host and for the fleet.
_OF_HOST, _OF_FLEET = 5, 10
#: Percent of the entries below which an item of a list tells nothing.
_LEAST = 0.1


def text(about: document.Document) -> str:
    """The busiest of each host, the fullest table first, and added up over the fleet."""
    hosts = sorted(about["hosts"], key=lambda host: (-_usage(host["entries"]), host["name"]))
    known = [host for host in hosts if host["entries"] is not None]
    lines: list[str] = []
    for host in known:
        lines += [*_host(host["name"], host["entries"]), ""]
    lines += [line for host in about["hosts"] if host["entries"] is None for line in _silent(host)]
    if len(known) > 1:
        lines += ["", *_fleet(known)]
    return "\n".join(lines).strip("\n")


def csv_text(about: document.Document) -> str:
    """The same of each host as CSV: a line for each of its busiest, or one that says why there is none."""
    return table.lines(COLUMNS, (row for host in about["hosts"] for row in _rows(host)))


def _rows(host: document.Host) -> t.Iterator[list[t.Any]]:
    begin = [host["name"], host["status"]]
    items = [(kind, *of) for kind in (*_LISTS, "timeouts") for of in _items(host["entries"] or _NONE, kind)]
    if not items:
        yield [*begin, *[None] * 7, host["reason"]]
    for kind, name, item in items:
        counted = (_estimated(item), item["share_percent"], item["margin_percent"])
        yield [*begin, kind, name, *counted, item.get("used_percent"), item.get("seconds"), None]


def _usage(entries: Entries | None) -> float:
    return entries["total"] / entries["limit"] if entries and entries["limit"] else 0.0


def _silent(host: document.Host) -> list[str]:
    status = "no reply" if host["status"] == document.UNREACHABLE else host["status"]
    reason = host["reason"] or "its entries were not asked for"
    return [f"{printable(host['name'])}: {status}", *below(reason, REASON_LINES)]


def _host(name: str, entries: Entries) -> list[str]:
    if not entries["tracking"]:
        return [f"{printable(name)}: connection tracking is not used"]
    limit = f" of {entries['limit']:,}" if entries["limit"] else ", no limit"
    sampled = "" if entries["complete"] else f", by a sample of {entries['read']:,}"
    lines = [f"{printable(name)}: {entries['total']:,} entries{limit}{sampled}"]
    for kind, (title, _keys) in _LISTS.items():
        told = [item for item in _items(entries, kind)[:_OF_HOST] if item[1]["share_percent"] >= _LEAST]
        lines += _listed(title, [(named, _share(item)) for named, item in told])
    held = [(f"{named} {item['seconds']} s", _share(item)) for named, item in _items(entries, "timeouts")[:_OF_HOST]]
    lines += _listed("timeouts", held)
    return [*lines, *(line for advice in entries["advice"] for line in below(advice))]


def _items(entries: Entries, kind: str) -> list[tuple[str, t.Mapping[str, t.Any]]]:
    """What a list has, with the name of each, the most first; timeouts without those that hold nothing."""
    if kind != "timeouts":
        return [(_named(item, _LISTS[kind][1]), item) for item in entries[kind]]
    held = [(name, item) for name, item in entries["timeouts"].items() if item["entries"]]
    return sorted(held, key=lambda item: (-item[1]["entries"], item[0]))


def _named(item: t.Mapping[str, t.Any], keys: t.Sequence[str]) -> str:
    """What an item of a list is about."""
    if keys[0] == "protocol":
        return f"{item['protocol']} {item['port']}"
    if keys[0] == "address":
        port = "" if item["port"] is None else f" port {item['port']}"
        return f"{item['address']} to {item['destination']} {item['protocol']}{port}"
    return str(item[keys[0]])


def _estimated(item: t.Mapping[str, t.Any]) -> int:
    """How many entries of the whole table it has."""
    count: int = item["entries"] if item["estimate"] is None else item["estimate"]
    return count


def _share(item: t.Mapping[str, t.Any]) -> str:
    words = _percent(item["share_percent"], item["margin_percent"])
    return f"{words}, {item['used_percent']:.0f} % of its ports used" if "used_percent" in item else words


def _percent(share: float, margin: float) -> str:
    return f"{share:.1f} %" + (f" +-{margin:.1f}" if margin else "")


def _listed(title: str, items: t.Sequence[tuple[str, str]]) -> list[str]:
    """A list under its title, the shares below each other."""
    if not items:
        return []
    width = max(len(printable(name)) for name, _share_of in items)
    return [f"  {title}", *(f"    {printable(name).ljust(width)}  {share}" for name, share in items)]


def _fleet(hosts: t.Sequence[document.Host]) -> list[str]:
    """The same added up, by how many entries each host is estimated to have of it."""
    total = sum(host["entries"]["total"] for host in hosts)
    lines = [
        f"The whole fleet: {total:,} entries on {len(hosts)} hosts",
        *below("What a host does not list among its own busiest is not counted, so each share is at least so large."),
    ]
    for kind in _COMMON:
        busiest = [added for added in _added(hosts, kind) if 100 * added.entries >= _LEAST * total]
        lines += _listed(kind, [(added.name, added.words(total)) for added in busiest[:_OF_FLEET]])
    return lines + _listed("NAT ports, the fullest", _fullest(hosts))


def _fullest(hosts: t.Sequence[document.Host]) -> list[tuple[str, str]]:
    """Where NAT has the fewest ports left, on any host."""
    all_of_them = [(item, host["name"], name) for host in hosts for name, item in _items(host["entries"], "nat_ports")]
    all_of_them.sort(key=lambda of: (-of[0]["used_percent"], of[1], of[2]))
    return [(f"{host}: {name}", f"{item['used_percent']:.0f} %") for item, host, name in all_of_them[:_OF_FLEET]]


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

    def words(self, total: int) -> str:
        """Its share, and on how many hosts."""
        share = _percent(100 * self.entries / (total or 1), 100 * self.margin / (total or 1))
        return f"{share}, {short(self.entries)} on {self.hosts} host{'' if self.hosts == 1 else 's'}"


def _added(hosts: t.Sequence[document.Host], kind: str) -> list[_Added]:
    """The busiest of all hosts. Margins of hosts are independent, so their squares add up."""
    counts: dict[str, list[tuple[int, float]]] = {}
    for host in hosts:
        for name, item in _items(host["entries"], kind):
            margin = item["margin_percent"] * host["entries"]["total"] / 100
            counts.setdefault(name, []).append((_estimated(item), margin))
    added = [
        _Added(name, sum(count for count, _margin in of), math.hypot(*(margin for _count, margin in of)), len(of))
        for name, of in counts.items()
    ]
    return sorted(added, key=lambda of: (-of.entries, of.name))
