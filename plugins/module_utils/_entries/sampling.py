# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a sample says of the whole table: shares, and how far off they may be. Pure.

The table is hashed with a random key and a dump walks it bucket by bucket, so the entries that come first are drawn
without replacement and without regard to what they are. The margin is that of Wilson's interval, which holds for small
shares and small samples too, times what a sample that is a large part of the whole is better by.
"""

from __future__ import annotations

import math
import typing as t

#: How often a margin is to hold.
CONFIDENCE = 0.95


def deviations(confidence: float) -> float:
    """So many standard deviations around the mean hold this part of a normal distribution."""
    low, high = 0.0, 10.0
    for _unused in range(60):
        middle = (low + high) / 2
        if math.erf(middle / math.sqrt(2)) < confidence:
            low = middle
        else:
            high = middle
    return high


class Sample(t.NamedTuple):
    """What was read.

    :ivar matched: entries that were read and meant, of which shares are told.
    :ivar population: how many entries there are to be meant; None where that is not known.
    :ivar complete: whether all were read.
    """

    matched: int
    population: int | None
    complete: bool

    def share(self, count: int) -> float:
        """Part of those that were read, from 0 to 1."""
        return count / self.matched if self.matched else 0.0

    def percent(self, count: int) -> float:
        """The share in percent, to two decimals."""
        return round(100 * self.share(count), 2)

    def estimate(self, count: int) -> int | None:
        """How many there are in the whole table; None where that is not known."""
        if self.complete:
            return count
        if self.population is None or not self.matched:
            return None
        return round(count / self.matched * max(self.population, self.matched))

    def margin(self, count: int, of_many: int = 1, error: int = 0) -> float:
        """How far the share in the whole table may be from this one, in points of percent, in 95 of 100 readings.

        :param of_many: how many shares are told together, as a list of the busiest: in 95 of 100 readings the margins
            of all of them hold.
        :param error: by how much the count may be too low.
        """
        lost = self.share(error)
        if self.complete:
            return _up(100 * lost)
        if not self.matched:
            return 100.0
        z = deviations(1 - (1 - CONFIDENCE) / of_many)
        n, p = self.matched, min(1.0, self.share(count) + lost)
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        beyond = max(middle + half - p, p - (middle - half))
        return _up(100 * (min(1.0, beyond * self._left()) + lost))

    @property
    def widest(self) -> float:
        """The margin of a share of one half, which is the widest, in points of percent."""
        return self.margin(self.matched // 2)

    def _left(self) -> float:
        """By how much the margin is narrower because a part of the whole was read."""
        if self.population is None or self.population <= 1:
            return 1.0
        return math.sqrt(max(0, self.population - self.matched) / (self.population - 1))


def _up(percent: float) -> float:
    """Rounded up to two decimals, so that rounding makes no margin too narrow."""
    return math.ceil(round(percent * 100, 6)) / 100
