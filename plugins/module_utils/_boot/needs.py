# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What services need of NAT and connection tracking when they start, told from their files before they do.

A stopped service pins nothing, but one that is enabled starts at the next boot. Where what it loads can be read, the
need is certain and has a line; where only the name is known, it is said to be possible.
"""

from __future__ import annotations

import json
import posixpath
import re
import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel
from ansible_collections.netops.conntrack.plugins.module_utils._boot import units
from ansible_collections.netops.conntrack.plugins.module_utils._config import modules_load_d, wildcards
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._kmod import CONNTRACK, CONNTRACK_ROOTS, NAT, NAT_ROOTS
from ansible_collections.netops.conntrack.plugins.module_utils._rules import saved

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._boot.units import Service
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
    from ansible_collections.netops.conntrack.plugins.module_utils._rules.saved import Found, Line


#: The stacks as messages name them.
NAMES = {NAT: "NAT", CONNTRACK: "connection tracking"}


@dataclass(frozen=True)
class Need:
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
        return dict(asdict(self), message=self.message)

    @property
    def place(self) -> str:
        """The file, and the line where it has one."""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    @property
    def message(self) -> str:
        """All of it in one sentence."""
        needs = "needs" if self.certain else "possibly needs"
        return f"{self.unit} {needs} {NAMES[self.stack]} when it starts: {self.place} ({self.reason})"


@dataclass(frozen=True)
class _Evidence:
    """What tells of a need: of NAT, and so of connection tracking too, or of that alone."""

    stack: str
    file: str
    line: int | None
    reason: str
    certain: bool = True


_Evidences = t.Iterator[_Evidence]


class _Files:
    """The files of a host, each read once.

    :ivar unreadable: why, by path.
    """

    def __init__(self, host: Host, unreadable: dict[str, str]) -> None:
        self.host = host
        self.unreadable = unreadable
        self._texts: dict[str, str | None] = {}

    def attempt(self, read: t.Callable[[], t.Any]) -> t.Any:
        try:
            return read()
        except HostError as error:
            self.unreadable[error.path] = error.reason
            return None

    def text(self, path: str) -> str | None:
        """A file, or None; where it cannot be read, ``unreadable`` has it."""
        if path not in self._texts:
            self._texts[path] = self.attempt(lambda: units.read(self.host, path))
        return self._texts[path]

    def names(self, path: str) -> list[str]:
        return t.cast("list[str]", self.attempt(lambda: self.host.names(path)) or [])

    def matching(self, pattern: str) -> list[str]:
        """The files that a pattern stands for; where it has no wildcard the file itself."""
        if not wildcards.is_pattern(pattern):
            return [pattern]
        directories = [posixpath.dirname(pattern)]
        if wildcards.is_pattern(directories[0]):
            directories = self.matching(directories[0])
        name = posixpath.basename(pattern)
        return [
            f"{directory}/{found}"
            for directory in directories
            for found in self.names(directory)
            if wildcards.matches(name, found) and (name.startswith(".") or not found.startswith("."))
        ]

    def denied(self, path: str) -> _Evidence | None:
        """Why a file cannot tell; None where it can."""
        if path not in self.unreadable:
            return None
        return _Evidence(
            NAT, path, None, f"it cannot be read ({self.unreadable[path]}), and may hold what needs it", False
        )

    def setting(self, path: str, name: str) -> tuple[str, int] | None:
        """The last value of NAME=VALUE in a file that a shell reads, without quotes, and its line."""
        found = None
        for number, raw in enumerate((self.text(path) or "").split("\n"), 1):
            key, equals, value = raw.strip().partition("=")
            if equals and key.strip().replace("export ", "") == name:
                found = value.partition(" #")[0].strip().strip("\"'"), number
        return found


def find(host: Host, unreadable: dict[str, str]) -> list[Need]:
    """What the services that a boot starts need, each once a stack, and conntrackd where it runs.

    Reads files only, starts nothing.

    :param unreadable: takes what could not be read, the reason by path.
    """
    files = _Files(host, unreadable)
    found: list[Need] = []
    told: set[tuple[str, str, int | None, str]] = set()
    services = units.find(host, files.attempt)
    for service in [*services, *_by_themselves(files, services)]:
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
    parts = [
        "{0}{1} ({2}: {3})".format(need.unit, "" if need.certain else ", possibly", need.place, need.reason)
        for need in needs
    ]
    more = len(parts) - _SHOWN
    return "; ".join(parts[:_SHOWN]) + (f"; and {more} more (see needed_by)" if more > 0 else "")


def remedies(needs: t.Sequence[Need]) -> str:
    """What to do about the needs, each thing once."""
    return "; ".join(list(dict.fromkeys(need.remedy for need in needs))[:_SHOWN])


def _of_service(files: _Files, service: Service) -> list[Need]:
    reader = _READERS.get(service.base) or _READERS.get(_family(service.base), _commands)
    evidences = list(reader(files, service))
    remedy = _remedy(service, evidences)
    found: dict[str, _Evidence] = {}
    for stack in (NAT, CONNTRACK):
        candidates = [one for one in evidences if stack in (one.stack, CONNTRACK)]
        candidates.sort(key=lambda one: (not one.certain, one.stack != stack))
        if candidates:
            found[stack] = candidates[0]
    return [
        Need(service.name, stack, one.file, one.line, one.reason, one.certain, remedy) for stack, one in found.items()
    ]


def _remedy(service: Service, evidences: t.Sequence[_Evidence]) -> str:
    if service.manager == units.OPENRC:
        return f"rc-update delete {service.name}"
    if service.manager == units.SYSV:
        return f"update-rc.d {service.name} disable"
    if service.name == _RC_LOCAL:
        return f"take the line out of {evidences[0].file}" if evidences else ""
    disable = "systemctl disable --now {0}".format(" ".join(service.enabled))
    if service.base == "ufw":
        return f"ufw disable, then {disable}"
    rules = {one.file for one in evidences if one.line is not None and one.file.startswith("/etc/")}
    if _RULES.intersection((service.base, _family(service.base))) and rules:
        return "take the lines out of {0}, or {1}".format(" and ".join(sorted(rules)), disable)
    return disable


def _family(base: str) -> str:
    return next((family for family, pattern in _FAMILIES if pattern.fullmatch(base)), base)


# --- evidence


def _lines(path: str, found: Found) -> _Evidences:
    for stack, line in found.items():
        yield _Evidence(stack, path, line.number, line.text)


def _maybe(evidences: _Evidences) -> _Evidences:
    for one in evidences:
        yield _Evidence(one.stack, one.file, one.line, one.reason, False)


def _rules(files: _Files, path: str) -> _Evidences:
    """Of a file for iptables-restore."""
    yield from _lines(path, saved.in_iptables(files.text(path) or ""))
    yield from _denied(files, path)


def _denied(files: _Files, path: str) -> _Evidences:
    denied = files.denied(path)
    if denied is not None:
        yield denied


def _script(files: _Files, path: str) -> _Evidences:
    yield from _maybe(_lines(path, saved.in_script(files.text(path) or "")))
    yield from _denied(files, path)


def _both(file: str, reason: str, certain: bool = True, line: int | None = None) -> _Evidences:
    """Of what needs NAT, and with it connection tracking."""
    yield _Evidence(NAT, file, line, reason, certain)


#: Where nft looks for what is not a path of its own (its default include path).
_NFT_DIRECTORY = "/etc"

#: As deep as nft follows includes (MAX_INCLUDE_DEPTH in its include/parser.h).
_NFT_DEPTH = 16


def _nft(files: _Files, path: str, seen: set[str], depth: int = 0) -> _Evidences:
    """Of a file for ``nft -f`` and those that it includes, each once."""
    if path in seen or depth > _NFT_DEPTH:
        return
    seen.add(path)
    text = files.text(path) or ""
    yield from _lines(path, saved.in_nft(text))
    yield from _denied(files, path)
    for included in saved.includes(text):
        if not included.startswith("/"):
            # A service runs in "/", which a name that starts with a dot is looked up from.
            included = posixpath.normpath(("/" if included.startswith(".") else _NFT_DIRECTORY + "/") + "/" + included)
            included = "/" + included.lstrip("/")
        for match in files.matching(included):
            yield from _nft(files, match, seen, depth + 1)


def _module(files: _Files, service: Service, name: str) -> _Evidences:
    """Of a kernel module that a service loads, by what modules.dep says that it depends on."""
    path = _kernel.modules_dep(_kernel.release(files.host))
    lines = files.attempt(lambda: list(files.host.lines(path))) or []
    marker = f"/{name}.ko".encode()
    for number, raw in enumerate(lines, 1):
        if marker in raw.partition(b":")[0]:
            needed = modules_load_d.needs([raw], [name]).get(name, frozenset())
            for stack, roots in ((NAT, NAT_ROOTS), (CONNTRACK, CONNTRACK_ROOTS)):
                if not needed.isdisjoint(roots):
                    yield _Evidence(
                        stack, path, number, f"it loads the kernel module {name}, which depends on {roots[0]}"
                    )


# --- services, each by its own files


def _commands(files: _Files, service: Service) -> _Evidences:
    """Of any service that runs nft or iptables-restore on a file, or a script that is not of a package."""
    for command in service.commands:
        words = [word.strip("\"'") for word in command.lstrip("-@:+!|").split()]
        if not words:
            continue
        program = posixpath.basename(words[0])
        if program == "nft":
            yield from _nft_command(files, service, words)
        elif re.fullmatch(r"ip6?tables(?:-legacy|-nft)?-restore", program):
            for path in words[1:]:
                if path.startswith("/"):
                    yield from _rules(files, path)
        elif program in _SHELLS or words[0].startswith(_OWN_SCRIPTS) or program.startswith(("iptables", "ip6tables")):
            yield from _maybe(_lines(service.path, _of_command(files, service, command)))
            for path in words:
                if path.startswith(_OWN_SCRIPTS) and (files.text(path) or "").startswith("#!"):
                    yield from _script(files, path)


_SHELLS = ("sh", "bash", "dash", "ash", "ksh", "zsh", "env")
#: Where people put scripts of their own; those of packages have readers of their own here, or none.
_OWN_SCRIPTS = ("/etc/", "/usr/local/", "/opt/", "/root/", "/srv/", "/home/", "/var/lib/")


def _of_command(files: _Files, service: Service, command: str) -> Found:
    """A command line that calls iptables or nft itself, with the line of the unit's file that it starts in."""
    start = command.split("\\")[0].strip()
    lines = (files.text(service.path) or "").split("\n")
    number = next((number for number, raw in enumerate(lines, 1) if start and start in raw), 1)
    found = saved.in_script(command)
    return {stack: saved.Line(number, line.text) for stack, line in found.items()}


