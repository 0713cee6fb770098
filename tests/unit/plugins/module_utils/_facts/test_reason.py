# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a verdict is made of."""

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._facts.reason import megabytes


@pytest.mark.parametrize(("size", "words"), [(1, "1 MiB"), (194 << 20, "194 MiB"), (5000 << 20, "5,000 MiB")])
def test_bytes_are_told_in_whole_mebibytes(size, words):
    assert megabytes(size) == words
