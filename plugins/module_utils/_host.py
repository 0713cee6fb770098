# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only door to the machine.

Every path is absolute and looked up below a root directory, so that a recorded tree of /proc, /sys and /etc is a
host to every test.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import stat
import time
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError, Interrupted, Refused
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

if t.TYPE_CHECKING:
    import subprocess

_MAX_LINKS = 40  # as in the kernel's path walk

#: What a run that changes the host locks. Only root can open it, so nobody else can keep the lock from it; and /run is
#: empty after a boot.
LOCK_FILE = "/run/netops-conntrack.lock"

#: Many times what a run takes.
_LOCK_SECONDS = 60

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

_CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h

_T = t.TypeVar("_T")

#: What asks a run to end: Ctrl-C where the controller changes its own host; kill, `systemctl stop` and a shutdown; and
#: the end of the terminal, which Ansible has ssh make unless it pipelines, so also a connection that broke. Others
#: either cannot be caught, or are sent by nobody who means to end a program in an orderly way.
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

#: Seconds that a program may take. Listing 100,000 rules took nft 2.7 s, and a load or an unloading takes well below
#: one; so one that takes longer hangs, on any host that is of use.
PROGRAM_SECONDS = 60

#: Seconds to wait for one that was killed: what the kernel is doing for it may have to come to an end first.
_END_SECONDS = 5