def _nft_command(files: _Files, service: Service, words: t.Sequence[str]) -> _Evidences:
    seen: set[str] = set()
    for index, word in enumerate(words):
        if word in ("-f", "--file") and index + 1 < len(words):
            yield from _nft(files, words[index + 1], seen)
        elif word.startswith("--file="):
            yield from _nft(files, word.partition("=")[2], seen)
        elif re.fullmatch(r"-[a-eg-zA-Z]*f", word) and index + 1 < len(words) and word != "-f":
            yield from _nft(files, words[index + 1], seen)
    if not seen:
        yield from _lines(service.path, _of_command(files, service, " ".join(words)))


def _nftables(files: _Files, service: Service) -> _Evidences:
    yield from _commands(files, service)
    if service.manager != units.SYSTEMD:
        seen: set[str] = set()
        for path in ("/etc/nftables.conf", "/etc/nftables.nft", "/var/lib/nftables/rules-save"):
            yield from _nft(files, path, seen)


def _iptables(files: _Files, service: Service) -> _Evidences:
    """Of iptables.service and ip6tables.service: of Arch by their command, else by the files of RHEL, Alpine, Gentoo."""
    yield from _commands(files, service)
    name = service.base
    paths = [f"/etc/sysconfig/{name}"]
    if service.manager != units.SYSTEMD:
        paths += [
            f"/etc/{name}/rules-save",
            "/etc/iptables/rules-save" if name == "iptables" else "/etc/iptables/rules6-save",
        ]
        paths += [f"/var/lib/{name}/rules-save"]
    for path in paths:
        yield from _rules(files, path)
    modules = files.setting(
        f"/etc/sysconfig/{name}-config", "IPTABLES_MODULES" if name == "iptables" else "IP6TABLES_MODULES"
    )
    if modules is not None:
        for module in modules[0].replace("-", "_").split():
            needed = modules_load_d.guess(module)
            for stack, roots in ((NAT, NAT_ROOTS), (CONNTRACK, CONNTRACK_ROOTS)):
                if not needed.isdisjoint(roots):
                    yield _Evidence(
                        stack, f"/etc/sysconfig/{name}-config", modules[1], f"it loads the kernel module {module}"
                    )


