# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What conntrack_facts returns.

Nothing here writes, runs a command or opens a netlink socket: a ctnetlink or sock_diag request loads kernel modules,
and a host without connection tracking must stay without it. Files under /proc and /sys load nothing when read.
"""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError, InvalidInput
from ansible_collections.netops.conntrack.plugins.module_utils._keys import (
    BUCKETS,
    COUNT,
    DIRECTORY,
    MAX,
    is_conntrack,
    timeout_name,
)

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._boot.writers import Found
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

Facts = t.Dict[str, t.Any]

_T = t.TypeVar("_T")

_ALL = "all"


class _Reader:
    """Reads a host and goes on where something cannot be read.

    :ivar unreadable: what could not be read so far, as reason by path.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.unreadable: dict[str, str] = {}
        self._writers: Found | None = None

    def writers(self) -> Found:
        """What else than the boot's own files sets keys, searched for once."""
        from ansible_collections.netops.conntrack.plugins.module_utils._boot import writers

        if self._writers is None:
            self._writers = writers.find(self.host)
            self.unreadable.update({**self._writers.unreadable, **self._writers.left_out})
        return self._writers

    def attempt(self, read: t.Callable[[], _T]) -> _T | None:
        """What ``read`` returns, or None when the host refuses."""
        try:
            return read()
        except HostError as error:
            self.unreadable[error.path] = error.reason
            return None

    def value(self, path: str) -> str | None:
        """The text of a kernel file; None when it is missing or cannot be read."""
        return self.attempt(lambda: self.host.read_value(path))

    def number(self, key: str) -> int | None:
        """The number in a key of net.netfilter; None when it is missing, cannot be read or is no number."""
        return self.attempt(lambda: self.host.read_number(f"{DIRECTORY}/{key}"))

    def key_names(self) -> list[str]:
        """The names of every key of connection tracking that this kernel has."""
        names = self.attempt(lambda: self.host.names(DIRECTORY)) or []
        return [name for name in names if is_conntrack(name)]


def _table(reader: _Reader) -> Facts:
    entries, limit, buckets = reader.number(COUNT), reader.number(MAX), reader.number(BUCKETS)
    return {
        "entries": entries,
        "max": limit,
        "usage_percent": round(100 * entries / limit, 2) if entries is not None and limit else None,
        "buckets": buckets,
        "entries_per_bucket": round(limit / buckets, 2) if limit is not None and buckets else None,
    }


def _timeouts(reader: _Reader) -> Facts:
    names = ((timeout_name(key), key) for key in reader.key_names())
    return {"timeouts": {name: reader.number(key) for name, key in names if name is not None}}


def _settings(reader: _Reader) -> Facts:
    others = [key for key in reader.key_names() if key not in (COUNT, MAX, BUCKETS) and timeout_name(key) is None]
    return {"settings": {key: reader.number(key) for key in others}}


def _statistics(reader: _Reader) -> Facts:
    from ansible_collections.netops.conntrack.plugins.module_utils._facts import statistics

    return {"statistics": reader.attempt(lambda: statistics.parse_statistics(reader.host.lines(statistics.PATH)))}


def _sockets(reader: _Reader) -> Facts:
    from ansible_collections.netops.conntrack.plugins.module_utils._facts import sockets

    def count(path: str) -> dict[str, int] | None:
        return reader.attempt(lambda: sockets.count_states(reader.host.lines(path)))

    return {"sockets": {family: count(path) for family, path in sockets.PATHS.items()}}


def _logging(reader: _Reader) -> Facts:
    from ansible_collections.netops.conntrack.plugins.module_utils._facts import nf_log

    numbers = reader.attempt(lambda: reader.host.names(nf_log.DIRECTORY)) or []
    loggers = nf_log.name_loggers({number: reader.value(f"{nf_log.DIRECTORY}/{number}") for number in numbers})
    return {"logging": {"log_invalid": reader.number("nf_conntrack_log_invalid"), "loggers": loggers}}


