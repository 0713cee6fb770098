# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the running kernel is, as far as connection tracking cares."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._keys import COUNT, DIRECTORY

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

MODULE = "nf_conntrack"

#: What the kernel was started with, parameters of modules among it.
COMMAND_LINE = "/proc/cmdline"

# Compiled where a number is not written as most are.
_VALUE = r"[ \t\n\v\f\r]*(?P<sign>-?)(?P<digits>0[xX][0-9a-fA-F]{1,16}|0[0-7]{0,22}|[1-9][0-9]{0,19})(?:[ \t\n]|\Z)"
_PARAMETER = r"\+?(?P<digits>0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]{0,9})\n?"
_UINT_MAX = 2**32 - 1

_CAP_SYS_MODULE = 16  # include/uapi/linux/capability.h

LOADED = "loaded"
BUILT_IN = "built_in"
ABSENT = "absent"


def presence(host: Host) -> str:
    """``loaded`` as a module, ``built_in``, or ``absent`` (not loaded now).

    Only a loadable module has a reference count; a container without /sys still has /proc/modules.
    """
    if host.exists("/sys/module/nf_conntrack/refcnt"):
        return LOADED
    if any(line.startswith(b"nf_conntrack ") for line in host.lines("/proc/modules")):
        return LOADED
    if host.exists(f"{DIRECTORY}/{COUNT}") or host.exists("/sys/module/nf_conntrack"):
        return BUILT_IN
    return ABSENT


def in_initial_namespace(host: Host) -> bool:
    """Whether this process is in the initial network namespace, the only one that sets max and hashsize.

    ``net.core.dev_weight`` is registered for that namespace alone (net/core/sysctl_net_core.c), on every kernel,
    and can be seen without root and without nf_conntrack.
    """
    return host.exists("/proc/sys/net/core/dev_weight")


def may_change_modules(host: Host) -> bool:
    """Whether this process has CAP_SYS_MODULE; root in a container has not, though it may be in the host's network."""
    effective = next((line for line in host.lines("/proc/self/status") if line.startswith(b"CapEff:")), None)
    return effective is None or bool(int(effective.split()[1], 16) >> _CAP_SYS_MODULE & 1)


def modules_disabled(host: Host) -> bool:
    """Whether modules can be neither loaded nor unloaded until the next boot."""
    return host.read_value("/proc/sys/kernel/modules_disabled") == "1"


def release(host: Host) -> str:
    """The kernel release, as ``uname -r`` prints it."""
    return host.read_value("/proc/sys/kernel/osrelease") or ""


def version(kernel_release: str) -> tuple[int, int]:
    """(major, minor) of a kernel release; (0, 0) when it has none."""
    match = re.match(r"(\d+)\.(\d+)", kernel_release)
    return (int(match.group(1)), int(match.group(2))) if match else (0, 0)


def parse_number(text: str) -> int | None:
    """The number that the kernel reads from a value; None where it refuses it.

    Octal with a leading 0, hexadecimal with 0x, and what follows white space is ignored, so ``5 # why`` is 5
    (proc_get_long() in kernel/sysctl.c; seen on 6.18).
    """
    if _is_plain(text):
        return int(text)
    match = re.match(_VALUE, text)
    if match is None:
        return None
    digits = match.group("digits")
    return int(match.group("sign") + digits, _base(digits))


def parse_parameter(text: str) -> int | None:
    """The number that the kernel reads from a parameter of a module, such as hashsize; None where it refuses it.

    Other than a sysctl it may have a plus, and nothing around it but one newline (kstrtouint() in lib/kstrtox.c).
    """
    if _is_plain(text):
        return int(text)
    match = re.fullmatch(_PARAMETER, text)
    if match is None:
        return None
    digits = match.group("digits")
    number = int(digits, _base(digits))
    return number if number <= _UINT_MAX else None


def _is_plain(text: str) -> bool:
    """Whether it is a number without anything else that is in range for both."""
    has_base = text[:1] == "0" and text != "0"
    return text.isdigit() and text.isascii() and not has_base and len(text) < len(str(_UINT_MAX))


def _base(digits: str) -> int:
    return 16 if digits[:2] in ("0x", "0X") else 8 if digits[0] == "0" else 10


def memory_bytes(host: Host) -> int:
    """Bytes of memory the kernel manages: MemTotal of /proc/meminfo, from which it sizes its own default table.

    :raises HostError: /proc/meminfo has no such line.
    """
    for line in host.lines("/proc/meminfo"):
        if line.startswith(b"MemTotal:"):
            return int(line.split()[1]) * 1024
    raise HostError("read", "/proc/meminfo", "it has no MemTotal line")
