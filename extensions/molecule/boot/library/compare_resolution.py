# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare, for many generated trees of files, what the collection says of them with what the host's programs do."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compare_resolution
short_description: Compare what the collection says that files set with what the host's own programs do
description:
  - Makes trees of files from a seed, runs the program on each, and compares. Fails at the first differences, each with
    the tree.
author: [the netops.conntrack authors]
options:
  program:
    description: The program to compare with.
    type: str
    required: true
    choices: [systemd-sysctl, procps, modprobe, load, names]
  seed:
    description: What the trees are made from.
    type: str
    required: true
  first:
    description: The number of the first tree, to look at one again.
    type: int
    default: 0
  trees:
    description: How many trees.
    type: int
    default: 500
"""

EXAMPLES = r"""
- name: Compare
  compare_resolution:
    program: systemd-sysctl
    seed: "1"
"""

RETURN = r"""
compared:
  description: How many trees were compared.
  type: int
  returned: always
seconds:
  description: How long it took.
  type: float
  returned: always
"""

import os
import re
import shlex
import time
import typing as t
from random import Random

from ansible.module_utils import conf_trees, real_programs
from ansible.module_utils.basic import AnsibleModule

# Below the root of a tree nothing more can be imported, so what at_load imports when it needs it is here as well.
from ansible_collections.netops.conntrack.plugins.module_utils._boot import (  # pylint: disable=unused-import
    at_load,
    load_commands,  # noqa: F401
    loads,
    outcome,
)
from ansible_collections.netops.conntrack.plugins.module_utils._boot.sysctl_program import SysctlProgram
from ansible_collections.netops.conntrack.plugins.module_utils._config import (
    drop_ins,
    modprobe_d,
    procps_sysctl,
    systemd_sysctl,
    wildcards,
)
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
from ansible_collections.netops.conntrack.plugins.module_utils._keys import DIRECTORY, KEYS

#: So many differences are told; the rest would say the same.
_ENOUGH = 3

#: Every so many trees, what is set at a load is compared too.
_AT_LOAD = 10

#: What a module would be given, or what would be run in its place, by what was asked.
Answers = t.Dict[str, t.Any]

_SYSTEMD_SYSCTL = "/lib/systemd/systemd-sysctl"
_SYSCTL = "/usr/sbin/sysctl"

# What a variable has before a program is run: no tree sets it to this.
_BEFORE = {
    name: 500 if name.endswith("log_invalid") else numbers.stop + (-numbers.stop) % 512
    for name, (_names, numbers) in conf_trees.VARIABLES.items()
}
_BEFORE["nf_conntrack_log_invalid"] = 0

_PROGRAMS = {
    "systemd-sysctl": (
        SysctlProgram(drop_ins.Reading(), systemd_sysctl.BootValues),
        ("net/netfilter",),
        [_SYSTEMD_SYSCTL],
        [_SYSTEMD_SYSCTL, "--prefix=/net/netfilter"],
    ),
    "procps": (
        SysctlProgram(procps_sysctl.READING, procps_sysctl.BootValues),
        (procps_sysctl.PATTERN,),
        [_SYSCTL, "--quiet", "--system"],
        [_SYSCTL, "--quiet", "--pattern", procps_sysctl.PATTERN, "--system"],
    ),
}


class Sysctl:
    """What a program that sets sysctl lines leaves in the kernel, and what the collection says that it will."""

    def __init__(self, root: real_programs.Root, program: str) -> None:
        self._root, self._host = root, Host()
        self._rules, self._only, self._at_boot, self._at_load = _PROGRAMS[program]

    def tree(self, random: Random) -> conf_trees.Tree:
        return conf_trees.sysctl_tree(random)

    def said(self, number: int) -> Answers:
        files = drop_ins.read(self._host, systemd_sysctl.KIND, self._rules.reading)
        answers = {}
        for is_load in self._times(number):
            values = self._rules.values(files, self._only if is_load else ())
            for name in conf_trees.VARIABLES:
                origin = outcome.last_taken([values], KEYS[name])
                answers[_question(name, is_load)] = _BEFORE[name] if origin is None else outcome.number(origin)
        return answers

    def seen(self, number: int) -> Answers:
        answers = {}
        for is_load in self._times(number):
            for name in conf_trees.VARIABLES:
                # A write to the number of buckets makes the kernel wait, also where nothing changes.
                if _read(name) != _BEFORE[name]:
                    _write(name, _BEFORE[name])
            self._root.run(*(self._at_load if is_load else self._at_boot))
            for name in conf_trees.VARIABLES:
                answers[_question(name, is_load)] = _read(name)
        return answers

    @staticmethod
    def _times(number: int) -> tuple[bool, ...]:
        return (False,) if number % _AT_LOAD else (False, True)


def _question(name: str, at_load: bool) -> str:
    return name + " at a load" if at_load else name


def _write(name: str, value: int) -> None:
    descriptor = os.open(f"{DIRECTORY}/{name}", os.O_WRONLY)
    try:
        os.write(descriptor, b"%d\n" % value)
    finally:
        os.close(descriptor)


def _read(name: str) -> int:
    with open(f"{DIRECTORY}/{name}", "rb", buffering=0) as stream:
        return int(stream.read())


class Load:
    """What a load of nf_conntrack leaves in the kernel: modprobe's own command, and then what udev runs."""

    def __init__(self, root: real_programs.Root, _program: str) -> None:
        self._root, self._host = root, Host()

    def tree(self, random: Random) -> conf_trees.Tree:
        return conf_trees.load_tree(random)

    def said(self, _number: int) -> Answers:
        appliers = at_load.find(self._host, drop_ins.read(self._host, modprobe_d.KIND, modprobe_d.READING), "").found
        origins = {name: outcome.last_taken(appliers, KEYS[name]) for name in conf_trees.VARIABLES}
        return {name: _BEFORE[name] if origin is None else outcome.number(origin) for name, origin in origins.items()}

    def seen(self, _number: int) -> Answers:
        for name in conf_trees.VARIABLES:
            if _read(name) != _BEFORE[name]:
                _write(name, _BEFORE[name])
        # Of no kernel release there are modules, so modprobe finds the command alone; the one that it starts is a
        # stand-in. Of a module that is there it would run none.
        with self._root.without("/sys/module"):
            self._root.run("/usr/sbin/modprobe", "-S", "1", "nf_conntrack")
        test = ("/usr/bin/udevadm", "test", "--action=add", "/sys/module/nf_conntrack")
        shown = self._root.run(*test, logs=True).decode("utf-8", "replace")
        # What PROGRAM has is run by that of systemd 252, and left out by that of 257.
        commands = re.findall(r"test mode, skipping execution of '(.*)'\.$", shown, re.MULTILINE)
        # As the one and the other show what RUN has.
        commands += [
            "".join(one) for one in re.findall(r"^(?:run: '(.*)'|\s*RUN\{program\} : (.*))$", shown, re.MULTILINE)
        ]
        for command in commands:
            words = shlex.split(command)
            if os.path.exists(words[0]):
                self._root.run(*words)
        return {name: _read(name) for name in conf_trees.VARIABLES}


