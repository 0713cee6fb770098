# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""ufw, which applies a sysctl file of its own whenever it starts or reloads.

ufw_start() in /lib/ufw/ufw-init-functions (0.36.2, Debian 12): where ENABLED of /etc/ufw/ufw.conf is yes or YES, it
loads its rules, and then runs ``sysctl -e -q -p $IPT_SYSCTL`` with the variable from /etc/default/ufw. Its unit starts
before the network and does not wait for systemd-sysctl.
"""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._writers import shell_variables, sysctl_lines
from ansible_collections.netops.conntrack.plugins.module_utils._writers.writer import Writer

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._writers.files import Files

UNIT = "ufw.service"

_CONF = "/etc/ufw/ufw.conf"
_DEFAULTS = "/etc/default/ufw"


def find(files: Files, is_started: t.Callable[[str], bool | None]) -> t.Iterator[Writer]:
    """What ufw sets.

    :param is_started: whether the boot starts a unit; None where that is not known.
    """
    conf, defaults = files.text(_CONF), files.text(_DEFAULTS)
    if conf is None or defaults is None:
        return
    enabled = shell_variables.parse(conf.text).get("ENABLED")
    applied = shell_variables.parse(defaults.text).get("IPT_SYSCTL")
    if enabled is None or enabled.value not in ("yes", "YES") or applied is None:
        return
    if not shell_variables.is_known(applied.value):
        then = "; which file that is, is not known"
        yield Writer("ufw", _DEFAULTS, applied.line, None, None, "when ufw starts", text=applied.value, then=then)
        return
    texts = [(path, files.text(path)) for path in applied.value.split()]
    lines = sysctl_lines.in_force((path, found.text) for path, found in texts if found is not None)
    starts = is_started(UNIT) is not False if lines else True
    when = "when ufw starts or reloads" if starts else "when somebody starts ufw, which the boot does not"
    then = ", in a race with what applies sysctl.d" if starts else ""
    for key, line in lines.items():
        yield Writer("ufw", line.path, line.number, key, line.value, when, certain=True, then=then, by_itself=starts)
