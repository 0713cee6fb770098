# SPDX-License-Identifier: GPL-3.0-or-later
"""User Mode Linux: how a machine's kernel runs as an ordinary process, several times as fast as an emulated one.

The kernel is the release's own, as Debian builds it for this: without nf_tables, and with one processor. Its network is
that of slirp4netns, which ends with the connection it serves. So a third process, this module as a program, starts
both, and starts both again when the guest reboots.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Sequence

from .errors import TestHostError

#: The address that slirp4netns expects its guest to have.
_GUEST = "10.0.2.100"
_MEMORY_MIB = 1536
#: The status of the kernel's program when the guest reboots; ptrace.c sees to that.
_REBOOTS = 64
#: Seconds between two looks at whether the guest has connected its network.
_LOOK = 0.1

# Short names below the machine's directory, in which all run: a socket's whole path may not have 108 bytes.
_SYSTEM = "system"
_NETWORK, _CONTROL = "network.socket", "control.socket"


def prepare(system: Path, directory: Path) -> None:
    """Make the kernel's program run here.

    :param system: has the program, and the C library of its release, which may be newer than this computer's.
    :param directory: the machine's own.
    """
    (directory / _SYSTEM).symlink_to(system)
    # Not --set-rpath too: that breaks the program of 5.10.
    loader = ["--set-interpreter", str(system / "ld-linux-x86-64.so.2")]
    _run(["patchelf", *loader, "--output", str(directory / "linux"), str(system / "linux")])
    (directory / "linux").chmod(0o755)
    source = Path(__file__).with_name("ptrace.c")
    compiler = ["gcc", "-O2", "-fPIC", "-shared", "-nostdlib", "-fno-builtin"]
    _run([*compiler, "-o", str(directory / "ptrace.so"), str(source)])


def launch(directory: Path, disk: Path, port: int, command_line: str, pidfile: Path) -> None:
    """Start a machine in the background.

    :param directory: the machine's own, where :func:`prepare` was, and where its changes to the disk and its console
        are.
    :param disk: the image, which is not written to.
    :param port: of 127.0.0.1, to lead to its sshd.
    :param command_line: what else to tell the kernel.
    """
    shutil.rmtree(directory / "uml", ignore_errors=True)
    # c: without locks, which would keep virtual machines from the same image.
    kernel = [str(directory / "linux"), f"mem={_MEMORY_MIB}M", f"ubd0c=changes.cow,{disk}", "root=/dev/ubda", "rw"]
    kernel += ["con=null", "con0=null,fd:1", "uml_dir=uml", "umid=guest"]
    kernel += [f"vec0:transport=bess,dst={_NETWORK},depth=64", *command_line.split()]
    supervisor = [sys.executable, "-m", f"{__package__}.uml", str(pidfile), str(port), *kernel]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    with open(directory / "console", "wb") as console:
        started = subprocess.Popen(
            supervisor,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    pidfile.write_text(str(started.pid), encoding="ascii")


def _supervise(port: int, kernel: Sequence[str]) -> int:
    """Run the kernel with a network until it ends by anything but a reboot; return its status."""
    status = _REBOOTS
    while status == _REBOOTS:
        with _network() as network, subprocess.Popen(kernel, env=_environment()) as guest:
            try:
                _forward(port, guest, network)
                status = guest.wait()
            finally:
                guest.kill()
                network.kill()
    return status


def _environment() -> dict[str, str]:
    """Say what the kernel's program is to know: it keeps the guest's memory in /dev/shm unless that is small."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LD_PRELOAD": "./ptrace.so", "LD_LIBRARY_PATH": _SYSTEM}
    shared = os.statvfs("/dev/shm")
    if shared.f_bavail * shared.f_frsize < _MEMORY_MIB << 20:
        environment["TMPDIR"] = os.getcwd()
    return environment


def _network() -> subprocess.Popen[bytes]:
    for path in (_NETWORK, _CONTROL):
        Path(path).unlink(missing_ok=True)
    command = ["slirp4netns", "--target-type=bess", f"--api-socket={_CONTROL}", _NETWORK]
    with open("network.log", "ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)


def _forward(port: int, guest: subprocess.Popen[bytes], network: subprocess.Popen[bytes]) -> None:
    """Have a port lead to the guest's sshd, which can be asked for once the guest is connected."""
    while not os.path.exists(_CONTROL):
        if guest.poll() is not None:
            return
        if network.poll() is not None:
            raise TestHostError(f"slirp4netns ended with status {network.returncode}; see network.log")
        time.sleep(_LOOK)
    arguments = {"proto": "tcp", "host_addr": "127.0.0.1", "host_port": port, "guest_addr": _GUEST, "guest_port": 22}
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(_CONTROL)
        control.sendall(json.dumps({"execute": "add_hostfwd", "arguments": arguments}).encode())
        control.shutdown(socket.SHUT_WR)
        answer = json.loads(control.recv(4096))
    if "error" in answer:
        raise TestHostError(f"host forwarding of port {port}: {answer['error']}")


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except OSError as error:
        raise TestHostError(f"cannot run {command[0]}: {error.strerror}; tools/setup uml installs it") from error
    if done.returncode != 0:
        raise TestHostError(f"{command[0]} fails: {done.stderr.strip() or f'status {done.returncode}'}")


if __name__ == "__main__":
    sys.exit(_supervise(int(sys.argv[2]), sys.argv[3:]))
