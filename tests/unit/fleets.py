# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents of fleets that are made up, around the facts that the module returns of a recorded host."""

from __future__ import annotations

import copy
import functools
import random
import typing as t

from fake_kernel import FakeKernel

from ansible_collections.netops.conntrack.plugins.module_utils._facts.gather import gather, parse
from ansible_collections.netops.conntrack.plugins.module_utils._facts.health import judge
from ansible_collections.netops.conntrack.plugins.module_utils._facts.reason import Limits

Document = t.Dict[str, t.Any]
Host = t.Dict[str, t.Any]

#: The hosts of a made fleet that are in trouble, each in its own way.
FULL, FILLING, DRIFTING = "gw-berlin-07.example.net", "nat-oslo-02.example.net", "edge-lyon-11.example.net"
SILENT, BROKEN = "lb-porto-05.example.net", "gw-riga-03.example.net"

_CITIES = ("berlin", "oslo", "lyon", "porto", "riga", "turin", "ghent", "malmo", "graz", "cork")
_ROLES = ("gw", "nat", "edge", "lb")
_RATES = ("drops_per_second", "early_drops_per_second", "insert_failures_per_second", "chain_too_long_per_second")
_LIMITS = Limits(75, 90)


@functools.lru_cache(maxsize=None)
def _recorded(name: str) -> dict[str, t.Any]:
    params = {"gather_subset": ["all"], "interval": 0, "usage_warning": 75, "usage_critical": 90}
    return gather(FakeKernel(name), parse(params))


def recorded_facts(name: str) -> dict[str, t.Any]:
    """What conntrack_facts returns of a recorded host."""
    return copy.deepcopy(_recorded(name))


def facts(entries: int, limit: int = 262144, growth: float = 0.0, **changes: t.Any) -> dict[str, t.Any]:
    """The facts of a host whose table has so many entries.

    :param growth: entries a second.
    :param changes: facts as they shall be; for a dict, what of it shall be otherwise.
    """
    made = recorded_facts("trixie-6.12-full")
    made.update({
        "entries": entries, "max": limit, "usage_percent": round(100 * entries / limit, 2),
        "buckets": limit, "entries_per_bucket": 1.0,
    })  # fmt: skip
    left = int((limit - entries) / growth) if growth > 0 else None
    made["rates"] = {
        **dict.fromkeys(_RATES, 0.0),
        "seconds": 5.0,
        "entries_per_second": growth,
        "seconds_to_full": 0 if entries >= limit else left,
    }
    made["statistics"].update(drop=0, early_drop=0)
    size = 384
    made["memory"].update(
        entries_bytes=size * entries, full_table_bytes=(size + 8) * limit, host_bytes=8 * 2**30,
        full_table_percent=round(100 * (size + 8) * limit / (8 * 2**30), 2),
    )  # fmt: skip
    made["kernel_log"] = {"lines": 0, "last_seconds_ago": None, "lines_here": 0, "last_here_seconds_ago": None}
    for name, change in changes.items():
        made[name] = {**made[name], **change} if isinstance(change, dict) and made.get(name) else change
    made["health"] = judge(made, _LIMITS)
    return made


def _share(number: int, total: int) -> dict[str, t.Any]:
    share = round(100 * number / total, 2)
    return {"entries": number, "share_percent": share, "margin_percent": 0.43, "estimate": number}


