# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host in memory that loads and unloads modules as kmod and the kernel do.

What depends on what is as the recorded /proc/modules shows it. How modprobe.d and modules-load.d are read is written
anew here, simply, so that it can prove the collection's own readers wrong.
"""

from __future__ import annotations

import fnmatch
import typing as t

from fake_kernel import Entry, FakeKernel

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError

#: What a load brings along, where the host was recorded without them.
DEPENDS = {
    "nf_conntrack": ["nf_defrag_ipv4", "nf_defrag_ipv6"],
    "nf_conntrack_netlink": ["nf_conntrack", "nfnetlink"],
    "nf_nat": ["nf_conntrack"],
    "iptable_nat": ["nf_nat", "ip_tables"],
    "ip_tables": ["x_tables"],
    "nft_ct": ["nf_conntrack", "nf_tables"],
    "nft_chain_nat": ["nf_nat", "nf_tables"],
    "xt_conntrack": ["nf_conntrack", "x_tables"],
}

#: What makes a kernel load modules on its own.
TRIGGERS = ("iptable_nat", "nft_ct", "nf_conntrack_netlink", "nft_chain_nat", "xt_conntrack")


class FakeModules(FakeKernel):
    """A recorded host whose modules come and go.

    :ivar modules_dep: where the files of the running kernel's modules are listed, with what each needs.
    :ivar pins: references beyond its holders, by module.
    :ivar momentary: those that are gone when some time has passed.
    :ivar answers: what a command prints, or the error it raises, by its words joined with spaces.
    """

    def __init__(
        self,
        name: str,
        changes: t.Mapping[str, Entry] | None = None,
        pins: t.Mapping[str, int] | None = None,
        also: t.Sequence[str] = (),
        late_udev: bool = False,
    ) -> None:
        super().__init__(name, changes, late_udev)
        self.modules_dep = self.resolve(
            "/lib/modules/{0}/modules.dep".format(self.read_value("/proc/sys/kernel/osrelease"))
        )
        self.answers: dict[str, str | HostError] = {}
        self.pins = dict(pins or {})
        self.momentary: set[str] = set()
        self._depends = {module: list(needed) for module, needed in DEPENDS.items()}
        self._loaded: list[str] = []
        lines = [line.split() for line in (self.text("/proc/modules") or "").splitlines()]
        recorded: dict[str, list[str]] = {fields[0]: [] for fields in lines}
        for fields in lines:
            for holder in fields[3].split(","):
                if holder in recorded:
                    recorded[holder].append(fields[0])
        self._depends.update(recorded)
        if self.modules_dep not in self.tree:
            self.put(self.modules_dep, "".join(map(self._modules_dep_line, self._depends)).encode())
        for module in [*recorded, *also]:
            self._insert_all(module)
        self._show()

    def _needed(self, module: str) -> set[str]:
        direct = self._depends.get(module, [])
        return set(direct).union(*map(self._needed, direct))

    def _modules_dep_line(self, module: str) -> str:
        return "net/{0}.ko:{1}\n".format(module, "".join(f" net/{name}.ko" for name in self._needed(module)))

    # --- modules

    @property
    def loaded(self) -> frozenset[str]:
        """The names of all loaded modules."""
        return frozenset(self._loaded)

    def loaded_of(self, *names: str) -> list[str]:
        return sorted(self.loaded.intersection(names))

    def _insert_all(self, module: str) -> None:
        for needed in self._depends.get(module, []):
            self._insert_all(needed)
        if module not in self._loaded:
            self._loaded.append(module)

    def _list_module(self, line: bytes) -> None:
        pass  # all are listed at once below

    def _show(self) -> None:
        lines = []
        for module in reversed(self._loaded):
            holders = [other for other in self._loaded if module in self._depends.get(other, [])]
            count = len(holders) + self.pins.get(module, 0)
            lines.append("{0} 4096 {1} {2} Live 0x0\n".format(module, count, "".join(h + "," for h in holders) or "-"))
        if "/proc/modules" not in self.tree:
            return  # a kernel without modules
        self.tree["/proc/modules"] = "".join(lines).encode()
        if "nf_conntrack" in self._loaded:
            self.load()
        else:
            self.unload()
        gone = set(self._depends).union(*self._depends.values()) - set(self._loaded)
        for path in [path for path in self.tree if path.startswith("/sys/module/")]:
            if path.split("/")[3] in gone:
                del self.tree[path]
        for module in self._loaded:
            self.put(f"/sys/module/{module}/refcnt", b"0\n")

    def rmmod(self, module: str) -> None:
        if module not in self._loaded:
            raise HostError("run", "rmmod " + module, f"Module {module} is not currently loaded")
        line = next(line for line in (self.text("/proc/modules") or "").splitlines() if line.startswith(module + " "))
        if line.split()[2] != "0":
            raise HostError("run", "rmmod " + module, f"Module {module} is in use")
        self._loaded.remove(module)
        self._show()

    def modprobe_by_name(self, name: str, ignore_install: bool = False) -> None:
        """An alias comes before the module of that name, and for ``off`` kmod 30 loads nothing and says nothing."""
        lines = [line.split() for _path, text in self._files("modprobe.d") for line in text.split("\n")]
        if ["alias", name, "off"] not in lines:
            self.modprobe(name, ignore_install)

    def modprobe(self, module: str, ignore_install: bool = False) -> None:
        """Dependencies first, whatever is to be run in place of the module itself."""
        if module in self._loaded:
            return
        for needed in self._depends.get(module, []):
            self.modprobe(needed)
        command = None if ignore_install else self._install(module)
        if command is not None:
            if command.split()[0] != "/bin/true":
                raise HostError("run", "modprobe " + module, "Error running install command")
        else:
            self._loaded.append(module)
        self._show()

    def _install(self, module: str) -> str | None:
        for _path, text in self._files("modprobe.d"):
            for line in text.split("\n"):
                words = line.split(None, 2)
                if len(words) == 3 and words[0] == "install" and fnmatch.fnmatch(module, words[1].replace("-", "_")):
                    return words[2]
        return None

    def trigger(self) -> list[str]:
        """What all the known triggers together load."""
        before = self.loaded
        for module in TRIGGERS:
            try:
                self.modprobe(module)
            except HostError:
                continue
        return sorted(self.loaded - before - {"ip_tables", "x_tables", "nf_tables", "nfnetlink", "libcrc32c"})

    def wait(self, seconds: float) -> None:
        for module in self.momentary:
            del self.pins[module]
        self.momentary = set()
        self._show()

    def run(self, command: t.Sequence[str], seconds: float | None = None) -> str:
        answer = self.answers.get(" ".join(command))
        if answer is None:
            return super().run(command, seconds)
        self.ran.append(" ".join(command))
        if isinstance(answer, HostError):
            raise answer
        return answer

    def _effect(self, command: t.Sequence[str]) -> t.Callable[[], t.Any]:
        if command[0] == "rmmod":
            return lambda: self.rmmod(command[-1])
        if command[0] == "modprobe":
            return lambda: self.modprobe_by_name(command[-1], "--ignore-install" in command)
        return super()._effect(command)

    def reboot(self, then_load: bool = True) -> None:
        """Nothing is loaded but what modules-load.d names."""
        self._loaded = []
        self._show()
        for _path, text in self._files("modules-load.d"):
            for line in text.split("\n"):
                if line.strip() and line.strip()[0] not in "#;":
                    try:
                        self.modprobe(line.strip().replace("-", "_"))
                    except HostError:
                        continue
        self.settle()
