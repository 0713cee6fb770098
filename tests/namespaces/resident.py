# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module that is named with arguments from standard input, and prints the most memory it had, in KiB."""

from __future__ import annotations

import contextlib
import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    # Ansible would take an argument for a file with the module's.
    name = sys.argv.pop()
    with contextlib.suppress(SystemExit):
        importlib.import_module(f"ansible_collections.netops.conntrack.plugins.modules.{name}").main()
    # Not getrusage(), whose maximum is that of the program that started this one, if that had more.
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    print()
    print(next(line.split()[1] for line in status if line.startswith("VmHWM:")))
