# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries of all kinds, for the kernel to make; and what the module and conntrack(8) tell of a table."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import re
import socket
import struct
import typing as t
from collections import Counter

from directions import address, reply_of
from netns import add, namespace, run, track

from ansible_collections.netops.conntrack.plugins.module_utils import _ctnetlink as netlink
from ansible_collections.netops.conntrack.plugins.module_utils._entries import dump, tables
from ansible_collections.netops.conntrack.plugins.module_utils._entries.gather import gather
from ansible_collections.netops.conntrack.plugins.module_utils._entries.request import parse
from ansible_collections.netops.conntrack.plugins.module_utils._facts import netlink_statistics, statistics
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

#: All that the kernel wants of an entry that is made by request: confirmed, and seen from both sides or not.
UNREPLIED, REPLIED, ASSURED = 8, 10, 14

_ATTRIBUTE = re.compile(r"\b([a-z]+)=(\S+)")


def of_all_kinds(count: int, seed: int) -> t.Iterator[dump.Entry]:
    """Entries of every protocol, family, state, zone and mark.

    They are of skewed sources and destinations; all are different.
    """
    chance = random.Random(seed)
    for number in range(count):
        family = chance.choice((socket.AF_INET, socket.AF_INET, socket.AF_INET6))
        icmp = dump.ICMP if family == socket.AF_INET else dump.ICMPV6
        protocol = chance.choices((6, 17, icmp, 132, 47, 136, 89), (50, 30, 5, 5, 4, 3, 3))[0]
        source = address(int(chance.random() ** 4 * 3000), family)
        destination = address(4000 + int(chance.random() ** 3 * 300), family)
        identity = (number * 7 + seed) % 65535 + 1
        ports: tuple[int | None, int | None] = (identity, chance.choice((53, 80, 443, 8080)))
        asked = None
        if protocol == icmp:
            ports, asked = (None, None), (8 if icmp == dump.ICMP else 128, 0, identity)
        elif protocol == 89:
            # Without ports the addresses have to differ.
            ports, source = (None, None), address(100_000 + number, family)
        original = dump.Tuple(family, protocol, source, destination, *ports, asked)
        status = chance.choices((UNREPLIED, REPLIED, ASSURED), (3, 1, 4))[0]
        yield dump.Entry(
            original,
            reply_of(original),
            status=status,
            mark=chance.choice((0, 0, 0, 1, 0x10, 0xDEADBEEF)),
            zone=chance.choice((0, 0, 0, 7, 65535)),
            timeout=chance.randint(1000, 400000),
            state={6: chance.randint(1, 9), 132: chance.randint(1, 8)}.get(protocol),
            tcp_flags=chance.choice((0, 0x10)) if protocol == 6 else 0,
            labels=chance.choice((b"", b"", bytes(range(16)))),
        )


def children_of(entry: dump.Entry, count: int) -> t.Iterator[dump.Entry]:
    """Entries that a connection announced."""
    for number in range(count):
        original = entry.original._replace(source_port=20000 + number, destination_port=20)
        yield dump.Entry(
            original, reply_of(original), status=ASSURED, timeout=5000, state=3, master=entry.original, zone=entry.zone
        )


def translated(count: int, address_number: int) -> t.Iterator[tuple[int, bytes]]:
    """Family and request of UDP entries whose source is translated, each to a port of its own."""
    nat = struct.pack(">I", 0xCB007100 + address_number)
    for number in range(count):
        original = dump.Tuple(socket.AF_INET, dump.UDP, address(number), address(9000), 30000, 53)
        entry = dump.Entry(original, reply_of(original), status=ASSURED, timeout=5000)
        port = dump.nested(3, dump.numeric(1, 1024 + number, 2), dump.numeric(2, 1024 + number, 2))
        yield socket.AF_INET, dump.encode(entry) + dump.nested(6, dump.attribute(1, nat), dump.attribute(2, nat), port)


#: One for each field, and some for several; each means some of the entries of all kinds.
FILTERS: tuple[dict[str, t.Any], ...] = (
    {"family": "ipv6"}, {"protocol": "tcp"}, {"protocol": "tcp", "family": "ipv4"}, {"protocol": "udp"},
    {"protocol": "udp", "port": 53}, {"protocol": "sctp"},
    {"source": "10.0.0.0"}, {"source": "10.0.0.0", "protocol": "tcp", "port": 443}, {"destination": "2001:db8:0:f::a0"},
    {"source": "10.0.0.0/28"}, {"source": "2001:db8::/60"}, {"destination": "2001:db8::/32"},
    {"state": "established"}, {"state": "cookie_wait"},
    {"protocol": "sctp", "state": "established"}, {"status": ["assured"]}, {"status": ["unreplied", "!assured"]},
    {"status": ["src_nat"]}, {"status": ["expected"]}, {"zone": 7}, {"zone": 0}, {"mark": "0x10"},
    {"mark": "0x10/0x30"}, {"mark": "0"}, {"protocol": "icmp"}, {"protocol": "icmpv6"}, {"protocol": "gre"},
    {"protocol": "89"}, {"protocol": "89", "family": "ipv6"},
    {"protocol": "icmpv6", "mark": "1", "status": ["assured"]},
)  # fmt: skip

#: Beside those that are asked for: what one of them announced, and what is translated.
CHILDREN, TRANSLATED = 20, 300


