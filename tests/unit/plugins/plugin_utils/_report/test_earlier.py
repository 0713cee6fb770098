# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import fleets
import pytest

from ansible_collections.netops.conntrack.plugins.plugin_utils._report.earlier import NotComparable, parse, read


def test_a_document_of_this_version_is_read_back(tmp_path):
    document = fleets.fleet(3)
    (tmp_path / "report.json").write_text(json.dumps(document), encoding="utf-8")
    assert read(str(tmp_path / "report.json")) == document


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "x.json is not JSON"),
        ("[" * 100000, "x.json is not JSON"),
        ("[]", "its format is not 'netops.conntrack fleet'"),
        ('{"format": "netops.conntrack facts", "version": 1}', "its format is not 'netops.conntrack fleet'"),
        ('{"format": "netops.conntrack fleet", "version": 2}', "version 2 of the format, and only version 1"),
        ('{"format": "netops.conntrack fleet", "version": true}', "version True of the format"),
        ('{"format": "netops.conntrack fleet"}', "version None of the format"),
        ('{"format": "netops.conntrack fleet", "version": 1, "hosts": {}}', "no list of hosts that have names"),
        ('{"format": "netops.conntrack fleet", "version": 1, "hosts": [{"name": 1}]}', "no list of hosts that have"),
    ],
)
def test_what_is_no_document_of_this_version_is_refused_with_what_to_give(text, words):
    with pytest.raises(NotComparable) as refused:
        parse(text, "x.json")
    assert words in str(refused.value)
    assert "earlier run of netops.conntrack.report" in str(refused.value) or "Make it again" in str(refused.value)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path):
    (tmp_path / "odd").write_bytes(b"\xff\xfe")
    for name, words in (
        ("none.json", "No such file or directory"),
        ("odd", "it is not UTF-8"),
        (".", "Is a directory"),
    ):
        with pytest.raises(NotComparable, match=words):
            read(str(tmp_path / name))
