# SPDX-License-Identifier: GPL-3.0-or-later
"""The QEMU process: how it is called."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Sequence

from .errors import TestHostError

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "qemu-system-x86_64"

# cmpxchg16b without a lock leaves garbage in the flags under QEMU 7.2, and a kernel from 6.2 on that is told there is
# such an instruction then dies of a double fault within minutes. Every kernel can do without.
# With a thread for each processor, one of them now and then runs code that another has just patched, and the kernel
# dies of a breakpoint that it no longer knows (Oops: int3). In turns they cannot, and two machines on two cores lose
# nothing by it.
EMULATED = ("-accel", "tcg,thread=single", "-cpu", "Nehalem,-cx16")
HARDWARE = ("-accel", "kvm", "-cpu", "host")

# Above 1 GiB, so that the kernel's own default is a table of 65536 buckets as on a host of any size up to 4 GiB; and
# two processors, so that what the kernel keeps for each is more than one row.
_MACHINE = ("-machine", "pc", "-m", "1536", "-smp", "2", "-nodefaults", "-no-user-config", "-display", "none")


def launch(arguments: Sequence[str], pidfile: Path) -> None:
    """Start a machine in the background; return once it runs, or raise with what QEMU had to say."""
    with run([*arguments, "-daemonize", "-pidfile", str(pidfile)]) as machine:
        said, _none = machine.communicate()
    if machine.returncode != 0:
        words = said.decode(errors="replace").strip()
        raise TestHostError(f"{PROGRAM} does not start: {words or f'status {machine.returncode}'}")


def run(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a machine as a child, whose output is all that QEMU and, by its arguments, the machine say."""
    try:
        return subprocess.Popen(
            [PROGRAM, *_MACHINE, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise TestHostError(f"cannot run {PROGRAM}: {error.strerror}; tools/setup vm installs it") from error