@contextlib.contextmanager
def all_kinds(count: int, seed: int) -> t.Iterator[str]:
    """The name of a namespace with so many entries of all kinds, CHILDREN and TRANSLATED."""
    found = list(of_all_kinds(count, seed))
    master = next((entry for entry in found if entry.original.protocol == dump.TCP), found[0])
    with namespace() as name:
        # The kernel keeps labels only where a rule asks for them.
        track(name, "add rule ip t sent ct label 0x1 counter")
        add(name, found)
        add(name, children_of(master, CHILDREN))
        table = tables.connect(Host(), name)
        assert table is not None
        with table.socket as opened:
            assert set(opened.requests(netlink.NEW, translated(TRANSLATED, 5), netlink.CREATE)) == {0}
        yield name


def told(name: str, **params: t.Any) -> dict[str, t.Any]:
    """What the module returns of a namespace, read whole unless said otherwise."""
    defaults = {
        "sample": "all", "top": 1000, "prefix": {"ipv4": 32, "ipv6": 128}, "filter": None, "entries": 0,
        "what_if": None,
        "namespace": name,
    }  # fmt: skip
    return gather(Host(), parse({**defaults, **params}))


def entries_by(items: t.Iterable[t.Mapping[str, t.Any]], *keys: str) -> dict[t.Any, int]:
    """Counts of a list of the busiest."""
    return {
        tuple(item[key] for key in keys) if len(keys) > 1 else item[keys[0]]: item["entries"]
        for item in items
        if item["entries"]
    }


def agree(result: t.Mapping[str, t.Any], expected: Told) -> None:
    """Hold what the module returns against what conntrack(8) tells of the same table.

    :raises AssertionError: they differ.
    """
    counts = result["counts"]
    assert result["complete"] and result["margin_percent"] == 0.0
    assert result["read"] == result["matched"] == result["total"] == expected.entries
    for name, key in (("families", "family"), ("protocols", "protocol"), ("tcp_states", "state")):
        assert {kind: item["entries"] for kind, item in counts[name].items()} == expected.counts[key]
    assert counts["assured"]["entries"] == expected.counts["assured"][True]
    assert counts["unreplied"]["entries"] == expected.counts["unreplied"][True]
    assert entries_by(counts["zones"], "zone") == expected.counts["zone"]
    assert entries_by(counts["marks"], "mark") == expected.counts["mark"]
    assert entries_by(result["destinations"], "destination") == expected.counts["destination"]
    assert entries_by(result["ports"], "protocol", "port") == expected.counts["port"]
    for name, keys in (("sources", ("source",)), ("pairs", ("source", "destination"))):
        listed, counted = entries_by(result[name], *keys), expected.counts[name[:-1]]
        assert len(listed) == min(1000, len(counted)) and all(counted[key] == count for key, count in listed.items())
        assert min(listed.values()) >= sorted(counted.values(), reverse=True)[len(listed) - 1]


def statistics_agree() -> None:
    """Hold the statistics of ctnetlink against those of /proc, where both are of this process's network namespace.

    :raises AssertionError: they differ.
    """
    for _attempt in range(5):
        before, by_netlink, after = _proc_statistics(), netlink_statistics.ask(), _proc_statistics()
        if before == after:  # nothing was counted meanwhile
            break
    assert by_netlink, "no counter"
    # /proc has a row for each possible CPU as well.
    assert {name: before[name] for name in by_netlink} == by_netlink


def _proc_statistics() -> statistics.Columns:
    columns = statistics.parse_columns(Host().lines(statistics.PATH))
    assert columns is not None
    return columns


@dataclasses.dataclass
class Told:
    """What conntrack(8) tells of a table, counted."""

    entries: int
    counts: dict[str, Counter[t.Any]]
    ids: set[int]


def told_by_conntrack(name: str) -> Told:
    """Read and count what `conntrack -L -o extended,id` prints in a namespace."""
    names = [
        "family",
        "protocol",
        "state",
        "assured",
        "unreplied",
        "zone",
        "mark",
        "source",
        "destination",
        "port",
        "pair",
    ]
    counts: dict[str, Counter[t.Any]] = {key: Counter() for key in names}
    ids = set()
    show = ("ip", "netns", "exec", name, "conntrack", "-L", "-o", "extended,id", "-f")
    # Older ones show IPv4 alone where no family is named.
    lines = [line for family in ("ipv4", "ipv6") for line in run(*show, family).splitlines()]
    for line in lines:
        words = line.split()
        pairs = _ATTRIBUTE.findall(line)
        first: dict[str, str] = {}
        for key, value in pairs:
            first.setdefault(key, value)
        number = int(words[3])
        protocol = dump.protocol_name(number)
        counts["family"][words[0]] += 1
        counts["protocol"][protocol] += 1
        if protocol == "tcp":
            counts["state"][words[5].lower()] += 1
        counts["assured"]["[ASSURED]" in words] += 1
        counts["unreplied"]["[UNREPLIED]" in words] += 1
        counts["zone"][int(first.get("zone", 0))] += 1
        counts["mark"][int(first.get("mark", 0))] += 1
        counts["source"][first["src"]] += 1
        counts["destination"][first["dst"]] += 1
        counts["pair"][first["src"], first["dst"]] += 1
        if number in dump.WITH_PORTS:
            counts["port"][protocol, int(first["dport"])] += 1
        ids.add(int(dict(pairs)["id"]))  # the last: ICMP has one of its own
    return Told(len(lines), counts, ids)
