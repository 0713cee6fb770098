# SPDX-License-Identifier: GPL-3.0-or-later
"""Show that the kernel has the values it should have, whenever nf_conntrack is loaded.

    holds.py '{"nf_conntrack_max": 100000, ...}' [--reload]

Loads nf_conntrack if it is not loaded, as the first firewall rule after a boot would; with --reload unloads it before.
Fails and names each value that is not as given.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys


def main() -> None:
    parser = argparse.ArgumentParser(description="Check live conntrack values.")
    parser.add_argument("expected", type=json.loads)
    parser.add_argument("--reload", action="store_true")
    arguments = parser.parse_args()

    if arguments.reload:
        subprocess.run(["modprobe", "-r", "nft_ct", "nf_conntrack"], check=True)
        if os.path.exists("/sys/module/nf_conntrack"):
            sys.exit("nf_conntrack is still loaded after modprobe -r")
    subprocess.run(["modprobe", "nf_conntrack"], check=True)
    subprocess.run(["udevadm", "settle"], check=True)

    wrong = []
    for key, value in arguments.expected.items():
        with open("/proc/sys/net/netfilter/" + key) as stream:
            live = int(stream.read())
        if live != value:
            wrong.append(f"{key} is {live} instead of {value}")
    if wrong:
        sys.exit("; ".join(wrong))


if __name__ == "__main__":
    main()
