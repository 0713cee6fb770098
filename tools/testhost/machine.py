# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines: each a directory in the work tree with what it changed of its release's image, and its processes.

A suite says what a machine is: ``trixie`` is a virtual machine, and ``trixie-uml`` the same with User Mode Linux.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Sequence

from . import image, kvm, process, qemu, uml
from .errors import TestHostError

MACHINES = Path(__file__).resolve().parents[2] / ".build" / "vm"

# An emulated machine is up in under a minute where it has a processor to itself.
BOOT_SECONDS = 300
# A console that says one of these gets no further.
_HOPELESS = re.compile(r"Kernel panic|end Kernel panic|Dropping to a shell|You are in emergency mode")
_CONSOLE_LINES = 40
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


@dataclass(frozen=True)
class Machine:
    """A machine by its name. What it was made from is written in its directory, so that any process can go on."""

    name: str

    @property
    def directory(self) -> Path:
        return MACHINES / self.name

    @property
    def console(self) -> Path:
        """All that the machine wrote on its serial console since it was last powered on."""
        return self.directory / "console"

    @property
    def disk(self) -> Path:
        return self.directory / "disk.qcow2"

    @property
    def exists(self) -> bool:
        return self._made.exists()

    @property
    def running(self) -> bool:
        return process.running(self._pidfile) is not None

    @property
    def suite(self) -> str:
        return self._read("suite")

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 that leads to its sshd."""
        return int(self._read("port"))

    def ssh(self, *command: str) -> list[str]:
        """Return the command that runs a command in the machine as root, or a shell when there is none."""
        options = [f"-oIdentityFile={image.ssh_key()}", "-oIdentitiesOnly=yes", f"-oPort={self.port}", "-oUser=root"]
        options += ["-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR"]
        options += ["-oConnectTimeout=60", "-oBatchMode=yes"]
        return ["ssh", *options, "127.0.0.1", *command]

    def make(self, base: image.Image) -> None:
        """Give the machine a fresh disk and a port, without starting it."""
        self.directory.mkdir(parents=True)
        if base.uml:
            uml.prepare(base.system, self.directory)
        else:
            overlay = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(base.disk), str(self.disk)]
            subprocess.run(overlay, check=True)
        made = {"suite": base.suite, "image": str(base.directory), "port": str(_free_port())}
        self._made.write_text(json.dumps(made), encoding="ascii")

    def power_on(self, append: str = "") -> None:
        """Start the machine's process; `append` goes at the end of the kernel's command line."""
        base = image.Image(self.suite, Path(self._read("image")))
        if not base.directory.exists():
            raise TestHostError(f"{self.name}: its image is gone, replaced by one of a newer recipe; destroy it first")
        command_line = f"net.ifnames=0 systemd.hostname={self.name} {append}"
        if base.uml:
            uml.launch(self.directory, base.disk, self.port, command_line, self._pidfile)
            return
        # What is off makes an emulated kernel half as fast again, and is of no use to a host without secrets.
        command_line = f"root=/dev/vda rw console=ttyS0 quiet mitigations=off {command_line}"
        # Nothing has to outlive this computer's own power cut. The guest's: QEMU still hands all that the guest
        # flushed to this computer's kernel, which keeps it when QEMU is killed.
        drive = f"if=virtio,format=qcow2,cache=unsafe,discard=unmap,file={self.disk}"
        arguments = [*kvm.accelerator(base), "-name", f"netops-conntrack-{self.name}"]
        arguments += ["-kernel", str(base.kernel), "-initrd", str(base.initrd), "-append", command_line]
        arguments += ["-drive", drive, "-device", "virtio-rng-pci"]
        arguments += ["-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{self.port}-:22"]
        arguments += ["-device", "virtio-net-pci,netdev=net,romfile="]
        arguments += ["-serial", f"file:{self.console}"]
        qemu.launch(arguments, self._pidfile)

    def power_cut(self) -> None:
        """End the machine without a warning. Its disk stays as it was at that moment."""
        process.kill(self._pidfile)

    def destroy(self) -> None:
        """End the machine and remove all that is left of it."""
        self.power_cut()
        shutil.rmtree(self.directory, ignore_errors=True)

    def trouble(self) -> str | None:
        """Say why this machine is not going to answer, if that is certain."""
        if not self.running:
            return "its process ended"
        hopeless = _HOPELESS.search(self._console_text())
        return f"its console says '{hopeless.group()}'" if hopeless else None

    def last_words(self) -> str:
        """Return the end of its console, in plain text."""
        lines = [line for line in self._console_text().splitlines() if line.strip()]
        return "\n".join(f"{self.name} | {line}" for line in lines[-_CONSOLE_LINES:]) or f"{self.name} | (nothing)"

    @property
    def _made(self) -> Path:
        return self.directory / "machine.json"

    @property
    def _pidfile(self) -> Path:
        return self.directory / "pid"

    def _read(self, key: str) -> str:
        try:
            made: dict[str, str] = json.loads(self._made.read_text(encoding="ascii"))
        except FileNotFoundError as error:
            raise TestHostError(f"there is no machine {self.name}; tools/vm list names those there are") from error
        return made[key]

    def _console_text(self) -> str:
        text = self.console.read_text(errors="replace") if self.console.exists() else ""
        # Colours and cursor movements would be carried out by the terminal that shows this.
        return re.sub(r"\x1b(\[[0-9;?!]*[A-Za-z]|[c78])|\r", "", text)


def every() -> list[Machine]:
    """Return the machines of this work tree."""
    return [Machine(path.name) for path in sorted(MACHINES.glob("*")) if path.is_dir()]


def start(wanted: dict[str, str]) -> None:
    """Have machines up: {name: suite}. Missing images are built and missing machines made, all side by side.

    Those that run stay as they are. When one does not come up, or on Ctrl-C, none that was made here is left.
    """
    bases = image.ensure(list(wanted.values()))
    made: list[Machine] = []
    try:
        for name, suite in wanted.items():
            machine = Machine(name)
            if machine.exists and machine.suite != suite:
                raise TestHostError(
                    f"{name} is there already, with {machine.suite} instead of {suite}; destroy it first"
                )
            # One at a time, so that another start of the same name waits and finds it.
            with image.locked("machines"):
                if not machine.exists:
                    made.append(machine)
                    _make_and_power_on(machine, bases[suite])
                elif not machine.running:
                    machine.power_on()
        wait([Machine(name) for name in wanted])
    except BaseException:
        for machine in made:
            machine.destroy()
        raise


def reboot(machines: Sequence[Machine], seconds: float = BOOT_SECONDS) -> None:
    """Have these shut down and boot by themselves, and wait until they have."""
    booted = {}
    for machine in machines:
        asked = subprocess.run(machine.ssh("cat", _BOOT_ID), check=False, capture_output=True, text=True)
        if asked.returncode != 0:
            raise TestHostError(f"{machine.name} does not answer: {asked.stderr.strip()}")
        booted[machine] = f"! grep -q {asked.stdout.strip()} {_BOOT_ID}"
    for machine in machines:
        # Its status is not looked at: the connection may well end first.
        subprocess.run(machine.ssh("systemctl", "reboot"), check=False, capture_output=True)
    wait(machines, seconds, booted)


def wait(
    machines: Sequence[Machine], seconds: float = BOOT_SECONDS, commands: Mapping[Machine, str] | None = None
) -> None:
    """Wait until all of these answer; raise with the end of its console when one does not.

    :param commands: what has to succeed in each.
    """
    began = time.monotonic()
    wanted = {machine: "true" if commands is None else commands[machine] for machine in machines}
    logins = {machine: _login(machine, wanted[machine]) for machine in machines}
    try:
        while logins:
            time.sleep(0.5)
            for machine, login in list(logins.items()):
                status = login.poll()
                if status == 0:
                    print(f"{machine.name}: up after {time.monotonic() - began:.0f} s", flush=True)
                    del logins[machine]
                    continue
                trouble = machine.trouble()
                if trouble is None and time.monotonic() - began > seconds:
                    trouble = f"no answer in {seconds:.0f} s"
                if trouble is not None:
                    raise TestHostError(f"{machine.name} does not come up: {trouble}\n{machine.last_words()}")
                if status is not None:
                    logins[machine] = _login(machine, wanted[machine])
    finally:
        for login in logins.values():
            login.kill()
            login.wait()


def _login(machine: Machine, command_there: str) -> subprocess.Popen[bytes]:
    """Begin to find out whether a command can be run in the machine, which takes one that is busy booting a while."""
    command = machine.ssh(command_there)
    # The first value of an option counts. QEMU calls on a machine without a network less and less often, so a new call
    # gets through before an old one does.
    command.insert(1, "-oConnectTimeout=10")
    null = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=null, stdout=null, stderr=null)


def _make_and_power_on(machine: Machine, base: image.Image) -> None:
    """Make a machine, anew when another process took its port before QEMU did."""
    for attempts_left in (4, 3, 2, 1, 0):
        machine.destroy()  # also what a start cut short left
        machine.make(base)
        try:
            machine.power_on()
            return
        except TestHostError as error:
            if "host forwarding" not in str(error) or not attempts_left:
                raise


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
