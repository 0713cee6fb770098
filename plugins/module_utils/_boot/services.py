# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each known service loads when it starts, told from its files.

A reader for each service yields what tells of a need. It is certain where the service's own rules for its files are,
and only possible where a script or a language decides.
"""

from __future__ import annotations

import json
import posixpath
import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel, _modules_dep
from ansible_collections.netops.conntrack.plugins.module_utils._boot import units
from ansible_collections.netops.conntrack.plugins.module_utils._config import wildcards
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._kmod import CONNTRACK, CONNTRACK_ROOTS, NAT, NAT_ROOTS
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record
from ansible_collections.netops.conntrack.plugins.module_utils._rules import saved

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._boot.units import Service
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Look as HostLook
    from ansible_collections.netops.conntrack.plugins.module_utils._rules.saved import Found


class Evidence(Record):
    """What tells of a need: of NAT, and so of connection tracking too, or of that alone."""

    stack: str
    file: str
    line: int | None
    reason: str
    certain: bool = True


Evidences = t.Iterator[Evidence]


class Files:
    """The files of a host, each read once.

    :ivar unreadable: why, by path.
    """

    def __init__(self, host: Host, unreadable: dict[str, str]) -> None:
        self.host = host
        self.unreadable = unreadable
        self._texts: dict[str, str | None] = {}

    def attempt(self, read: t.Callable[..., t.Any], *arguments: t.Any) -> t.Any:
        """What a reader returns; None where the host refuses, which ``unreadable`` then has."""
        try:
            return read(*arguments)
        except HostError as error:
            self.unreadable[error.path] = error.reason
            return None

    def text(self, path: str) -> str | None:
        """A file, or None; where it cannot be read, ``unreadable`` has it."""
        if path not in self._texts:
            self._texts[path] = self.attempt(units.read, self.host, path)
        return self._texts[path]

    def look(self, path: str) -> HostLook | None:
        """The first two bytes of a regular file, and whether it is executable; None where there is none to be read."""
        return t.cast("HostLook | None", self.attempt(self.host.look, path, 2))

    def is_executable(self, path: str) -> bool:
        """Whether a path is a regular file that can be run."""
        look = self.look(path)
        return look is not None and look.is_executable

    def is_script(self, path: str) -> bool:
        """Whether a path is a regular file that begins as a script does; not more of a program is read than that."""
        look = self.look(path)
        return look is not None and look.content == b"#!"

    def names(self, path: str) -> list[str]:
        """The sorted names in a directory; none where there is none, or it cannot be listed."""
        return t.cast("list[str]", self.attempt(self.host.names, path) or [])

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

    def denied(self, path: str) -> Evidence | None:
        """Why a file cannot tell; None where it can."""
        if path not in self.unreadable:
            return None
        return Evidence(
            NAT, path, None, f"it cannot be read ({self.unreadable[path]}), so the need is not known", certain=False
        )

    def setting(self, path: str, name: str) -> tuple[str, int] | None:
        """The last value of NAME=VALUE in a file that a shell reads, without quotes, and its line."""
        found = None
        for number, raw in enumerate((self.text(path) or "").split("\n"), 1):
            key, equals, value = raw.strip().partition("=")
            if equals and key.strip().replace("export ", "") == name:
                found = value.partition(" #")[0].strip().strip("\"'"), number
        return found


class Look(Record):
    """A service, and the files of its host."""

    files: Files
    service: Service


# --- evidence


def _lines(path: str, found: Found) -> Evidences:
    for stack, line in found.items():
        yield Evidence(stack, path, line.number, line.text)


def _maybe(evidences: Evidences) -> Evidences:
    for one in evidences:
        yield Evidence(one.stack, one.file, one.line, one.reason, certain=False)


def _rules(look: Look, path: str) -> Evidences:
    """Of a file for iptables-restore."""
    yield from _lines(path, saved.in_iptables(look.files.text(path) or ""))
    yield from _denied(look, path)


def _denied(look: Look, path: str) -> Evidences:
    denied = look.files.denied(path)
    if denied is not None:
        yield denied


def _script(look: Look, path: str) -> Evidences:
    yield from _maybe(_lines(path, saved.in_script(look.files.text(path) or "")))
    yield from _denied(look, path)


def _both(file: str, reason: str, certain: bool = True, line: int | None = None) -> Evidences:
    """Of what needs NAT, and with it connection tracking."""
    yield Evidence(NAT, file, line, reason, certain)


#: Where nft looks for what is not a path of its own (its default include path).
_NFT_DIRECTORY = "/etc"

#: As deep as nft follows includes (MAX_INCLUDE_DEPTH in its include/parser.h).
_NFT_DEPTH = 16


def _nft(look: Look, path: str, seen: set[str], depth: int = 0) -> Evidences:
    """Of a file for ``nft -f`` and those that it includes, each once."""
    if path in seen or depth > _NFT_DEPTH:
        return
    seen.add(path)
    text = look.files.text(path) or ""
    yield from _lines(path, saved.in_nft(text))
    yield from _denied(look, path)
    for included in saved.includes(text):
        for match in look.files.matching(_nft_path(included)):
            yield from _nft(look, match, seen, depth + 1)


def _nft_path(included: str) -> str:
    """Where nft looks for a file; a service runs in "/", which a name that starts with a dot is looked up from."""
    directory = "/" if included.startswith(".") else _NFT_DIRECTORY
    return "/" + posixpath.normpath(posixpath.join(directory, included)).lstrip("/")


def _module(look: Look, name: str) -> Evidences:
    """Of a kernel module that a service loads, by what modules.dep says that it depends on."""
    path = _modules_dep.path(_kernel.release(look.files.host))
    lines = look.files.attempt(lambda: list(look.files.host.lines(path))) or []
    marker = f"/{name}.ko".encode()
    for number, raw in enumerate(lines, 1):
        if marker in raw and marker in raw.partition(b":")[0]:
            needed = _modules_dep.needs([raw], [name]).get(name, frozenset())
            for stack, roots in ((NAT, NAT_ROOTS), (CONNTRACK, CONNTRACK_ROOTS)):
                if not needed.isdisjoint(roots):
                    yield Evidence(
                        stack, path, number, f"it loads the kernel module {name}, which depends on {roots[0]}"
                    )


# --- services, each by its own files


def _commands(look: Look) -> Evidences:
    """Of any service that runs nft or iptables-restore on a file, or a script where people put their own."""
    for command in look.service.commands:
        words = [word.strip("\"'") for word in command.lstrip("-@:+!|").split()]
        if not words:
            continue
        program = posixpath.basename(words[0])
        if program == "nft":
            yield from _nft_command(look, words)
        elif re.fullmatch(r"ip6?tables(?:-legacy|-nft)?-restore", program):
            for path in words[1:]:
                if path.startswith("/"):
                    yield from _rules(look, path)
        elif program in _SHELLS or words[0].startswith(_SCRIPTS) or program.startswith(("iptables", "ip6tables")):
            yield from _maybe(_lines(look.service.path, _of_command(look, command)))
            for path in words:
                if path.startswith(_SCRIPTS) and look.files.is_script(path):
                    yield from _script(look, path)


_SHELLS = ("sh", "bash", "dash", "ash", "ksh", "zsh", "env")
#: Where people put scripts of their own. Packages have some in the last two, and those of firewalls readers here.
_SCRIPTS = ("/etc/", "/usr/local/", "/opt/", "/root/", "/srv/", "/home/", "/var/lib/", "/usr/sbin/", "/sbin/")


def _of_command(look: Look, command: str) -> Found:
    """A command line that calls iptables or nft itself, with the line of the unit's file that it starts in."""
    start = command.split("\\", maxsplit=1)[0].strip()
    lines = (look.files.text(look.service.path) or "").split("\n")
    number = next((number for number, raw in enumerate(lines, 1) if start and start in raw), 1)
    found = saved.in_script(command)
    return {stack: saved.Line(number, line.text) for stack, line in found.items()}


