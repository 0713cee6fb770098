# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The firewall of Proxmox VE, which sets max and two timeouts every ten seconds while it is enabled.

src/PVE/Firewall.pm and src/PVE/Service/pve_firewall.pm of pve-firewall 6.0.4: update_nf_conntrack_max() never sets less
than 262144, rounds more up to 8192, and with a max that it changes sets a quarter of it as the hashsize. Where the
option for syn_recv is given, it writes something that is no number (a misspelt name), so nothing is known of that.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, MAX
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record
from ansible_collections.netops.conntrack.plugins.module_utils._writers.writer import Writer, is_taken

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._writers.files import Files

_NAME = "pve-firewall"
_CLUSTER = "/etc/pve/firewall/cluster.fw"
_HOST = "/etc/pve/local/host.fw"
_WHEN = "every ten seconds"

_LEAST = 262144
_STEP = 8192

ESTABLISHED = "nf_conntrack_tcp_timeout_established"
SYN_RECV = "nf_conntrack_tcp_timeout_syn_recv"
_DEFAULTS = {ESTABLISHED: 432000, SYN_RECV: 60}

_OPTION = re.compile(r"[ \t]*(?P<name>\w+):\s*(?P<value>[0-9]{1,19})\s*")


class Option(Record):
    """An option: the file, its line from 1 (None for a default), and its value."""

    path: str
    line: int | None
    value: int


def parse(path: str, text: str) -> dict[str, Option]:
    """The options of a file that are numbers, by name."""
    found: dict[str, Option] = {}
    is_options = False
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip().startswith("["):
            is_options = line.strip().lower() == "[options]"
        match = _OPTION.fullmatch(line)
        if is_options and match is not None:
            found[match.group("name").lower()] = Option(path, number, int(match.group("value")))
    return found


def find(files: Files) -> t.Iterator[Writer]:
    """What pve-firewall sets; nothing where the cluster's firewall is off, or nftables is used in its place."""
    cluster = files.text(_CLUSTER)
    enabled = parse(_CLUSTER, cluster.text).get("enable") if cluster is not None else None
    if enabled is None or enabled.value != 1:
        return
    host = files.text(_HOST)
    options = parse(_HOST, host.text) if host is not None else {}
    nftables = options.get("nftables")
    if nftables is not None and nftables.value:
        for key in (MAX, ESTABLISHED, SYN_RECV):
            if key in options:
                option = options[key]
                yield Writer("proxmox-firewall", option.path, option.line, key, option.value, "while it runs")
        return
    given = options.get(MAX)
    entries = given.value if given is not None and given.value > _LEAST else _LEAST
    entries = -(-entries // _STEP) * _STEP
    place = given if given is not None else enabled
    if is_taken(MAX, entries):
        yield Writer(_NAME, place.path, place.line, MAX, entries, _WHEN, certain=True)
        when = f"whenever it changes {MAX}"
        yield Writer(_NAME, place.path, place.line, BUCKETS, entries // 4, when)
    for key, default in _DEFAULTS.items():
        option = options.get(key, Option(enabled.path, enabled.line, default))
        found = Writer(_NAME, option.path, option.line, key, option.value, _WHEN, certain=True)
        if key == SYN_RECV and key in options:
            yield found._replace(value=None, certain=False, then="; to what depends on its version")
        elif is_taken(key, option.value):
            yield found
