# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/vm: test hosts from the command line."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys

from . import image, kvm, machine, qemu
from .errors import TestHostError
from .machine import Machine


def main() -> int:
    arguments = _parser().parse_args()
    # A start that is told to end removes what it made, however it is told.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        arguments.run(arguments)
        return 0
    except TestHostError as error:
        print(f"tools/vm: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("tools/vm: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools/vm", description="Test hosts: Debian virtual machines to throw away.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, what: str, names: str | None, run: object) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=what, description=what)
        if names:
            sub.add_argument("names", nargs=names, metavar="NAME")
        sub.set_defaults(run=run)
        return sub

    command("image", "build the images of these suites, where they are missing", "+", lambda a: image.ensure(a.names))
    command("accelerator", "say whether machines of this suite run by kvm or by emulation", "+", _accelerator)
    start = command("start", "make these machines, where they are missing, and wait until they answer", "+", _start)
    start.add_argument(
        "--suite",
        help="Debian release, with -uml at its end for User Mode Linux; without it the name of a machine is its suite",
    )
    cut = command("cut", "cut the power of these machines and start them again", "+", _cut)
    cut.add_argument("--append", default="", metavar="ARGUMENTS", help="more for the kernel's command line")
    cut.add_argument("--timeout", type=float, default=machine.BOOT_SECONDS, metavar="SECONDS")
    reboot = command("reboot", "have these machines reboot by themselves, and wait until they have", "+", _reboot)
    reboot.add_argument("--timeout", type=float, default=machine.BOOT_SECONDS, metavar="SECONDS")
    command("stop", "cut the power of these machines", "+", _stop)
    destroy = command("destroy", "end these machines and remove them", "*", _destroy)
    destroy.add_argument("--all", action="store_true", help="all machines of this work tree")
    command("list", "list the machines", None, _list)
    command("console", "print where the console of this machine is written", "+", _console)
    ssh = command("ssh", "run a command, or a shell, in this machine as root", None, _ssh)
    ssh.add_argument("name", metavar="NAME")
    ssh.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    command("inventory", "print Ansible's inventory of these machines, as JSON", "*", _inventory)
    return parser


def _start(arguments: argparse.Namespace) -> None:
    machine.start({name: arguments.suite or name for name in arguments.names})


def _accelerator(arguments: argparse.Namespace) -> None:
    for base in image.ensure(arguments.names).values():
        print("kvm" if kvm.accelerator(base) == qemu.HARDWARE else "emulation")


def _stop(arguments: argparse.Namespace) -> None:
    for name in arguments.names:
        Machine(name).power_cut()


def _cut(arguments: argparse.Namespace) -> None:
    machines = [Machine(name) for name in arguments.names]
    for one in machines:
        one.power_cut()
        one.power_on(arguments.append)
    machine.wait(machines, arguments.timeout)


def _reboot(arguments: argparse.Namespace) -> None:
    machine.reboot([Machine(name) for name in arguments.names], arguments.timeout)


def _destroy(arguments: argparse.Namespace) -> None:
    for one in machine.every() if arguments.all else [Machine(name) for name in arguments.names]:
        one.destroy()


def _list(_arguments: argparse.Namespace) -> None:
    for one in machine.every():
        state = (
            f"{one.suite:10} {'up' if one.running else 'off':4} 127.0.0.1:{one.port}" if one.exists else "unfinished"
        )
        print(f"{one.name:16} {state}")


def _console(arguments: argparse.Namespace) -> None:
    for name in arguments.names:
        print(Machine(name).console)


def _ssh(arguments: argparse.Namespace) -> None:
    command = Machine(arguments.name).ssh(*arguments.command)
    os.execvp(command[0], command)


def _inventory(arguments: argparse.Namespace) -> None:
    """Print all that are named, in the group `vms`: also one that is not made yet, since Ansible makes it."""
    hosts = {name: _host_variables(Machine(name)) for name in arguments.names}
    print(json.dumps({"vms": {"hosts": list(hosts)}, "_meta": {"hostvars": hosts}}, indent=2))


def _host_variables(one: Machine) -> dict[str, object]:
    variables: dict[str, object] = {"ansible_host": "127.0.0.1", "ansible_user": "root"}
    variables["ansible_python_interpreter"] = "/usr/bin/python3"
    if one.exists:
        variables["ansible_port"] = one.port
        variables["ansible_ssh_private_key_file"] = str(image.ssh_key())
    return variables


if __name__ == "__main__":
    sys.exit(main())