def _nft_command(look: Look, words: t.Sequence[str]) -> Evidences:
    seen: set[str] = set()
    for index, word in enumerate(words):
        if word in ("-f", "--file") and index + 1 < len(words):
            yield from _nft(look, words[index + 1], seen)
        elif word.startswith("--file="):
            yield from _nft(look, word.partition("=")[2], seen)
        elif re.fullmatch(r"-[a-eg-zA-Z]*f", word) and index + 1 < len(words) and word != "-f":
            yield from _nft(look, words[index + 1], seen)
    if not seen:
        yield from _lines(look.service.path, _of_command(look, " ".join(words)))


def _nftables(look: Look) -> Evidences:
    yield from _commands(look)
    if look.service.manager != units.SYSTEMD:
        seen: set[str] = set()
        for path in ("/etc/nftables.conf", "/etc/nftables.nft", "/var/lib/nftables/rules-save"):
            yield from _nft(look, path, seen)


def _iptables(look: Look) -> Evidences:
    """Of iptables.service and ip6tables.service.

    Of Arch by their command, else by the files of RHEL, Alpine, Gentoo.
    """
    yield from _commands(look)
    name = look.service.base
    paths = [f"/etc/sysconfig/{name}"]
    if look.service.manager != units.SYSTEMD:
        paths += [
            f"/etc/{name}/rules-save",
            "/etc/iptables/rules-save" if name == "iptables" else "/etc/iptables/rules6-save",
        ]
        paths += [f"/var/lib/{name}/rules-save"]
    for path in paths:
        yield from _rules(look, path)
    modules = look.files.setting(
        f"/etc/sysconfig/{name}-config", "IPTABLES_MODULES" if name == "iptables" else "IP6TABLES_MODULES"
    )
    if modules is not None:
        for module in modules[0].replace("-", "_").split():
            needed = _modules_dep.by_old_name(module)
            for stack, roots in ((NAT, NAT_ROOTS), (CONNTRACK, CONNTRACK_ROOTS)):
                if not needed.isdisjoint(roots):
                    yield Evidence(
                        stack, f"/etc/sysconfig/{name}-config", modules[1], f"it loads the kernel module {module}"
                    )


