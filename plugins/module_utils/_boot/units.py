# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which services a boot starts, told from files alone.

For systemd: what default.target wants or requires, through links in NAME.wants and NAME.requires and through the units'
own lines, with the services that a socket, a timer or a path starts (systemd.unit(5), "Unit File Load Path"); and init
scripts without a unit, as systemd-sysv-generator takes them. Else the init scripts of rcS.d and rc2.d to rc5.d, and the
runlevels of OpenRC.
"""

from __future__ import annotations

import posixpath
import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._boot import sysctl_program
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._host import decode
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

SYSTEMD = "systemd"
SYSV = "sysv"
OPENRC = "openrc"

#: Where a unit's file is looked for, first match. Not /run/systemd/generator and the like, which each boot makes anew.
DIRECTORIES = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)

_DEFAULT_TARGET = "default.target"
_FALLBACK_TARGET = "multi-user.target"

#: Lines by which a unit has others started (systemd.unit(5)).
_STARTS = frozenset(["Wants", "Requires", "BindsTo", "Upholds"])

#: What the names of lines begin with that keep a unit from being started, not what it wants (systemd.unit(5)).
_CHECKS = ("Condition", "Assert")

#: What is there may differ at the next boot. Nothing is written to it.
_PASSING = ("/dev", "/proc", "/run", "/sys", "/tmp", "/var/lock", "/var/run", "/var/tmp")  # noqa: S108

_LINKS = (".wants", ".requires", ".upholds")

#: Units that start a service once something happens, and the line that names it where it has another name.
_TRIGGERS = {".socket": "Service", ".timer": "Unit", ".path": "Unit"}

#: Many times what a large host has. More units than that are not followed, and no more of one file is read.
_MOST_UNITS = 5000
MOST_BYTES = 8 << 20

_RUNLEVELS = ("S", "2", "3", "4", "5")
_SCRIPT = re.compile(r"S\d\d(?P<name>.+)")


class Service(Record):
    """A service that the next boot starts, or that something enabled starts when it is asked for.

    :ivar name: as its manager calls it: ``ufw.service``, with OpenRC and init scripts ``ufw``.
    :ivar manager: SYSTEMD, SYSV or OPENRC.
    :ivar path: the file that says what it runs.
    :ivar enabled_by: the link or the file that has it started.
    :ivar enabled: the units to disable: itself, or the one that has it started; and those that start it when something
        happens, as ``docker.socket``.
    :ivar commands: what its start runs, as the unit says it; empty where that is not read.
    :ivar environment: the files that its variables come from.
    """

    name: str
    manager: str
    path: str
    enabled_by: str
    enabled: tuple[str, ...]
    commands: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()

    @property
    def base(self) -> str:
        """Its name without ``.service`` and instance."""
        return self.name.rpartition(".service")[0].partition("@")[0] or self.name

    @property
    def instance(self) -> str:
        """What follows the ``@``; empty for none."""
        return self.name.rpartition(".service")[0].partition("@")[2]


#: Calls a reader with what follows; None where that raises HostError, which it keeps.
Attempt = t.Callable[..., t.Any]


def read(host: Host, path: str) -> str | None:
    """A configuration file, no more of it than any host needs; None where there is none, or no regular file.

    :raises HostError: it is there and cannot be read.
    """
    try:
        if not host.is_file(path):
            return None
    except HostError:
        return None  # links that lead round in a ring
    parts, size = [], 0
    for line in host.lines(path):
        parts.append(line)
        size += len(line)
        if size > MOST_BYTES:
            break
    return decode(b"".join(parts))


def find(host: Host, attempt: Attempt) -> list[Service]:
    """The services that the next boot starts.

    :param attempt: calls a reader with what follows; None where that raises HostError, which it keeps.
    """
    manager = manager_of(host)
    if manager == SYSTEMD:
        units = _Units(host, attempt)
        return [*units.services(), *_scripts(host, attempt, units)]
    found = _scripts(host, attempt, None)
    return found + _runlevels(host, attempt) if manager == OPENRC else found


def manager_of(host: Host) -> str:
    """What boots a host: SYSTEMD, SYSV or OPENRC."""
    if host.is_directory("/run/openrc") or (
        host.is_directory("/etc/runlevels") and not host.exists("/run/systemd/system")
    ):
        return OPENRC
    return SYSTEMD if sysctl_program.boots_by_systemd(host) and _has_systemd(host) else SYSV


def _has_systemd(host: Host) -> bool:
    return any(host.exists(f"{base}/systemd") for base in ("/usr/lib/systemd", "/lib/systemd", "/run/systemd"))


# --- systemd


def parse(text: str) -> dict[str, list[str]]:
    """The lines of a unit's file, by name, whatever their section. An empty one takes those before away.

    An empty condition takes all conditions before away, of any kind, and an empty assertion all assertions.
    A backslash at its end continues a line, past comments (systemd.syntax(7)).
    """
    found: dict[str, list[str]] = {}
    logical = ""
    for raw in text.split("\n"):
        line = raw.strip()
        if line[:1] in ("#", ";") or (not line and not logical):
            continue
        if line.endswith("\\"):
            logical += line[:-1] + " "
            continue
        name, equals, value = (logical + line).partition("=")
        logical = ""
        if not equals:
            continue
        name, value = name.strip(), value.strip()
        if value:
            found.setdefault(name, []).append(value)
        elif name.startswith(_CHECKS):
            kind = next(check for check in _CHECKS if name.startswith(check))
            found = {other: values for other, values in found.items() if not other.startswith(kind)}
        elif name not in _STARTS:
            found.pop(name, None)
    return found


def _is_executable(host: Host, path: str) -> bool:
    look = host.look(path, 0)
    return look is not None and look.is_executable


def _has_content(host: Host, path: str) -> bool:
    look = host.look(path, 0)
    return look is not None and look.size > 0


#: Conditions about paths, by what follows ``Condition`` or ``Assert`` in their names. Those about other things are not
#: known here.
_PATH_CHECKS: dict[str, t.Callable[[Host, str], bool]] = {
    "PathExists": lambda host, path: host.exists(path),
    "PathIsDirectory": lambda host, path: host.is_directory(path),
    "DirectoryNotEmpty": lambda host, path: host.is_directory(path) and bool(host.names(path)),
    "FileNotEmpty": _has_content,
    "FileIsExecutable": _is_executable,
}


class _Units:
    """What systemd would load."""

    def __init__(self, host: Host, attempt: Attempt) -> None:
        self._host = host
        self._attempt = attempt
        # A merged /usr would be read twice.
        self._targets = {attempt(host.resolve, path): path for path in reversed(DIRECTORIES)}
        self._directories = [path for path in DIRECTORIES if path in self._targets.values()]
        self._names = {path: frozenset(self._attempt(host.names, path) or ()) for path in self._directories}

    def file_of(self, name: str) -> tuple[str, str] | None:
        """The name that a unit really has, and its file; None where there is none, or it is masked."""
        for _link in range(8):
            place = self._place(name)
            if place is None:
                return None
            target = self._attempt(self._host.resolve, place)
            if target is None or target == "/dev/null":
                return None
            behind, directory = posixpath.basename(target), posixpath.dirname(target)
            if behind in (name, _template(name)) or directory not in self._targets or not _same_kind(behind, name):
                return name, place
            # An alias: a link to a unit of another name.
            name = _instance_of(behind, name)
        return None

    def _place(self, name: str) -> str | None:
        for candidate in dict.fromkeys((name, _template(name))):
            for directory in self._directories:
                if candidate in self._names[directory]:
                    return f"{directory}/{candidate}"
        return None

    def exists(self, name: str) -> bool:
        """Whether there is anything of this name, be it a mask."""
        return self._place(name) is not None

    def services(self) -> list[Service]:
        """The services among all that the default target starts, in the order of who starts whom."""
        first = _DEFAULT_TARGET if self.file_of(_DEFAULT_TARGET) is not None else _FALLBACK_TARGET
        # (unit, what has it started, the unit to disable for that where it is not itself)
        waiting: list[tuple[str, str, str]] = [(first, "", "")]
        seen: set[str] = set()
        triggers: dict[str, list[str]] = {}
        found: list[Service] = []
        while waiting and len(seen) < _MOST_UNITS:
            asked, why, starter = waiting.pop(0)
            real = self.file_of(asked)
            if real is None or real[0] in seen:
                continue
            name, path = real
            seen.add(name)
            lines = self._lines(name, path)
            if lines is None:
                continue
            is_kept_out = self._is_kept_out(lines)
            if name.endswith(".service") and not is_kept_out:
                found.append(_service(name, path, why or path, starter or name, lines))
            for other, link, is_link in self._started(name, path, lines, is_kept_out):
                is_trigger = posixpath.splitext(name)[1] in _TRIGGERS and not is_link
                if is_trigger:
                    triggers.setdefault(other, []).append(name)
                by_line = not is_link and not name.endswith(".target")
                waiting.append((other, link, (starter or name) if by_line else ""))
        return [_with_triggers(service, triggers.get(service.name, [])) for service in found]

    def _is_kept_out(self, lines: t.Mapping[str, t.Sequence[str]]) -> bool:
        """Whether conditions or assertions of a unit fail at the next boot; not where that is not known.

        Each has to hold, but of those that begin with ``|`` one is enough.
        """
        for check in _CHECKS:
            any_of: list[bool | None] = []
            for key, values in lines.items():
                if not key.startswith(check):
                    continue
                for value in values:
                    is_one_of_many = value.startswith("|")
                    holds = self._holds(key[len(check) :], value.lstrip("|").strip())
                    if is_one_of_many:
                        any_of.append(holds)
                    elif holds is False:
                        return True
            if any_of and all(holds is False for holds in any_of):
                return True
        return False

    def _holds(self, kind: str, value: str) -> bool | None:
        """Whether a condition holds; None where it is not known, as where it asks for what a boot makes anew."""
        is_negated = value.startswith("!")
        path = value.lstrip("!").strip()
        look = _PATH_CHECKS.get(kind)
        if look is None or not path.startswith("/") or "%" in path:
            return None
        real = self._attempt(self._host.resolve, path)
        for place in (path, real or path):
            if any(f"{posixpath.normpath(place)}/".startswith(f"{passing}/") for passing in _PASSING):
                return None
        holds = False if real is None else self._attempt(look, self._host, path)
        return None if holds is None else holds != is_negated

    def _lines(self, name: str, path: str) -> dict[str, list[str]] | None:
        """What a unit says, with its drop-ins; None where its file is empty, which masks it, or cannot be read."""
        text = self._attempt(read, self._host, path)
        if not text:
            return None
        for drop_in in self._drop_ins(name):
            text += "\n" + (self._attempt(read, self._host, drop_in) or "")
        return parse(text)

    def _drop_ins(self, name: str) -> list[str]:
        paths: dict[str, str] = {}
        for candidate in dict.fromkeys((name, _template(name))):
            for directory in self._directories:
                if f"{candidate}.d" in self._names[directory]:
                    for file in self._listed(f"{directory}/{candidate}.d"):
                        if file.endswith(".conf"):
                            paths.setdefault(file, f"{directory}/{candidate}.d/{file}")
        return [paths[file] for file in sorted(paths)]

    def _listed(self, directory: str) -> list[str]:
        return t.cast("list[str]", self._attempt(self._host.names, directory) or [])

    def _links(self, name: str) -> dict[str, str]:
        """The links by which a unit has others started, by their names; the first directory that has one counts."""
        links: dict[str, str] = {}
        for suffix in _LINKS:
            for candidate in dict.fromkeys((name, _template(name))):
                for directory in self._directories:
                    if candidate + suffix in self._names[directory]:
                        for other in self._listed(f"{directory}/{candidate}{suffix}"):
                            links.setdefault(other, f"{directory}/{candidate}{suffix}/{other}")
        return links

    def _started(
        self, name: str, path: str, lines: t.Mapping[str, t.Sequence[str]], is_kept_out: bool
    ) -> t.Iterator[tuple[str, str, bool]]:
        """The units that one has started, each with the link or the file that says so, and whether it is a link.

        What a unit wants is started also where its own conditions fail, since these are checked later. But then it
        triggers nothing.
        """
        for other, link in self._links(name).items():
            if self._attempt(self._host.resolve, link) not in (None, "/dev/null"):
                yield other, link, True
        base, suffix = posixpath.splitext(name)
        if suffix in _TRIGGERS and not is_kept_out:
            # A service for each connection is an instance, with a name that only the connection tells.
            is_for_each = suffix == ".socket" and lines.get("Accept", ["no"])[-1].lower() in _YES
            own = base + ("@.service" if is_for_each else ".service")
            yield ([*lines.get(_TRIGGERS[suffix], ()), own][0], path, False)
        for key in sorted(_STARTS):
            for value in lines.get(key, ()):
                for other in value.split():
                    yield other.replace("%i", name.partition("@")[2].rpartition(".")[0]), path, False
        if name.endswith((".service", ".target")) and lines.get("DefaultDependencies", ["yes"])[-1].lower() not in _NO:
            yield from ((other, path, True) for other in ("sysinit.target", "basic.target"))


_YES = ("yes", "1", "true", "on", "y", "t")
_NO = ("no", "0", "false", "off", "n", "f")


def _service(name: str, path: str, why: str, enabled: str, lines: t.Mapping[str, t.Sequence[str]]) -> Service:
    commands = [value for key in ("ExecStartPre", "ExecStart", "ExecStartPost") for value in lines.get(key, ())]
    environment = [value.lstrip("-") for value in lines.get("EnvironmentFile", ())]
    return Service(name, SYSTEMD, path, why, (enabled,), tuple(commands), tuple(environment))


def _with_triggers(service: Service, triggers: t.Sequence[str]) -> Service:
    return service._replace(enabled=tuple(dict.fromkeys((*service.enabled, *triggers))))


def _same_kind(behind: str, name: str) -> bool:
    return posixpath.splitext(behind)[1] == posixpath.splitext(name)[1]


def _template(name: str) -> str:
    """``wg-quick@.service`` for ``wg-quick@wg0.service``; else the name."""
    base, at, rest = name.partition("@")
    return f"{base}@{posixpath.splitext(rest)[1]}" if at else name


def _instance_of(behind: str, name: str) -> str:
    """The instance that an alias of a template stands for."""
    base, at, rest = behind.partition("@")
    instance = posixpath.splitext(name.partition("@")[2])[0]
    return f"{base}@{instance}{rest}" if at and rest.startswith(".") else behind


# --- init scripts


def _scripts(host: Host, attempt: Attempt, units: _Units | None) -> list[Service]:
    """Init scripts that are enabled. Where systemd boots, those without a unit, and not those of rcS.d."""
    found: dict[str, Service] = {}
    for level in _RUNLEVELS if units is None else _RUNLEVELS[1:]:
        for base in ("/etc", "/etc/rc.d"):
            directory = f"{base}/rc{level}.d"
            for file in attempt(host.names, directory) or ():
                match = _SCRIPT.fullmatch(file)
                if match is None or match.group("name") in found:
                    continue
                name = match.group("name")
                script = attempt(host.resolve, f"{directory}/{file}")
                if (
                    script is not None
                    and host.is_file(script)
                    and (units is None or not units.exists(f"{name}.service"))
                ):
                    found[name] = Service(name, SYSV, script, f"{directory}/{file}", (name,))
    return list(found.values())


def _runlevels(host: Host, attempt: Attempt) -> list[Service]:
    found: dict[str, Service] = {}
    for level in attempt(host.names, "/etc/runlevels") or ():
        for name in attempt(host.names, f"/etc/runlevels/{level}") or ():
            link = f"/etc/runlevels/{level}/{name}"
            script = attempt(host.resolve, link)
            if level != "shutdown" and script is not None and host.is_file(script):
                found.setdefault(name, Service(name, OPENRC, script, link, (name,)))
    return list(found.values())
