# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet import words


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "?"), (0, "0"), (7, "7"), (999, "999"), (999.7, "1.0k"), (1000, "1.0k"), (1234, "1.2k"), (9949, "9.9k"),
        (9999, "10k"), (65536, "66k"), (262144, "262k"), (999_499, "999k"), (999_600, "1.0M"), (1048576, "1.0M"),
        (4_294_967_295, "4.3G"),
    ],
)  # fmt: skip
def test_a_number_takes_four_characters_at_most(number, text):
    assert words.short(number) == text and len(text) <= 4


@given(st.integers(0, 2**40))
def test_every_number_the_kernel_can_count_fits_its_column(number):
    assert len(words.short(number)) <= 4


@pytest.mark.parametrize(
    ("per_second", "text"), [(None, "-"), (0, "0"), (0.4, "0"), (49.2, "+49"), (-1234, "-1.2k"), (2**40, "+1.1T")]
)
def test_a_rate_says_whether_it_grows(per_second, text):
    assert words.change(per_second) == text and len(text) <= 5


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0, "0s"), (59, "59s"), (60, "1m"), (119, "1m"), (840, "14m"), (3600, "1.0h"), (12600, "3.5h"),
     (90000, "1.0d"), (10**7, "115d")],
)  # fmt: skip
def test_a_time_is_told_in_its_largest_unit(seconds, text):
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("percent", "text"),
    [(0, "......"), (0.01, "#....."), (50, "###..."), (99.97, "#####."), (100, "######"), (250, "######"),
     (-(2**60), "......"), (None, "??????")],
)  # fmt: skip
def test_a_bar_is_full_and_empty_only_where_the_table_is(percent, text):
    assert words.usage_bar(percent) == text


@given(st.text())
def test_nothing_that_a_terminal_acts_on_is_left_in_a_text(text):
    assert words.printable(text).isprintable() and len(words.printable(text)) == len(text)
    assert all(line.isprintable() for line in words.below(text))


def test_a_long_text_is_broken_at_blanks_within_the_width():
    lines = words.below("word " * 100)
    assert len(lines) > 5 and all(len(line) <= 80 for line in lines)
    assert lines[0].startswith("  word") and lines[1].startswith("    word")
