# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Temporary files that a run left which was stopped, by a power cut or by kill -9, while it wrote a file.

Nothing reads them, but nothing else would ever remove one whose file needs no other change. Removing it is a change
like any other: planned, shown by check mode, and reported.
"""

from __future__ import annotations

import posixpath
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host


def find(host: Host, paths: t.Iterable[str]) -> dict[str, str]:
    """What stopped runs left beside these files, the content by path.

    None for who is not root, and so can remove nothing and perhaps read nothing; nor what cannot be removed.
    """
    if not host.is_root:
        return {}
    directories = sorted({posixpath.dirname(host.resolve(path)) for path in paths})
    found = [path for path in map(host.leftover, directories) if path is not None and host.replaceable(path)]
    return {path: host.read_text(path) or "" for path in found}
