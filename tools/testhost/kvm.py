# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this computer can run a machine in hardware, found out by running one."""

from __future__ import annotations

import os
import select
from pathlib import Path

from . import qemu
from .image import CACHE, Image, locked

_VERDICT = CACHE / "kvm"
# What the initrd says where there is no disk.
_END = b"No root device specified"
# What QEMU says of a guest that the processor cannot run. The guest then stands still.
_BROKEN = b"KVM internal error"
# A kernel on its way to the initrd is never silent for so long.
_SILENT_SECONDS = 5


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
    arguments = ["-kernel", str(image.kernel), "-initrd", str(image.initrd)]
    arguments += ["-append", "earlyprintk=ttyS0 console=ttyS0 panic=-1", "-no-reboot", "-serial", "stdio"]
    with qemu.run([*qemu.HARDWARE, *arguments]) as machine:
        assert machine.stdout is not None
        said = b""
        try:
            while _END not in said and _BROKEN not in said:
                ready, _writable, _failed = select.select([machine.stdout], [], [], _SILENT_SECONDS)
                words = os.read(machine.stdout.fileno(), 4096) if ready else b""
                if not words:
                    return False
                said += words
            return _END in said
        finally:
            machine.kill()