_PLUGINS = "/usr/share/netfilter-persistent/plugins.d"


def _netfilter_persistent(files: _Files, service: Service) -> _Evidences:
    plugins = " ".join(files.names(_PLUGINS))
    for plugin, path in (("ip4tables", "/etc/iptables/rules.v4"), ("ip6tables", "/etc/iptables/rules.v6")):
        if plugin in plugins or service.base == "iptables-persistent":
            yield from _rules(files, path)


_UFW = "/etc/ufw/ufw.conf"


def _ufw(files: _Files, service: Service) -> _Evidences:
    """Its chains of the kind ufw-track-* match on new connections whatever the rules are (ufw-init-functions of 0.36)."""
    enabled = files.setting(_UFW, "ENABLED")
    yield from _denied(files, _UFW)
    if enabled is None or enabled[0].lower() != "yes":
        return
    suffixes = [""]
    ipv6 = files.setting("/etc/default/ufw", "IPV6")
    if ipv6 is None or ipv6[0].lower() == "yes":
        suffixes.append("6")
    for suffix in suffixes:
        for name in ("before", "user", "after"):
            yield from _rules(files, f"/etc/ufw/{name}{suffix}.rules")
        yield from _rules(files, f"/lib/ufw/user{suffix}.rules")
    for name in ("before", "after"):
        yield from _script(files, f"/etc/ufw/{name}.init")
    yield _Evidence(CONNTRACK, _UFW, enabled[1], "ufw makes rules that match new connections")