def entries(total: int, sources: t.Mapping[str, float], limit: int = 262144) -> dict[str, t.Any]:
    """What conntrack_entries_info returns of a table.

    :param sources: the busiest sources, and the share of the entries of each, from 0 to 1.
    """
    timeouts = {"tcp_established": (432000, 0.6), "tcp_time_wait": (120, 0.14), "udp": (30, 0.09),
                "udp_stream": (120, 0.08), "tcp_syn_sent": (120, 0.05), "icmp": (30, 0.01), "tcp_close": (10, 0.01),
                "tcp_close_wait": (60, 0.006), "tcp_fin_wait": (120, 0.005), "tcp_last_ack": (30, 0.004),
                "generic": (600, 0.003), "icmpv6": (30, 0.002)}  # fmt: skip
    states = {name[4:]: part for name, (_seconds, part) in timeouts.items() if name.startswith("tcp_")}
    servers = {f"198.51.100.{80 + n}": 0.33 / (n + 1) for n in range(10)}
    ports = {443: 0.5, 53: 0.14, 80: 0.1, 8443: 0.05, 22: 0.04, 3306: 0.02, 5432: 0.02, 6379: 0.01, 25: 0.01, 123: 0.01}
    pairs = [{"source": name, "destination": "198.51.100.80"} for name in sources]
    return {
        "tracking": True,
        "total": total, "limit": limit, "read": total, "matched": total, "complete": True, "margin_percent": 0.43,
        "counts": {
            "families": {"ipv4": _share(total, total)},
            "protocols": {"tcp": _share(int(0.81 * total), total), "udp": _share(int(0.17 * total), total)},
            "tcp_states": {name: _share(int(part * total), total) for name, part in states.items()},
            **{kind: _share(total // 5, total) for kind in ("assured", "unreplied", "offloaded", "expected")},
            "nat": {"none": _share(int(0.7 * total), total), "source": _share(int(0.3 * total), total)},
            "zones": [{"zone": 0, **_share(total, total)}],
            "marks": [{"mark": 0, **_share(total, total)}],
        },
        "sources": [{"source": name, **_share(int(part * total), total)} for name, part in sources.items()],
        "destinations": [{"destination": name, **_share(int(part * total), total)} for name, part in servers.items()],
        "ports": [{"protocol": "tcp", "port": n, **_share(int(part * total), total)} for n, part in ports.items()],
        "pairs": [{**pair, **_share(total // 50, total)} for pair in pairs],
        "timeouts": {
            name: {
                "seconds": seconds, **_share(int(part * total), total), "unknown": 0,
                "idle": {"half": seconds // 4, "tenth": seconds // 2, "hundredth": seconds - 1, "longest": seconds - 1},
                "what_if": [],
            }
            for name, (seconds, part) in timeouts.items()
        },
        "nat_ports": [
            {"address": "203.0.113.5", "protocol": "tcp", "destination": name, "port": 443, "first_port": 1024,
             "last_port": 65535, "used_percent": round(42 * part, 2), **_share(int(part * total / 3), total)}
            for name, part in servers.items()
        ],
        "early_drop_percent": 40.3,
        "entries": [],
        "advice": [],
    }  # fmt: skip


def host(name: str, found: dict[str, t.Any] | None, who: dict[str, t.Any] | None = None) -> Host:
    """A host that answered."""
    return {"name": name, "status": "ok", "reason": None, "facts": found, "entries": who}


def document(hosts: t.Sequence[Host], time: str = "2026-12-01T01:40:00Z") -> Document:
    """The document of these hosts."""
    return {"format": "netops.conntrack fleet", "version": 1, "time": time, "hosts": list(hosts)}


def drift_of(key: str, runtime: int, value: int, file: str = "/etc/sysctl.d/50-conntrack.conf") -> dict[str, t.Any]:
    """An item of drift: the live value is not what the boot sets."""
    message = f"{key} is {runtime}, but the boot sets {value} ({file}:1)"
    return {"kind": "runtime", "key": key, "value": value, "runtime": runtime, "file": file, "line": 1,
            "message": message}  # fmt: skip


def writer_of(key: str, value: int) -> dict[str, t.Any]:
    """What ufw sets."""
    file, when = "/etc/ufw/sysctl.conf", "when ufw starts or reloads"
    return {"writer": "ufw", "file": file, "line": 3, "key": key, "value": value, "when": when, "certain": True,
            "message": f"ufw sets {key} to {value} {when} ({file}:3)"}  # fmt: skip


def in_trouble() -> list[Host]:
    """Three hosts that are not well, a full one first, and two that did not answer."""
    scan = {"10.20.0.17": 0.351, "10.20.0.23": 0.041, "10.20.1.9": 0.022, "2001:db8:40:1::/64": 0.019}
    full = facts(
        262144, growth=12.4, statistics={"drop": 48211, "early_drop": 90233},
        rates={"drops_per_second": 310.2, "early_drops_per_second": 620.0},
        kernel_log={"lines": 41, "last_seconds_ago": 2, "lines_here": 41, "last_here_seconds_ago": 2},
    )  # fmt: skip
    max_drift = drift_of("nf_conntrack_max", 65536, 262144)
    drifting = facts(
        50790, limit=65536, buckets=262144, entries_per_bucket=0.25, drift=[max_drift],
        writers=[writer_of("nf_conntrack_max", 65536)], timeouts={"tcp_established": 7200},
        persistent={"nf_conntrack_max": {"boot": 262144, "file": "/etc/sysctl.d/50-conntrack.conf", "line": 1}},
    )  # fmt: skip
    return [
        host(FULL, full, entries(262144, scan)),
        host(FILLING, facts(214880, growth=120.5), entries(214880, dict(list(scan.items())[1:]))),
        host(DRIFTING, drifting, entries(50790, dict(list(scan.items())[1:]), 65536)),
        {"name": SILENT, "status": "unreachable", "facts": None, "entries": None,
         "reason": "Failed to connect to the host via ssh: connect to host lb-porto-05 port 22: Connection timed out"},
        {"name": BROKEN, "status": "failed", "facts": None, "entries": None,
         "reason": "The module needs Python 3.7 or newer; /usr/bin/python3 is 3.6.8"},
    ]  # fmt: skip


def fleet(count: int = 200, who: bool = True) -> Document:
    """A fleet of so many hosts, those of :func:`in_trouble` first, the others well.

    :param who: whether the entries were read as well.
    """
    chance = random.Random(11)
    names = [f"{role}-{city}-{number:02}.example.net" for number in range(1, 12) for city in _CITIES for role in _ROLES]
    first = in_trouble()
    taken = {each["name"] for each in first}
    well = []
    for name in [name for name in names if name not in taken][: max(0, count - len(first))]:
        limit = chance.choice([262144, 262144, 262144, 524288])
        used = int(limit * min(0.7, chance.betavariate(2, 7)))
        sources = {f"10.{chance.randrange(20, 60)}.0.{n + 1}": 0.06 / (n + 1) for n in range(10)}
        found = facts(used, limit, growth=round(chance.gauss(0, 3), 1))
        well.append(host(name, found, entries(used, sources, limit)))
    well.sort(key=lambda each: -each["facts"]["usage_percent"])
    hosts = first[:3] + first[3:] + well
    for each in hosts if not who else ():
        each["entries"] = None
    return document(hosts[:count])


#: What has names that hosts give.
_NAMED = {"timeouts", "settings", "modules", "tcp_states", "protocols"}


def replaced(node: t.Any, change: t.Callable[[str], str], named: bool = False) -> t.Any:
    """A document with each text of a host changed: every value, and every name that is not a field's."""
    if isinstance(node, dict):
        return {
            change(name) if named else name: replaced(value, change, name in _NAMED) for name, value in node.items()
        }
    if isinstance(node, list):
        return [replaced(value, change) for value in node]
    return change(node) if isinstance(node, str) else node
