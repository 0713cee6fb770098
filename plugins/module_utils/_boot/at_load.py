# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What sets sysctl values whenever nf_conntrack is loaded.

A command that is run in place of the load, and udev rules.
"""

from __future__ import annotations

import errno
import functools
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._boot import sysctl_program
from ansible_collections.netops.conntrack.plugins.module_utils._config import (
    drop_ins,
    modprobe_d,
    systemd_sysctl,
    udev_files,
)
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import ConfFile, DropIns, Origin
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._kernel import MODULE
from ansible_collections.netops.conntrack.plugins.module_utils._own_files import SETTINGS_HEADER, UDEV_FILE
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._boot.sysctl_program import BootValues
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


class Applier(Record):
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
def _values(program: str, files: DropIns, only: tuple[str, ...]) -> BootValues:
    if program == systemd_sysctl.PROGRAM:
        return systemd_sysctl.BootValues(files, only)
    from ansible_collections.netops.conntrack.plugins.module_utils._config import procps_sysctl

    return procps_sysctl.BootValues(files, only)


class AtLoad(Record):
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


def find(host: Host, modprobe_files: DropIns, command: str, sysctl_d: DropIns | None = None) -> AtLoad:
    """What sets sysctl values whenever nf_conntrack is loaded.

    :param command: what the collection's own rule runs; empty where it can have none.
    :param sysctl_d: what that reads; None to read it.
    :raises HostError: a file cannot be read.
    """
    rules = _udev_rules(host)
    own = udev_rule(command) if command else ""
    install = _install(modprobe_files)
    if install is not None or not command.endswith(sysctl_program.ONLY_NETFILTER) or _has_others(rules, own):
        return _by_commands(host, modprobe_files, install, rules, own)
    # What the own rule comes to needs no taking apart.
    files = drop_ins.read(host, systemd_sysctl.KIND) if sysctl_d is None else sysctl_d
    only = (sysctl_program.NETFILTER,)
    applier = Applier(UDEV, UDEV_FILE, own.count("\n"), systemd_sysctl.PROGRAM, only, files)
    return AtLoad((applier,) if rules.files else (), (applier,))


def _install(modprobe_files: DropIns) -> Origin | None:
    """The line with what modprobe runs in place of the load, and that may set something."""
    origin = modprobe_d.install_origin(modprobe_files, MODULE)
    return None if origin is None or modprobe_d.is_block(origin.value) else origin


def _has_others(rules: DropIns, own: str) -> bool:
    return any((conf.path, conf.text) != (UDEV_FILE, own) for conf in rules.files)


def _by_commands(host: Host, modprobe_files: DropIns, install: Origin | None, rules: DropIns, own: str) -> AtLoad:
    """The same where there are other commands than that of the collection's own rule."""
    from ansible_collections.netops.conntrack.plugins.module_utils._boot import load_commands

    commands = load_commands.Commands(host)
    installed = () if install is None else tuple(commands.of_install(modprobe_files, install))
    found, with_rule = (
        (*installed, *commands.of_rules(files)) for files in (rules, rules.with_text(UDEV_FILE, own) if own else rules)
    )
    return AtLoad(found, with_rule)


def _udev_rules(host: Host) -> DropIns:
    """The rules that may set a sysctl.

    Of the others, some fifty files, no more is looked at than the text.
    """
    paths: dict[str, str] = {}
    for directory in drop_ins.directories(udev_files.KIND):
        for name in host.names(directory):
            if udev_files.READING.takes(name):
                paths.setdefault(name, f"{directory}/{name}")
    texts = {path: _text(host, path) for path in paths.values()}
    found = [
        ConfFile(path, path, text)
        for path, text in texts.items()
        if text is not None and udev_files.is_of_interest(text)
    ]
    return DropIns(udev_files.KIND, tuple(sorted(found, key=udev_files.READING.rank)), udev_files.READING)


def _text(host: Host, path: str) -> str | None:
    try:
        return host.read_text(path)
    except HostError as error:
        if error.code in (errno.EISDIR, errno.ELOOP):
            return None
        raise
