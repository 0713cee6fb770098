# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever sets keys of connection tracking beside the files that the boot reads for that, and what it disagrees with.

Files are read and nothing else: no program is started, no socket opened.
"""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._kernel import COMMAND_LINE
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, KEYS
from ansible_collections.netops.conntrack.plugins.module_utils._own_files import SYSCTL_FILE
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record
from ansible_collections.netops.conntrack.plugins.module_utils._writers import places
from ansible_collections.netops.conntrack.plugins.module_utils._writers.files import Files

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._boot.at_load import Applier
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
    from ansible_collections.netops.conntrack.plugins.module_utils._writers.files import Limits
    from ansible_collections.netops.conntrack.plugins.module_utils._writers.writer import Writer

_T = t.TypeVar("_T")

_IsStarted = t.Callable[[str], t.Optional[bool]]

#: Hosts with none of these are no nodes of Kubernetes.
_KUBERNETES = (
    "/etc/kubernetes",
    "/var/lib/kubelet",
    "/var/lib/kube-proxy",
    "/etc/rancher",
    "/var/snap/microk8s",
)

#: Where systemd finds credentials, encrypted ones too.
_CREDENTIALS = (
    "/run/credentials/@system",
    "/etc/credstore",
    "/run/credstore",
    "/usr/local/lib/credstore",
    "/usr/lib/credstore",
    "/etc/credstore.encrypted",
    "/run/credstore.encrypted",
)


class Found(Record):
    """What was found.

    :ivar writers: all that sets a key, programs first.
    :ivar unreadable: reason by path of what could not be read.
    :ivar left_out: reason by path of what was not searched, because there is so much of it.
    """

    writers: t.Sequence[Writer]
    unreadable: t.Mapping[str, str]
    left_out: t.Mapping[str, str]


def find(host: Host, limits: Limits | None = None) -> Found:
    """Search a host for all that sets keys of connection tracking.

    It goes on where something cannot be read.

    :param limits: how much is searched; by default many times what a large host has.
    """
    files = Files(host, limits)
    starts = _Starts(host)
    writers = [
        writer
        for name, read in (*_PROGRAMS, ("scripts and units", _scripts))
        for writer in files.attempt(name, read, files, starts.is_started)
    ]
    return Found(list(dict.fromkeys(writers)), files.unreadable, files.left_out)


# What programs set whose rules are known. Each is loaded where its own files are there.


def _ufw(files: Files, is_started: _IsStarted) -> t.Iterator[Writer]:
    if files.host.exists("/etc/ufw/ufw.conf"):
        from ansible_collections.netops.conntrack.plugins.module_utils._writers import ufw

        yield from ufw.find(files, is_started)


def _tuned(files: Files, is_started: _IsStarted) -> t.Iterator[Writer]:
    if files.host.exists("/etc/tuned/active_profile"):
        from ansible_collections.netops.conntrack.plugins.module_utils._writers import tuned

        yield from tuned.find(files, is_started)


def _kube_proxy(files: Files, _is_started: _IsStarted) -> t.Iterator[Writer]:
    if any(files.host.exists(path) for path in _KUBERNETES):
        from ansible_collections.netops.conntrack.plugins.module_utils._writers import kube_proxy

        yield from kube_proxy.find(files)


def _pve_firewall(files: Files, _is_started: _IsStarted) -> t.Iterator[Writer]:
    if files.host.exists("/etc/pve"):
        from ansible_collections.netops.conntrack.plugins.module_utils._writers import pve_firewall

        yield from pve_firewall.find(files)


def _iptables_services(files: Files, is_started: _IsStarted) -> t.Iterator[Writer]:
    if any(files.host.exists(f"/etc/sysconfig/{name}-config") for name in ("iptables", "ip6tables")):
        from ansible_collections.netops.conntrack.plugins.module_utils._writers import iptables_services

        yield from iptables_services.find(files, is_started)


def _kernel_start(files: Files, _is_started: _IsStarted) -> t.Iterator[Writer]:
    command_line = files.text(COMMAND_LINE)
    is_named = command_line is not None and ("nf_" in command_line.text or "nf-" in command_line.text)
    if is_named or any("sysctl.extra" in files.names(store) for store in _CREDENTIALS):
        from ansible_collections.netops.conntrack.plugins.module_utils._writers import kernel_start

        yield from kernel_start.find(files)


_PROGRAMS = (
    ("ufw", _ufw),
    ("tuned", _tuned),
    ("kube-proxy", _kube_proxy),
    ("pve-firewall", _pve_firewall),
    ("iptables-services", _iptables_services),
    ("kernel command line and credentials", _kernel_start),
)


def _scripts(files: Files, is_started: _IsStarted) -> t.Iterator[Writer]:
    found = places.candidates(files)
    if found:
        from ansible_collections.netops.conntrack.plugins.module_utils._writers import scripts

        yield from scripts.find(files, found, is_started, _AtLoad(files.host).is_resolved)


class _AtLoad:
    """What a boot is known to set at each load of nf_conntrack.

    It is looked up once a line of modprobe.d or udev sets a key.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._appliers: tuple[Applier, ...] | None = None

    def is_resolved(self, place: str, key: str) -> bool:
        """Whether what a line, as ``path:line``, sets a key to is among that."""
        if self._appliers is None:
            self._appliers = self._find()
        names = (f"net.netfilter.{key}", *(KEYS[key].aliases if key in KEYS else ()))
        return any(applier.place == place and applier.writes(*names) for applier in self._appliers)

    def _find(self) -> tuple[Applier, ...]:
        from ansible_collections.netops.conntrack.plugins.module_utils._boot import at_load
        from ansible_collections.netops.conntrack.plugins.module_utils._config import drop_ins, modprobe_d

        try:
            return at_load.find(self._host, drop_ins.read(self._host, modprobe_d.KIND, modprobe_d.READING), "").found
        except HostError:
            return ()  # then all of it is told


