# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lets Python import this checkout as ``ansible_collections.netops.conntrack``, wherever it lies."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

NAME = "ansible_collections.netops.conntrack"

#: The checkout.
ROOT = Path(__file__).resolve().parents[2]


def make_importable() -> None:
    """Name the checkout as a package, unless the caller already put it below an ``ansible_collections`` folder."""
    try:
        if importlib.util.find_spec(NAME) is not None:
            return
    except ModuleNotFoundError:
        pass
    parts = NAME.split(".")
    for count in range(1, len(parts) + 1):
        name = ".".join(parts[:count])
        package = types.ModuleType(name)
        package.__path__ = [str(ROOT)] if name == NAME else []
        sys.modules.setdefault(name, package)
