# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counting how often each of any number of things comes, in bounded memory, with the error stated. Pure.

Misra and Gries, "Finding repeated elements", 1982, in batches: when there are too many things, one number is taken from
the count of each, and those that have nothing left are forgotten. So no count is too high, and none is too low by more
than the sum of these numbers, which is less than four times what was counted divided by the capacity.
"""

from __future__ import annotations

import typing as t
from collections import Counter


class Bounded:
    """Counts of things.

    :ivar error: how much any count may be too low; 0 as long as all things had room.
    """

    def __init__(self, capacity: int) -> None:
        """Have room for so many things; a batch may go beyond it for a moment."""
        self.error = 0
        self._capacity = capacity
        self._counts: Counter[t.Hashable] = Counter()

    def update(self, things: t.Iterable[t.Hashable]) -> None:
        """Count each of some things. No more at a time than a fraction of the capacity."""
        self._counts.update(things)
        if len(self._counts) > self._capacity:
            self._forget()

    def add(self, thing: t.Hashable, count: int) -> None:
        """Count one thing so many times."""
        self._counts[thing] += count
        if len(self._counts) > self._capacity:
            self._forget()

    def _forget(self) -> None:
        # A quarter is kept: to keep more takes more time, since most things come once and are soon forgotten again.
        taken = sorted(self._counts.values(), reverse=True)[self._capacity // 4]
        kept = {thing: count - taken for thing, count in self._counts.items() if count > taken}
        self._counts = Counter(kept)
        self.error += taken

    def items(self) -> t.ItemsView[t.Any, int]:
        """Each thing that is known, with its count."""
        return self._counts.items()
