# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host in memory whose kernel answers as a real one: the only test double that takes writes.

It starts as a recorded host. How it reads configuration files at a boot or load is written anew here, simply, so that
it can prove the collection's own readers wrong.
"""

from __future__ import annotations

import contextlib
import copy
import errno
import fnmatch
import json
import os
import posixpath
import re
import typing as t
from pathlib import Path

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._host import KERNEL_LOG, TEMPORARY, Host, Look

RECORDED = Path(__file__).resolve().parent / "fixtures" / "hosts"

NETFILTER = "/proc/sys/net/netfilter/"
MAX = NETFILTER + "nf_conntrack_max"
ALIAS = "/proc/sys/net/nf_conntrack_max"
BUCKETS = NETFILTER + "nf_conntrack_buckets"
COUNT = NETFILTER + "nf_conntrack_count"
HASHSIZE = "/sys/module/nf_conntrack/parameters/hashsize"
REFCOUNT = "/sys/module/nf_conntrack/refcnt"
UDEV_SOCKET = "/run/udev/control"

INT_MAX = 2**31 - 1

#: A directory is None, a link a string, a file bytes.
Entry = t.Union[None, str, bytes]

#: The loaded kernel that tells which keys an absent one will have.
_LOADED = {
    "bullseye-5.10-absent": "bullseye-5.10-nat",
    "bookworm-6.1-absent": "bookworm-6.1-nat",
    "trixie-6.12-absent": "trixie-6.12-nat",
}


def _error(action: str, path: str, code: int) -> HostError:
    return HostError(action, path, os.strerror(code), code)


def _recorded(name: str) -> tuple[dict[str, t.Any], dict[str, Entry]]:
    recorded = json.loads((RECORDED / (name + ".json")).read_text(encoding="utf-8"))
    tree: dict[str, Entry] = {}
    for path, entry in recorded["tree"].items():
        about = {"content": entry} if isinstance(entry, str) else entry
        tree[path] = about.get("link") or (
            about["content"].encode("utf-8", "surrogateescape") if "content" in about else None
        )
        if about.get("mode", "").startswith("04") and path.startswith("/proc/sys/net/"):
            recorded.setdefault("read_only", set()).add(path)
    return recorded, tree


def _parameter(value: str) -> int | None:
    """What the kernel reads from a hashsize; None where it refuses it."""
    if re.fullmatch(r"\+?(0[xX][0-9a-fA-F]+|[0-9]+)", value) is None:
        return None
    digits = value.lstrip("+")
    number = int(digits, 8 if digits.isdigit() and digits[0] == "0" else 0)
    return number if number < 1 << 32 else None


class FakeKernel(Host):
    """A recorded host that takes writes as its kernel would.

    :ivar tree: every path and what is there.
    :ivar read_only: paths that even root cannot write.
    :ivar writes: every runtime value written, as (name, value), in order.
    :ivar ran: every command run.
    :ivar steps: how many operations that change anything were begun.
    :ivar fails: error by the number of the operation (from 0) it comes at.
    :ivar signals: signal that this process gets during the operation of that number.
    :ivar fails_late: whether such an operation takes effect before it fails.
    :ivar clamps: by name, the value that the kernel silently makes of any other.
    :ivar locked: whether a run has the host to itself, without which nothing may be changed.
    :ivar read_unlocked: every path that was read while no run had.
    :ivar late_udev: whether a udevd applies its rules only when it is waited for, or when the run has ended; else they
        are applied before a load ends, and there is no udevd to wait for unless the tree has its socket.
    """

    def __init__(self, name: str, changes: t.Mapping[str, Entry] | None = None, late_udev: bool = False) -> None:
        recorded, self.tree = _recorded(name)
        super().__init__("/nonexistent", recorded["page_size"], recorded["pointer_bytes"])
        self.is_root = True
        self.read_only: set[str] = recorded.get("read_only", set())
        self.writes: list[tuple[str, str]] = []
        self.ran: list[str] = []
        self.steps = 0
        self.fails: dict[int, BaseException] = {}
        self.signals: dict[int, int] = {}
        self.fails_late = False
        self.clamps: dict[str, int] = {}
        self.locked = False
        self.read_unlocked: list[str] = []
        self.late_udev = late_udev
        self._has_event = False
        if late_udev:
            self.put(UDEV_SOCKET, b"")
        for path in ("/proc/sys/net", "/sys/module"):
            self.put(path, None)
        for path, entry in (changes or {}).items():
            self.put(path, entry)
        _about, loaded = _recorded(_LOADED.get(name, name))
        self._appears = {
            path: entry
            for path, entry in loaded.items()
            if path.startswith((NETFILTER + "nf_conntrack_", "/sys/module/nf_conntrack")) or path == ALIAS
        }
        self._appears[COUNT] = b"0\n"
        self._built_in = {
            path: entry for path, entry in self.tree.items() if path in self._appears and path != "/sys/module"
        }

    def _at(self, path: str) -> str:
        # Every operation on the real machine begins here, and this host is not on it.
        raise NotImplementedError(f"the double does not know what is to be done with {path}")

    # --- the tree

    def put(self, path: str, entry: Entry) -> None:
        """Make a path be this, with the directories above it."""
        above = posixpath.dirname(path)
        while above != "/" and above not in self.tree:
            self.tree[above] = None
            above = posixpath.dirname(above)
        self.tree[path] = entry

    def state(self) -> dict[str, Entry]:
        """All that is there, to compare."""
        return copy.copy(self.tree)

    def value(self, name: str) -> int | None:
        """The live value of a key by its file name."""
        content = self.tree.get(NETFILTER + name)
        return int(content) if isinstance(content, bytes) else None

    def text(self, path: str) -> str | None:
        content = self.read(path)
        return None if content is None else content.decode("utf-8", "surrogateescape")

    def resolve(self, path: str) -> str:
        done, rest, followed = "/", [part for part in path.split("/") if part], 0
        while rest:
            here = posixpath.normpath(posixpath.join(done, rest.pop(0)))
            link = self.tree.get(here)
            if isinstance(link, str):
                followed += 1
                if followed > 40:
                    raise _error("follow", path, errno.ELOOP)
                done = "/" if link.startswith("/") else done
                rest = [part for part in link.split("/") if part] + rest
            else:
                done = here
        return done

    def read(self, path: str) -> bytes | None:
        if not self.locked:
            self.read_unlocked.append(path)
        target = self.resolve(path)
        if target == "/dev/null":
            return b""
        content = self.tree.get(target)
        if content is None and target in self.tree:
            raise _error("read", path, errno.EISDIR)
        return t.cast("bytes | None", content)

    def link(self, path: str) -> str | None:
        above, name = posixpath.split(path)
        entry = self.tree.get(posixpath.join(self.resolve(above), name))
        return entry if isinstance(entry, str) else None

    def kernel_log(self, wanted: bytes) -> list[bytes] | None:
        records = self.read(KERNEL_LOG)
        return None if records is None else [record for record in records.splitlines(True) if wanted in record]

    def clock(self) -> float:
        return 0.0

    def inside(self, namespace: str, function: t.Callable[[], t.Any]) -> t.Any:
        raise NotImplementedError(f"the double has no network namespaces to enter, and so not {namespace}")

    def look(self, path: str, most: int) -> Look | None:
        try:
            content = self.tree.get(self.resolve(path))
        except HostError:
            return None
        return Look(content[:most], len(content), True) if isinstance(content, bytes) else None

    def lines(self, path: str) -> t.Iterator[bytes]:
        return iter((self.read(path) or b"").splitlines(True))

    def names(self, path: str) -> list[str]:
        above = self.resolve(path)
        return sorted(posixpath.basename(found) for found in self.tree if posixpath.dirname(found) == above != found)

    def exists(self, path: str) -> bool:
        return self.resolve(path) in self.tree or self.resolve(path) == "/dev/null"

    def is_directory(self, path: str) -> bool:
        target = self.resolve(path)
        return target == "/" or (target in self.tree and self.tree[target] is None)

    def is_file(self, path: str) -> bool:
        return isinstance(self.tree.get(self.resolve(path)), bytes)

    def writable(self, path: str) -> bool:
        target = self.resolve(path)
        if target == "/dev/null" or not self.is_root:
            return False
        return not any(target == path or target.startswith(path + "/") for path in self.read_only)

    def replaceable(self, path: str) -> bool:
        target = self.resolve(path)
        if target in self.tree and not isinstance(self.tree[target], bytes):
            return False
        return self.writable(path)

    def leftover(self, directory: str) -> str | None:
        path = posixpath.join(self.resolve(directory), TEMPORARY)
        return path if isinstance(self.tree.get(path), bytes) else None

    # --- changing

    @contextlib.contextmanager
    def lock(self) -> t.Iterator[None]:
        assert not self.locked, "a run that waits for itself"
        self.locked = True
        try:
            yield
        finally:
            self.settle()
            self.locked = False

    def _step(self, effect: t.Callable[[], t.Any]) -> t.Any:
        assert self.locked, "a change while another run may be at it"
        error = self.fails.get(self.steps)
        if self.steps in self.signals:
            os.kill(os.getpid(), self.signals[self.steps])
        self.steps += 1
        if error is not None and not self.fails_late:
            raise error
        result = effect()
        if error is not None:
            raise error
        return result

    def _check_writable(self, action: str, path: str) -> None:
        if not self.writable(path):
            raise _error(action, path, errno.EROFS if self.is_root else errno.EACCES)

    def replace(self, path: str, content: bytes) -> None:
        self._check_writable("write", path)
        target = self.resolve(path)
        if not self.is_directory(posixpath.dirname(target)):
            raise _error("write", path, errno.ENOENT)
        self._step(lambda: self.put(target, content))

    def remove(self, path: str) -> None:
        self._check_writable("remove", path)
        target = self.resolve(path)
        if target not in self.tree:
            raise _error("remove", path, errno.ENOENT)
        self._step(lambda: self.tree.pop(target))

    def make_directory(self, path: str) -> list[str]:
        missing: list[str] = []
        while not self.is_directory(path):
            missing.insert(0, path)
            path = posixpath.dirname(path)
        if missing:
            self._check_writable("create directory", missing[0])
            # The real one leaves no directory when it fails.
            if self.fails_late and self.steps in self.fails:
                self.steps += 1
                raise self.fails[self.steps - 1]
            self._step(lambda: self.tree.update(dict.fromkeys(missing)))
        return missing

    def remove_directory(self, path: str) -> None:
        if self.names(path):
            raise _error("remove directory", path, errno.ENOTEMPTY)
        self._step(lambda: self.tree.pop(path))

    def write_value(self, path: str, value: str) -> None:
        action = f"write {value} to"
        target = self.resolve(path)
        if target not in self.tree:
            raise _error(action, path, errno.ENOENT)
        self._check_writable(action, path)
        self._step(lambda: self._kernel_write(action, target, value))

    def _kernel_write(self, action: str, path: str, value: str) -> None:
        name = posixpath.basename(path)
        self.writes.append((name, value))
        number = int(value)
        if not -INT_MAX <= number <= INT_MAX:
            raise _error(action, path, errno.EINVAL)
        if path in (BUCKETS, HASHSIZE):
            if number < 1:
                raise _error(action, path, errno.EINVAL)
            self._set_buckets(self.clamps.get(name, self._rounded(number)))
        elif path in (MAX, ALIAS):
            if number < 0:
                raise _error(action, path, errno.EINVAL)
            self._set_max(self.clamps.get(name, number))
        else:
            is_byte = path.startswith(NETFILTER) and "timeout" not in name and name != "nf_conntrack_expect_max"
            if is_byte and not 0 <= number <= 255:
                raise _error(action, path, errno.EINVAL)
            self.tree[path] = b"%d\n" % self.clamps.get(name, number)

    def _rounded(self, buckets: int) -> int:
        per_page = self.page_size // self.pointer_bytes
        return (buckets + per_page - 1) // per_page * per_page

    def _set_buckets(self, buckets: int) -> None:
        for path in (BUCKETS, HASHSIZE):
            if path in self.tree:
                self.tree[path] = b"%d\n" % buckets

    def _set_max(self, entries: int) -> None:
        for path in (MAX, ALIAS):
            if path in self.tree:
                self.tree[path] = b"%d\n" % entries

    # --- modules and boots

    def run(self, command: t.Sequence[str], seconds: float | None = None) -> str:
        self.ran.append(" ".join(command))
        self._step(self._effect(command))
        return ""

    def _effect(self, command: t.Sequence[str]) -> t.Callable[[], t.Any]:
        """What a command does.

        :raises NotImplementedError: it is none of those that are known here.
        """
        words = " ".join(command)
        if words == "modprobe nf_conntrack":
            return self._modprobe
        if words == "rmmod nf_conntrack":
            return self.unload
        if words == "udevadm control --reload":
            return self._check_udevd
        if words.startswith("udevadm settle --timeout="):
            return self.settle
        raise NotImplementedError(f"the double does not know what this does: {words}")

    def _check_udevd(self) -> None:
        if UDEV_SOCKET not in self.tree:
            raise HostError("run", "udevadm", "Failed to send reload request: No such file or directory")

    def settle(self) -> None:
        """What ``udevadm settle`` waits for."""
        if self._has_event:
            self._has_event = False
            self._apply_rules()

    def wait(self, seconds: float) -> None:
        """Nothing here takes time."""

    @property
    def is_loaded(self) -> bool:
        return COUNT in self.tree

    def _modprobe(self) -> None:
        """What ``modprobe nf_conntrack`` does, or what is run in its place."""
        command = self._installs() or "modprobe"
        if "modprobe" in command:
            self.load()
        elif "true" not in command:
            raise HostError("run", "modprobe nf_conntrack", "Error running install command")

    def _installs(self) -> str:
        """The first command that is run in place of a load; empty where there is none."""
        lines = [line.split(None, 2) for _path, text in self._files("modprobe.d") for line in text.split("\n")]
        found = [
            line[2]
            for line in lines
            if line[:1] == ["install"] and len(line) == 3 and fnmatch.fnmatch("nf_conntrack", line[1].replace("-", "_"))
        ]
        return found[0] if found else ""

    def _boot_loads(self) -> bool:
        lines = [line.split() for _path, text in self._files("modprobe.d") for line in text.split("\n")]
        is_blacklisted = any(line in (["blacklist", "nf_conntrack"], ["blacklist", "nf-conntrack"]) for line in lines)
        texts = [text for _path, text in self._files("modules-load.d")]
        if self._is_sysvinit:
            texts.append(self.text("/etc/modules") or "")
        named = any("nf_conntrack" in text.split("\n") for text in texts)
        return named and not is_blacklisted

    @property
    def _is_sysvinit(self) -> bool:
        """Whether Debian's init scripts boot the host.

        None was recorded with an init; one that a test put there is that.
        """
        has_systemd = any(self.exists(base + "/systemd/systemd-sysctl") for base in ("/usr/lib", "/lib"))
        return self.exists("/etc/init.d/procps") and (not has_systemd or self.exists("/sbin/init"))

    def load(self) -> None:
        """What ``modprobe --ignore-install nf_conntrack`` does, and udevd after it."""
        if self.is_loaded:
            return
        given = [_parameter(value) for value in self._hashsizes()]
        if None in given:
            raise _error("run", "modprobe nf_conntrack", errno.EINVAL)
        for path, entry in self._appears.items():
            self.put(path, entry)
        if given and given[-1]:
            self._set_buckets(self._rounded(given[-1]))
            self._set_max(8 * self._rounded(given[-1]))
        self._list_module(b"nf_conntrack 4096 0 - Live 0x0\n")
        self._has_event = True
        if not self.late_udev:
            self.settle()

    def _apply_rules(self) -> None:
        rules = self.text("/etc/udev/rules.d/99-netops-conntrack.rules") or ""
        if 'KERNEL=="nf_conntrack"' in rules and "systemd-sysctl --prefix=/net/netfilter" in rules:
            self._systemd_sysctl("/proc/sys/net/netfilter/")
        if 'KERNEL=="nf_conntrack"' in rules and "/sysctl --quiet --pattern '" in rules:
            self._procps(rules.partition("--pattern '")[2].partition("'")[0])

    def _list_module(self, line: bytes) -> None:
        others = [other for other in self.lines("/proc/modules") if not other.startswith(b"nf_conntrack ")]
        if "/proc/modules" in self.tree:
            self.tree["/proc/modules"] = b"".join([line, *others])

    def unload(self) -> None:
        """What ``rmmod nf_conntrack`` does."""
        if REFCOUNT in self.tree:
            self._list_module(b"")
            for path in self._appears:
                self.tree.pop(path, None)
            self.put(NETFILTER.rstrip("/"), None)

    def reboot(self, then_load: bool = True) -> None:
        """A reboot, after which something makes the kernel load nf_conntrack, later than systemd-sysctl ran."""
        self.unload()
        self.tree.update(self._built_in if self.is_loaded else {})
        for path in [path for path in self.tree if path.startswith("/run/") and self.tree[path] is not None]:
            del self.tree[path]
        if self._boot_loads():
            with contextlib.suppress(HostError):
                self._modprobe()
        if self._is_sysvinit:
            self._procps("")
        else:
            self._systemd_sysctl("/proc/sys/")
        if then_load:
            with contextlib.suppress(HostError):
                self._modprobe()
        self.settle()

    def _procps(self, pattern: str) -> None:
        files = [*self._files("sysctl.d"), ("", self.text("/etc/sysctl.conf") or "")]
        lines = [line.strip() for _path, text in files for line in text.split("\n") if re.search(pattern, line.strip())]
        pairs = [line.partition("=") for line in lines if line[:1] not in ("", "#", ";")]
        keys = ["/proc/sys/" + key.strip().lstrip("-").replace(".", "/") for key, _equals, _value in pairs]
        for path, (_key, equals, value) in zip(keys, pairs):
            is_glob = "*" in path or "?" in path
            for target in [one for one in self.tree if fnmatch.fnmatchcase(one, path)] if is_glob else [path]:
                if equals and target in self.tree and not (is_glob and target in keys):
                    with contextlib.suppress(HostError):
                        self._kernel_write("write", target, value.strip())

    def _files(self, kind: str) -> list[tuple[str, str]]:
        found: dict[str, str] = {}
        for base in ("/usr/lib", "/usr/local/lib", "/run", "/etc"):
            for name in self.names(posixpath.join(base, kind)):
                if name.endswith(".conf"):
                    found[name] = posixpath.join(base, kind, name)
        return [(found[name], self.text(found[name]) or "") for name in sorted(found)]

    def _hashsizes(self) -> list[str]:
        """Every hashsize that the kernel is given; one alone that it cannot read ends the load."""
        lines = [line for _path, text in self._files("modprobe.d") for line in text.split("\n")]
        options = [re.findall(r'(?:"[^"]*"|[^\s"])+', line) for line in lines]
        words = [
            word
            for line in options
            if line[:1] == ["options"] and line[1:2] in (["nf_conntrack"], ["nf-conntrack"])
            for word in line[2:]
        ]
        words += re.findall(r"\bnf[-_]conntrack\.(\S+)", self.text("/proc/cmdline") or "")
        before, _options, after = self._installs().rpartition("$CMDLINE_OPTS")
        words = before.split() + words + after.split()
        return [word.partition("=")[2].strip('"') for word in words if word.partition("=")[0] == "hashsize"]

    def _systemd_sysctl(self, prefix: str) -> None:
        settings: dict[str, str | None] = {}
        for _path, text in self._files("sysctl.d"):
            for line in map(str.strip, text.split("\n")):
                if line and line[0] not in "#;":
                    key, equals, value = line.partition("=")
                    key = "/proc/sys/" + key.strip().lstrip("-").replace(".", "/")
                    if settings.get(key, "") != value.strip():
                        settings.pop(key, None)
                    settings[key] = value.strip() if equals else None
        for key, wanted in settings.items():
            targets = [key]
            if "*" in key or "?" in key:
                targets = [path for path in self.tree if fnmatch.fnmatchcase(path, key) and path not in settings]
            for path in targets:
                if wanted is not None and path in self.tree and path.startswith(prefix):
                    self._kernel_write("write", path, wanted)