_PLUGINS = "/usr/share/netfilter-persistent/plugins.d"


def _netfilter_persistent(look: Look) -> Evidences:
    plugins = " ".join(look.files.names(_PLUGINS))
    for plugin, path in (("ip4tables", "/etc/iptables/rules.v4"), ("ip6tables", "/etc/iptables/rules.v6")):
        if plugin in plugins or look.service.base == "iptables-persistent":
            yield from _rules(look, path)


_UFW = "/etc/ufw/ufw.conf"


def _ufw(look: Look) -> Evidences:
    """Its chains of the kind ufw-track-* match on new connections whatever the rules are.

    Source: ufw-init-functions of 0.36.
    """
    enabled = look.files.setting(_UFW, "ENABLED")
    yield from _denied(look, _UFW)
    if enabled is None or enabled[0].lower() != "yes":
        return
    suffixes = [""]
    ipv6 = look.files.setting("/etc/default/ufw", "IPV6")
    if ipv6 is None or ipv6[0].lower() == "yes":
        suffixes.append("6")
    for suffix in suffixes:
        for name in ("before", "user", "after"):
            yield from _rules(look, f"/etc/ufw/{name}{suffix}.rules")
        yield from _rules(look, f"/lib/ufw/user{suffix}.rules")
    for name in ("before", "after"):
        yield from _script(look, f"/etc/ufw/{name}.init")
    yield Evidence(CONNTRACK, _UFW, enabled[1], "ufw creates rules that match new connections")


_FIREWALLD = "/etc/firewalld/firewalld.conf"


def _firewalld(look: Look) -> Evidences:
    """With nftables it makes chains of NAT and rules by state in one transaction, which fails as a whole."""
    backend = look.files.setting(_FIREWALLD, "FirewallBackend")
    yield from _denied(look, _FIREWALLD)
    file, line = (_FIREWALLD, backend[1]) if backend is not None else (look.service.enabled_by, None)
    is_nftables = backend is not None and backend[0].lower() == "nftables"
    yield Evidence(NAT, file, line, "it creates NAT chains when it starts", is_nftables)
    yield Evidence(CONNTRACK, file, line, "it creates rules by connection state when it starts")


