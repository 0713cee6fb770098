# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which well-known service a rule or module is likely to be of, by the names they use. Pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._rules.rule import Rule, without_remarks

#: Names of chains and tables, wherever they stand in a rule. The first that fits wins.
_NAMES = [
    ("kube-proxy", re.compile(r"\bKUBE-|\bkube-proxy\b")),
    ("calico", re.compile(r"\bcali-")),
    ("cilium", re.compile(r"\bCILIUM_")),
    ("docker", re.compile(r"\bDOCKER\b|\bdocker")),
    ("podman", re.compile(r"\bNETAVARK|\bnetavark\b")),
    ("cni", re.compile(r"\bCNI-")),
    (
        "firewalld",
        re.compile(
            r"\bfirewalld\b|\b(filter|nat|mangle|raw)_(PREROUTING|POSTROUTING|INPUT|FORWARD|OUTPUT)\b"
            r"|\b(PRE|POST|IN|FWDI|FWDO|FWD)_\w+_(allow|deny|log|pre|post)\b|\w+_(ZONES|direct)\b"
        ),
    ),
    ("ufw", re.compile(r"\bufw6?-")),
    ("libvirt", re.compile(r"\bLIBVIRT_|\blibvirt_network\b|\bvirbr\d|\bguest_(nat|output|input)\b")),
]

_MODULES = [
    ("ip_vs", re.compile(r"ip_vs.*|xt_ipvs")),
    ("openvswitch", re.compile(r"openvswitch|vport_.*")),
]

#: Names of processes, of which /proc/PID/comm keeps 15 characters.
_PROCESSES = {
    "dockerd": "docker",
    "kube-proxy": "kube-proxy",
    "firewalld": "firewalld",
    "ovs-vswitchd": "openvswitch",
    "libvirtd": "libvirt",
    "virtnetworkd": "libvirt",
    "keepalived": "ip_vs",
}


def of_rule(rule: Rule) -> str | None:
    """The likely owner of a rule."""
    names = f"{rule.table} {rule.chain or ''} {without_remarks(rule.text)}"
    return next((owner for owner, pattern in _NAMES if pattern.search(names)), None)


def of_module(name: str) -> str | None:
    """The likely owner of a module's references."""
    return next((owner for owner, pattern in _MODULES if pattern.fullmatch(name)), None)


def running(comms: t.Iterable[str]) -> list[str]:
    """The services among the names of processes."""
    return sorted({_PROCESSES[comm] for comm in comms if comm in _PROCESSES})
