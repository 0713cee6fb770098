# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalogue of connection tracking keys below ``net.netfilter``.

Sources: Documentation/networking/nf_conntrack-sysctl.rst and net/netfilter/nf_conntrack_standalone.c of Linux,
checked against the keys that Linux 5.10, 6.1, 6.12, 6.18 and 7.2 really have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DIRECTORY = "/proc/sys/net/netfilter"

INT_MAX = 2**31 - 1

#: Seconds. The kernel multiplies a timeout by HZ (at most 1000) into an int, and takes -1 and 0 without complaint.
TIMEOUT_MAX = INT_MAX // 1000

MAX = "nf_conntrack_max"
BUCKETS = "nf_conntrack_buckets"
COUNT = "nf_conntrack_count"


@dataclass(frozen=True)
class Key:
    """One kernel key.

    :ivar name: file name below ``/proc/sys/net/netfilter``.
    :ivar minimum: smallest value that is allowed here, which may be narrower than what the kernel takes.
    :ivar maximum: largest value that is allowed here.
    :ivar unit: what one is: ``entries``, ``buckets``, ``seconds``, ``packets``, ``flag``, ``protocol`` or ``mode``.
    :ivar scope: ``host`` when only the initial network namespace can write it, else ``namespace``.
    :ivar timeout: short name of a timeout, as in ``timeouts: {tcp_established: 86400}``; None for other keys.
    :ivar kernels: which kernels have it, in words; empty when all that are supported have it.
    """

    name: str
    minimum: int
    maximum: int
    unit: str
    scope: str = "namespace"
    timeout: str | None = None
    kernels: str = ""

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


#: Shapes of a timeout's name. ``nf_conntrack_tcp_timeout_established``, ``nf_conntrack_udp_timeout``,
#: ``nf_conntrack_udp_timeout_stream`` and ``nf_flowtable_tcp_timeout``.
_TIMEOUT = re.compile(r"nf_(?P<table>conntrack|flowtable)_(?P<protocol>[a-z0-9]+)_timeout(?:_(?P<state>[a-z0-9_]+))?")


def timeout_name(key: str) -> str | None:
    """The short name of a timeout key, also for keys this catalogue does not know; None when it is no timeout."""
    match = _TIMEOUT.fullmatch(key)
    if match is None or match.group("protocol") == "frag6":
        return None
    parts = ["flowtable"] if match.group("table") == "flowtable" else []
    parts.append(match.group("protocol"))
    if match.group("state"):
        parts.append(match.group("state"))
    return "_".join(parts)


def is_conntrack(name: str) -> bool:
    """Whether a name below ``net.netfilter`` is connection tracking's own; frag6 keys are nf_defrag_ipv6's."""
    return name.startswith(("nf_conntrack_", "nf_flowtable_")) and not name.startswith("nf_conntrack_frag6_")


def _timeouts(names: str, kernels: str = "") -> list[Key]:
    return [Key(name, 1, TIMEOUT_MAX, "seconds", timeout=timeout_name(name), kernels=kernels) for name in names.split()]


def _flags(names: str, kernels: str = "") -> list[Key]:
    return [Key(name, 0, 1, "flag", kernels=kernels) for name in names.split()]


_CATALOGUE: list[Key] = [
    Key(MAX, 1, INT_MAX, "entries", scope="host"),
    Key(BUCKETS, 1, INT_MAX, "buckets", scope="host"),
    Key("nf_conntrack_expect_max", 1, INT_MAX, "entries", scope="host"),
    Key("nf_conntrack_log_invalid", 0, 255, "protocol"),
    Key("nf_conntrack_events", 0, 2, "mode"),
    Key("nf_conntrack_tcp_max_retrans", 0, 255, "packets"),
]
_CATALOGUE += _flags(
    "nf_conntrack_acct nf_conntrack_checksum nf_conntrack_timestamp nf_conntrack_tcp_be_liberal nf_conntrack_tcp_loose"
)
_CATALOGUE += _flags("nf_conntrack_tcp_ignore_invalid_rst", "Linux 5.14 and later")
_CATALOGUE += _flags("nf_conntrack_helper", "Linux up to 5.19")
_CATALOGUE += _flags("nf_conntrack_dccp_loose", "Linux up to 6.16 with CONFIG_NF_CT_PROTO_DCCP")
_CATALOGUE += _timeouts(
    "nf_conntrack_generic_timeout nf_conntrack_icmp_timeout nf_conntrack_icmpv6_timeout"
    " nf_conntrack_tcp_timeout_close nf_conntrack_tcp_timeout_close_wait nf_conntrack_tcp_timeout_established"
    " nf_conntrack_tcp_timeout_fin_wait nf_conntrack_tcp_timeout_last_ack nf_conntrack_tcp_timeout_max_retrans"
    " nf_conntrack_tcp_timeout_syn_recv nf_conntrack_tcp_timeout_syn_sent nf_conntrack_tcp_timeout_time_wait"
    " nf_conntrack_tcp_timeout_unacknowledged nf_conntrack_udp_timeout nf_conntrack_udp_timeout_stream"
)
_CATALOGUE += _timeouts("nf_conntrack_gre_timeout nf_conntrack_gre_timeout_stream", "with CONFIG_NF_CT_PROTO_GRE")
_CATALOGUE += _timeouts(
    "nf_conntrack_sctp_timeout_closed nf_conntrack_sctp_timeout_cookie_echoed nf_conntrack_sctp_timeout_cookie_wait"
    " nf_conntrack_sctp_timeout_established nf_conntrack_sctp_timeout_heartbeat_sent"
    " nf_conntrack_sctp_timeout_shutdown_ack_sent nf_conntrack_sctp_timeout_shutdown_recd"
    " nf_conntrack_sctp_timeout_shutdown_sent",
    "with CONFIG_NF_CT_PROTO_SCTP",
)
_CATALOGUE += _timeouts("nf_conntrack_sctp_timeout_heartbeat_acked", "Linux up to 6.1 with CONFIG_NF_CT_PROTO_SCTP")
_CATALOGUE += _timeouts(
    "nf_conntrack_dccp_timeout_closereq nf_conntrack_dccp_timeout_closing nf_conntrack_dccp_timeout_open"
    " nf_conntrack_dccp_timeout_partopen nf_conntrack_dccp_timeout_request nf_conntrack_dccp_timeout_respond"
    " nf_conntrack_dccp_timeout_timewait",
    "Linux up to 6.16 with CONFIG_NF_CT_PROTO_DCCP",
)
_CATALOGUE += _timeouts("nf_flowtable_tcp_timeout nf_flowtable_udp_timeout", "with CONFIG_NF_FLOW_TABLE")

#: Every key by its name.
KEYS: dict[str, Key] = {key.name: key for key in sorted(_CATALOGUE, key=lambda key: key.name)}

#: Every timeout by its short name.
TIMEOUTS: dict[str, Key] = {key.timeout: key for key in KEYS.values() if key.timeout is not None}
