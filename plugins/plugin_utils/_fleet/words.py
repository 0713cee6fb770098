# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers and texts of hosts, for a terminal or a log of 80 columns. Pure."""

from __future__ import annotations

import textwrap
import typing as t

WIDTH = 80
UNKNOWN = "?"
#: Lines of the reason why a host gave nothing, which may be what a program printed.
REASON_LINES = 5

_UNITS = ("", "k", "M", "G", "T")
_TIMES = ((86400, "d"), (3600, "h"), (60, "m"))
_BAR = 6


def printable(text: t.Any) -> str:
    """A text of a host without what a terminal would act on: control characters become question marks."""
    return "".join(character if character.isprintable() else "?" for character in str(text))


def short(number: float | None) -> str:
    """A number in four characters or fewer: 999, 1.2k, 65k, 1.0M."""
    if number is None:
        return UNKNOWN
    for unit in _UNITS:
        if number < 999.5 or unit == _UNITS[-1]:
            break
        number /= 1000
    return f"{number:.0f}" if not unit else f"{number:.1f}{unit}" if number < 9.95 else f"{number:.0f}{unit}"


def change(per_second: float | None) -> str:
    """How many more or fewer in a second, in five characters or fewer: +49, -1.2k, 0."""
    if per_second is None:
        return "-"
    size = short(abs(per_second))
    return size if size == "0" else f"{'+' if per_second > 0 else '-'}{size}"


def duration(seconds: float | None) -> str:
    """Seconds in words as short as a column is: 50s, 14m, 3.5h, 12d."""
    if seconds is None:
        return "-"
    for size, unit in _TIMES:
        if seconds >= size:
            count = seconds / size
            # Rounded down where it is whole, as in the words of a host's health.
            return f"{count:.1f}{unit}" if count < 9.95 and unit != "m" else f"{int(count)}{unit}"
    return f"{int(seconds)}s"


def usage_bar(percent: float | None) -> str:
    """How full a table is."""
    if percent is None:
        return "?" * _BAR
    full = min(_BAR, max(0, round(_BAR * percent / 100)))
    # Neither empty nor full is said of what is only nearly so.
    full = max(full, 1) if percent > 0 else full
    full = min(full, _BAR - 1) if percent < 100 else full  # percent
    return "#" * full + "." * (_BAR - full)


def below(text: t.Any, most: int | None = None) -> list[str]:
    """The lines of a text that belongs to the line of a host above it, the first few of them where there is a limit."""
    return textwrap.wrap(
        printable(" ".join(str(text).split())),
        WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        max_lines=most,
        placeholder=" ...",
        break_long_words=False,
        break_on_hyphens=False,
    )
