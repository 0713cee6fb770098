# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalogue of connection tracking keys below ``net.netfilter``.

Sources: Documentation/networking/nf_conntrack-sysctl.rst and net/netfilter/nf_conntrack_standalone.c of Linux,
checked against the keys that Linux 5.10, 6.1, 6.12, 6.18 and 7.2 really have.
"""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

DIRECTORY = "/proc/sys/net/netfilter"

INT_MAX = 2**31 - 1

#: Seconds. The kernel multiplies a timeout by HZ (at most 1000) into an int, and takes -1 and 0 without complaint.
TIMEOUT_MAX = INT_MAX // 1000

MAX = "nf_conntrack_max"
BUCKETS = "nf_conntrack_buckets"
COUNT = "nf_conntrack_count"


class Key(Record):
    """One kernel key.

    :ivar name: file name below ``/proc/sys/net/netfilter``.
    :ivar minimum: smallest value that is allowed here, which may be narrower than what the kernel takes.
    :ivar maximum: largest value that is allowed here.
    :ivar unit: what one is: ``entries``, ``buckets``, ``seconds``, ``packets``, ``flag``, ``protocol`` or ``mode``.
    :ivar scope: ``host`` when only the initial network namespace can write it, else ``namespace``.
    :ivar timeout: short name of a timeout, as in ``timeouts: {tcp_established: 86400}``; None for other keys.
    :ivar kernels: which kernels have it, in words; empty when all that are supported have it.
    :ivar default: what the kernel sets it to by itself, where that is the same on every kernel from ``default_since``
        on; None where it is not, or is computed, as max and hashsize are.
    :ivar default_since: (major, minor) of the first kernel with that default, as far as it is known.
    :ivar parameter: the parameter of nf_conntrack that gives it another default; None where none does.
    """

    name: str
    minimum: int
    maximum: int
    unit: str
    scope: str = "namespace"
    timeout: str | None = None
    kernels: str = ""
    default: int | None = None
    default_since: tuple[int, int] = (4, 18)
    parameter: str | None = None

    @property
    def path(self) -> str:
        """The file of the runtime value."""
        return f"{DIRECTORY}/{self.name}"

    @property
    def sysctl(self) -> str:
        """The name for sysctl.d, with dots."""
        return "net.netfilter." + self.name

    def takes(self, number: int) -> bool:
        """Whether the kernel takes a number that a line sets, which may be one that is not allowed here.

        Where kernels differ, such as about a max of 0, whether one does.
        """
        if self.timeout is not None:
            return -self.maximum <= number <= self.maximum
        return (1 if self.name == BUCKETS else 0) <= number <= self.maximum

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names of the same variable that kernels of today have, with dots."""
        return ("net.nf_conntrack_max",) if self.name == MAX else ()

    @property
    def former_names(self) -> tuple[str, ...]:
        """Names that no kernel since 4.9 has, with dots.

        The first, and the second for max, are those of kernels before; the others are mixtures that people write.
        """
        if not self.name.startswith("nf_conntrack_"):
            return ()
        suffix = self.name[len("nf_") :]
        names = [f"net.{path}{prefix}_{suffix}" for prefix in ("ip", "nf") for path in ("ipv4.netfilter.", "ipv4.")]
        names += [f"net.netfilter.ip_{suffix}", f"net.ip_{suffix}", f"net.nf_{suffix}"]
        return tuple(name for name in names if name not in self.aliases)


_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")


def timeout_name(key: str) -> str | None:
    """The short name of a timeout key, also for keys this catalogue does not know; None when it is not a timeout.

    ``nf_conntrack_tcp_timeout_established``, ``nf_conntrack_udp_timeout``, ``nf_conntrack_udp_timeout_stream`` and
    ``nf_flowtable_tcp_timeout``.
    """
    for table, prefix in (("nf_conntrack_", ""), ("nf_flowtable_", "flowtable_")):
        protocol, timeout, state = key[len(table) :].partition("_timeout")
        if not (key.startswith(table) and timeout and protocol and _LETTERS.issuperset(protocol)):
            continue
        is_whole = not state or (state[0] == "_" and len(state) > 1 and _LETTERS.issuperset(state.replace("_", "")))
        if is_whole and protocol != "frag6":
            return prefix + protocol + state
    return None


def is_conntrack(name: str) -> bool:
    """Whether a name below ``net.netfilter`` is connection tracking's own; frag6 keys are nf_defrag_ipv6's."""
    return name.startswith(("nf_conntrack_", "nf_flowtable_")) and not name.startswith("nf_conntrack_frag6_")


_UDP_STREAM = "nf_conntrack_udp_timeout_stream"


def _timeouts(defaults: t.Mapping[str, int | None], kernels: str = "") -> list[Key]:
    return [
        Key(name, 1, TIMEOUT_MAX, "seconds", timeout=timeout_name(name), kernels=kernels, default=default)
        for name, default in defaults.items()
    ]


