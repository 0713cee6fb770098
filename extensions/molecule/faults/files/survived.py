# SPDX-License-Identifier: GPL-3.0-or-later
"""Show that a host came through a power cut.

    survived.py '{"changes": [{"subject": "/etc/...", "before": "...", "after": null}, ...]}'
    survived.py '{"values": {"nf_conntrack_max": 50000, ...}}'

With changes: each file is wholly as it was before or after. With values: nothing that a stopped run left is there, and
the kernel has these values when nf_conntrack is loaded; with none, nothing loads it.
Either way the units that apply such files did not fail. Fails and names what is wrong.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

UNITS = ["systemd-sysctl.service", "systemd-modules-load.service", "systemd-udevd.service"]
LEFT = ".netops-conntrack.tmp"


def main() -> None:
    given = json.loads(sys.argv[1])
    wrong = [f"{unit} is {state}" for unit, state in unit_states() if state == "failed"]
    for change in given.get("changes", []):
        content = read(change["subject"])
        if content not in (change["before"], change["after"]):
            wrong.append("{} is neither old nor new: {!r}".format(change["subject"], content))
    if "values" in given:
        wrong += ["left: " + path for path in leftovers()]
        wrong += wrong_values(given["values"])
    if wrong:
        sys.exit("; ".join(wrong))


def unit_states() -> list[tuple[str, str]]:
    done = subprocess.run(["systemctl", "is-active", *UNITS], stdout=subprocess.PIPE, text=True, check=False)
    return list(zip(UNITS, done.stdout.split()))


def read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def leftovers() -> list[str]:
    return [os.path.join(directory, LEFT) for directory, _folders, names in os.walk("/etc") if LEFT in names]


def wrong_values(expected: dict[str, int]) -> list[str]:
    loaded = subprocess.run(["modprobe", "nf_conntrack"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    if loaded != bool(expected):
        return ["nf_conntrack is " + ("loaded" if loaded else "kept out")]
    subprocess.run(["udevadm", "settle"], check=True)
    wrong = []
    for key, value in expected.items():
        with open("/proc/sys/net/netfilter/" + key, encoding="ascii") as stream:
            live = int(stream.read())
        if live != value:
            wrong.append(f"{key} is {live} instead of {value}")
    return wrong


if __name__ == "__main__":
    main()