_FIREWALLD = "/etc/firewalld/firewalld.conf"


def _firewalld(files: _Files, service: Service) -> _Evidences:
    """With nftables it makes chains of NAT and rules by state in one transaction, which fails as a whole."""
    backend = files.setting(_FIREWALLD, "FirewallBackend")
    yield from _denied(files, _FIREWALLD)
    file, line = (_FIREWALLD, backend[1]) if backend is not None else (service.enabled_by, None)
    is_nftables = backend is not None and backend[0].lower() == "nftables"
    yield _Evidence(NAT, file, line, "its start makes chains of NAT", is_nftables)
    yield _Evidence(CONNTRACK, file, line, "its start makes rules by connection state")


_DOCKER = "/etc/docker/daemon.json"


def _docker(files: _Files, service: Service) -> _Evidences:
    text = files.text(_DOCKER)
    yield from _denied(files, _DOCKER)
    given = list(service.commands)
    given += [
        raw
        for path in (*service.environment, "/etc/default/docker", "/etc/sysconfig/docker")
        for raw in (files.text(path) or "").split("\n")
        if not raw.lstrip().startswith("#")
    ]
    is_off = [f"--{name}=false" in " ".join(given) for name in ("iptables", "ip6tables")]
    try:
        settings = json.loads(text) if text and text.strip() else {}
    except ValueError:
        settings = {}
    if isinstance(settings, dict):
        is_off = [off or settings.get(name) is False for off, name in zip(is_off, ("iptables", "ip6tables"))]
    if all(is_off):
        return
    file = _DOCKER if text is not None else service.enabled_by
    # Its start fails without the table nat of IPv4; what it does without that of IPv6 depends on its version.
    yield from _both(file, "its start makes chains of NAT, unless iptables is false", not is_off[0])


_NETWORKS = "/etc/libvirt/qemu/networks/autostart"
_XML_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_FORWARD = re.compile(r"<forward\b(?P<attributes>[^>]*)>")
_MODE = re.compile(r"""\bmode\s*=\s*["'](\w+)["']""")


