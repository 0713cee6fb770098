# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What sets sysctl values whenever nf_conntrack is loaded.

A command that is run in place of the load, and udev rules.
"""

from __future__ import annotations

import errno
import functools
import posixpath
import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._config import (
    drop_ins,
    modprobe_d,
    procps_sysctl,
    sysctl_command,
    systemd_sysctl,
    udev_rules,
    wildcards,
)
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import (
    ConfFile,
    DropIns,
    Origin,
    Reading,
)
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._kernel import MODULE
from ansible_collections.netops.conntrack.plugins.module_utils._own_files import SETTINGS_HEADER, UDEV_FILE

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._config.sysctl_command import Call
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

#: What runs the command.
MODPROBE = "modprobe"
UDEV = "udev"

#: Waits, for 30 seconds at most, until the kernel has run the init of the module: before 5.11 it may send the event
#: first, and then there are no keys to set yet. udev runs the commands of an event one after the other.
_WAIT = (
    f"/bin/sh -c 'n=0; while [ $$n -lt 300 ] && read s </sys/module/{MODULE}/initstate && [ $$s = coming ];"
    " do sleep 0.1; n=$$((n+1)); done'"
)


class Applier(t.NamedTuple):
    """A command that sets sysctl values when nf_conntrack is loaded.

    :ivar by: MODPROBE, which runs it before its own end, or UDEV, which runs it beside everything else.
    :ivar path: the file of the udev rule, or of the ``install`` line.
    :ivar number: the line of it.
    :ivar program: whose rules it follows, as of ``sysctl_command``.
    :ivar only: what it keeps to, in that program's words; empty for no limit.
    :ivar files: the files that it reads; None where it sets what it is told.
    :ivar assignments: what it is told to set.
    """

    by: str
    path: str
    number: int
    program: str
    only: tuple[str, ...]
    files: DropIns | None
    assignments: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{self.path}:{self.number}"

    def writes(self, *names: str) -> list[Origin]:
        """All that it writes to a variable that has these names (with dots), in that order."""
        values = _values(self.program, self.files or self._as_file(), self.only)
        written = values.writes(*names)
        return written if self.files is not None else [origin._replace(number=self.number) for origin in written]

    def _as_file(self) -> DropIns:
        conf = ConfFile(self.path, self.path, "\n".join(self.assignments))
        return DropIns("", (conf,))

    def with_text(self, path: str, text: str | None) -> Applier:
        """The same once a file has another content, or is gone."""
        if self.files is None or self.files.content(path) == text or path == "/dev/null":
            return self
        return self._replace(files=self.files.with_text(path, text))


@functools.lru_cache(maxsize=16)
def _values(
    program: str, files: DropIns, only: tuple[str, ...]
) -> procps_sysctl.BootValues | systemd_sysctl.BootValues:
    rules = systemd_sysctl.BootValues if program == sysctl_command.SYSTEMD else procps_sysctl.BootValues
    return rules(files, only)


class AtLoad(t.NamedTuple):
    """All that does so.

    :ivar found: by the files that are there.
    :ivar with_rule: by them and the collection's own udev rule.
    """

    found: tuple[Applier, ...]
    with_rule: tuple[Applier, ...]

    def with_text(self, path: str, text: str | None) -> AtLoad:
        """The same once a sysctl file has another content, or is gone."""
        return AtLoad(
            tuple(applier.with_text(path, text) for applier in self.found),
            tuple(applier.with_text(path, text) for applier in self.with_rule),
        )


def udev_rule(command: str) -> str:
    """The rules that apply the sysctl lines by a command whenever nf_conntrack is loaded."""
    event = f'ACTION=="add", SUBSYSTEM=="module", KERNEL=="{MODULE}", '
    return (
        f"{SETTINGS_HEADER}# sysctl.d lines for net.netfilter are lost when nf_conntrack is loaded later: "
        "apply them at every load.\n"
        "# Kernels before 5.11 may say that the module is there before its keys are: wait for them.\n"
        f'{event}ATTR{{initstate}}=="coming", RUN+="{_WAIT}"\n'
        f'{event}RUN+="{command}"\n'
    )


def find(host: Host, modprobe_files: DropIns, command: str) -> AtLoad:
    """What sets sysctl values whenever nf_conntrack is loaded.

    :param command: what the collection's own rule runs; empty where it can have none.
    :raises HostError: a file cannot be read.
    """
    rules = _udev_rules(host)
    read = functools.lru_cache(maxsize=None)(functools.partial(_read, host))
    installed = list(_installed(modprobe_files, read))
    then = rules.with_text(UDEV_FILE, udev_rule(command)) if command else rules
    return AtLoad((*installed, *_by_rules(host, rules, read)), (*installed, *_by_rules(host, then, read)))


def _udev_rules(host: Host) -> DropIns:
    """The rules that have anything to do with sysctl.

    Of the others, some fifty files, no more is looked at than the text.
    """
    paths: dict[str, str] = {}
    for directory in drop_ins.directories(udev_rules.KIND):
        for name in host.names(directory):
            if udev_rules.READING.takes(name):
                paths.setdefault(name, f"{directory}/{name}")
    texts = {path: _text(host, path) for path in paths.values()}
    found = [
        ConfFile(path, path, text)
        for path, text in texts.items()
        if text is not None and udev_rules.is_of_interest(text)
    ]
    return DropIns(udev_rules.KIND, tuple(sorted(found, key=udev_rules.READING.rank)), udev_rules.READING)


def _text(host: Host, path: str) -> str | None:
    try:
        return host.read_text(path)
    except HostError as error:
        if error.code in (errno.EISDIR, errno.ELOOP):
            return None
        raise


_Read = t.Callable[[str, t.Optional[t.Tuple[str, ...]]], t.Optional[DropIns]]


def _installed(modprobe_files: DropIns, read: _Read) -> t.Iterator[Applier]:
    """Firewalld has an ``install`` line with sysctl.

    It is ``install nf_conntrack modprobe --ignore-install nf_conntrack $CMDLINE_OPTS && sysctl ... --system``.
    """
    origin = modprobe_d.install_origin(modprobe_files, MODULE)
    if origin is None or modprobe_d.is_block(origin.value):
        return
    for call in sysctl_command.of_shell(modprobe_d.install_command(modprobe_files, MODULE)):
        yield from _applier(MODPROBE, origin.path, origin.number, call, read)


def _by_rules(host: Host, rules: DropIns, read: _Read) -> t.Iterator[Applier]:
    for command in udev_rules.commands(rules, MODULE):
        # A program without a directory is looked for in one that has none of those.
        if posixpath.dirname(command.words[0]) != udev_rules.PROGRAMS or host.exists(command.words[0]):
            for call in sysctl_command.of_words(command.words):
                yield from _applier(UDEV, command.path, command.number, call, read)


def _applier(by: str, path: str, number: int, call: Call, read: _Read) -> t.Iterator[Applier]:
    if call.program == sysctl_command.PROCPS and not all(map(_is_regular, call.only)):
        return
    files = None if call.assignments else read(call.program, call.files)
    if files is not None or call.assignments:
        yield Applier(by, path, number, call.program, call.only, files, call.assignments)


def _is_regular(pattern: str) -> bool:
    """Whether Python reads a regular expression as regcomp(3) does, as far as can be told."""
    if "[:" in pattern or "(?" in pattern:
        return False
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _read(host: Host, program: str, files: tuple[str, ...] | None) -> DropIns | None:
    """The files that a program reads; None where that cannot be told."""
    is_systemd = program == sysctl_command.SYSTEMD
    if files is None:
        return drop_ins.read(host, systemd_sysctl.KIND, Reading() if is_systemd else procps_sysctl.READING)
    named = [_named(host, path) if is_systemd else _expanded(host, path) for path in files]
    listed = tuple(path for paths in named for path in paths)
    if not all(path.startswith("/") for path in listed):
        return None
    return drop_ins.read(host, "", Reading(listed=listed)) if listed else DropIns("", ())


def _named(host: Host, path: str) -> list[str]:
    """systemd-sysctl looks for a name without a directory in those of sysctl.d."""
    if path.startswith("/"):
        return [path]
    paths = [f"{directory}/{path}" for directory in drop_ins.directories(systemd_sysctl.KIND)]
    return [found for found in paths if host.exists(found)][:1]


def _expanded(host: Host, path: str) -> list[str]:
    """The files that procps reads, which takes a name for a pattern."""
    directory, name = posixpath.split(path)
    if not wildcards.is_pattern(path) or wildcards.is_pattern(directory):
        return [path]
    hits = [found for found in host.names(directory) if wildcards.matches(name, found)]
    return [posixpath.join(directory, hit) for hit in hits if hit[0] != "." or name[0] == "."] or [path]
