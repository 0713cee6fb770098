# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What conntrack_facts returns.

Nothing here writes, runs a command or has a module loaded: a host without connection tracking must stay without it, and
a request to ctnetlink or sock_diag loads kernel modules. Files under /proc and /sys load nothing when read.
"""

from __future__ import annotations

import errno
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
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

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


def _read_statistics(reader: _Reader) -> dict[str, list[int]] | None:
    from ansible_collections.netops.conntrack.plugins.module_utils._facts import statistics

    columns = reader.attempt(lambda: statistics.parse_columns(reader.host.lines(statistics.PATH)))
    if columns is not None or statistics.PATH in reader.unreadable or reader.number(COUNT) is None:
        return columns
    from ansible_collections.netops.conntrack.plugins.module_utils._facts import netlink_statistics

    return reader.attempt(lambda: netlink_statistics.read(reader.host))


def _statistics(reader: _Reader) -> Facts:
    from ansible_collections.netops.conntrack.plugins.module_utils._facts import statistics

    columns = _read_statistics(reader)
    if columns is None:
        return {"statistics": None}
    return {"statistics": {**statistics.sums(columns), "per_cpu": statistics.counters(columns)}}


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
    blocked = None if modprobe_files is None else modprobe_d.blocked(modprobe_files)
    is_missing = (
        any((blocked or {}).values()) or reader.attempt(lambda: _kernel.presence(reader.host)) == _kernel.ABSENT
    )
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
        "blocked": blocked,
        "nat_in_use": reader.attempt(lambda: _nat_in_use(reader.host, loaded)),
        "needed_by": _needed_by(reader, is_missing),
    }


def _needed_by(reader: _Reader, is_missing: bool) -> list[dict[str, t.Any]] | None:
    """What the services that the boot starts need, where they may miss it; None where that was not looked for."""
    if not is_missing:
        return None
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

    try:
        return persistent.gather(reader.host, reader.attempt, reader.writers())
    except HostError as error:
        reader.unreadable[error.path] = error.reason
        return persistent.unknown(f"{error.path}: {error.reason.lower()}{_remedy(reader.host, error)}")


def _remedy(host: Host, error: HostError) -> str:
    is_denied = error.code in (errno.EACCES, errno.EPERM)
    return "; run with -b to read it" if is_denied and not host.is_root else ""


def _memory(reader: _Reader) -> Facts:
    from ansible_collections.netops.conntrack.plugins.module_utils._facts import memory

    entries, limit, buckets = reader.number(COUNT), reader.number(MAX), reader.number(BUCKETS)
    if entries is None and limit is None:
        return {"memory": None}
    slab = reader.attempt(lambda: memory.read_slab(reader.host))
    host_bytes = reader.attempt(lambda: _kernel.memory_bytes(reader.host))
    return {"memory": memory.tell(slab, entries, limit, buckets, host_bytes, reader.host.pointer_bytes)}


def _kernel_log(reader: _Reader) -> Facts:
    from ansible_collections.netops.conntrack.plugins.module_utils._facts import kernel_log

    host = reader.host
    records = reader.attempt(lambda: host.kernel_log(kernel_log.WANTED))
    inode = kernel_log.namespace_inode(reader.attempt(lambda: host.link(kernel_log.NAMESPACE)))
    return {"kernel_log": kernel_log.parse(records, host.clock(), inode, _kernel.in_initial_namespace(host))}


def _namespaces(reader: _Reader) -> Facts:
    from ansible_collections.netops.conntrack.plugins.module_utils._facts import namespaces

    found, unseen = reader.attempt(lambda: namespaces.gather(reader.host, reader.attempt)) or (None, 0)
    if unseen:
        processes = "1 process" if unseen == 1 else f"{unseen} processes"
        reader.unreadable["/proc/PID/ns/net"] = f"Permission denied, for {processes}"
    return {"namespaces": found}


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
    "memory": _memory,
    "kernel_log": _kernel_log,
    "namespaces": _namespaces,
}

_HEALTH = "health"

#: The names of every part that can be picked.
SUBSETS = (*_GATHERERS, _HEALTH)

#: Parts that are read where they are named alone, because they look at every process.
ON_DEMAND = frozenset({"namespaces"})

#: The most seconds between two readings.
INTERVAL_MAX = 60


class Request(Record):
    """What is asked for.

    :ivar subsets: the parts to return.
    :ivar left_out: parts that are not even to be read for the verdict on health.
    :ivar interval: seconds between two readings; 0 for one alone.
    :ivar usage_warning: percent of the limit from which on the table's usage is a warning.
    :ivar usage_critical: the same for critical.
    """

    subsets: t.AbstractSet[str]
    left_out: t.AbstractSet[str] = frozenset()
    interval: float = 0
    usage_warning: int = 75
    usage_critical: int = 90


def parse(parameters: t.Mapping[str, t.Any]) -> Request:
    """What a user asks for, checked.

    :param parameters: the module's.
    :raises InvalidInput: for what cannot be meant.
    """
    interval, warning, critical = (parameters[name] for name in ("interval", "usage_warning", "usage_critical"))
    # This way round it refuses what is not a number, too.
    if not 0 <= interval <= INTERVAL_MAX:
        raise InvalidInput(f"interval is {interval}, but must be 0 to {INTERVAL_MAX} seconds")
    for name, percent in (("usage_warning", warning), ("usage_critical", critical)):
        if not 1 <= percent <= 100:
            raise InvalidInput(f"{name} is {percent}, but must be 1 to 100 percent of max")
    if warning > critical:
        raise InvalidInput(
            f"usage_warning is {warning} and usage_critical {critical}, but usage_warning must not be the larger one:"
            " lower usage_warning, or raise usage_critical"
        )
    subset = parameters["gather_subset"]
    left_out = {item[1:] for item in subset if item.startswith("!")}
    return Request(select(subset), left_out, interval, warning, critical)


def select(gather_subset: t.Iterable[str]) -> set[str]:
    """The parts that a ``gather_subset`` picks.

    ``all`` is every part but those on demand, and so is naming none; ``!name`` leaves one out; ``!all`` leaves out what
    is not named.

    :raises InvalidInput: for a name that is no part.
    """
    named: set[str] = set()
    left_out: set[str] = set()
    for item in gather_subset:
        name = item[1:] if item.startswith("!") else item
        if name != _ALL and name not in SUBSETS:
            allowed = ", ".join((_ALL, *SUBSETS))
            raise InvalidInput(
                f"gather_subset: there is no '{item}'; allowed are {allowed}, and each with '!' in front to leave it "
                "out"
            )
        (left_out if item.startswith("!") else named).add(name)
    if _ALL in named or not (named or _ALL in left_out):
        named.update(set(SUBSETS) - ON_DEMAND)
    return {name for name in named if name in SUBSETS} - left_out


def gather(host: Host, request: Request) -> Facts:
    """The parts asked for and what is always told: state, namespace, kernel and what is unreadable."""
    reader = _Reader(host)
    facts: Facts = {
        "state": reader.attempt(lambda: _kernel.presence(host)),
        "initial_namespace": _kernel.in_initial_namespace(host),
        "kernel": reader.attempt(lambda: _kernel.release(host)),
    }
    if request.interval:
        facts["rates"] = _rates(reader, request.interval)
    judged: Facts = {}
    for name in _to_read(request):
        found = _GATHERERS[name](reader)
        judged.update(found)
        if name in request.subsets:
            facts.update(found)
    if _HEALTH in request.subsets:
        from ansible_collections.netops.conntrack.plugins.module_utils._facts import health, reason

        limits = reason.Limits(request.usage_warning, request.usage_critical)
        facts["health"] = health.judge({**facts, **judged}, limits)
    facts["unreadable"] = [{"path": path, "reason": reason} for path, reason in sorted(reader.unreadable.items())]
    return facts


def _to_read(request: Request) -> list[str]:
    """The parts to read: those to return, and those that the verdict on health stands on."""
    names = set(request.subsets)
    if _HEALTH in names:
        from ansible_collections.netops.conntrack.plugins.module_utils._facts import health

        names.update(set(health.PARTS) - request.left_out)
    return [name for name in _GATHERERS if name in names]


def _rates(reader: _Reader, interval: float) -> Facts | None:
    """What two readings tell; None where connection tracking is absent."""
    from ansible_collections.netops.conntrack.plugins.module_utils._facts import rates

    def read() -> rates.Reading:
        return rates.Reading(reader.host.clock(), reader.number(COUNT), _read_statistics(reader))

    first = read()
    if first.entries is None and first.counters is None:
        return None
    reader.host.wait(interval)
    return rates.between(first, read(), reader.number(MAX))
