# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of conntrack_settings and conntrack_modules on a host in memory, and hosts to run them on.

What the tests of more than one file need. Paths are written out here, as users know them, so that a change of the
collection's own names is seen by a test.
"""

from __future__ import annotations

import typing as t

import pytest
from fake_kernel import FakeKernel

from ansible_collections.netops.conntrack.plugins.module_utils._errors import ConntrackError, Refused
from ansible_collections.netops.conntrack.plugins.module_utils._settings import plan as settings_plan
from ansible_collections.netops.conntrack.plugins.module_utils._settings.request import Request as SettingsRequest
from ansible_collections.netops.conntrack.plugins.module_utils._settings.request import parse
from ansible_collections.netops.conntrack.plugins.module_utils._stacks import plan as stacks_plan
from ansible_collections.netops.conntrack.plugins.module_utils._stacks.observed import STACKS, STATES, Request

if t.TYPE_CHECKING:
    from fake_kernel import Entry
    from fake_modules import FakeModules

#: What a module returns.
Result = t.Dict[str, t.Any]

#: Recorded hosts that a :class:`FakeKernel` can boot: with nf_conntrack loaded, without, built in, and a container.
LOADED = ["bullseye-5.10-nat", "bookworm-6.1-nat", "trixie-6.12-nat"]
ABSENT = ["bullseye-5.10-absent", "bookworm-6.1-absent", "trixie-6.12-absent"]
BUILT_IN = "linux-6.18-built-in"
CONTAINER = "linux-6.18-netns"

#: The collection's own files.
BLOCK_FILE = "/etc/modprobe.d/00-netops-conntrack-modules.conf"
SYSCTL_FILE = "/etc/sysctl.d/zz-netops-conntrack.conf"
MODPROBE_FILE = "/etc/modprobe.d/zz-netops-conntrack.conf"
UDEV_FILE = "/etc/udev/rules.d/99-netops-conntrack.rules"
LOAD_FILE = "/etc/modules-load.d/netops-conntrack.conf"

#: What BLOCK_FILE holds, to keep NAT out and to keep all of connection tracking out.
MODULES_HEADER = "# Written by Ansible: netops.conntrack.conntrack_modules\n"
NAT_BLOCK = MODULES_HEADER + "install nf_nat /bin/false\n"
CONNTRACK_BLOCK = MODULES_HEADER + (
    "install nf_conntrack /bin/false\ninstall nf_nat /bin/false\n"
    "install nf_defrag_ipv4 /bin/false\ninstall nf_defrag_ipv6 /bin/false\n"
)

#: Parameters of conntrack_settings that a task leaves out.
DEFAULTS: t.Mapping[str, t.Any] = {
    "state": "present",
    "max": None,
    "hashsize": None,
    "entries_per_bucket": "auto",
    "memory_percent": 5,
    "timeouts": {},
    "sysctls": {},
    "scope": "both",
    "sysctl_file": None,
    "missing_keys": "fail",
    "conflicting_entries": "replace",
    "other_keys": "keep",
    "keep_larger": False,
    "load": False,
    "force": False,
}

#: All that conntrack_modules can be asked for.
STACK_REQUESTS = [Request(stack, state) for stack in STACKS for state in STATES]

#: Modules of the stacks by a rule simpler than the collection's, for the hosts recorded here.
_STACK_WORDS = ("conntrack", "nat", "defrag", "MASQUERADE")


# --- conntrack_settings


def wish(**params: t.Any) -> SettingsRequest:
    """The request of a task with these parameters.

    :raises InvalidInput: as the module would.
    """
    return parse(dict(DEFAULTS, **params))


def tune(kernel: FakeKernel, check: bool = False, **params: t.Any) -> Result:
    """Run conntrack_settings; its result.

    :param check: whether in check mode.
    :param params: the task's parameters; those left out are DEFAULTS.
    :raises ConntrackError: as the module would.
    """
    return settings_plan.run(kernel, wish(**params), check, diff=True)


def refusal(kernel: FakeKernel, *words: str, **params: t.Any) -> str:
    """The message with which conntrack_settings refuses, which has all these words, before anything is written.

    :param params: those of :func:`tune`.
    """
    before = kernel.state()
    with pytest.raises(Refused) as raised:
        tune(kernel, **params)
    for word in words:
        assert word in raised.value.message
    assert kernel.state() == before and not kernel.writes and not kernel.ran
    return raised.value.message


def ended(call: t.Callable[[], Result]) -> Result | tuple[type[ConntrackError], str]:
    """The result of a run, or the kind of error and the message with which it failed."""
    try:
        return call()
    except ConntrackError as error:
        return type(error), error.message


def subjects(result: Result, layer: str | None = None) -> list[str]:
    """What a run changed, in order.

    :param layer: ``runtime`` or ``boot``; None for both.
    """
    return [change["subject"] for change in result["changes"] if layer in (None, change["layer"])]


def live(kernel: FakeKernel, *names: str) -> tuple[int | None, ...]:
    """Live values of keys, by their names without ``nf_conntrack_``; None for a key that is not there."""
    return tuple(kernel.value("nf_conntrack_" + name) for name in names)


def sysctl_lines(kernel: FakeKernel, path: str = SYSCTL_FILE) -> list[str]:
    """The lines of a file that are no comments."""
    return [line for line in (kernel.text(path) or "").splitlines() if not line.startswith("#")]


# --- conntrack_modules


def fulfil(host: FakeModules, request: Request, check: bool = False) -> Result:
    """Run conntrack_modules for a request; its result.

    :param check: whether in check mode.
    :raises ConntrackError: as the module would.
    """
    return stacks_plan.run(host, request, check, diff=True)


def ask(host: FakeModules, stack: str, state: str, check: bool = False) -> Result:
    """Run conntrack_modules for a task; its result. As :func:`fulfil`."""
    return fulfil(host, Request(stack, state), check)


def refused(host: FakeModules, stack: str = "conntrack", state: str = "absent", check: bool = False) -> Refused:
    """The error with which conntrack_modules refuses, before anything is changed."""
    before = host.state()
    with pytest.raises(Refused) as caught:
        ask(host, stack, state, check)
    assert host.state() == before
    return caught.value


def stack_of(host: FakeModules) -> list[str]:
    """The loaded modules of connection tracking and NAT."""
    return sorted(name for name in host.loaded if any(word in name for word in _STACK_WORDS))


# --- hosts that do not boot by systemd

_PROCPS: t.Mapping[str, Entry] = {"/etc/init.d/procps": b"", "/usr/sbin/sysctl": b"", "/usr/bin/udevadm": b""}


def procps_host(name: str = "bookworm-6.1-nat", **changes: Entry) -> FakeKernel:
    """A host without systemd, as Debian's packages make one.

    :param changes: paths and what is there.
    """
    kernel = FakeKernel(name, {**_PROCPS, **changes})
    for path in ("/usr/lib/systemd/systemd-sysctl", "/lib/systemd/systemd-sysctl"):
        kernel.tree.pop(path, None)
    return kernel


def sysvinit_host(name: str, **changes: Entry) -> FakeKernel:
    """A host that has systemd installed and boots by sysvinit.

    :param changes: paths and what is there.
    """
    kernel = FakeKernel(name, {**_PROCPS, **changes})
    kernel.put(kernel.resolve("/sbin/init"), b"")
    kernel.tree.pop("/run/systemd/system", None)
    return kernel
