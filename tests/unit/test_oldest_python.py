# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Managed hosts have Python 3.7 or newer.

Every file that Ansible sends there is imported by the oldest that is here.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from collection_path import ROOT

_IMPORT = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import collection_path
collection_path.make_importable()
for name in sys.argv[2:]:
    importlib.import_module(collection_path.NAME + "." + name)
"""


def pythons():
    """Interpreters of version 3.7, on PATH or where version managers keep them."""
    found = [shutil.which("python3.7"), *map(str, (Path.home() / ".pyenv" / "versions").glob("3.7.*/bin/python3.7"))]
    for python in filter(None, found):
        asked = subprocess.run(
            [python, "-c", "import sys; print(sys.version_info[:2])"], check=False, capture_output=True
        )
        if asked.stdout.strip() == b"(3, 7)":
            yield python


def test_everything_that_is_sent_to_a_host_can_be_imported_by_python_3_7():
    python = next(pythons(), None)
    if python is None:
        pytest.skip("there is no Python 3.7 here")
    files = sorted((ROOT / "plugins" / "module_utils").rglob("*.py"))
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    done = subprocess.run(
        [python, "-c", _IMPORT, str(Path(__file__).parent), *names], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
