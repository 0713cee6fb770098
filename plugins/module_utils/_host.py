# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only door to the machine.

Every path is absolute and looked up below a root directory, so that a recorded tree of /proc, /sys and /etc is a
host to every test.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import time
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError, Interrupted
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

_MAX_LINKS = 40  # as in the kernel's path walk

#: What a run that changes the host locks. Only root can open it, so nobody else can keep the lock from it; and /run is
#: empty after a boot.
LOCK_FILE = "/run/netops-conntrack.lock"

#: The kernel's ring buffer of messages, one record for each read (Documentation/ABI/testing/dev-kmsg).
KERNEL_LOG = "/dev/kmsg"

_KERNEL_LOG_DEVICE = os.makedev(1, 11)

#: Larger than any record (PRINTK_MESSAGE_MAX in kernel/printk/printk.c); the kernel refuses a buffer that is too small.
_RECORD_BYTES = 1 << 14

#: More than the largest ring buffer holds (CONFIG_LOG_BUF_SHIFT is 25 at most).
_RECORDS = 1 << 20

#: Name, in the directory of the file to be replaced, of its new content until that is whole. One is enough, because one
#: run at a time changes files, one by one; and what a stopped run left can be found by it. Neither sysctl.d,
#: modprobe.d, modules-load.d nor udev reads a name that starts with a dot and ends in .tmp.
TEMPORARY = ".netops-conntrack.tmp"

_PART = 1 << 16

_T = t.TypeVar("_T")

#: What asks a run to end: Ctrl-C where the controller changes its own host; kill, `systemctl stop` and a shutdown; and
#: the end of the terminal, which Ansible has ssh make unless it pipelines, so also a connection that broke. Others
#: either cannot be caught, or are sent by nobody who means to end a program in an orderly way.
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

#: Seconds between looks at whether one came, while time passes.
_LOOK_SECONDS = 0.2

#: Kernels from 6.3 on tell the size of their pointers by it (address_bits_show() in kernel/ksysfs.c).
_ADDRESS_BITS = "/sys/kernel/address_bits"

#: Each line begins with an address, all digits of it, which are zeros for who may not know it (s_show() in
#: kernel/kallsyms.c); seen with 16 on 6.18, for a 32-bit program and without root.
_SYMBOLS = "/proc/kallsyms"

#: Not armv8l: so does a 64-bit kernel call itself to a 32-bit program, and no other kernel does.
_32_BIT_MACHINES = ("i386", "i486", "i586", "i686", "armv5", "armv6", "armv7", "mips", "ppc", "riscv32")


def _pointer_bytes(machine: str) -> int:
    """Bytes of a kernel pointer for an ``uname -m`` name."""
    is_32_bit = machine.startswith(_32_BIT_MACHINES) and "64" not in machine
    return 4 if is_32_bit else 8


def decode(content: bytes) -> str:
    """Text of a file; bytes that are no UTF-8 become surrogates, so none is lost."""
    return content.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """Bytes of a text made by :func:`decode`."""
    return text.encode("utf-8", "surrogateescape")


def printable(value: t.Any) -> t.Any:
    """A result as JSON can carry it.

    Bytes that are no UTF-8, also in names of files, become the replacement character.
    """
    if isinstance(value, str):
        return encode(value).decode("utf-8", "replace")
    if isinstance(value, dict):
        return {printable(key): printable(item) for key, item in value.items()}
    return [printable(item) for item in value] if isinstance(value, (list, tuple)) else value


class Look(Record):
    """The start of a regular file.

    :ivar content: its first bytes.
    :ivar size: bytes of the whole file, as its directory has it; 0 for files of /proc.
    :ivar is_executable: whether anybody may execute it.
    """

    content: bytes
    size: int
    is_executable: bool