_DOCKER = "/etc/docker/daemon.json"


def _docker(look: Look) -> Evidences:
    text = look.files.text(_DOCKER)
    given = list(look.service.commands)
    given += [
        raw
        for path in (*look.service.environment, "/etc/default/docker", "/etc/sysconfig/docker")
        for raw in (look.files.text(path) or "").split("\n")
        if not raw.lstrip().startswith("#")
    ]
    is_off = [f"--{name}=false" in " ".join(given) for name in ("iptables", "ip6tables")]
    try:
        settings = json.loads(text) if text and text.strip() else {}
    except ValueError:
        settings = {}
    except RecursionError:
        settings = {}
        look.files.unreadable[_DOCKER] = "its JSON is nested too deeply"
    yield from _denied(look, _DOCKER)
    if isinstance(settings, dict):
        is_off = [off or settings.get(name) is False for off, name in zip(is_off, ("iptables", "ip6tables"))]
    if all(is_off):
        return
    file = _DOCKER if text is not None else look.service.enabled_by
    # Its start fails without the table nat of IPv4; what it does without that of IPv6 depends on its version.
    is_certain = not is_off[0] and _DOCKER not in look.files.unreadable
    yield from _both(file, "it creates NAT chains when it starts, unless iptables is false", certain=is_certain)


_NETWORKS = "/etc/libvirt/qemu/networks/autostart"
_XML_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_FORWARD = re.compile(r"<forward\b(?P<attributes>[^>]*)>")
_MODE = re.compile(r"""\bmode\s*=\s*["'](\w+)["']""")


def _libvirt(look: Look) -> Evidences:
    for name in look.files.names(_NETWORKS):
        path = f"{_NETWORKS}/{name}"
        text = look.files.text(path)
        yield from _denied(look, path)
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
            yield from _both(path, f"its network {network}, which starts with it, uses NAT", certain=True, line=line)
        elif mode in ("", "route"):
            yield from _both(
                path,
                f"its network {network}, which starts with it, gets firewall chains",
                certain=False,
                line=line,
            )


def _openvswitch(look: Look) -> Evidences:
    yield from _module(look, "openvswitch")


def _conntrackd(look: Look) -> Evidences:
    yield Evidence(CONNTRACK, look.service.enabled_by, None, "it reads and writes the entries of connection tracking")


_KEEPALIVED = "/etc/keepalived/keepalived.conf"


def _keepalived(look: Look) -> Evidences:
    """Only virtual servers take ip_vs; VRRP does not."""
    waiting = [_KEEPALIVED]
    seen: set[str] = set()
    while waiting and len(seen) < 200:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        yield from _denied(look, path)
        for raw in (look.files.text(path) or "").split("\n"):
            words = re.split(r"[#!]", raw, maxsplit=1)[0].split()
            if words[:1] == ["virtual_server"]:
                yield from _module(look, "ip_vs")
                return
            if words[:1] == ["include"] and len(words) > 1:
                waiting += look.files.matching(posixpath.join(posixpath.dirname(path), words[1].strip('"')))


def _ipvsadm(look: Look) -> Evidences:
    auto = look.files.setting("/etc/default/ipvsadm", "AUTO")
    debian = "/etc/ipvsadm.rules" if auto is not None and auto[0] == "true" else None
    for path in (debian, "/etc/sysconfig/ipvsadm"):
        lines = (look.files.text(path) or "").split("\n") if path else []
        if any(raw.strip() and not raw.startswith("#") for raw in lines):
            yield from _module(look, "ip_vs")
            return


def _ldirectord(look: Look) -> Evidences:
    yield from _module(look, "ip_vs")


_FERM = "/etc/ferm/ferm.conf"
_FERM_INCLUDE = re.compile(r"""@include\s+["']?([^\s"';]+)""")
_FERM_NAT = re.compile(r"\btable\s+(?:\([^)]*\b)?nat\b|\b(?:MASQUERADE|SNAT|DNAT|REDIRECT|NETMAP)\b")
_FERM_CONNTRACK = re.compile(
    r"\bmod(?:ule)?\s+(?:state|conn\w+|helper|cluster|tproxy|socket)\b|\b(?:CONNMARK|CT|NOTRACK|SYNPROXY|TPROXY)\b"
)


