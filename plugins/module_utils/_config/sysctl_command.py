# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a command that a udev rule or modprobe runs makes a sysctl program do. Pure.

Sources: src/sysctl/sysctl.c of systemd, src/sysctl.c of procps-ng 4.0; what a shell and getopt_long(3) make of a
command. A command whose effect is not certain, such as one in an ``if`` or with a variable, is passed over.
"""

from __future__ import annotations

import posixpath
import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._config import procps_sysctl, systemd_sysctl, wildcards
from ansible_collections.netops.conntrack.plugins.module_utils._config.systemd_sysctl import SYSCTL_CONF
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

SYSTEMD = systemd_sysctl.PROGRAM
PROCPS = procps_sysctl.PROGRAM

_PROC_SYS = "/proc/sys/"


class Call(Record):
    """One run of a program that sets sysctl values.

    :ivar program: SYSTEMD or PROCPS.
    :ivar files: the files that it is told to read, patterns as they stand; None for all that it finds by itself.
    :ivar only: what it keeps to: prefixes as paths below /proc/sys (SYSTEMD), or one regular expression (PROCPS); empty
        for no limit.
    :ivar assignments: what it is told to set, one ``NAME=VALUE`` each, without patterns.
    """

    program: str
    files: tuple[str, ...] | None = ()
    only: tuple[str, ...] = ()
    assignments: tuple[str, ...] = ()


_TOKEN = re.compile(
    r"""(?P<blank>[ \t]+|\\\n)
    |(?P<redirection>[0-9]*(?:>>|>\||>|<)&?|&>)
    |(?P<operator>&&|\|\||[;&|()\n])
    |(?P<word>(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s;&|()<>'"\\])+)""",
    re.VERBOSE | re.DOTALL,
)
_PIECE = re.compile(r"""'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)|([^'"\\]+)""", re.DOTALL)
_VARIABLE = re.compile(r"""^(?:'[^']*'|\\.|[^'\\$`])*(?!\$CMDLINE_OPTS\b)[$`]""", re.DOTALL)
_ASSIGNED = re.compile(r"[A-Za-z_]\w*=")

# What makes it depend on something else whether the commands after it are run.
_CONDITIONAL = frozenset(["if", "while", "until", "for", "case", "else", "elif", "!"])
_SHELLS = frozenset(["sh", "bash", "dash", "ash", "ksh", "busybox"])
#: Programs that run the command behind them.
_RUNNERS = frozenset(["exec", "command", "nohup", "env", "sudo"])


def of_shell(text: str) -> list[Call]:
    """What a text makes the programs do when a shell runs it, in order."""
    calls: list[Call] = []
    for words, target in _simple_commands(text):
        calls += _written(words, target) if target.startswith(_PROC_SYS) else of_words(words)
    return calls


def _simple_commands(text: str) -> t.Iterator[tuple[list[str], str]]:
    """Words of each command that is run for certain if none before it fails, and where its output goes."""
    words: list[str] = []
    redirection = target = before = ""
    is_certain, position = True, 0
    while position <= len(text):
        match = _TOKEN.match(text, position)
        if match is None and position < len(text):
            return  # a quote that nothing closes
        kind, token = ("operator", "") if match is None else (match.lastgroup, match.group())
        position += max(1, len(token))
        if kind == "operator":
            if words and words[0] in _CONDITIONAL:
                return
            # What stands behind || is run only if what is before it fails.
            if words and is_certain and before != "||":
                yield words, target
            words, target, is_certain, before = [], "", True, token
        elif kind == "redirection":
            redirection = token
        elif kind == "word":
            is_certain = is_certain and _VARIABLE.match(token) is None
            word = "".join(_plain(piece) for piece in _PIECE.finditer(token))
            if not redirection:
                words += [word] if words or word != "{" else []
            elif redirection[0] in ">1" and not redirection.endswith("&"):
                target = word
            redirection = ""


def _plain(piece: t.Match[str]) -> str:
    single, double, escaped, plain = piece.groups()
    if double is not None:
        return re.sub(r'\\([$`"\\])', r"\1", double)
    return next(found for found in (single, escaped, plain) if found is not None)


def _written(words: t.Sequence[str], target: str) -> list[Call]:
    """``echo 5 > /proc/sys/net/netfilter/x``."""
    if not words or posixpath.basename(words[0]) != "echo":
        return []
    value = " ".join(word for word in words[1:] if word not in ("-n", "-e"))
    return [Call(PROCPS, assignments=(f"{target[len(_PROC_SYS) :]}={value}",))]


def of_words(words: t.Sequence[str]) -> list[Call]:
    """What a command makes the programs do."""
    rest = list(words)
    while rest and (_ASSIGNED.match(rest[0]) or posixpath.basename(rest[0]) in _RUNNERS):
        del rest[0]
    if not rest:
        return []
    program, arguments = posixpath.basename(rest[0]), rest[1:]
    if program in _SHELLS:
        if program == "busybox":
            return of_words(arguments)
        text = _shell_text(arguments)
        return [] if text is None else of_shell(text)
    call = _systemd(arguments) if program == SYSTEMD else _procps(arguments) if program == PROCPS else None
    return [] if call is None else [call]


def _shell_text(arguments: t.Sequence[str]) -> str | None:
    """What ``sh -c`` runs; None for a script."""
    for index, argument in enumerate(arguments):
        if not argument.startswith("-"):
            return None
        if argument.endswith("c") and not argument.startswith("--"):
            return arguments[index + 1] if len(arguments) > index + 1 else None
    return None


def _systemd(arguments: t.Sequence[str]) -> Call | None:
    prefixes, files = [], []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name, equals, value = argument.partition("=")
        if name == "--prefix" and (equals or rest):
            prefixes.append(systemd_sysctl.normalise(value if equals else rest.pop(0)))
        elif argument == "--":
            files += rest
            break
        elif argument in ("--strict", "--no-pager"):
            continue
        elif argument.startswith("-"):
            return None
        else:
            files.append(argument)
    return Call(SYSTEMD, tuple(files) or None, tuple(prefixes))


#: Options of procps that change nothing of what is set: a NAME=VALUE is written with and without --write.
_QUIET = frozenset(["--write", "--ignore", "--names", "--values", "--quiet", "--binary", "--deprecated"])
_LETTERS = re.compile(r"-(?P<letters>[weNnqbodf]*)(?:p(?P<file>.*))?", re.DOTALL)


def _procps(arguments: t.Sequence[str]) -> Call | None:
    """The options may stand anywhere, but ``--system`` ends the program where it stands."""
    pattern, loads = "", False
    files: list[str] = []
    others: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name, equals, value = argument.partition("=")
        if argument == "--":
            others += rest
            break
        if argument == "--system":
            return Call(PROCPS, None, (pattern,) if pattern else ())
        if name == "--pattern" or argument == "-r":
            pattern = value if equals else rest.pop(0) if rest else ""
            continue
        found = _loaded(argument)
        if found is None:
            return None
        loads = loads or found.loads
        files += found.files
        others += found.others
    only = (pattern,) if pattern else ()
    if loads:
        read = (*files, *others) or (SYSCTL_CONF,)
        return None if "-" in read else Call(PROCPS, read, only)
    # Of a name alone the value is shown. A pattern is looked for as it stands, which is nowhere.
    given = tuple(other for other in others if "=" in other and not wildcards.is_pattern(other.partition("=")[0]))
    return Call(PROCPS, only=only, assignments=given) if given else None


class _Argument(Record):
    """What an argument is: whether it has files loaded, which it names, and what is left to mean something else."""

    loads: bool = False
    files: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def _loaded(argument: str) -> _Argument | None:
    """What an argument of procps is; None for one that has it set nothing, or that is not known."""
    name, equals, value = argument.partition("=")
    if name == "--load":
        return _Argument(loads=True, files=(value,) if equals else ())
    if argument in _QUIET:
        return _Argument()
    if not argument.startswith("-") or argument == "-":
        return _Argument(others=(argument,))
    match = _LETTERS.fullmatch(argument)
    if match is None:
        return None
    file = match.group("file")
    return _Argument(loads="f" in match.group("letters") or file is not None, files=(file,) if file else ())
