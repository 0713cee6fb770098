# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""modprobe.d: parse, tell what a module gets and what is run in its place, and edit, touching no other byte. Pure.

The rules are those of kmod: modprobe.d(5) and libkmod/libkmod-config.c.
"""

from __future__ import annotations

import functools
import itertools
import posixpath
import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._config import wildcards
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import (
    ConfFile,
    DropIns,
    Origin,
    Reading,
)
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

KIND = "modprobe.d"

#: What is no file is passed over before names are compared: conf_files_filter_out(). kmod before 34 did not look
#: whether there is anything behind a link, so there a link to nowhere hides files, mostly.
READING = Reading(unreadable_hides=False, suffixes=(".conf", ".alias"))

# The command and the module, as kmod takes them off the line (strtok_r() in kmod_config_parse()).
_HEAD = r"[^ \t\n]+"
# Quotes and white space are those of the kernel (next_arg in lib/cmdline.c), which gets the parameters as they stand.
_WORD = r'(?:"[^"]*"?|[^ \t\n\r\v\f"])+'


class Word(Record):
    """One word of a command.

    :ivar text: the word as kmod reads it.
    :ivar start: where it starts in the command's ``raw``.
    :ivar end: where it ends there.
    """

    text: str
    start: int
    end: int


class Command(Record):
    """One command of a file.

    :ivar number: number of its first line, from 1.
    :ivar raw: its lines as they stand in the file.
    :ivar words: the command, the module, what follows.
    :ivar has_more: whether anything follows, be it blanks, which is enough for an ``install``.
    :ivar is_ended: whether a newline ends it, so that another can follow.
    :ivar text: what follows the module's name, as kmod reads it.
    """

    number: int
    raw: str
    words: tuple[Word, ...]
    has_more: bool
    is_ended: bool
    text: str = ""

    def values_of(self, module: str, parameter: str) -> list[tuple[int, str]]:
        """Where among the words a module's parameter stands, and its value; empty where it does not.

        kmod and the kernel take ``-`` and ``_`` for the same. A name alone gives it no text, which is no number.
        """
        is_options = len(self.words) > 2 and self.words[0].text == "options"
        if not is_options or not _same_name(self.words[1].text, module):
            return []
        # kmod makes blanks of tabs, also between quotes: kmod_config_add_options().
        values = [
            (index, _value_of(word.text.replace("\t", " "), parameter)) for index, word in enumerate(self.words[2:], 2)
        ]
        return [(index, value) for index, value in values if value is not None]

    def blanks_after(self, index: int) -> int:
        """How many words behind this one were meant to belong to it.

        2 for ``hashsize`` of ``hashsize = 5``, else 0 or 1. To the kernel each is a parameter of its own.
        """
        here, *after = [word.text for word in self.words[index:]]
        if "=" not in here and after[:1] == ["="]:
            return min(2, len(after))
        starts_after = "=" not in here and bool(after) and after[0].startswith("=")
        ends_before = here.endswith("=") and bool(after) and "=" not in after[0]
        return 1 if starts_after or ends_before else 0

    def replaces(self, module: str) -> bool:
        """Whether this is an ``install`` for a module, which kmod then runs in place of a load.

        The name is a pattern, in which ``-`` and ``_`` are the same but between brackets.
        """
        is_install = self.has_more and self.words[0].text == "install"
        return is_install and wildcards.matches(_underscores(self.words[1].text), module)

    @property
    def arguments(self) -> str:
        """What follows the module's name, with single spaces."""
        return " ".join(word.text for word in self.words[2:])


#: Programs that load nothing, whatever their arguments.
_IDLE = ("false", "true", ":", "exit")

#: What has a shell run something else as well.
_SHELL = (";", "&", "|", "`", "<", ">", "$(")


def _underscores(pattern: str) -> str:
    if "[" not in pattern:
        return pattern.replace("-", "_")
    return re.sub(r"\[[^\]]*\]|-", lambda match: "_" if match.group() == "-" else match.group(), pattern)


def _value_of(word: str, parameter: str) -> str | None:
    name, _equals, value = word.strip('"').partition("=")
    return value.strip('"') if _same_name(name, parameter) else None


def _same_name(one: str, other: str) -> bool:
    return one.replace("-", "_") == other.replace("-", "_")


@functools.lru_cache(maxsize=256)
def _commands(text: str) -> tuple[Command, ...]:
    """All logical lines, comments and blank ones too (those have no words), so that the raws join to the text."""
    commands, number = [], 1
    for raw in _logical_lines(text):
        commands.append(_command(number, raw))
        number += raw.count("\n")
    return tuple(commands)


def _logical_lines(text: str) -> t.Iterator[str]:
    """Each line with those that it continues on, also in a comment: a newline goes with a backslash before it."""
    begin = end = 0
    while begin < len(text):
        end = text.find("\n", end) + 1 or len(text)
        line = text[begin : end - 1]
        # Of an even number each second one stands for itself.
        if end == len(text) or (len(line) - len(line.rstrip("\\"))) % 2 == 0:
            yield text[begin:end]
            begin = end


