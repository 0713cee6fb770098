# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables in files that a shell reads as its own, such as /etc/default/ufw. Pure."""

from __future__ import annotations

import re

from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

_VARIABLE = re.compile(r"[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_]\w*)=(?P<value>\"[^\"]*\"|'[^']*'|[^\s#;]*)")


class Variable(Record):
    """A variable.

    :ivar line: the line that sets it, from 1.
    :ivar value: its value, without quotes.
    """

    line: int
    value: str


def parse(text: str) -> dict[str, Variable]:
    """The variables that a file sets; the last line for each is in force."""
    found: dict[str, Variable] = {}
    for number, line in enumerate(text.split("\n"), 1):
        match = _VARIABLE.match(line)
        if match is not None:
            value = match.group("value")
            found[match.group("name")] = Variable(number, value[1:-1] if value[:1] in ("'", '"') else value)
    return found


def is_known(value: str) -> bool:
    """Whether a value says all: no variable and no command in it."""
    return "$" not in value and "`" not in value