def _libvirt(files: _Files, service: Service) -> _Evidences:
    for name in files.names(_NETWORKS):
        path = f"{_NETWORKS}/{name}"
        text = files.text(path)
        yield from _denied(files, path)
        if text is None or not name.endswith(".xml"):
            continue
        text = _XML_COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)
        forward = _FORWARD.search(text)
        mode, line = "", None
        if forward is not None:
            named = _MODE.search(forward.group("attributes"))
            mode, line = named.group(1) if named else "nat", text.count("\n", 0, forward.start()) + 1
        network = name[: -len(".xml")]
        if mode == "nat":
            yield from _both(path, f"its network {network}, which starts with it, translates", True, line)
        elif mode in ("", "route"):
            yield from _both(
                path, f"its network {network}, which starts with it, gets chains of a firewall", False, line
            )


def _openvswitch(files: _Files, service: Service) -> _Evidences:
    yield from _module(files, service, "openvswitch")


def _conntrackd(files: _Files, service: Service) -> _Evidences:
    yield _Evidence(CONNTRACK, service.enabled_by, None, "it reads and writes the entries of connection tracking")


_KEEPALIVED = "/etc/keepalived/keepalived.conf"


def _keepalived(files: _Files, service: Service) -> _Evidences:
    """Only virtual servers take ip_vs; VRRP does not."""
    waiting, seen = [_KEEPALIVED], set()
    while waiting and len(seen) < 200:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        yield from _denied(files, path)
        for raw in (files.text(path) or "").split("\n"):
            words = re.split(r"[#!]", raw, maxsplit=1)[0].split()
            if words[:1] == ["virtual_server"]:
                yield from _module(files, service, "ip_vs")
                return
            if words[:1] == ["include"] and len(words) > 1:
                waiting += files.matching(posixpath.join(posixpath.dirname(path), words[1].strip('"')))


def _ipvsadm(files: _Files, service: Service) -> _Evidences:
    auto = files.setting("/etc/default/ipvsadm", "AUTO")
    debian = "/etc/ipvsadm.rules" if auto is not None and auto[0] == "true" else None
    for path in (debian, "/etc/sysconfig/ipvsadm"):
        lines = (files.text(path) or "").split("\n") if path else []
        if any(raw.strip() and not raw.startswith("#") for raw in lines):
            yield from _module(files, service, "ip_vs")
            return


def _ldirectord(files: _Files, service: Service) -> _Evidences:
    yield from _module(files, service, "ip_vs")


_FERM = "/etc/ferm/ferm.conf"
_FERM_INCLUDE = re.compile(r"""@include\s+["']?([^\s"';]+)""")
_FERM_NAT = re.compile(r"\btable\s+(?:\([^)]*\b)?nat\b|\b(?:MASQUERADE|SNAT|DNAT|REDIRECT|NETMAP)\b")
_FERM_CONNTRACK = re.compile(
    r"\bmod(?:ule)?\s+(?:state|conn\w+|helper|cluster|tproxy|socket)\b|\b(?:CONNMARK|CT|NOTRACK|SYNPROXY|TPROXY)\b"
)


def _ferm(files: _Files, service: Service) -> _Evidences:
    """What it makes of conditions and functions only ferm could tell."""
    enabled = files.setting("/etc/default/ferm", "ENABLED")
    if enabled is not None and enabled[0].lower() != "yes":
        return
    waiting, seen = [_FERM], set()
    while waiting and len(seen) < 200:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        yield from _denied(files, path)
        for number, raw in enumerate((files.text(path) or "").split("\n"), 1):
            line = raw.partition("#")[0].strip()
            if _FERM_NAT.search(line):
                yield from _both(path, line, False, number)
            elif _FERM_CONNTRACK.search(line):
                yield _Evidence(CONNTRACK, path, number, line, False)
            for name in _FERM_INCLUDE.findall(line):
                place = posixpath.join(posixpath.dirname(path), name)
                waiting += (
                    [place + found for found in files.names(place)] if name.endswith("/") else files.matching(place)
                )


