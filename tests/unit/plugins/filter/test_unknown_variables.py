# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
import yaml
from collection_path import ROOT

from ansible_collections.netops.conntrack.plugins.filter.unknown_variables import FilterModule

ROLE = ROOT / "roles" / "conntrack_tuning"
unknown_variables = FilterModule().filters()["unknown_variables"]


def test_every_variable_that_the_role_has_is_known():
    names = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    assert unknown_variables([*names, "conntrack_tuning_sysctl_file"]) == ""


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("conntrack_tuning_maxx", "conntrack_tuning_max"),
        ("conntrack_tuning_timeout", "conntrack_tuning_timeouts"),
        ("conntrack_tuning_hash_size", "conntrack_tuning_hashsize"),
        ("conntrack_tuning_sysctl", "conntrack_tuning_sysctls"),
        ("conntrack_tuning_", "conntrack_tuning_"),
    ],
)
def test_a_misspelt_variable_is_named_with_the_nearest(name, nearest):
    message = unknown_variables(["conntrack_tuning_max", name])
    assert f"there is no variable {name}; the nearest is {nearest}" in message
    assert "Nothing was changed" in message and "conntrack_tuning_keep_larger" in message
