# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where scripts, tables and units stand that something runs, and which of them are worth a closer look.

Most hosts have none that is, so this is kept cheap: what takes a line apart is loaded where there is such a file.
"""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._own_files import BLOCK_FILE, MODPROBE_FILE, UDEV_FILE
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._writers.files import Files, Text

_OWN = frozenset({BLOCK_FILE, MODPROBE_FILE, UDEV_FILE})

#: What the boot itself runs: the program of the sysctl files, and the unit of /etc/rc.local.
_OF_THE_BOOT = frozenset({"/etc/init.d/procps", "/etc/init.d/procps.sh", "rc-local.service", "systemd-sysctl.service"})

#: What one has in it that applies sysctl files.
_APPLIES = (" -p", " -qp", " -ep", " -f", "--load", "--system")
#: Where administrators keep what their tables and units call.
CALLED = ("/etc/", "/usr/local/", "/opt/", "/root/", "/home/", "/srv/", "/var/lib/", "/data/")
#: The same in a unit: nearly every one names a file of /etc, but few run one.
_CALLED_BY_UNITS = (*CALLED[1:], "=/etc/", "=-/etc/", "sh /etc/")

EXEC_LINES = r"\s*Exec\w+\s*="


class Place(Record):
    """Where something looks for what it runs.

    :ivar writer: who runs it; empty for units, which are named by their own name.
    :ivar paths: files, and directories whose files are meant, where they end in a slash.
    :ivar when: when it does; empty for units and init scripts, which a boot may start or not.
    :ivar executables: whether it runs nothing that is not executable.
    :ivar lines: how a line begins that counts, as a regular expression; empty where all do.
    :ivar suffixes: how the names of files in the directories end; empty for any.
    :ivar calls: whether the scripts that are called there are searched too.
    :ivar first_wins: whether a file hides those of its name in later directories.
    :ivar may_be_resolved: whether what is said there about nf_conntrack may be among what a boot is known to set.
    """

    writer: str
    paths: t.Sequence[str]
    when: str
    executables: bool = False
    lines: str = ""
    suffixes: tuple[str, ...] = ()
    calls: bool = False
    first_wins: bool = False
    may_be_resolved: bool = False


class Candidate(Record):
    """A file that may set a key, or call one that does.

    :ivar place: where it was found.
    :ivar writer: what sets it then: who runs the place's files, or the name of the unit.
    :ivar file: the file.
    """

    place: Place
    writer: str
    file: Text


def _below(bases: t.Sequence[str], names: t.Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{base}/{name}" for base in bases for name in names)


_ALL = ("/etc", "/run", "/usr/local/lib", "/usr/lib")
_LINKS = ("routable", "configured", "configuring", "degraded", "carrier", "dormant", "no-carrier", "off")

INIT_SCRIPTS = Place("init script", ("/etc/init.d/",), "", executables=True)

#: Sources: systemd-rc-local-generator(8), crontab(5), run-parts(8), NetworkManager-dispatcher(8), interfaces(5),
#: networkd-dispatcher(8), modprobe.d(5), udev(7).
PLACES = (
    Place("rc.local", ("/etc/rc.local", "/etc/rc.d/rc.local"), "at boot", executables=True, calls=True),
    Place("local.d", ("/etc/local.d/",), "at boot", executables=True, suffixes=(".start",), calls=True),
    Place("cron", ("/etc/crontab", "/etc/anacrontab", "/etc/cron.d/"), "by its table", calls=True),
    Place("cron", ("/var/spool/cron/", "/var/spool/cron/crontabs/"), "by its table", calls=True),
    Place("cron", ("/etc/cron.hourly/",), "every hour", executables=True),
    Place("cron", ("/etc/cron.daily/",), "every day", executables=True),
    Place("cron", ("/etc/cron.weekly/",), "every week", executables=True),
    Place("cron", ("/etc/cron.monthly/",), "every month", executables=True),
    Place(
        "NetworkManager dispatcher",
        _below(
            ("/etc/NetworkManager/dispatcher.d", "/usr/lib/NetworkManager/dispatcher.d"),
            ("", "pre-up.d/", "pre-down.d/", "no-wait.d/"),
        ),
        "when a connection comes up or goes down",
        executables=True,
    ),
    Place(
        "ifupdown",
        _below(("/etc/network",), ("if-pre-up.d/", "if-up.d/", "if-down.d/", "if-post-down.d/")),
        "when an interface comes up or goes down",
        executables=True,
    ),
    Place(
        "ifupdown",
        ("/etc/network/interfaces", "/etc/network/interfaces.d/"),
        "when an interface comes up or goes down",
        lines=r"\s*(?:pre-up|up|post-up|pre-down|down|post-down)\s",
        calls=True,
    ),
    Place(
        "networkd-dispatcher",
        _below(("/etc/networkd-dispatcher", "/usr/lib/networkd-dispatcher"), [f"{name}.d/" for name in _LINKS]),
        "when a link changes its state",
        executables=True,
    ),
    INIT_SCRIPTS,
    Place(
        "modprobe.d",
        _below(_ALL, ("modprobe.d/",)),
        "at the load of a module",
        lines=r"\s*install\s",
        suffixes=(".conf",),
        first_wins=True,
        may_be_resolved=True,
    ),
    Place(
        "udev",
        _below(_ALL, ("udev/rules.d/",)),
        "by its rule",
        lines=r".*\bRUN\b",
        suffixes=(".rules",),
        first_wins=True,
        may_be_resolved=True,
    ),
)

#: systemd.unit(5): the first directory wins; drop-ins in NAME.d add to a unit. Not what each boot makes anew, such as
#: /run/systemd/generator.
UNITS = Place(
    "",
    (
        "/etc/systemd/system.control/",
        "/run/systemd/system.control/",
        "/run/systemd/transient/",
        "/etc/systemd/system/",
        "/run/systemd/system/",
        "/usr/local/lib/systemd/system/",
        "/usr/lib/systemd/system/",
        "/lib/systemd/system/",
    ),
    "",
    lines=EXEC_LINES,
    suffixes=(".service", ".socket", ".mount", ".swap"),
    calls=True,
)


def candidates(files: Files) -> list[Candidate]:
    """The files that are worth a closer look, units last."""
    found: list[Candidate] = []
    seen: set[str] = set()
    for place in PLACES:
        for path in _paths(files, place, seen):
            file = files.text(path)
            if file is not None and (file.is_executable or not place.executables) and _is_of_interest(file, place):
                found.append(Candidate(place, place.writer, file))
    for name, path in _units(files):
        file = files.text(path)
        if file is not None and _is_of_interest(file, UNITS):
            found.append(Candidate(UNITS, name, file))
    return found


def _is_of_interest(file: Text, place: Place) -> bool:
    text = file.text
    if "nf_conntrack" in text or "nf_flowtable" in text:
        return True
    if "sysctl" in text and any(word in text for word in _APPLIES):
        return True
    if not place.calls:
        return False
    words = [word for word in (_CALLED_BY_UNITS if place is UNITS else CALLED) if word in text]
    return bool(words) and any(_calls(line, place, words) for line in text.split("\n"))


def _calls(line: str, place: Place, words: t.Sequence[str]) -> bool:
    """Whether a line may call a script of the administrator's, and not only name a file or directory of his."""
    if place is UNITS:
        return "Exec" in line and any(word in line for word in words)
    return line[:1] != "#" and line[:5] != "PATH=" and any(word in line.replace("/etc/cron.", "") for word in words)