def _shorewall(files: _Files, service: Service) -> _Evidences:
    """Its rules accept what is established whatever else they say (Shorewall's Rules.pm)."""
    name = "shorewall6" if service.base.startswith("shorewall6") else "shorewall"
    directory = f"/etc/{name}"
    startup = files.setting(f"{directory}/{name}.conf", "STARTUP_ENABLED")
    if startup is not None and startup[0].lower() != "yes":
        return
    for file in ("masq", "snat", "nat", "netmap", "rules"):
        path = f"{directory}/{file}"
        yield from _denied(files, path)
        for number, raw in enumerate((files.text(path) or "").split("\n"), 1):
            words = raw.partition("#")[0].split()
            if not words or words[0].startswith("?") or words[0] in ("SECTION", "FORMAT", "COMMENT"):
                continue
            if file != "rules" or re.match(r"(?:DNAT|REDIRECT)\b", words[0]):
                yield from _both(path, " ".join(words), True, number)
                break
    yield _Evidence(CONNTRACK, service.enabled_by, None, "its start makes rules by connection state")


def _pve_firewall(files: _Files, service: Service) -> _Evidences:
    path = "/etc/pve/firewall/cluster.fw"
    yield from _denied(files, path)
    for number, raw in enumerate((files.text(path) or "").split("\n"), 1):
        if re.match(r"\s*enable\s*:\s*1\s*$", raw):
            yield _Evidence(
                CONNTRACK, path, number, "the firewall of the cluster is on, with rules by connection state"
            )
            return


_FAIL2BAN = "/etc/fail2ban"
_ACTION = re.compile(r"^\s*(?:ban)?action(?:_\w+)?\s*=\s*(.*)$")
_STATEFUL_ACTION = re.compile(r"--ctstate\b|\b-m\s+(?:state|conntrack|connlimit)\b|(?<!\w)conntrack\s+-|\bct\s+state\b")


def _fail2ban(files: _Files, service: Service) -> _Evidences:
    """Its usual actions match addresses and ports alone; one that is named in its jails may do otherwise."""
    jails = [f"{_FAIL2BAN}/jail.conf", f"{_FAIL2BAN}/jail.local"]
    jails += [
        f"{_FAIL2BAN}/jail.d/{name}"
        for name in files.names(f"{_FAIL2BAN}/jail.d")
        if name.endswith((".conf", ".local"))
    ]
    named: set[str] = set()
    for path in jails:
        for raw in (files.text(path) or "").split("\n"):
            match = _ACTION.match(raw)
            if match is not None:
                named.update(re.findall(r"[\w-]+", match.group(1)))
    for name in files.names(f"{_FAIL2BAN}/action.d"):
        base, suffix = posixpath.splitext(name)
        if suffix in (".conf", ".local") and base in named:
            for number, raw in enumerate((files.text(f"{_FAIL2BAN}/action.d/{name}") or "").split("\n"), 1):
                if not raw.lstrip().startswith("#") and _STATEFUL_ACTION.search(raw):
                    yield _Evidence(CONNTRACK, f"{_FAIL2BAN}/action.d/{name}", number, raw.strip(), False)
                    break


def _kubernetes(files: _Files, service: Service) -> _Evidences:
    yield from _both(service.enabled_by, "kube-proxy and network plugins translate and track", False)


def _lxc_net(files: _Files, service: Service) -> _Evidences:
    bridge = files.setting("/etc/default/lxc-net", "USE_LXC_BRIDGE")
    if bridge is None or bridge[0] == "true":
        line = bridge[1] if bridge else None
        yield from _both(
            "/etc/default/lxc-net" if bridge else service.enabled_by,
            "it makes a masquerade rule for its bridge",
            False,
            line,
        )


def _wg_quick(files: _Files, service: Service) -> _Evidences:
    yield from _script(files, f"/etc/wireguard/{service.instance}.conf")


_MASQUERADE = re.compile(r"^\s*IPMasquerade\s*=\s*(\S+)")
_NO_MASQUERADE = ("no", "0", "false", "off", "n", "f")


