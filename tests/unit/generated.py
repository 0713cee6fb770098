# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts, files that others left on them, and requests of conntrack_settings, for properties."""

from __future__ import annotations

import typing as t

from hypothesis import strategies as st
from runs import ABSENT, BUILT_IN, LOADED, MODPROBE_FILE, SYSCTL_FILE

if t.TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

#: Names of recorded hosts.
HOSTS: SearchStrategy[str] = st.sampled_from([*LOADED, *ABSENT, BUILT_IN])

_STRAY_LINES: SearchStrategy[bytes] = st.lists(
    st.sampled_from(
        [
            b"net.netfilter.nf_conntrack_max=7777\n",
            b"net.nf_conntrack_max = 8888\n",
            b"net.ipv4.ip_conntrack_max=9999\n",
            b"-net.netfilter.nf_conntrack_udp_timeout\n",
            b"net.netfilter.nf_conntrack_udp_timeout = 33\n",
            b"net.netfilter.nf_conntrack_buckets=999\n",
            b"# comment \xff\n",
            b"net.netfilter.nf_conntrack_udp* = 44\n",
            b"kernel.panic = 3\r\n",
        ]
    ),
    max_size=4,
).map(b"".join)
_STRAY_OPTIONS: SearchStrategy[bytes] = st.lists(
    st.sampled_from(
        [
            b"options nf_conntrack hashsize=3333\n",
            b"options nf-conntrack acct=1 hashsize=4444\n",
            b"# x\n",
            b"options nf_conntrack acct=1\n",
        ]
    ),
    max_size=3,
).map(b"".join)

#: What stands in files of others and of the collection's own, by path.
TREES: SearchStrategy[dict[str, bytes]] = st.fixed_dictionaries(
    {},
    optional={
        "/etc/sysctl.d/10-a.conf": _STRAY_LINES,
        "/etc/sysctl.d/zzz.conf": _STRAY_LINES,
        "/usr/lib/sysctl.d/20-vendor.conf": _STRAY_LINES,
        "/etc/sysctl.conf": _STRAY_LINES,
        SYSCTL_FILE: _STRAY_LINES,
        "/etc/modprobe.d/a.conf": _STRAY_OPTIONS,
        "/etc/modprobe.d/zzzz.conf": _STRAY_OPTIONS,
        MODPROBE_FILE: _STRAY_OPTIONS,
        "/lib/modprobe.d/10-vendor.conf": _STRAY_OPTIONS,
    },
)

_SIZES: SearchStrategy[int | str | None] = st.one_of(st.none(), st.just("auto"), st.integers(200, 150000))

#: Parameters of a task, as ``runs.tune`` takes them.
REQUESTS: SearchStrategy[dict[str, t.Any]] = st.fixed_dictionaries(
    {},
    optional={
        "max": _SIZES,
        "hashsize": _SIZES,
        "entries_per_bucket": st.sampled_from(["auto", 1, 2, 8]),
        "memory_percent": st.integers(1, 25),
        "timeouts": st.dictionaries(
            st.sampled_from(["udp", "udp_stream", "tcp_established", "generic"]), st.integers(1, 2147483), max_size=3
        ),
        "sysctls": st.dictionaries(
            st.sampled_from(["nf_conntrack_acct", "nf_conntrack_tcp_loose", "nf_conntrack_log_invalid"]),
            st.integers(0, 1),
            max_size=2,
        ),
        "load": st.booleans(),
        "scope": st.sampled_from(["both", "both", "both", "runtime", "boot"]),
    },
)


def tree(entries: t.Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of TREES where ``/lib`` is a link to ``/usr/lib``."""
    return {
        path.replace("/lib/", "/usr/lib/") if path.startswith("/lib/") else path: entry
        for path, entry in entries.items()
    }
