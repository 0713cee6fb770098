# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What services need of NAT and connection tracking when they start, told from their files before they do.

A stopped service pins nothing, but one that is enabled starts at the next boot. Where what it loads can be read, the
need is certain and has a line; where only the name is known, it is said to be possible.
"""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._boot import services, units
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._kmod import CONNTRACK, NAT
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._boot.services import Evidence, Files
    from ansible_collections.netops.conntrack.plugins.module_utils._boot.units import Service
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host


#: The stacks as messages name them.
NAMES = {NAT: "NAT", CONNTRACK: "connection tracking"}


class Need(Record):
    """What a service needs when it starts.

    :ivar unit: the service, as its manager calls it.
    :ivar stack: ``nat`` or ``conntrack``. What needs NAT needs connection tracking, and has a need of each.
    :ivar file: where that stands: a rule, a setting; else what has the service started.
    :ivar line: the line of the file; None where it is about the whole file.
    :ivar reason: why, in words; for a rule its text.
    :ivar certain: whether it is known; False where it is no more than possible.
    :ivar remedy: what keeps the service from coming back.
    """

    unit: str
    stack: str
    file: str
    line: int | None
    reason: str
    certain: bool
    remedy: str

    def result(self) -> dict[str, t.Any]:
        """As users see it in ``needed_by``."""
        return dict(self._asdict(), message=self.message)

    @property
    def place(self) -> str:
        """The file, and the line where it has one."""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    @property
    def message(self) -> str:
        """All of it in one sentence."""
        needs = "needs" if self.certain else "possibly needs"
        return f"{self.unit} {needs} {NAMES[self.stack]} when it starts: {self.place} ({self.reason})"


def find(host: Host, unreadable: dict[str, str]) -> list[Need]:
    """What the services that a boot starts need, each once a stack, and conntrackd where it runs.

    Reads files only, starts nothing.

    :param unreadable: takes what could not be read, the reason by path.
    """
    files = services.Files(host, unreadable)
    found: list[Need] = []
    told: set[tuple[str, str, int | None, str]] = set()
    started = units.find(host, files.attempt)
    for service in [*started, *_by_themselves(files, started)]:
        for need in _of_service(files, service):
            evidence = (need.stack, need.file, need.line, need.reason)
            if evidence not in told:
                told.add(evidence)
                found.append(need)
    return found


def of_stack(needs: t.Iterable[Need], stack: str) -> list[Need]:
    """The needs that go unmet without a stack, one a service."""
    found: dict[str, Need] = {}
    for need in needs:
        if need.stack == stack and need.unit not in found:
            found[need.unit] = need
    return list(found.values())


#: More than these are counted only; all are in ``needed_by``.
_SHOWN = 12


def describe(needs: t.Sequence[Need]) -> str:
    """The needs in plain words."""
    parts = [f"{need.unit}{'' if need.certain else ', possibly'} ({need.place}: {need.reason})" for need in needs]
    more = len(parts) - _SHOWN
    return "; ".join(parts[:_SHOWN]) + (f"; and {more} more (see needed_by)" if more > 0 else "")


def remedies(needs: t.Sequence[Need]) -> str:
    """What to do about the needs, each thing once."""
    return "; ".join(list(dict.fromkeys(need.remedy for need in needs))[:_SHOWN])


def _of_service(files: Files, service: Service) -> list[Need]:
    evidences = list(services.reader(service)(services.Look(files, service)))
    remedy = _remedy(service, evidences)
    found: dict[str, Evidence] = {}
    for stack in (NAT, CONNTRACK):
        candidates = [one for one in evidences if stack in (one.stack, CONNTRACK)]
        candidates.sort(key=lambda one: (not one.certain, one.stack != stack))
        if candidates:
            found[stack] = candidates[0]
    return [
        Need(service.name, stack, one.file, one.line, one.reason, one.certain, remedy) for stack, one in found.items()
    ]


#: How other managers than systemd are told to leave a service out.
_DISABLE = {units.OPENRC: "rc-update delete {0}", units.SYSV: "update-rc.d {0} disable"}


def _remedy(service: Service, evidences: t.Sequence[Evidence]) -> str:
    if service.base in services.KEPT and evidences:
        return f"remove the line from {evidences[0].file}"
    if services.reader(service) is services.READERS["waagent"]:
        return "set OS.EnableFirewall=n in /etc/waagent.conf"  # without its agent a host of Azure is not to be managed
    if service.manager in _DISABLE:
        return _DISABLE[service.manager].format(service.name)
    disable = f"systemctl disable --now {' '.join(service.enabled)}"
    if service.base == "ufw":
        return f"ufw disable, then {disable}"
    rules = {one.file for one in evidences if one.line is not None and one.file.startswith("/etc/")}
    if service.base in services.RULES and rules:
        return f"remove the lines from {' and '.join(sorted(rules))}, or {disable}"
    return disable


# --- what no link starts


def _by_themselves(files: Files, started: t.Sequence[Service]) -> list[Service]:
    """rc.local, which a boot runs where it is executable; and conntrackd where somebody started it."""
    names = {service.base for service in started}
    found = []
    scripts = [] if "rc-local" in names or "rc.local" in names else services.rc_locals(files)
    for path in scripts[:1]:
        manager = units.manager_of(files.host)
        name = "rc-local.service" if manager == units.SYSTEMD else "rc.local"
        found.append(units.Service(name, manager, path, path, (name,)))
    if "conntrackd" not in names:
        pid = _pid_of(files.host, "conntrackd")
        if pid is not None:
            name = "conntrackd.service"
            found.append(units.Service(name, units.SYSTEMD, f"/proc/{pid}/comm", f"/proc/{pid}/comm", (name,)))
    return found


def _pid_of(host: Host, comm: str) -> str | None:
    """The process of a program, looked for only where that is installed."""
    if not any(host.is_file(f"{directory}/{comm}") for directory in ("/usr/sbin", "/usr/local/sbin", "/sbin")):
        return None
    for pid in host.names("/proc"):
        try:
            if pid.isdigit() and host.read_value(f"/proc/{pid}/comm") == comm:
                return pid
        except HostError:
            continue  # it ended meanwhile
    return None
