# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs of a host, found without starting any."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

_DIRECTORIES = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")


def find(host: Host, name: str) -> str | None:
    """The path of a program; None where the host does not have it."""
    paths = (f"{directory}/{name}" for directory in _DIRECTORIES)
    return next((path for path in paths if host.is_file(path)), None)
