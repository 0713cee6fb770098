# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Something that sets a key of connection tracking, beside the files that a boot reads for that."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel, _sizing
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, COUNT, KEYS, MAX, is_conntrack
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record


class Writer(Record):
    """One key that something sets.

    :ivar writer: the program, unit or file that sets it, as an operator calls it.
    :ivar path: the file that says so.
    :ivar line: the line of that file; None where there is no line, as for what a program sets by default.
    :ivar key: its name below net.netfilter, a hashsize as ``nf_conntrack_buckets``; None where that is not known.
    :ivar value: what it is set to; None where that is not known, or it is not set at all.
    :ivar when: when that happens, in words.
    :ivar certain: whether the program's own rules say so. A script may do it or not.
    :ivar text: the line as it stands, where that helps; else empty.
    :ivar then: what is to be said of it beside that, to end the sentence with.
    :ivar by_itself: whether it happens at a boot, or at some other time without somebody asking for it.
    :ivar yields: whether a line of /etc/sysctl.d for its key is applied after it, so that it wins.
    :ivar only_raises: whether it may leave a larger value as it is.
    """

    writer: str
    path: str
    line: int | None
    key: str | None
    value: int | None
    when: str
    certain: bool = False
    text: str = ""
    then: str = ""
    by_itself: bool = True
    yields: bool = False
    only_raises: bool = False

    @property
    def message(self) -> str:
        """All of it in a sentence, without the full stop."""
        return self.sentence("")

    def sentence(self, but: str) -> str:
        """The same with what contradicts it."""
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        place += f": {self.text}" if self.text else ""
        verb = ("raises" if self.only_raises else "sets") if self.certain else "may set"
        if self.certain and self.value is None:
            verb = "does not set"
        key = self.key or "keys of connection tracking"
        to = "" if self.value is None else f" to {self.value}"
        return f"{self.writer} {verb} {key}{to} {self.when} ({place}){but}{self.then}"

    def told(self, but: str = "") -> dict[str, t.Any]:
        """What facts tell of it.

        :param but: what contradicts it, for the message.
        """
        return {
            "writer": self.writer,
            "file": self.path,
            "line": self.line,
            "key": self.key,
            "value": self.value,
            "when": self.when,
            "certain": self.certain,
            "message": self.sentence(but),
        }

    def sets_another(self, value: int, buckets_per_page: int) -> bool:
        """Whether it sets its key to another value than this one.

        :param buckets_per_page: what the kernel rounds a number of buckets up to.
        """
        if self.value is None or self.key is None:
            return False
        mine = self.value
        if self.key == BUCKETS:
            mine, value = (_sizing.round_up(number, buckets_per_page) for number in (mine, value))
        return mine > value if self.only_raises else mine != value


def is_taken(key: str, value: int) -> bool:
    """Whether the kernel takes a value for a key, as far as the key is known."""
    return key not in KEYS or KEYS[key].takes(value)


def key_of(path: str) -> str | None:
    """The name of a key of connection tracking from its path below /proc/sys; None for any other."""
    if path == "net/nf_conntrack_max":
        return MAX
    name = path[len("net/netfilter/") :] if path.startswith("net/netfilter/") else ""
    return name if is_conntrack(name) and name != COUNT else None


def number_for(key: str, text: str) -> int | None:
    """The number that the kernel takes for a key from a text; None where it takes none."""
    number = _kernel.parse_number(text)
    return number if number is not None and is_taken(key, number) else None
