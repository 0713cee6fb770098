# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this computer can run a machine in hardware, found out by running one."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from . import process, qemu
from .errors import TestHostError
from .image import CACHE, Image, locked

_VERDICT = CACHE / "kvm"
_SECONDS = 20
# What the initrd says where there is no disk.
_END = "No root device specified"
# A kernel that runs at all says so at once.
_SECONDS_TO_FIRST_WORD = 3


def accelerator(image: Image) -> tuple[str, ...]:
    """Return QEMU's arguments for the fastest way there is to run this image.

    A /dev/kvm that can be opened may still fail: inside another virtual machine a guest may die at once or never get
    anywhere. Trying takes long when it fails, so the answer is kept until this computer boots again.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return qemu.EMULATED
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    with locked("kvm"):
        known = _VERDICT.read_text(encoding="ascii").split() if _VERDICT.exists() else []
        if known[:1] == [boot]:
            works = known[1:] == ["works"]
        else:
            print("kvm: trying whether a machine comes up with it", flush=True)
            works = _guest_comes_up(image)
            _VERDICT.write_text(f"{boot} {'works' if works else 'fails'}\n", encoding="ascii")
            print(f"kvm: {'it does' if works else 'it does not, so machines are emulated'}", flush=True)
    return qemu.HARDWARE if works else qemu.EMULATED


def _guest_comes_up(image: Image) -> bool:
    """Boot without a disk as far as the initrd, whose complaint shows that kernel and user space both run."""
    with tempfile.TemporaryDirectory() as directory:
        console, pidfile = Path(directory, "console"), Path(directory, "pid")
        arguments = ["-kernel", str(image.kernel), "-initrd", str(image.initrd)]
        arguments += ["-append", "earlyprintk=ttyS0 console=ttyS0 panic=-1", "-no-reboot", "-serial", f"file:{console}"]
        try:
            qemu.launch([*qemu.HARDWARE, *arguments], pidfile)
            began = time.monotonic()
            while time.monotonic() - began < _SECONDS and process.running(pidfile) is not None:
                said = console.read_text(errors="replace")
                if _END in said:
                    return True
                if not said and time.monotonic() - began > _SECONDS_TO_FIRST_WORD:
                    return False
                time.sleep(0.2)
            return _END in console.read_text(errors="replace")
        except (TestHostError, OSError):
            return False
        finally:
            process.kill(pidfile)