class Host:
    """A machine, or a recorded tree of one.

    :ivar is_root: whether this process has user id 0.
    :param root: directory that stands for ``/``.
    :param page_size: bytes of a memory page; by default this machine's.
    :param pointer_bytes: bytes of a kernel pointer; by default what the kernel tells.
    """

    def __init__(self, root: str = "/", page_size: int | None = None, pointer_bytes: int | None = None) -> None:
        self._root = root.rstrip("/")
        self._directories: set[str] = set()
        self.is_root = os.geteuid() == 0
        self._signal: str | None = None
        self._may_end = True
        self.page_size = page_size or os.sysconf("SC_PAGE_SIZE")
        self._pointer_bytes = pointer_bytes

    @property
    def pointer_bytes(self) -> int:
        """Bytes of a kernel pointer, which is what one bucket takes.

        The kernel's, also where it says to a 32-bit program, or by ``setarch``, that it is a 32-bit one: by
        /sys/kernel/address_bits, by the width of addresses in /proc/kallsyms, and where it has neither by ``uname -m``,
        which then is believed.
        """
        if self._pointer_bytes is None:
            self._pointer_bytes = self._told_pointer_bytes() or _pointer_bytes(os.uname().machine)
        return self._pointer_bytes

    def _told_pointer_bytes(self) -> int | None:
        bits = digits = None
        with contextlib.suppress(HostError):
            bits = {"32": 32, "64": 64}.get(self.read_value(_ADDRESS_BITS) or "")
        if bits is None:
            with contextlib.suppress(HostError):
                digits = len(next(iter(self.lines(_SYMBOLS)), b"").partition(b" ")[0])
            bits = {8: 32, 16: 64}.get(digits or 0)
        return None if bits is None else bits // 8

    # --- paths

    def _at(self, path: str) -> str:
        return self._root + path

    def resolve(self, path: str) -> str:
        """The path with every symbolic link followed inside the root; the last parts need not exist."""
        done, rest, followed = "/", [part for part in path.split("/") if part], 0
        while rest:
            part = rest.pop(0)
            if part == ".":
                continue
            if part == "..":
                done = os.path.dirname(done)
                continue
            here = os.path.join(done, part)
            if here in self._directories:
                done = here
                continue
            try:
                link = os.readlink(self._at(here))
            except OSError:
                done = here
                if rest:
                    # No run makes a link of what is none, so it is asked once of what so many paths go through.
                    self._directories.add(here)
                continue
            followed += 1
            if followed > _MAX_LINKS:
                raise HostError("follow", path, os.strerror(errno.ELOOP), errno.ELOOP)
            if link.startswith("/"):
                done = "/"
            rest = [piece for piece in link.split("/") if piece] + rest
        return done

    # --- reading

    def _readable(self, path: str) -> str:
        """What to open for a path. Without a root the kernel follows the links itself."""
        return self._at(self.resolve(path)) if self._root else path or "/"

    def _mode(self, path: str) -> int:
        """What kind of file is at a path, links followed; 0 where there is none.

        :raises HostError: links lead round in a ring.
        """
        try:
            return os.stat(self._readable(path)).st_mode
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise HostError("follow", path, error.strerror, error.errno) from error
            return 0

    def read(self, path: str) -> bytes | None:
        """The content of a file, or None when there is no such file.

        :raises HostError: the file is there but cannot be read.
        """
        try:
            # A quarter of what open() and its read() take; nearly all files are read whole at once.
            descriptor = os.open(self._readable(path), os.O_RDONLY | os.O_CLOEXEC)
            try:
                content = part = os.read(descriptor, _PART)
                while part:
                    part = os.read(descriptor, _PART)
                    content += part
                return content
            finally:
                os.close(descriptor)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise HostError("read", path, error.strerror, error.errno) from error

    def look(self, path: str, most: int) -> Look | None:
        """The start of a regular file; None where there is none, or something else has that name.

        It never waits, as reading a FIFO or a terminal does, and opens no device.

        :param most: bytes to read.
        :raises HostError: the file is there but cannot be read.
        """
        try:
            place = self._readable(path)
        except HostError:
            return None  # links that lead round in a ring
        try:
            if not stat.S_ISREG(os.stat(place).st_mode):
                return None
            descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            try:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    return None
                content = os.read(descriptor, most)
                # Files of /proc have no size.
                while content and len(content) < most and len(content) != status.st_size:
                    more = os.read(descriptor, most - len(content))
                    if not more:
                        break
                    content += more
            finally:
                os.close(descriptor)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                return None
            raise HostError("read", path, error.strerror, error.errno) from error
        return Look(content, status.st_size, bool(status.st_mode & 0o111))

    def read_value(self, path: str) -> str | None:
        """The content of a kernel file as text without white space around it, or None when there is no such file."""
        content = self.read(path)
        return None if content is None else content.decode("utf-8", "replace").strip()

    def read_number(self, path: str) -> int | None:
        """The whole number in a kernel file, or None when there is no such file.

        :raises HostError: the file cannot be read, or holds something else.
        """
        value = self.read_value(path)
        if value is None:
            return None
        try:
            return int(value)
        except ValueError as error:
            raise HostError("read", path, f"not a number: {value!r}") from error

    def read_text(self, path: str) -> str | None:
        """The content of a file as text from which :func:`encode` makes the same bytes; None when there is none."""
        content = self.read(path)
        return None if content is None else decode(content)

    def lines(self, path: str) -> t.Iterator[bytes]:
        """The lines of a file, read as a stream, with their ends; nothing when there is no such file.

        :raises HostError: the file is there but cannot be read.
        """
        try:
            with open(self._readable(path), "rb", buffering=1 << 18) as stream:
                yield from stream
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise HostError("read", path, error.strerror, error.errno) from error

    def kernel_log(self, wanted: bytes) -> list[bytes] | None:
        """The records of the kernel's ring buffer that hold some bytes, oldest first.

        None where there is no such device.

        Reading takes nothing away: each reader has a place of its own, and begins at the oldest record.

        :raises HostError: this process may not read it, or it grows faster than it can be read.
        """
        try:
            # What may stand in its place in a container, such as a terminal, must not be waited for nor read empty.
            descriptor = os.open(self._readable(KERNEL_LOG), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise HostError("read", KERNEL_LOG, error.strerror, error.errno) from error
        try:
            status = os.fstat(descriptor)
            is_device = stat.S_ISCHR(status.st_mode) and status.st_rdev == _KERNEL_LOG_DEVICE
            # In a recorded tree it is a file.
            if not is_device and not stat.S_ISREG(status.st_mode):
                return None
            return [record for record in _records(descriptor) if wanted in record]
        finally:
            os.close(descriptor)

    def names(self, path: str) -> list[str]:
        """The sorted names in a directory; none when there is no such directory.

        :raises HostError: the directory is there but cannot be listed.
        """
        try:
            return sorted(os.listdir(self._readable(path)))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise HostError("list", path, error.strerror, error.errno) from error

    def link(self, path: str) -> str | None:
        """What a symbolic link says, not followed; None where there is no link.

        :raises HostError: this process may not read it.
        """
        try:
            return os.readlink(self._at(path))
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
            return None
        except OSError as error:
            if error.errno == errno.EINVAL:
                return None
            raise HostError("read", path, error.strerror, error.errno) from error

    def exists(self, path: str) -> bool:
        """Whether there is anything at the path, links followed."""
        return self._mode(path) != 0

    def is_directory(self, path: str) -> bool:
        """Whether the path is a directory, links followed."""
        return stat.S_ISDIR(self._mode(path))

    def is_file(self, path: str) -> bool:
        """Whether the path is a regular file, links followed."""
        return stat.S_ISREG(self._mode(path))

    def writable(self, path: str) -> bool:
        """Whether this process may write the kernel file; read-only mounts and read-only sysctls say no."""
        return os.access(self._readable(path), os.W_OK)

    def replaceable(self, path: str) -> bool:
        """Whether this process may create, replace and remove the file, for which its directory counts as well.

        Not so what is no regular file, above all a link to /dev/null, which masks a configuration file.
        """
        target = self.resolve(path)
        place = self._at(target)
        if os.path.lexists(place) and not (os.path.isfile(place) and os.access(place, os.W_OK)):
            return False
        directory = os.path.dirname(target)
        while not os.path.lexists(self._at(directory)):
            directory = os.path.dirname(directory)
        return os.access(self._at(directory), os.W_OK)

    # --- changing

    def lock(self) -> t.ContextManager[None]:
        """Keep every other run that changes this host waiting, from before it observes until after it observed again.

        The lock ends with the process, however that ends. It is of no use in check mode, which writes nothing.

        :raises Refused: another run did not end in time.
        :raises HostError: /run cannot be written.
        """
        from ansible_collections.netops.conntrack.plugins.module_utils._machine import lock

        directory, name = os.path.split(LOCK_FILE)
        place = self._at(os.path.join(self.resolve(directory), name))
        return lock.hold(LOCK_FILE, place, self.check_signals)

    @contextlib.contextmanager
    def heeding_signals(self) -> t.Iterator[None]:
        """Have a signal that asks this process to end wait until the next :meth:`check_signals`.

        So none comes in the middle of a step, of which it would not be known whether it was made. One that is ignored,
        as by nohup, stays ignored. Python tells signals to the main thread alone; in another this does nothing.
        """

        def note(number: int, _frame: t.Any) -> None:
            self._signal = self._signal or signal.Signals(number).name

        before: dict[signal.Signals, t.Any] = {}
        self._signal = None
        try:
            with contextlib.suppress(ValueError):  # not the main thread
                for number in _ENDING:
                    if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                        before[number] = signal.signal(number, note)
            yield
        finally:
            for heeded, handler in before.items():
                signal.signal(heeded, handler)

    @contextlib.contextmanager
    def to_the_end(self) -> t.Iterator[None]:
        """Have :meth:`check_signals` pass over any, so that what is reverted is reverted to the end."""
        self._may_end = False
        try:
            yield
        finally:
            self._may_end = True

    def check_signals(self) -> None:
        """:raises Interrupted: a signal came that asks this process to end."""
        if self._signal is not None and self._may_end:
            raise Interrupted(f"this run was ended by {self._signal}")

    def write_value(self, path: str, value: str) -> None:
        """Write a kernel file with a single write(2), so that the kernel takes the value whole or not at all.

        :raises HostError: with the kernel's reason.
        """
        from ansible_collections.netops.conntrack.plugins.module_utils._machine import files

        files.write_value(path, self._at(self.resolve(path)), value)

    def make_directory(self, path: str) -> list[str]:
        """Create a directory with what is missing above it; the paths made, topmost first.

        :raises HostError: none was made.
        """
        from ansible_collections.netops.conntrack.plugins.module_utils._machine import files

        missing: list[str] = []
        while not self.is_directory(path):
            missing.insert(0, path)
            path = os.path.dirname(path)
        files.make_directories([(directory, self._at(self.resolve(directory))) for directory in missing])
        return missing

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory.

        :raises HostError: it is not empty, or cannot be removed.
        """
        from ansible_collections.netops.conntrack.plugins.module_utils._machine import files

        files.remove_directory(path, self._at(path))

    def replace(self, path: str, content: bytes) -> None:
        """Replace a file's content so that a power cut leaves the old or the new file, whole.

        Links are followed. An existing file keeps its owner, mode and SELinux context; a new one gets mode 0644.
        The data and then the directory entry are flushed to disk before this returns. Call it inside :meth:`lock`.

        :raises HostError: the file is as it was, or, where flushing the directory failed, is the new one.
        """
        from ansible_collections.netops.conntrack.plugins.module_utils._machine import files

        resolved = self.resolve(path)
        temporary = os.path.join(os.path.dirname(resolved), TEMPORARY)
        is_left = self.leftover(os.path.dirname(resolved)) is not None
        files.replace(path, self._at(resolved), (temporary, self._at(temporary)), is_left, content)

    def leftover(self, directory: str) -> str | None:
        """The temporary file that a stopped run left in a directory; None where it left none.

        A link, a directory or whatever else has that name is none.
        """
        path = os.path.join(self.resolve(directory), TEMPORARY)
        try:
            return path if stat.S_ISREG(os.lstat(self._at(path)).st_mode) else None
        except OSError:
            return None

    def remove(self, path: str) -> None:
        """Remove a file, durably. A link is followed: its target goes and the link stays.

        :raises HostError: the file cannot be removed.
        """
        from ansible_collections.netops.conntrack.plugins.module_utils._machine import files

        files.remove(path, self._at(self.resolve(path)))

    def inside(self, namespace: str, function: t.Callable[[], _T]) -> _T:
        """What a function returns when it is called in another network namespace.

        It runs in a thread that enters the namespace and ends, so this process stays where it is. There it finds the
        namespace's files below /proc/thread-self/net, not /proc/self/net.

        :param namespace: the file of the namespace, such as ``/run/netns/lab`` or ``/proc/1234/ns/net``.
        :raises HostError: it cannot be entered; with errno as ``code``.
        """
        from ansible_collections.netops.conntrack.plugins.module_utils._machine import namespace as namespaces

        return namespaces.call_inside(namespace, self._at(namespace), function)

    def wait(self, seconds: float) -> None:
        """Let this many seconds pass.

        :raises Interrupted: a signal ended that.
        """
        end = time.monotonic() + seconds
        while True:
            self.check_signals()
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _LOOK_SECONDS))

    def clock(self) -> float:
        """Seconds since boot, sleep not counted (CLOCK_MONOTONIC), as the stamps of the kernel's log count them too."""
        return time.monotonic()

    def run(self, command: t.Sequence[str], seconds: float | None = None) -> str:
        """Run a program, without a shell, in the C locale; its standard output.

        :param seconds: how long it may take; by default a minute.
        :raises HostError: the program is missing, ended with an error, or took too long and was ended; the reason is
            what it said.
        :raises Interrupted: a signal came, and the program was ended.
        """
        from ansible_collections.netops.conntrack.plugins.module_utils._machine import programs

        return programs.run(command, seconds, self.check_signals)


def _records(descriptor: int) -> t.Iterator[bytes]:
    """What each read of the kernel's ring buffer gives, to its end.

    :raises HostError: it fails, or never ends.
    """
    for _number in range(_RECORDS):
        try:
            record = os.read(descriptor, _RECORD_BYTES)
        except BlockingIOError:
            return
        except BrokenPipeError:
            # The next record was overwritten meanwhile; the kernel goes on with the oldest that is left.
            continue
        except OSError as error:
            raise HostError("read", KERNEL_LOG, error.strerror, error.errno) from error
        if not record:
            return
        yield record
    raise HostError("read", KERNEL_LOG, "it grows faster than it can be read")