#: Seconds between looks at whether one came, while a program runs or time passes.
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
            try:
                link = os.readlink(self._at(here))
            except OSError:
                done = here
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
        return self._at(self.resolve(path)) if self._root else path

    def read(self, path: str) -> bytes | None:
        """The content of a file, or None when there is no such file.

        :raises HostError: the file is there but cannot be read.
        """
        try:
            with open(self._readable(path), "rb", buffering=0) as stream:
                return stream.read()
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
            with _closing(descriptor):
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
        with _closing(descriptor):
            status = os.fstat(descriptor)
            is_device = stat.S_ISCHR(status.st_mode) and status.st_rdev == _KERNEL_LOG_DEVICE
            # In a recorded tree it is a file.
            if not is_device and not stat.S_ISREG(status.st_mode):
                return None
            return [record for record in _records(descriptor) if wanted in record]

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
        return os.path.lexists(self._at(self.resolve(path)))

    def is_directory(self, path: str) -> bool:
        """Whether the path is a directory, links followed."""
        return os.path.isdir(self._at(self.resolve(path)))

    def is_file(self, path: str) -> bool:
        """Whether the path is a regular file, links followed."""
        return os.path.isfile(self._at(self.resolve(path)))

    def writable(self, path: str) -> bool:
        """Whether this process may write the kernel file; read-only mounts and read-only sysctls say no."""
        return os.access(self._at(self.resolve(path)), os.W_OK)

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

    @contextlib.contextmanager
    def lock(self) -> t.Iterator[None]:
        """Keep every other run that changes this host waiting, from before it observes until after it observed again.

        The lock ends with the process, however that ends. It is of no use in check mode, which writes nothing.

        :raises Refused: another run did not end in time.
        :raises HostError: /run cannot be written.
        """
        directory, name = os.path.split(LOCK_FILE)
        place = self._at(os.path.join(self.resolve(directory), name))
        try:
            descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            reason = (
                "{0}. This lock keeps two runs from changing this host at once: make {1} a directory that root can"
                " write"
            )
            raise HostError("lock", LOCK_FILE, reason.format(error.strerror, directory), error.errno) from error
        with _closing(descriptor):
            self._lock(descriptor)
            # For the message of one that waits in vain; where /run is full, that has to do without.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
            yield

    def _lock(self, descriptor: int) -> None:
        """Wait for the lock, and not for ever: a run that hangs is for somebody to look at.

        :raises Refused: it was not to be had.
        """
        end = time.monotonic() + _LOCK_SECONDS
        while True:
            self.check_signals()
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= end:
                    break
            except OSError as error:
                raise HostError("lock", LOCK_FILE, error.strerror, error.errno) from error
            time.sleep(0.1)
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        raise Refused(
            f"another run is changing this host: process {holder} holds {LOCK_FILE}, and did not end in {_LOCK_SECONDS}"
            " s. Nothing was changed. Run this again when that process has ended; end it if it hangs"
        )

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
        try:
            descriptor = os.open(self._at(self.resolve(path)), os.O_WRONLY | os.O_TRUNC)
            try:
                os.write(descriptor, value.encode("ascii") + b"\n")
            finally:
                os.close(descriptor)
        except OSError as error:
            raise HostError(f"write {value} to", path, error.strerror, error.errno) from error

    def make_directory(self, path: str) -> list[str]:
        """Create a directory with what is missing above it; the paths made, topmost first.

        :raises HostError: none was made.
        """
        missing: list[str] = []
        while not self.is_directory(path):
            missing.insert(0, path)
            path = os.path.dirname(path)
        made: list[str] = []
        try:
            for directory in missing:
                os.mkdir(self._at(self.resolve(directory)), 0o755)
                made.append(directory)
                self._flush_directory(self.resolve(os.path.dirname(directory)))
        except OSError as error:
            for parent in reversed(made):
                self.remove_directory(parent)
            raise HostError("create directory", directory, error.strerror, error.errno) from error
        return made

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory.

        :raises HostError: it is not empty, or cannot be removed.
        """
        try:
            os.rmdir(self._at(path))
        except OSError as error:
            raise HostError("remove directory", path, error.strerror, error.errno) from error

    def replace(self, path: str, content: bytes) -> None:
        """Replace a file's content so that a power cut leaves the old or the new file, whole.

        Links are followed. An existing file keeps its owner, mode and SELinux context; a new one gets mode 0644.
        The data and then the directory entry are flushed to disk before this returns. Call it inside :meth:`lock`.

        :raises HostError: the file is as it was, or, where flushing the directory failed, is the new one.
        """
        resolved = self.resolve(path)
        target, directory = self._at(resolved), os.path.dirname(resolved)
        if os.path.lexists(target) and not os.path.isfile(target):
            # A link to /dev/null leads here, and renaming over that would take it from the whole host.
            raise HostError("write", path, "it is not a regular file")
        try:
            descriptor = self._make_temporary(directory)
            try:
                with _closing(descriptor):
                    _write_all(descriptor, content)
                    _copy_attributes(target, descriptor)
                    os.fsync(descriptor)
                os.rename(self._at(os.path.join(directory, TEMPORARY)), target)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(self._at(os.path.join(directory, TEMPORARY)))
                raise
            self._flush_directory(directory)
        except OSError as error:
            raise HostError("write", path, error.strerror, error.errno) from error

    def _make_temporary(self, directory: str) -> int:
        """Create the temporary file of a directory, in the place of one that a stopped run left; its descriptor."""
        left = self.leftover(directory)
        if left is not None:
            os.unlink(self._at(left))
        temporary = os.path.join(directory, TEMPORARY)
        try:
            return os.open(self._at(temporary), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError as error:
            reason = "it is not a regular file, so this collection did not make it, but needs its name: move it away"
            raise HostError("write", temporary, reason, error.errno) from error

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
        target = self.resolve(path)
        try:
            os.unlink(self._at(target))
            self._flush_directory(os.path.dirname(target))
        except OSError as error:
            raise HostError("remove", path, error.strerror, error.errno) from error

    def _flush_directory(self, path: str) -> None:
        descriptor = os.open(self._at(path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def inside(self, namespace: str, function: t.Callable[[], _T]) -> _T:
        """What a function returns when it is called in another network namespace.

        It runs in a thread that enters the namespace and ends, so this process stays where it is. There it finds the
        namespace's files below /proc/thread-self/net, not /proc/self/net.

        :param namespace: the file of the namespace, such as ``/run/netns/lab`` or ``/proc/1234/ns/net``.
        :raises HostError: it cannot be entered; with errno as ``code``.
        """
        import threading

        results: list[_T] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                _enter(namespace, self._at(namespace))
                results.append(function())
            except BaseException as error:  # noqa: BLE001  # pylint: disable=broad-exception-caught  # raised below
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        for error in errors:
            raise error
        return results[0]

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

        :param seconds: how long it may take; by default PROGRAM_SECONDS.
        :raises HostError: the program is missing, ended with an error, or took too long and was ended; the reason is
            what it said.
        :raises Interrupted: a signal came, and the program was ended.
        """
        import subprocess

        limit = PROGRAM_SECONDS if seconds is None else seconds
        end = time.monotonic() + limit
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
        try:
            # stdin is closed so that nothing can ask. A session of its own makes it and what it starts one group, and
            # keeps Ctrl-C in a terminal from it, which is for this process to act on.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise HostError("run", command[0], error.strerror, error.errno) from error
        try:
            while True:
                try:
                    output, errors = process.communicate(timeout=_LOOK_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    self.check_signals()
                    if time.monotonic() >= end:
                        reason = f"it did not end within {limit} s, and " + _end(process)
                        raise HostError("run", " ".join(command), reason) from None
        except BaseException as error:
            if not isinstance(error, HostError):
                _end(process)
            raise
        if process.returncode != 0:
            said = (errors or output).decode("utf-8", "replace").strip()
            raise HostError("run", " ".join(command), said or f"exit code {process.returncode}")
        return output.decode("utf-8", "replace")


def _end(process: subprocess.Popen[bytes]) -> str:
    """Kill a program and what it started, as far as that is of its group; what came of it, in words."""
    import subprocess

    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        return f"cannot be ended: process {process.pid} hangs in the kernel, perhaps until the next boot"
    finally:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    return "was ended"


@contextlib.contextmanager
def _closing(descriptor: int) -> t.Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _enter(namespace: str, place: str) -> None:
    """Move this thread into a network namespace.

    :raises HostError: the kernel refuses it.
    """
    try:
        with _closing(os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)) as descriptor:
            _setns(descriptor)
    except OSError as error:
        raise HostError("enter", namespace, error.strerror, error.errno) from error


def _setns(descriptor: int) -> None:
    if hasattr(os, "setns"):  # Python 3.12 on
        os.setns(descriptor, _CLONE_NEWNET)
        return
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


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


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _copy_attributes(source: str, descriptor: int) -> None:
    """Give an open file the owner, mode, access list and SELinux context of the file it will replace."""
    try:
        status = os.stat(source)
    except FileNotFoundError:
        os.fchmod(descriptor, 0o644)
        return
    made = os.fstat(descriptor)
    if (made.st_uid, made.st_gid) != (status.st_uid, status.st_gid):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
    for attribute in ("system.posix_acl_access", "security.selinux"):
        try:
            value = os.getxattr(source, attribute)
        except OSError:
            # There is none. What the new file has is that of its directory, which the other one did not take over.
            with contextlib.suppress(OSError):
                os.removexattr(descriptor, attribute)
        else:
            os.setxattr(descriptor, attribute, value)