def _paths(files: Files, place: Place, seen: set[str]) -> t.Iterator[str]:
    """The files of a place, no place twice, and none of the collection's own."""
    hidden: set[str] = set()
    for path in place.paths:
        real = files.real(path)
        if real in seen:
            continue  # /lib where it is a link to /usr/lib, and the like
        seen.add(real)
        names = [path]
        if path.endswith("/"):
            listed = files.names(path[:-1])
            fitting = [name for name in listed if name.endswith(place.suffixes or "") and name[0] != "."]
            names = [path + name for name in fitting if name not in hidden]
            if place.first_wins:
                hidden.update(fitting)
        for name in names:
            if name not in _OWN and name not in _OF_THE_BOOT:
                yield name


def _units(files: Files) -> t.Iterator[tuple[str, str]]:
    """Units and their drop-ins, as (name of the unit, file), the administrator's first."""
    seen: set[str] = set()
    drop_ins: set[tuple[str, str]] = set()
    directories: set[str] = set()
    for directory in UNITS.paths:
        real = files.real(directory)
        if real in directories:
            continue  # a merged /usr
        directories.add(real)
        for entry in files.names(directory[:-1]):
            if entry.endswith(UNITS.suffixes):
                if entry not in seen and entry not in _OF_THE_BOOT:
                    seen.add(entry)
                    yield entry, directory + entry
            elif entry.endswith(".d") and entry[:-2].endswith(UNITS.suffixes):
                for name in files.names(directory + entry):
                    # systemd.unit(5): the first directory wins here as well.
                    if name.endswith(".conf") and (entry, name) not in drop_ins:
                        drop_ins.add((entry, name))
                        yield entry[:-2], f"{directory}{entry}/{name}"