def _modules(reader: _Reader) -> Facts:
    from ansible_collections.netops.conntrack.plugins.module_utils import _kmod as kmod
    from ansible_collections.netops.conntrack.plugins.module_utils._config import drop_ins, modprobe_d

    loaded = reader.attempt(lambda: kmod.parse_modules(reader.host.lines(kmod.PATH)))
    modprobe_files = reader.attempt(lambda: drop_ins.read(reader.host, modprobe_d.KIND, modprobe_d.READING))
    return {
        "modules": {
            name: {
                "size": module.size,
                "refcount": module.refcount,
                "holders": list(module.holders),
                "pins": None if module.refcount is None else module.pins,
            }
            for name, module in kmod.related(loaded or {}).items()
        },
        "blocked": None if modprobe_files is None else modprobe_d.blocked(modprobe_files),
        "nat_in_use": reader.attempt(lambda: _nat_in_use(reader.host, loaded)),
        "needed_by": _needed_by(reader),
    }


def _needed_by(reader: _Reader) -> list[dict[str, t.Any]] | None:
    """What the services that the boot starts need; None where that could not be looked for."""
    from ansible_collections.netops.conntrack.plugins.module_utils._boot import needs

    found = reader.attempt(lambda: needs.find(reader.host, reader.unreadable))
    return None if found is None else [need.result() for need in found]


#: What the modules that rules and chains of NAT need are called.
_NETFILTER = ("nf_", "ip_nat", "nft_", "xt_", "ipt_", "ip6t_", "iptable_", "ip6table_")


def _nat_in_use(host: Host, loaded: t.Mapping[str, t.Any] | None) -> bool | None:
    """Whether a rule or a chain, in any network namespace, needs NAT; None where the kernel does not tell."""
    from ansible_collections.netops.conntrack.plugins.module_utils import _kmod as kmod

    if loaded is None:
        return None
    nat = [loaded[name] for name in kmod.holders_of(loaded, kmod.NAT_ROOTS)]
    is_counted = all(module.refcount is not None for module in nat)
    if not is_counted or (not nat and kmod.nat_is_built_in(host, loaded)):
        return None
    pinned = [module.name for module in nat if module.pins]
    # Open vSwitch and tc's act_ct hold NAT and have references of their own, whether they translate or not.
    return any(name.startswith(_NETFILTER) for name in pinned) or (None if pinned else False)


def _persistent(reader: _Reader) -> Facts:
    from ansible_collections.netops.conntrack.plugins.module_utils._facts import persistent

    found = reader.attempt(lambda: persistent.gather(reader.host, reader.attempt, reader.writers()))
    return found or {"persistent": None, "drift": None}


def _writers(reader: _Reader) -> Facts:
    return {"writers": [writer.told() for writer in reader.writers().writers]}


_GATHERERS: dict[str, t.Callable[[_Reader], Facts]] = {
    "table": _table,
    "timeouts": _timeouts,
    "settings": _settings,
    "statistics": _statistics,
    "sockets": _sockets,
    "logging": _logging,
    "modules": _modules,
    "persistent": _persistent,
    "writers": _writers,
}

#: The names of every part that can be picked.
SUBSETS = tuple(_GATHERERS)


def select(gather_subset: t.Iterable[str]) -> set[str]:
    """The parts that a ``gather_subset`` picks.

    ``all`` is every part and so is naming none; ``!name`` leaves one out; ``!all`` leaves out what is not named.

    :raises InvalidInput: for a name that is no part.
    """
    named: set[str] = set()
    left_out: set[str] = set()
    for item in gather_subset:
        name = item[1:] if item.startswith("!") else item
        if name != _ALL and name not in _GATHERERS:
            allowed = ", ".join((_ALL, *SUBSETS))
            raise InvalidInput(
                f"gather_subset: there is no '{item}'; allowed are {allowed}, and each with '!' in front to leave it out"
            )
        (left_out if item.startswith("!") else named).add(name)
    if _ALL in named or not (named or _ALL in left_out):
        named.update(_GATHERERS)
    return {name for name in named if name in _GATHERERS} - left_out


def gather(host: Host, subsets: t.Collection[str]) -> Facts:
    """The parts named in ``subsets`` and what is always told: state, namespace, kernel and what is unreadable."""
    reader = _Reader(host)
    facts: Facts = {
        "state": reader.attempt(lambda: _kernel.presence(host)),
        "initial_namespace": _kernel.in_initial_namespace(host),
        "kernel": reader.attempt(lambda: _kernel.release(host)),
    }
    for name, gatherer in _GATHERERS.items():
        if name in subsets:
            facts.update(gatherer(reader))
    facts["unreadable"] = [{"path": path, "reason": reason} for path, reason in sorted(reader.unreadable.items())]
    return facts