def _command(number: int, raw: str) -> Command:
    line, starts, ends = _unescaped(raw)
    seen = "" if line.startswith("#") else line.rstrip("\n").partition("\0")[0]
    head = list(itertools.islice(re.finditer(_HEAD, seen), 2)) if seen else []
    matches = head + list(re.compile(_WORD).finditer(seen, head[-1].end())) if head else []
    words = tuple(Word(match.group(), starts[match.start()], ends[match.end() - 1]) for match in matches)
    text = seen[head[1].end() + 1 :] if len(head) == 2 else ""
    return Command(number, raw, words, bool(text), line.endswith("\n"), text)


def _unescaped(raw: str) -> tuple[str, t.Sequence[int], t.Sequence[int]]:
    """A line as kmod reads it, and where each character of it begins and ends in the raw one.

    A backslash takes the character after it as it is, and a newline away; kmod does not know any other meaning of it
    (getline_wrapped in shared/util.c).
    """
    if "\\" not in raw:
        return raw, range(len(raw)), range(1, len(raw) + 1)
    # A backslash at the very end of a file is nothing for kmod 34, and a stray character for kmod before.
    found = [match for match in re.finditer(r"\\?[\s\S]", raw) if match.group() not in ("\\\n", "\\")]
    line = "".join(match.group()[-1] for match in found)
    return line, [match.start() for match in found], [match.end() for match in found]


def parameter_origins(drop_ins: DropIns, module: str, parameter: str, *aliases: str) -> list[Origin]:
    """All that gives a module a parameter when it is loaded: options add up, and the last one wins.

    :param aliases: by which it is loaded, whose options it then gets as well: kmod_module_get_options().
    """
    return [origin for conf in drop_ins.files for origin in parameter_lines(conf, module, parameter, *aliases)]


def parameter_lines(conf: ConfFile, module: str, parameter: str, *aliases: str) -> list[Origin]:
    """What a file gives a module for a parameter, line by line."""
    return [
        Origin(value, conf.path, command.number)
        for command in _commands(conf.text)
        for name in (module, *aliases)
        for _index, value in command.values_of(name, parameter)
    ]


def parted_by_blanks(drop_ins: DropIns, module: str, parameter: str, origin: Origin) -> str | None:
    """What stands in the line of an origin where blanks part the parameter's name from its value; None where none do.

    ``hashsize = 5`` gives a module a ``hashsize`` without a value, a ``=`` and a ``5``.
    """
    for conf in drop_ins.files:
        for command in _commands(conf.text) if conf.path == origin.path else ():
            for index, value in command.values_of(module, parameter) if command.number == origin.number else ():
                words = command.words[index : index + 1 + command.blanks_after(index)]
                if value == origin.value and len(words) > 1:
                    return " ".join(word.text for word in words)
    return None


def command_line_values(command_line: str, module: str, parameter: str) -> list[str]:
    """All that the kernel's command line gives a module for a parameter, as ``nf_conntrack.hashsize=65536``."""
    words = [word.partition(".") for word in command_line.split()]
    values = [_value_of(right, parameter) for left, dot, right in words if dot and _same_name(left, module)]
    return [value for value in values if value is not None]


def is_any(_value: str) -> bool:
    """Every value."""
    return True


def lines_giving(conf: ConfFile, module: str, parameter: str, is_meant: t.Callable[[str], bool] = is_any) -> list[str]:
    """The lines of a file that give a module a parameter, or such a value of it.

    Each is ``file:line (text)``, for messages.
    """
    return [
        "{0}:{1} ({2})".format(conf.place, command.number, " ".join(word.text for word in command.words))
        for command in _commands(conf.text)
        if any(is_meant(value) for _index, value in command.values_of(module, parameter))
    ]


def drop_parameter(text: str, module: str, parameter: str, is_meant: t.Callable[[str], bool] = is_any) -> str:
    """A file without a module's parameter, or such values of it.

    A line that gave only that goes; all other bytes stay.
    """
    kept = []
    for command in _commands(text):
        indices = [index for index, value in command.values_of(module, parameter) if is_meant(value)]
        ends = [index + command.blanks_after(index) for index in indices]
        raw = command.raw
        for index, end in zip(reversed(indices), reversed(ends)):
            raw = raw[: command.words[index - 1].end] + raw[command.words[end].end :]
        dropped = sum(end + 1 - index for index, end in zip(indices, ends))
        if dropped < len(command.words) - 2 or not indices:
            kept.append(raw)
    return "".join(kept)