def _ferm(look: Look) -> Evidences:
    """What it makes of conditions and functions only ferm could tell."""
    enabled = look.files.setting("/etc/default/ferm", "ENABLED")
    if enabled is not None and enabled[0].lower() != "yes":
        return
    waiting = [_FERM]
    seen: set[str] = set()
    while waiting and len(seen) < 200:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        yield from _denied(look, path)
        for number, raw in enumerate((look.files.text(path) or "").split("\n"), 1):
            line = raw.partition("#")[0].strip()
            if _FERM_NAT.search(line):
                yield from _both(path, line, certain=False, line=number)
            elif _FERM_CONNTRACK.search(line):
                yield Evidence(CONNTRACK, path, number, line, certain=False)
            for name in _FERM_INCLUDE.findall(line):
                place = posixpath.join(posixpath.dirname(path), name)
                waiting += (
                    [place + found for found in look.files.names(place)]
                    if name.endswith("/")
                    else look.files.matching(place)
                )


def _shorewall(look: Look) -> Evidences:
    """Its rules accept what is established whatever else they say (Shorewall's Rules.pm)."""
    name = "shorewall6" if look.service.base.startswith("shorewall6") else "shorewall"
    directory = f"/etc/{name}"
    startup = look.files.setting(f"{directory}/{name}.conf", "STARTUP_ENABLED")
    if startup is not None and startup[0].lower() != "yes":
        return
    for file in ("masq", "snat", "nat", "netmap", "rules"):
        path = f"{directory}/{file}"
        yield from _denied(look, path)
        for number, raw in enumerate((look.files.text(path) or "").split("\n"), 1):
            words = raw.partition("#")[0].split()
            if not words or words[0].startswith("?") or words[0] in ("SECTION", "FORMAT", "COMMENT"):
                continue
            if file != "rules" or re.match(r"(?:DNAT|REDIRECT)\b", words[0]):
                yield from _both(path, " ".join(words), certain=True, line=number)
                break
    yield Evidence(CONNTRACK, look.service.enabled_by, None, "it creates rules by connection state when it starts")


def _pve_firewall(look: Look) -> Evidences:
    path = "/etc/pve/firewall/cluster.fw"
    yield from _denied(look, path)
    for number, raw in enumerate((look.files.text(path) or "").split("\n"), 1):
        if re.match(r"\s*enable\s*:\s*1\s*$", raw):
            yield Evidence(CONNTRACK, path, number, "the firewall of the cluster is on, with rules by connection state")
            return


_FAIL2BAN = "/etc/fail2ban"
_ACTION = re.compile(r"^\s*(?:ban)?action(?:_\w+)?\s*=\s*(.*)$")
_STATEFUL_ACTION = re.compile(r"--ctstate\b|\b-m\s+(?:state|conntrack|connlimit)\b|(?<!\w)conntrack\s+-|\bct\s+state\b")


def _fail2ban(look: Look) -> Evidences:
    """Its usual actions match addresses and ports alone; one that is named in its jails may do otherwise."""
    jails = [f"{_FAIL2BAN}/jail.conf", f"{_FAIL2BAN}/jail.local"]
    jails += [
        f"{_FAIL2BAN}/jail.d/{name}"
        for name in look.files.names(f"{_FAIL2BAN}/jail.d")
        if name.endswith((".conf", ".local"))
    ]
    named: set[str] = set()
    for path in jails:
        for raw in (look.files.text(path) or "").split("\n"):
            match = _ACTION.match(raw)
            if match is not None:
                named.update(re.findall(r"[\w-]+", match.group(1)))
    for name in look.files.names(f"{_FAIL2BAN}/action.d"):
        base, suffix = posixpath.splitext(name)
        if suffix in (".conf", ".local") and base in named:
            for number, raw in enumerate((look.files.text(f"{_FAIL2BAN}/action.d/{name}") or "").split("\n"), 1):
                if not raw.lstrip().startswith("#") and _STATEFUL_ACTION.search(raw):
                    yield Evidence(CONNTRACK, f"{_FAIL2BAN}/action.d/{name}", number, raw.strip(), certain=False)
                    break


