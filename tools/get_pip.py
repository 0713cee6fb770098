# SPDX-License-Identifier: GPL-3.0-or-later
"""Put pip into an environment: what ansible-test downloads, for where it cannot. See tools/sanity."""

from __future__ import annotations

import subprocess
import sys

# The real one is told what else to leave out; pip knows no such options.
arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--no-")]

# A process of its own for ensurepip, since it turns off pip's configuration in the one it runs in.
subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *arguments], check=True)
