# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What imports from a zip file look like with and without :mod:`_compile_once`, each in a Python of its own."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import zipfile

import pytest
from collection_path import ROOT

FILES = {
    "house/__init__.py": "",
    "house/room.py": "from house.cellar import shelf\n",
    "house/cellar/__init__.py": "",
    "house/cellar/shelf.py": "def broken():\n    raise ValueError('no jam')\n",
}

_IMPORT = """
import builtins, inspect, json, runpy, sys, traceback
archive, ours = sys.argv[1:]
sys.path.insert(0, archive)
import house
compiled = []
def compile_and_tell(source, name, *rest, really=builtins.compile, **more):
    compiled.append(str(name))
    return really(source, name, *rest, **more)
if ours:
    runpy.run_path(ours)
builtins.compile = compile_and_tell
import house.room
from house.cellar import shelf
try:
    import house.attic
except ModuleNotFoundError as error:
    missing = str(error)
try:
    shelf.broken()
except ValueError:
    trace = traceback.format_exc()
print(json.dumps({
    "compiled": [name[len(archive) + 1:] for name in compiled if name.startswith(archive)],
    "same": [house.room.__file__, house.cellar.__file__, house.cellar.__path__, inspect.getsource(shelf), missing,
             trace],
}))
"""


def imports(archive, ours):
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT, str(archive), ours], check=True, capture_output=True, text=True, cwd="/"
    )
    return json.loads(done.stdout)


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "payload.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, text in FILES.items():
            file.writestr(name, text)
    return path


def test_each_file_is_compiled_once_and_nothing_else_is_different(archive):
    plain = imports(archive, "")
    ours = imports(archive, str(ROOT / "plugins" / "module_utils" / "_compile_once.py"))
    assert ours["same"] == plain["same"]
    assert sorted(ours["compiled"]) == ["house/cellar/__init__.py", "house/cellar/shelf.py", "house/room.py"]
    if len(plain["compiled"]) == len(ours["compiled"]):
        pytest.skip("this Python compiles each file once by itself")


@pytest.mark.parametrize("module", sorted((ROOT / "plugins" / "modules").glob("*.py")), ids=lambda path: path.stem)
def test_a_module_imports_it_before_all_others_of_the_collection(module):
    nodes = [node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.ImportFrom)]
    own = [node for node in sorted(nodes, key=lambda node: node.lineno) if "netops.conntrack" in (node.module or "")]
    # One of them is the documentation of an action plugin.
    assert not own or [name.name for name in own[0].names] == ["_compile_once"]