def _kubernetes(look: Look) -> Evidences:
    yield from _both(
        look.service.enabled_by, "kube-proxy and network plugins use NAT and connection tracking", certain=False
    )


def _containers(look: Look) -> Evidences:
    yield from _both(look.service.enabled_by, "the networks of its containers use NAT", certain=False)


def _firewall(look: Look) -> Evidences:
    yield from _both(look.service.enabled_by, "it is a firewall that creates rules by connection state", certain=False)


def _tailscaled(look: Look) -> Evidences:
    """It makes chains of NAT unless its state, which only it can tell, has netfilter off."""
    yield from _both(
        look.service.enabled_by, "it creates NAT chains when it starts, unless it is told not to", certain=False
    )


_WAAGENT = "/etc/waagent.conf"


def _waagent(look: Look) -> Evidences:
    """Its rules keep others than root from the host's own Azure server, by ``-m conntrack`` in the table security."""
    firewall = look.files.setting(_WAAGENT, "OS.EnableFirewall")
    yield from _denied(look, _WAAGENT)
    if firewall is None or firewall[0].lower() != "n":
        file, line = (_WAAGENT, firewall[1]) if firewall is not None else (look.service.enabled_by, None)
        reason = "it creates rules with -m conntrack in the table security, unless OS.EnableFirewall is n"
        yield Evidence(CONNTRACK, file, line, reason, certain=False)


def _lxc_net(look: Look) -> Evidences:
    bridge = look.files.setting("/etc/default/lxc-net", "USE_LXC_BRIDGE")
    if bridge is None or bridge[0] == "true":
        line = bridge[1] if bridge else None
        yield from _both(
            "/etc/default/lxc-net" if bridge else look.service.enabled_by,
            "it creates a masquerade rule for its bridge",
            certain=False,
            line=line,
        )


def _wg_quick(look: Look) -> Evidences:
    yield from _script(look, f"/etc/wireguard/{look.service.instance}.conf")


_MASQUERADE = re.compile(r"^\s*IPMasquerade\s*=\s*(\S+)")
_NO_MASQUERADE = ("no", "0", "false", "off", "n", "f")


def _networkd(look: Look) -> Evidences:
    """Not of what systemd ships for interfaces of its containers, of which a host need not have any."""
    for directory in ("/etc", "/usr/local/lib"):
        for path in look.files.matching(f"{directory}/systemd/network/*.network"):
            yield from _denied(look, path)
            for number, raw in enumerate((look.files.text(path) or "").split("\n"), 1):
                match = _MASQUERADE.match(raw)
                if match is not None and match.group(1).lower() not in _NO_MASQUERADE:
                    yield from _both(path, raw.strip(), certain=True, line=number)
                    break


def _network_manager(look: Look) -> Evidences:
    for path in look.files.matching("/etc/NetworkManager/system-connections/*"):
        yield from _denied(look, path)
        for number, raw in enumerate((look.files.text(path) or "").split("\n"), 1):
            if raw.strip() == "method=shared":
                yield from _both(path, "a shared connection uses NAT", certain=False, line=number)
                break


_INTERFACES = "/etc/network/interfaces"
#: Names that run-parts(8) runs, and that ``source-directory`` reads (interfaces(5)).
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")
#: More files than that are not followed.
_MOST_SOURCED = 200


def _ifupdown(look: Look) -> Evidences:
    """Of the files of interfaces that are sourced, and the hooks that run-parts runs."""
    paths = _sourced(look)
    for hook in ("if-pre-up.d", "if-up.d"):
        paths += [path for path in _plain(look, f"/etc/network/{hook}") if look.files.is_executable(path)]
    for path in paths:
        yield from _script(look, path)
        yield from _maybe(_restored(look, path))


def _plain(look: Look, directory: str) -> list[str]:
    return [f"{directory}/{name}" for name in look.files.names(directory) if _PLAIN_NAME.fullmatch(name)]


