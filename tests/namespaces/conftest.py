# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests against this machine's own kernel, in network namespaces. `make namespaces` runs them; they need root."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "unit")]

import collection_path

collection_path.make_importable()

#: What is needed that tools/setup installs.
PROGRAMS = ("ip", "nft", "conntrack", "setpriv")


def _lacks() -> str | None:
    if os.geteuid() != 0:
        return "these tests make network namespaces, which needs root: run `make namespaces`, which asks sudo"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"missing here: {', '.join(missing)}: run `make namespaces`, which installs them"
    if not Path("/proc/sys/net/netfilter/nf_conntrack_count").exists():
        return "connection tracking is not loaded here: `modprobe nf_conntrack` loads it"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip all of them, and say why, where they cannot run."""
    reason = _lacks()
    if reason is not None:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))