class Names:
    """Which modules kmod finds by a name, as systemd-modules-load asks it to."""

    def __init__(self, root: real_programs.Root, _program: str) -> None:
        self._root, self._host = root, Host()
        self._release = max(os.listdir("/usr/lib/modules"))

    def tree(self, random: Random) -> conf_trees.Tree:
        return conf_trees.names_tree(random)

    def said(self, _number: int) -> Answers:
        files = drop_ins.read(self._host, modprobe_d.KIND, modprobe_d.READING)
        names = {name: name.replace("-", "_") for name in conf_trees.NAMES}
        found = loads.resolve(self._host, self._release, files, set(names.values()))
        return {name: sorted(found[looked_up]) for name, looked_up in names.items()}

    def seen(self, _number: int) -> Answers:
        found = {}
        for name in conf_trees.NAMES:
            shown = self._root.run("/usr/sbin/modprobe", "-S", self._release, "-R", name).decode()
            found[name] = sorted(set(shown.split()))
        return found


class Modprobe:
    """What modprobe shows that it read, and what the collection says that it will."""

    def __init__(self, root: real_programs.Root, _program: str) -> None:
        self._root, self._host = root, Host()

    def tree(self, random: Random) -> conf_trees.Tree:
        return conf_trees.modprobe_tree(random)

    def said(self, _number: int) -> Answers:
        files = drop_ins.read(self._host, modprobe_d.KIND, modprobe_d.READING)
        command_line = self._host.read_value("/proc/cmdline") or ""
        answers: Answers = {}
        for module, parameter in conf_trees.PARAMETERS:
            origins = modprobe_d.parameter_origins(files, module, parameter)
            words = modprobe_d.command_line_values(command_line, module, parameter)
            answers[module + " " + parameter] = [origin.value for origin in origins] + words
        for module in conf_trees.MODULES:
            origin = modprobe_d.install_origin(files, module)
            answers["install " + module] = origin and " ".join(origin.value.split())
            blacklist = modprobe_d.blacklist_origin(files, module)
            answers["blacklist " + module] = blacklist is not None
        return answers

    def seen(self, _number: int) -> Answers:
        shown = self._root.run("/usr/sbin/modprobe", "-S", "1", "--showconfig").decode("utf-8", "surrogateescape")
        answers: Answers = {module + " " + parameter: [] for module, parameter in conf_trees.PARAMETERS}
        answers.update({"install " + module: None for module in conf_trees.MODULES})
        answers.update({"blacklist " + module: False for module in conf_trees.MODULES})
        for line in shown.split("\n"):
            verb, _space, rest = line.partition(" ")
            module, _space, rest = rest.partition(" ")
            if verb == "options":
                for name, value in _kernel_parameters(rest):
                    if (module, name) in conf_trees.PARAMETERS:
                        answers[module + " " + name].append(value)
            elif verb == "install":
                for one in conf_trees.MODULES:
                    question = "install " + one
                    if answers[question] is None and wildcards.matches(module, one):
                        answers[question] = " ".join(rest.split())
            elif verb == "blacklist" and "blacklist " + module in answers:
                answers["blacklist " + module] = True
        return answers


