# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What conntrack_settings observes of a host."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel
from ansible_collections.netops.conntrack.plugins.module_utils._boot import outcome, stacks
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, COUNT, DIRECTORY, MAX
from ansible_collections.netops.conntrack.plugins.module_utils._own_files import SYSCTL_FILE
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record
from ansible_collections.netops.conntrack.plugins.module_utils._sizing import Hardware

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
    from ansible_collections.netops.conntrack.plugins.module_utils._settings.request import Request

#: The other door to the buckets, for kernels whose sysctl is read-only.
_HASHSIZE_FILE = "/sys/module/nf_conntrack/parameters/hashsize"


class Observed(Record):
    """A host as it is.

    :ivar presence: loaded, built_in or absent.
    :ivar initial_namespace: whether max and hashsize can be set from here.
    :ivar release: kernel release.
    :ivar hardware: what automatic sizes depend on.
    :ivar is_root: whether this process may change anything at all.
    :ivar may_load: whether it may load modules, as far as root may.
    :ivar live: value of each key in question that the kernel has, and of max, buckets and count.
    :ivar paths: file of each of those.
    :ivar read_only: keys that this process cannot write.
    :ivar boot: configuration files; None where neither the boot is to be changed nor the module to be loaded.
    :ivar own: keys that the collection's own files set, where those that are not asked for shall go.
    :ivar stacks: what is loaded and kept out; None where no configuration file is read.
    """

    presence: str
    initial_namespace: bool
    release: str
    hardware: Hardware
    is_root: bool
    may_load: bool
    live: t.Mapping[str, int]
    paths: t.Mapping[str, str]
    read_only: frozenset[str]
    boot: outcome.BootFiles | None
    own: frozenset[str]
    stacks: t.Mapping[str, t.Any] | None

    @property
    def is_module(self) -> bool:
        """Whether nf_conntrack is a module that is loaded here, if it is; containers have it from their host."""
        return self.presence != _kernel.BUILT_IN and self.initial_namespace


def observe(host: Host, request: Request) -> Observed:
    """Read the live kernel and, where the boot is to be changed, the configuration files."""
    release = _kernel.release(host)
    boot = outcome.observe(host, request.sysctl_file or SYSCTL_FILE) if request.boot or request.load else None
    own = outcome.own_keys(boot) if boot is not None and request.only_these else frozenset()
    present = set(host.names(DIRECTORY))
    names = [name for name in (MAX, BUCKETS, COUNT, *request.values, *sorted(own)) if name in present]
    paths = {name: f"{DIRECTORY}/{name}" for name in names}
    if BUCKETS in paths and not host.writable(paths[BUCKETS]) and host.writable(_HASHSIZE_FILE):
        paths[BUCKETS] = _HASHSIZE_FILE
    return Observed(
        presence=_kernel.presence(host),
        initial_namespace=_kernel.in_initial_namespace(host),
        release=release,
        hardware=Hardware(
            memory_bytes=_kernel.memory_bytes(host),
            page_bytes=host.page_size,
            bucket_bytes=host.pointer_bytes,
            kernel=_kernel.version(release),
        ),
        is_root=host.is_root,
        may_load=_kernel.may_change_modules(host) and not _kernel.modules_disabled(host),
        live={name: host.read_number(path) or 0 for name, path in paths.items()},
        paths=paths,
        read_only=frozenset(name for name, path in paths.items() if not host.writable(path)),
        boot=boot,
        own=own,
        stacks=None if boot is None else stacks.observe(host, boot.modprobe_d),
    )
