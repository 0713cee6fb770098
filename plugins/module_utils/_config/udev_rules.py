# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""udev rules: which programs run when a module is loaded. Pure.

Sources: udev(7), src/udev/udev-rules.c of systemd. A rule that asks for what cannot be told from here, such as an
attribute, counts as not met.
"""

from __future__ import annotations

import functools
import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._config import wildcards
from ansible_collections.netops.conntrack.plugins.module_utils._config.udev_files import is_of_interest
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import DropIns

# KERNEL=="nf_conntrack", RUN{program}+="/sbin/sysctl --system"
_TOKEN = re.compile(r'([A-Z]+)(?:\{([^}]*)\})?\s*([=!+:-]?=)\s*([a-z]?)"((?:[^"\\]|\\.)*)"')

#: Where a program is that a rule names without a directory.
PROGRAMS = "/usr/lib/udev"

_SUBSTITUTED = re.compile(
    r"\$\$|%%|\$kernel\b|%k|\$devpath\b|%p|\$name\b|%D|\$sys\b|%S|\$(?:\w+)(?:\{[^}]*\})?|%\w(?:\{[^}]*\})?"
)


class Command(Record):
    """A program that is run for an event.

    :ivar words: the program with its whole path, and its arguments.
    :ivar path: the file of the rule.
    :ivar number: the line that the rule begins on, from 1.
    """

    words: tuple[str, ...]
    path: str
    number: int


class _Token(Record):
    key: str
    attribute: str
    operator: str
    value: str


class _Rule(Record):
    path: str
    number: int
    tokens: tuple[_Token, ...]

    def values(self, *keys: str) -> list[str]:
        return [token.value for token in self.tokens if token.key in keys]


def commands(rules: DropIns, module: str) -> list[Command]:
    """What runs when a module is loaded, in order: what decides on a rule at once, and then what the rules list in RUN.

    A value that a rule sets by itself (``SYSCTL{NAME}="VALUE"``, ``ATTR{parameters/hashsize}="N"``) is told as the
    ``sysctl`` that does the same.
    """
    at_once: list[Command] = []
    listed: list[Command] = []
    is_final = False
    for conf in rules.files:
        if not is_of_interest(conf.text):
            continue
        for rule in _met(_rules(conf.path, conf.text), module):
            at_once += _at_once(rule, module)
            for token in rule.tokens:
                if token.key != "RUN" or is_final or token.operator not in ("=", "+=", ":="):
                    continue
                is_final = token.operator == ":="
                listed = listed if token.operator == "+=" else []
                if token.attribute != "builtin":
                    listed += _command(rule, token.value, module)
    return at_once + listed


@functools.lru_cache(maxsize=64)
def _rules(path: str, text: str) -> tuple[_Rule, ...]:
    rules = []
    for number, line in _logical_lines(text):
        tokens = tuple(
            _Token(key, attribute, operator, value.replace('\\"', '"'))
            for key, attribute, operator, _flag, value in _TOKEN.findall(line)
        )
        rules.append(_Rule(path, number, tokens))
    return tuple(rules)


def _logical_lines(text: str) -> t.Iterator[tuple[int, str]]:
    """The lines, joined where a backslash ends one. A comment is no line, not even between lines that are joined."""
    begun, first = "", 0
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.lstrip().rstrip("\r")
        if line.startswith("#"):
            continue
        first = first or number
        if line.endswith("\\"):
            begun += line[:-1]
        else:
            yield first, begun + line
            begun, first = "", 0


def _met(rules: t.Sequence[_Rule], module: str) -> t.Iterator[_Rule]:
    """The rules of one file that are met for certain, past those that a GOTO leaves out."""
    index = 0
    while index < len(rules):
        rule = rules[index]
        index += 1
        if not all(_holds(token, module) for token in rule.tokens):
            continue
        yield rule
        for label in rule.values("GOTO")[:1]:
            targets = [later for later in range(index, len(rules)) if label in rules[later].values("LABEL")]
            index = targets[0] if targets else index


@functools.lru_cache(maxsize=4)
def _event(module: str) -> dict[str, str]:
    """What is known of the event of a module that is loaded."""
    return {
        "ACTION": "add",
        "SUBSYSTEM": "module",
        "SUBSYSTEMS": "module",
        "KERNEL": module,
        "KERNELS": module,
        "DEVPATH": f"/module/{module}",
        "DRIVER": "",
        "NAME": "",
        "SYMLINK": "",
        "TAG": "",
        "ENV{ACTION}": "add",
        "ENV{SUBSYSTEM}": "module",
        "ENV{DEVPATH}": f"/module/{module}",
    }


def _holds(token: _Token, module: str) -> bool:
    """Whether a token keeps no rule from being met for the event of a module that is loaded."""
    if token.operator not in ("==", "!="):
        # PROGRAM and IMPORT decide by any operator; what they run is taken to succeed.
        return True
    name = f"{token.key}{{{token.attribute}}}" if token.attribute else token.key
    known = _event(module).get(name)
    if known is not None:
        return _matches(token.value, known) == (token.operator == "==")
    return name == "PROGRAM" and token.operator == "=="


def _matches(patterns: str, text: str) -> bool:
    return any(wildcards.matches(pattern, text) for pattern in patterns.split("|"))


def _at_once(rule: _Rule, module: str) -> list[Command]:
    found: list[Command] = []
    for token in rule.tokens:
        if token.key == "PROGRAM" or (token.key == "IMPORT" and token.attribute == "program"):
            found += _command(rule, token.value, module)
        elif token.operator == "=" and token.key == "SYSCTL":
            found.append(Command(("/sbin/sysctl", "-w", f"{token.attribute}={token.value}"), rule.path, rule.number))
        elif token.operator == "=" and token.key == "ATTR" and token.attribute == "parameters/hashsize":
            setting = f"net.netfilter.nf_conntrack_buckets={token.value}"
            found.append(Command(("/sbin/sysctl", "-w", setting), rule.path, rule.number))
    return found


def _command(rule: _Rule, text: str, module: str) -> list[Command]:
    """The words of a command as udev parts them; none where a substitution is not known."""
    known = {"$$": "$", "%%": "%", "$kernel": module, "%k": module, "$devpath": f"/module/{module}", "$name": module}
    known.update({"%p": f"/module/{module}", "$sys": "/sys", "%S": "/sys"})
    if any(match.group() not in known for match in _SUBSTITUTED.finditer(text)):
        return []
    words = _words(_SUBSTITUTED.sub(lambda match: known[match.group()], text))
    if not words:
        return []
    program = words[0] if words[0].startswith("/") else f"{PROGRAMS}/{words[0]}"
    return [Command((program, *words[1:]), rule.path, rule.number)]


def _words(text: str) -> list[str]:
    """Quotes keep blanks and go, backslashes stay; a quote that nothing closes ends with the text."""
    return [_unquoted(word) for word in re.findall(r"""(?:'[^']*'?|"[^"]*"?|[^\s'"])+""", text)]


def _unquoted(word: str) -> str:
    return re.sub(
        r"""'([^']*)'?|"([^"]*)"?""",
        lambda match: match.group(1) if match.group(1) is not None else match.group(2),
        word,
    )
