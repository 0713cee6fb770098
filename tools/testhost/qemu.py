# SPDX-License-Identifier: GPL-3.0-or-later
"""The QEMU process: how it is called, how it is found again, and how it is ended."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
from pathlib import Path
from typing import Sequence

from .errors import TestHostError

PROGRAM = "qemu-system-x86_64"

# cmpxchg16b without a lock leaves garbage in the flags under QEMU 7.2, and a kernel from 6.2 on that is told there is
# such an instruction then dies of a double fault within minutes. Every kernel can do without.
# With a thread for each processor, one of them now and then runs code that another has just patched, and the kernel dies of
# a breakpoint that it no longer knows (Oops: int3). In turns they cannot, and two machines on two cores lose nothing by it.
EMULATED = ("-accel", "tcg,thread=single", "-cpu", "Nehalem,-cx16")
HARDWARE = ("-accel", "kvm", "-cpu", "host")

# Above 1 GiB, so that the kernel's own default is a table of 65536 buckets as on a host of any size up to 4 GiB; and
# two processors, so that what the kernel keeps for each is more than one row.
_MACHINE = ("-machine", "pc", "-m", "1536", "-smp", "2", "-nodefaults", "-no-user-config", "-display", "none")


def launch(arguments: Sequence[str], pidfile: Path) -> None:
    """Start a machine in the background; return once it runs, or raise with what QEMU had to say."""
    command = [PROGRAM, *_MACHINE, *arguments, "-daemonize", "-pidfile", str(pidfile)]
    try:
        done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except OSError as error:
        raise TestHostError(f"cannot run {PROGRAM}: {error.strerror}; tools/setup vm installs it") from error
    if done.returncode != 0:
        raise TestHostError(f"{PROGRAM} does not start: {done.stderr.strip() or f'status {done.returncode}'}")


def running(pidfile: Path) -> int | None:
    """Return the process id of the QEMU that wrote this file, or None when it is no more.

    The id alone may by now be another process: it is ours when this very file is among its arguments.
    """
    try:
        pid = int(pidfile.read_text(encoding="ascii"))
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(pidfile) in arguments else None


def kill(pidfile: Path) -> None:
    """End the machine as a power cut does, and wait until it is gone."""
    pid = running(pidfile)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            process = os.pidfd_open(pid)
            try:
                signal.pidfd_send_signal(process, signal.SIGKILL)
                # Until its last thread has let go of the disk: long before that its arguments can no longer be read.
                select.select([process], [], [])
            finally:
                os.close(process)
    pidfile.unlink(missing_ok=True)


def using(directory: Path) -> bool:
    """Say whether any process, of whichever work tree, was called with a file of this directory."""
    part = os.fsencode(f"{directory}{os.sep}")
    for arguments in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if part in arguments.read_bytes():
                return True
    return False