def _flag(name: str, default: int, kernels: str = "", parameter: str | None = None) -> Key:
    return Key(name, 0, 1, "flag", kernels=kernels, default=default, parameter=parameter)


_GRE = "with CONFIG_NF_CT_PROTO_GRE"
_SCTP = "with CONFIG_NF_CT_PROTO_SCTP"
_DCCP = "Linux up to 6.16 with CONFIG_NF_CT_PROTO_DCCP"

_CATALOGUE: list[Key] = [
    Key(MAX, 1, INT_MAX, "entries", scope="host"),
    Key(BUCKETS, 1, INT_MAX, "buckets", scope="host"),
    Key("nf_conntrack_expect_max", 1, INT_MAX, "entries", scope="host"),
    Key("nf_conntrack_log_invalid", 0, 255, "protocol", default=0),
    # 1 before Linux 5.19, 2 since.
    Key("nf_conntrack_events", 0, 2, "mode"),
    Key("nf_conntrack_tcp_max_retrans", 0, 255, "packets", default=3),
    _flag("nf_conntrack_acct", 0, parameter="acct"),
    _flag("nf_conntrack_checksum", 1),
    _flag("nf_conntrack_timestamp", 0, parameter="tstamp"),
    _flag("nf_conntrack_tcp_be_liberal", 0),
    _flag("nf_conntrack_tcp_loose", 1),
    _flag("nf_conntrack_tcp_ignore_invalid_rst", 0, "Linux 5.14 and later"),
    _flag("nf_conntrack_helper", 0, "Linux up to 5.19", parameter="nf_conntrack_helper"),
    _flag("nf_conntrack_dccp_loose", 1, _DCCP),
    # 180 on Linux 4.18 and 4.19.
    Key(_UDP_STREAM, 1, TIMEOUT_MAX, "seconds", timeout="udp_stream", default=120, default_since=(5, 10)),
]
_CATALOGUE += _timeouts(
    {
        "nf_conntrack_generic_timeout": 600,
        "nf_conntrack_icmp_timeout": 30,
        "nf_conntrack_icmpv6_timeout": 30,
        "nf_conntrack_tcp_timeout_close": 10,
        "nf_conntrack_tcp_timeout_close_wait": 60,
        "nf_conntrack_tcp_timeout_established": 432000,
        "nf_conntrack_tcp_timeout_fin_wait": 120,
        "nf_conntrack_tcp_timeout_last_ack": 30,
        "nf_conntrack_tcp_timeout_max_retrans": 300,
        "nf_conntrack_tcp_timeout_syn_recv": 60,
        "nf_conntrack_tcp_timeout_syn_sent": 120,
        "nf_conntrack_tcp_timeout_time_wait": 120,
        "nf_conntrack_tcp_timeout_unacknowledged": 300,
        "nf_conntrack_udp_timeout": 30,
    }
)
_CATALOGUE += _timeouts({"nf_conntrack_gre_timeout": 30, "nf_conntrack_gre_timeout_stream": 180}, _GRE)
_CATALOGUE += _timeouts(
    {
        "nf_conntrack_sctp_timeout_closed": 10,
        "nf_conntrack_sctp_timeout_cookie_echoed": 3,
        "nf_conntrack_sctp_timeout_cookie_wait": 3,
        # These three are others on Linux 4.18 than on 5.10.
        "nf_conntrack_sctp_timeout_established": None,
        "nf_conntrack_sctp_timeout_shutdown_recd": None,
        "nf_conntrack_sctp_timeout_shutdown_sent": None,
        "nf_conntrack_sctp_timeout_heartbeat_sent": 30,
        "nf_conntrack_sctp_timeout_shutdown_ack_sent": 3,
    },
    _SCTP,
)
_CATALOGUE += _timeouts(
    {"nf_conntrack_sctp_timeout_heartbeat_acked": 210}, "Linux up to 6.1 with CONFIG_NF_CT_PROTO_SCTP"
)
_CATALOGUE += _timeouts(
    {
        "nf_conntrack_dccp_timeout_closereq": 64,
        "nf_conntrack_dccp_timeout_closing": 64,
        "nf_conntrack_dccp_timeout_open": 43200,
        "nf_conntrack_dccp_timeout_partopen": 480,
        "nf_conntrack_dccp_timeout_request": 240,
        "nf_conntrack_dccp_timeout_respond": 480,
        "nf_conntrack_dccp_timeout_timewait": 240,
    },
    _DCCP,
)
_CATALOGUE += _timeouts({"nf_flowtable_tcp_timeout": 30, "nf_flowtable_udp_timeout": 30}, "with CONFIG_NF_FLOW_TABLE")

#: Every key by its name.
KEYS: dict[str, Key] = {key.name: key for key in sorted(_CATALOGUE, key=lambda key: key.name)}

#: Every timeout by its short name.
TIMEOUTS: dict[str, Key] = {key.timeout: key for key in KEYS.values() if key.timeout is not None}