def _networkd(files: _Files, service: Service) -> _Evidences:
    for directory in ("/etc", "/run", "/usr/local/lib", "/usr/lib"):
        for path in files.matching(f"{directory}/systemd/network/*.network"):
            yield from _denied(files, path)
            for number, raw in enumerate((files.text(path) or "").split("\n"), 1):
                match = _MASQUERADE.match(raw)
                if match is not None and match.group(1).lower() not in _NO_MASQUERADE:
                    yield from _both(path, raw.strip(), True, number)
                    break


def _network_manager(files: _Files, service: Service) -> _Evidences:
    for path in files.matching("/etc/NetworkManager/system-connections/*"):
        yield from _denied(files, path)
        for number, raw in enumerate((files.text(path) or "").split("\n"), 1):
            if raw.strip() == "method=shared":
                yield from _both(path, "a shared connection translates", False, number)
                break


def _ifupdown(files: _Files, service: Service) -> _Evidences:
    paths = ["/etc/network/interfaces", *files.matching("/etc/network/interfaces.d/*")]
    for hook in ("if-pre-up.d", "if-up.d"):
        paths += files.matching(f"/etc/network/{hook}/*")
    for path in paths:
        yield from _script(files, path)
        restored = _restored(files, path)
        yield from _maybe(restored)


_RESTORE = re.compile(r"\bip6?tables(?:-legacy|-nft)?-restore\b[^\n|&;#]*?(/\S+)")


def _restored(files: _Files, path: str) -> _Evidences:
    """Of the files that a script hands to iptables-restore."""
    for line in (files.text(path) or "").split("\n"):
        for saved_rules in _RESTORE.findall(line.partition("#")[0]):
            yield from _rules(files, saved_rules.strip("\"'"))


_RC_LOCAL = "rc-local.service"
_RC_LOCAL_FILE = "/etc/rc.local"


def _rc_local(files: _Files, service: Service) -> _Evidences:
    for path in (_RC_LOCAL_FILE, "/etc/rc.d/rc.local"):
        yield from _script(files, path)
        yield from _maybe(_restored(files, path))


#: Those whose rules stand in files that their administrator writes or saves.
_RULES = frozenset(["nftables", "iptables", "ip6tables", "netfilter-persistent", "iptables-persistent"])

_READERS: dict[str, t.Callable[[_Files, Service], _Evidences]] = {
    "NetworkManager": _network_manager,
    "conntrackd": _conntrackd,
    "docker": _docker,
    "fail2ban": _fail2ban,
    "ferm": _ferm,
    "firewalld": _firewalld,
    "ip6tables": _iptables,
    "iptables": _iptables,
    "iptables-persistent": _netfilter_persistent,
    "ipvsadm": _ipvsadm,
    "keepalived": _keepalived,
    "kubernetes": _kubernetes,
    "ldirectord": _ldirectord,
    "libvirtd": _libvirt,
    "lxc-net": _lxc_net,
    "netfilter-persistent": _netfilter_persistent,
    "networking": _ifupdown,
    "nftables": _nftables,
    "openvswitch": _openvswitch,
    "openvswitch-switch": _openvswitch,
    "ovs-vswitchd": _openvswitch,
    "pve-firewall": _pve_firewall,
    "rc-local": _rc_local,
    "rc.local": _rc_local,
    "shorewall": _shorewall,
    "systemd-networkd": _networkd,
    "ufw": _ufw,
    "virtnetworkd": _libvirt,
    "wg-quick": _wg_quick,
}

_FAMILIES = (
    (
        "kubernetes",
        re.compile(
            r"kubelet|kube-proxy|k3s(?:-agent)?|rke2-(?:server|agent)|k0s(?:controller|worker)|snap\.microk8s\..*"
        ),
    ),
    ("shorewall", re.compile(r"shorewall6?(?:-lite)?")),
)


# --- what no link starts


def _by_themselves(files: _Files, services: t.Sequence[Service]) -> list[Service]:
    """rc.local, which systemd runs where it is there; and conntrackd where somebody started it."""
    names = {service.base for service in services}
    found = []
    if names.isdisjoint(("rc-local", "rc.local")) and files.text(_RC_LOCAL_FILE):
        found.append(units.Service(_RC_LOCAL, units.SYSTEMD, _RC_LOCAL_FILE, _RC_LOCAL_FILE, (_RC_LOCAL,)))
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