class _Starts:
    """Which units a boot starts.

    They are looked up once something depends on it, because many files have to be read for that.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._names: frozenset[str] | None = None

    def is_started(self, unit: str) -> bool | None:
        """Whether the boot starts a unit, or what triggers it; None where that is not known."""
        if self._names is None:
            from ansible_collections.netops.conntrack.plugins.module_utils._boot import units as boot_units

            services = boot_units.find(self._host, self._attempt)
            self._names = frozenset(_known(name) for service in services for name in (service.name, *service.enabled))
        return _known(unit) in self._names if self._names else None

    def _attempt(self, read: t.Callable[..., _T], *arguments: t.Any) -> _T | None:
        try:
            return read(*arguments)
        except HostError:
            # What cannot be read may name further units, and those then count as not started.
            return None


def _known(unit: str) -> str:
    """A unit's name without its instance, and that of an init script as systemd calls it."""
    name, dot, kind = unit.rpartition(".")
    return f"{(name if dot else unit).partition('@')[0]}.{kind if dot else 'service'}"


def disagreeing(found: Found, values: t.Mapping[str, int], buckets_per_page: int) -> list[Writer]:
    """The writers that set another value than these by themselves.

    :param values: value by key, a hashsize as ``nf_conntrack_buckets``.
    :param buckets_per_page: what the kernel rounds a number of buckets up to.
    """
    return [
        writer
        for writer in found.writers
        if writer.by_itself and writer.key in values and writer.sets_another(values[writer.key or ""], buckets_per_page)
    ]


def against(host: Host, wanted: t.Mapping[str, int], sysctl_file: str | None = SYSCTL_FILE) -> dict[str, list[t.Any]]:
    """``writers`` and ``unsearched`` of a run that set these values; nothing is searched for where there are none.

    :param wanted: value by key, a hashsize as ``nf_conntrack_buckets``.
    :param sysctl_file: where those that are sysctls stand for the next boot; None where they are set live alone.
    """
    if not wanted:
        return {"writers": [], "unsearched": []}
    found = find(host)
    # What yields does so to these lines alone; a hashsize stands in modprobe.d.
    wins = sysctl_file is not None and sysctl_file.startswith("/etc/sysctl.d/")
    told = [
        writer.told(f", and not to {wanted[writer.key or '']} as asked for")
        for writer in disagreeing(found, wanted, host.page_size // host.pointer_bytes)
        if not (writer.yields and wins and writer.key != BUCKETS)
    ]
    # Who is not root can change nothing, and would hear of the same few directories each time.
    unsearched = {**found.left_out, **(found.unreadable if host.is_root else {})}
    return {"writers": told, "unsearched": [f"{path}: {reason}" for path, reason in sorted(unsearched.items())]}
