# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Imports from a zip file in half the time. Ansible sends a module as one; a module imports this file first of all.

For each file that it imports, zipimport asks get_filename for the path, which compiles the file and throws the code
away; then the file is compiled again and run (CPython's Lib/zipimport.py, 3.7 to 3.14).
"""

from __future__ import annotations

import os
import sys
import zipimport


class CompileOnce(zipimport.zipimporter):
    """zipimport's importer, which finds out a path without compiling what is there."""

    def get_filename(self, fullname: str) -> str:
        """Return the path of a module's source in the archive.

        :raises zipimport.ZipImportError: when the archive does not have the module.
        """
        name = fullname.rpartition(".")[2]
        source = os.path.join(name, "__init__.py") if self.is_package(fullname) else f"{name}.py"
        return os.path.join(self.archive, self.prefix + source)


for _path, _importer in list(sys.path_importer_cache.items()):
    if isinstance(_importer, zipimport.zipimporter):
        del sys.path_importer_cache[_path]
sys.path_hooks.insert(0, CompileOnce)