def set_parameter(text: str, module: str, parameter: str, value: str) -> str:
    """A file that gives a module this value of a parameter and no other, in a line of its own at the end.

    A file that does so already stays as it is.
    """
    given = [found for command in _commands(text) for _index, found in command.values_of(module, parameter)]
    if given == [value]:
        return text
    text = drop_parameter(text, module, parameter)
    while text and not _commands(text)[-1].is_ended:
        text += "\n"
    return f"{text}options {module} {parameter}={value}\n"


def install_origin(drop_ins: DropIns, module: str) -> Origin | None:
    """What kmod runs in place of loading a module: of several ``install`` commands that fit its name, the first.

    So does kmod_module_get_install_commands() in libkmod/libkmod-module.c.
    """
    for conf in drop_ins.files:
        for command in _commands(conf.text):
            if command.replaces(module):
                return Origin(command.arguments, conf.path, command.number)
    return None


def install_command(drop_ins: DropIns, module: str) -> str:
    """The same as a shell gets it: what follows the module's name, to the byte; empty where there is none."""
    for conf in drop_ins.files:
        for command in _commands(conf.text):
            if command.replaces(module):
                return command.text
    return ""


def command_origins(drop_ins: DropIns, module: str, parameter: str) -> tuple[list[Origin], list[Origin]]:
    """What the command that is run in place of loading a module gives it, before and after all that options give.

    kmod puts the options, those of files too, in the place of $CMDLINE_OPTS. A ``modprobe --ignore-install`` reads them
    itself, first of all.
    """
    origin = install_origin(drop_ins, module)
    if origin is None or is_block(origin.value):
        return [], []
    path, number = origin.path, origin.number
    given = re.compile(rf"""(?<![\w-]){re.escape(parameter)}=["']?([^\s;&|"']*)""")
    before, _options, after = origin.value.rpartition("$CMDLINE_OPTS")
    return (
        [Origin(value, path, number) for value in given.findall(before)],
        [Origin(value, path, number) for value in given.findall(after)],
    )


def is_alias_of(pattern: str, name: str) -> bool:
    """Whether an alias stands for a name.

    In it kmod takes ``-`` for ``_`` but between brackets: alias_normalize().
    """
    return wildcards.matches(_underscores(pattern), _underscores(name))


def aliased(drop_ins: DropIns, name: str) -> list[str]:
    """The modules that ``alias`` commands have kmod load for a name, before it looks for a module of that name."""
    commands = [command for conf in drop_ins.files for command in _commands(conf.text)]
    aliases = [
        [word.text for word in command.words[1:3]]
        for command in commands
        if len(command.words) > 2 and command.words[0].text == "alias"
    ]
    return [module.replace("-", "_") for pattern, module in aliases if is_alias_of(pattern, name)]


def is_block(arguments: str) -> bool:
    """Whether an ``install`` command loads nothing: /bin/false, /bin/true and the like, or blanks alone."""
    words = arguments.split()
    return not words or (posixpath.basename(words[0]) in _IDLE and not any(sign in arguments for sign in _SHELL))


def is_refusal(arguments: str) -> bool:
    """Whether an ``install`` command does nothing but fail, by which kmod knows that the module is not there."""
    words = arguments.split()
    return is_block(arguments) and bool(words) and posixpath.basename(words[0]) == "false"


def blocked(drop_ins: DropIns) -> dict[str, dict[str, t.Any] | None]:
    """The file and line that keep out NAT and connection tracking; None where nothing does.

    Without connection tracking there is no NAT either.
    """

    def place(*modules: str) -> dict[str, t.Any] | None:
        for origin in (install_origin(drop_ins, module) for module in modules):
            if origin is not None and is_block(origin.value):
                return {"file": origin.path, "line": origin.number}
        return None

    return {"nat": place("nf_nat", "nf_conntrack"), "conntrack": place("nf_conntrack")}


def drop_install(text: str, module: str) -> str:
    """A file without ``install`` commands that name this very module; patterns for more than one stay."""
    return _without(text, "install", module)


def drop_block(text: str, module: str) -> str:
    """A file without ``install`` commands that name this very module and load nothing; those that load it stay."""
    return "".join(
        command.raw
        for command in _commands(text)
        if not (_is_about(command, "install", module) and command.has_more and is_block(command.arguments))
    )


def drop_blacklist(text: str, module: str) -> str:
    """A file without ``blacklist`` commands for a module."""
    return _without(text, "blacklist", module)


def blacklist_origin(drop_ins: DropIns, module: str) -> Origin | None:
    """The first ``blacklist`` of a module.

    It stops no load by name or dependency, but systemd-modules-load obeys it.
    """
    for conf in drop_ins.files:
        for command in _commands(conf.text):
            if _is_about(command, "blacklist", module):
                return Origin(module, conf.path, command.number)
    return None


def _is_about(command: Command, verb: str, module: str) -> bool:
    return len(command.words) > 1 and command.words[0].text == verb and _same_name(command.words[1].text, module)


def _without(text: str, verb: str, module: str) -> str:
    return "".join(command.raw for command in _commands(text) if not _is_about(command, verb, module))
