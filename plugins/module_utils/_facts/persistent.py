# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the next boot will set. What differs from that is looked for, and told, where not all is in order."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._boot import outcome
from ansible_collections.netops.conntrack.plugins.module_utils._boot import writers as boot_writers
from ansible_collections.netops.conntrack.plugins.module_utils._config import modprobe_d, sysctl_names, systemd_sysctl
from ansible_collections.netops.conntrack.plugins.module_utils._facts import boot
from ansible_collections.netops.conntrack.plugins.module_utils._keys import DIRECTORY

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import Origin
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host


def gather(
    host: Host, attempt: boot.Attempt = lambda read: read(), writers: boot_writers.Found | None = None
) -> dict[str, t.Any]:
    """``persistent`` and ``drift`` of the facts, and what is in the way of knowing a boot and of a load.

    :param attempt: reads what the boot does not depend on; may give None where that cannot be read.
    :param writers: what else sets the keys; None to search for it.
    :raises HostError: what the boot depends on cannot be read.
    """
    observed = boot.observe(host, attempt)
    lines, by_option, at_load = boot.lines(observed), boot.by_option(observed), boot.at_load(observed)
    by_load = {**by_option, **{name: origins[-1] for name, origins in at_load.items()}}
    races, lost = {}, {}
    if observed.is_there_first:
        origins = certain = {**by_load, **lines}
    else:
        # The load comes after the lines, and undoes those that nothing applies again.
        lost = {name: origin for name, origin in lines.items() if name not in at_load}
        origins = {**lost, **by_load}
        races = {name: two for name, two in at_load.items() if len({outcome.number(origin) for origin in two}) > 1}
        certain = {name: origin for name, origin in by_load.items() if name not in races}
    live = {name: host.read_number(f"{DIRECTORY}/{name}") for name in origins}
    persistent = {
        name: {"boot": boot.number(observed, name, origin), "file": origin.path, "line": origin.number}
        for name, origin in sorted(origins.items())
    }
    found = boot_writers.find(host) if writers is None else writers
    differs = races or lost or found.writers or any(live[name] not in (None, persistent[name]["boot"]) for name in live)
    drift: list[dict[str, t.Any]] = []
    if differs or not _is_in_order(observed, origins):
        from ansible_collections.netops.conntrack.plugins.module_utils._facts import drift as drifts

        drift = drifts.find(observed, certain, races, lost, persistent, live, found)
    return {
        "persistent": persistent,
        "persistent_problem": boot.problem_of_boot(observed),
        "load_problem": boot.problem_of_load(observed),
        "drift": drift,
    }


def _is_in_order(observed: boot.Observed, origins: t.Mapping[str, Origin]) -> bool:
    """Whether every line for connection tracking, in all files that there are, is in force by this kernel's names."""
    files = observed.files
    if observed.not_found or files.program.masked or boot.refused(observed):
        return False
    # Debian has a README among them.
    unread = observed.unread[systemd_sysctl.KIND]
    if observed.unread[modprobe_d.KIND] or any(sysctl_names.may_be_meant(conf.text) for conf in unread):
        return False
    # The places of lines are those of systemd-sysctl, which counts others than procps.
    if files.program.values is not systemd_sysctl.BootValues:
        return False
    if observed.names is not None and not observed.names.issuperset(origins):
        return False
    in_force = {(origin.path, origin.number) for origin in origins.values()}
    return all(
        (conf.path, number) in in_force
        for conf in files.sysctl_d.files
        for number, line in enumerate(systemd_sysctl.split_lines(conf.text), 1)
        if sysctl_names.may_be_meant(line) and line.lstrip()[:1] not in ("#", ";")
    )


def unknown(problem: str) -> dict[str, t.Any]:
    """The same where nothing is known, and why."""
    return {"persistent": None, "persistent_problem": problem, "load_problem": None, "drift": None}
