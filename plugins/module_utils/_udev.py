# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The udevd of a host, whose rules set values when a module is loaded."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

#: Sockets of a running udevd: of systemd up to 257, and since.
_SOCKETS = ("/run/udev/control", "/run/udev/io.systemd.Udev")

#: Seconds that udevd has to come to an end. It takes milliseconds for a module; but the events of all devices are
#: waited for, and those of a disk that does not answer take minutes.
_SECONDS = 30

#: More than that for the program, which ends by itself.
_SPARE_SECONDS = 10


def runs(host: Host) -> bool:
    """Whether a udevd runs; not so in an image that is being built, nor in most containers."""
    return any(host.exists(path) for path in _SOCKETS)


def settle(host: Host, module: str) -> None:
    """Wait until udevd has carried out its rules about a module that was just loaded, where one runs.

    modprobe returns before that, and what the rules then run would undo what is written meanwhile.

    :raises HostError: that takes too long, so what the rules will still set is not known.
    """
    if not runs(host):
        return
    try:
        host.run(["udevadm", "settle", f"--timeout={_SECONDS}"], seconds=_SECONDS + _SPARE_SECONDS)
    except HostError as error:
        raise HostError(
            "wait for",
            "udev",
            f"it did not finish its rules within {_SECONDS} s after {module} was loaded, and they may still set values"
            f" ({error.reason.rstrip('.')}). See what it is doing (udevadm monitor, journalctl -u systemd-udevd),"
            " then run this again",
        ) from error
