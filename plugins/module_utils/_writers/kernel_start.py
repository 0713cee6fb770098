# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel's command line and systemd's credentials set.

``sysctl.KEY=VALUE`` is set right before init is started, and keys that a module brings later cannot be set this way
(Documentation/admin-guide/kernel-parameters.txt), so it counts only where connection tracking is built in; sysctl files
come after it. Line 1 of /proc/cmdline is what the parameter ``nf_conntrack.hashsize`` stands in.

The credential ``sysctl.extra`` is read by systemd-sysctl after all files (read_credential_lines() in
src/sysctl/sysctl.c, systemd 252 on) in its own unit, and not by a systemd-sysctl that a udev rule runs.
"""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel
from ansible_collections.netops.conntrack.plugins.module_utils._config import modprobe_d, systemd_sysctl
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS
from ansible_collections.netops.conntrack.plugins.module_utils._writers.writer import (
    Writer,
    is_taken,
    key_of,
    number_for,
)

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._writers.files import Files

_NAME = "kernel command line"
_CREDENTIAL = "systemd credential sysctl.extra"
_STORES = (
    "/run/credentials/@system",
    "/etc/credstore",
    "/run/credstore",
    "/usr/local/lib/credstore",
    "/usr/lib/credstore",
)
_ENCRYPTED = ("/etc/credstore.encrypted", "/run/credstore.encrypted")
_EXTRA = "sysctl.extra"


def find(files: Files) -> t.Iterator[Writer]:
    """What is set before and beside the files of sysctl.d when the kernel and systemd start."""
    yield from _command_line(files)
    yield from _credentials(files)


def _command_line(files: Files) -> t.Iterator[Writer]:
    found = files.text(_kernel.COMMAND_LINE)
    line = found.text.strip() if found is not None else ""
    if "conntrack" not in line and "nf_flowtable" not in line:
        return
    path = _kernel.COMMAND_LINE
    is_module = _kernel.presence(files.host) != _kernel.BUILT_IN
    for word in line.split():
        name, equals, text = word.partition("=")
        key = key_of(name[len("sysctl.") :].replace(".", "/")) if name.startswith("sysctl.") and equals else None
        value = number_for(key, text) if key is not None else None
        if key is None or value is None:
            continue
        found_there = Writer(_NAME, path, 1, key, value, "before init starts", certain=True, text=word)
        if is_module:
            then = ", because nf_conntrack is a module, whose keys are not there yet"
            yield found_there._replace(value=None, then=then, by_itself=False)
        else:
            yield found_there._replace(then=", and sysctl files come after it", yields=True)
    sizes = modprobe_d.command_line_values(line, _kernel.MODULE, "hashsize")
    for text in sizes[-1:]:
        value = _kernel.parse_parameter(text)
        if value is not None and is_taken(BUCKETS, value):
            when = "when nf_conntrack is loaded" if is_module else "when the kernel starts"
            yield Writer(_NAME, path, 1, BUCKETS, value, when, certain=True)


def _credentials(files: Files) -> t.Iterator[Writer]:
    when = "when systemd-sysctl.service runs"
    for store in _STORES:
        found = files.text(f"{store}/{_EXTRA}")
        if found is None:
            continue
        for entry in systemd_sysctl.parse(found.text):
            key = key_of(entry.key)
            value = number_for(key, entry.value) if key is not None and entry.value is not None else None
            if key is not None and value is not None:
                then = ", after all sysctl files, but not when nf_conntrack is loaded later"
                yield Writer(_CREDENTIAL, found.path, entry.number, key, value, when, then=then)
    for store in _ENCRYPTED:
        if _EXTRA in files.names(store):
            path = f"{store}/{_EXTRA}"
            yield Writer(_CREDENTIAL, path, None, None, None, when, then="; it is encrypted")
