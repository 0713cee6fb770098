# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.plugin_utils._report import words


@pytest.mark.parametrize(
    ("call", "value", "expected"),
    [
        (words.count, 262144, "262,144"),
        (words.count, 12.44, "12.4"),
        (words.count, 1234.5, "1,234"),
        (words.count, None, "–"),
        (words.count, "<b>", "<b>"),
        (words.percent, 99.99, "99 %"),
        (words.percent, 100.0, "100 %"),
        (words.percent, 0.02, "< 1 %"),
        (words.percent, 0, "0 %"),
        (words.percent, None, "–"),
        (words.duration, 40, "40 s"),
        (words.duration, 119, "119 s"),
        (words.duration, 840, "14 min"),
        (words.duration, 7200, "2 h"),
        (words.duration, 432000, "5 d"),
        (words.duration, None, "–"),
        (words.size, 2**20 * 192, "192 MiB"),
        (words.size, 71168, "70 KiB"),
        (words.size, None, "–"),
        (words.name, "insert_failures", "insert failures"),
        (words.text, None, "–"),
        (words.text, " two\nlines ", "two lines"),
        (words.text, ["x"], "['x']"),
        (words.text, "a\x00\ud800\u202eb", "a\ufffd\ufffd\ufffdb"),
        (words.text, "\xe9\u6f22", "\xe9\u6f22"),
    ],
)
def test_values_are_read_as_people_write_them(call, value, expected):
    assert call(value).replace("\u00a0", " ") == expected


def test_a_text_without_end_is_cut():
    assert len(words.text("x" * 100000)) == 400
    assert words.text("x" * 100000).endswith("x…")
    assert words.text("x" * 400) == "x" * 400