def _sourced(look: Look) -> list[str]:
    """/etc/network/interfaces, and what it and others source, each once."""
    waiting = [_INTERFACES]
    found: list[str] = []
    while waiting and len(found) < _MOST_SOURCED:
        path = waiting.pop(0)
        if path in found:
            continue
        found.append(path)
        for line in (look.files.text(path) or "").replace("\\\n", " ").split("\n"):
            words = line.split()
            if words[:1] not in (["source"], ["source-directory"]):
                continue
            for word in words[1:]:
                # A name without a slash at its start is looked up beside the file.
                place = posixpath.normpath(posixpath.join(posixpath.dirname(path), word.strip("\"'")))
                for match in look.files.matching(place):
                    waiting += [match] if words[0] == "source" else _plain(look, match)
    return found


_RESTORE = re.compile(r"\bip6?tables(?:-legacy|-nft)?-restore\b[^\n|&;#]*?(/\S+)")


def _restored(look: Look, path: str) -> Evidences:
    """Of the files that a script hands to iptables-restore."""
    for line in (look.files.text(path) or "").split("\n"):
        for saved_rules in _RESTORE.findall(line.partition("#")[0]):
            yield from _rules(look, saved_rules.strip("\"'"))


#: Of Debian and of RHEL, where the first is a link to the second.
_RC_LOCALS = ("/etc/rc.local", "/etc/rc.d/rc.local")


def rc_locals(files: Files) -> list[str]:
    """The scripts of this name that a boot runs.

    One that is not executable is passed over (systemd-rc-local-generator(8)).
    """
    return [path for path in _RC_LOCALS if files.is_executable(path)]


def _rc_local(look: Look) -> Evidences:
    for path in rc_locals(look.files):
        yield from _script(look, path)
        yield from _maybe(_restored(look, path))


#: Those whose rules stand in files that their administrator writes or saves.
RULES = frozenset(["ferm", "ip6tables", "iptables", "iptables-persistent", "netfilter-persistent", "nftables"])

#: Those that a host can hardly do without: the line goes, not the service.
KEPT = frozenset(["NetworkManager", "networking", "rc-local", "rc.local", "systemd-networkd", "wg-quick"])

READERS: dict[str, t.Callable[[Look], Evidences]] = {
    "NetworkManager": _network_manager,
    "apf": _firewall,
    "apf-firewall": _firewall,
    "conntrackd": _conntrackd,
    "csf": _firewall,
    "docker": _docker,
    "fail2ban": _fail2ban,
    "ferm": _ferm,
    "firehol": _firewall,
    "firewalld": _firewalld,
    "incus": _containers,
    "ip6tables": _iptables,
    "iptables": _iptables,
    "iptables-persistent": _netfilter_persistent,
    "ipvsadm": _ipvsadm,
    "keepalived": _keepalived,
    "kubernetes": _kubernetes,
    "ldirectord": _ldirectord,
    "lfd": _firewall,
    "libvirtd": _libvirt,
    "lxc-net": _lxc_net,
    "lxd": _containers,
    "netfilter-persistent": _netfilter_persistent,
    "networking": _ifupdown,
    "nftables": _nftables,
    "openvswitch": _openvswitch,
    "openvswitch-switch": _openvswitch,
    "ovs-vswitchd": _openvswitch,
    "podman-restart": _containers,
    "pve-firewall": _pve_firewall,
    "rc-local": _rc_local,
    "rc.local": _rc_local,
    "shorewall": _shorewall,
    "snap.docker.dockerd": _containers,
    "snap.lxd.daemon": _containers,
    "systemd-networkd": _networkd,
    "tailscaled": _tailscaled,
    "ufw": _ufw,
    "virtnetworkd": _libvirt,
    "waagent": _waagent,
    "walinuxagent": _waagent,
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


def reader(service: Service) -> t.Callable[[Look], Evidences]:
    """What tells of the needs of a service: the reader for it, or the one for all others."""
    family = next((family for family, pattern in _FAMILIES if pattern.fullmatch(service.base)), service.base)
    return READERS.get(family, _commands)