def _kernel_parameters(options: str) -> t.Iterator[tuple[str, str]]:
    """Names and values as the kernel takes them apart: next_arg() in lib/cmdline.c, character by character."""
    index = 0
    while index < len(options):
        while index < len(options) and options[index] in " \t\n\r\v\f":
            index += 1
        word, in_quotes = "", False
        while index < len(options) and (in_quotes or options[index] not in " \t\n\r\v\f"):
            in_quotes ^= options[index] == '"'
            word += options[index]
            index += 1
        if word.startswith('"'):
            word = word[1:-1] if word.endswith('"') else word[1:]
        name, _equals, value = word.partition("=")
        yield name.replace("-", "_"), value.strip('"')


def compare(root: real_programs.Root, params: t.Mapping[str, t.Any]) -> t.Iterator[dict[str, t.Any]]:
    """For each tree, its number, what was said and seen, where they differ, and then the tree."""
    program = params["program"]
    bench = {"modprobe": Modprobe, "load": Load, "names": Names}.get(program, Sysctl)(root, program)
    for number in range(params["first"], params["first"] + params["trees"]):
        tree = bench.tree(Random("{0} {1} {2}".format(program, params["seed"], number)))
        root.lay(tree)
        said, seen = bench.said(number), bench.seen(number)
        wrong = {
            question: {"said": repr(said[question]), "seen": repr(seen[question])}
            for question in said
            if said[question] != seen[question]
        }
        if wrong:
            wrong = {
                "tree": number,
                "wrong": wrong,
                "files": {path: repr(entry) for path, entry in sorted(tree.items())},
            }
        yield wrong


def main() -> None:
    module = AnsibleModule(
        {
            "program": {
                "type": "str",
                "required": True,
                "choices": ["systemd-sysctl", "procps", "modprobe", "load", "names"],
            },
            "seed": {"type": "str", "required": True},
            "first": {"type": "int", "default": 0},
            "trees": {"type": "int", "default": 500},
        }
    )
    began = time.time()
    differences, compared = [], 0
    root = real_programs.Root()
    try:
        for wrong in compare(root, module.params):
            compared += 1
            if wrong:
                differences.append(wrong)
            if len(differences) == _ENOUGH:
                break
    finally:
        root.leave()
    result = {"compared": compared, "seconds": round(time.time() - began, 1)}
    if differences:
        module.fail_json(
            msg="{0}: the collection and the program differ, seed {1}, tree {2}".format(
                module.params["program"], module.params["seed"], differences[0]["tree"]
            ),
            differences=differences,
            **result,
        )
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
