# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host of nothing but the files that a test names."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
from ansible_collections.netops.conntrack.plugins.module_utils._writers.files import Files, Limits

if t.TYPE_CHECKING:
    from pathlib import Path

#: Text, or text and whether it is executable.
Entry = t.Union[str, t.Tuple[str, bool]]


@pytest.fixture
def files_of(tmp_path: Path) -> t.Callable[..., Files]:
    """``files_of({path: text})``; a tuple's second member makes it executable."""

    def make(tree: t.Mapping[str, Entry], limits: Limits | None = None, **more: t.Any) -> Files:
        for path, entry in tree.items():
            text, is_executable = (entry, False) if isinstance(entry, str) else entry
            place = tmp_path / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text.encode("utf-8", "surrogateescape"))
            place.chmod(0o755 if is_executable else 0o644)
        return Files(Host(str(tmp_path)), limits, **more)

    return make


@pytest.fixture
def told() -> t.Callable[..., list[tuple[t.Any, ...]]]:
    """``told(writers)``: key, value, file, line and certainty of each."""

    def tell(writers: t.Iterable[t.Any]) -> list[tuple[t.Any, ...]]:
        return [(found.key, found.value, found.path, found.line, found.certain) for found in writers]

    return tell
