# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._config import procps_sysctl, systemd_sysctl
from ansible_collections.netops.conntrack.plugins.module_utils._config.sysctl_names import (
    is_of_today,
    mistake,
    name_of_today,
)
from ansible_collections.netops.conntrack.plugins.module_utils._keys import KEYS


@pytest.mark.parametrize("key", sorted(KEYS))
def test_every_name_that_a_key_ever_had_leads_to_the_key(key):
    names = [KEYS[key].sysctl, *KEYS[key].aliases, *KEYS[key].former_names]
    paths = [name.replace(".", "/") for name in names]
    assert [name_of_today(path) for path in paths] == [key] * len(paths)
    assert [is_of_today(path) for path in paths] == [name not in KEYS[key].former_names for name in names]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "net",
        "net/netfilter",
        "net/netfilter/nf_log_all_netns",
        "net/netfilter/nf_conntrack_frag6_timeout",
        "kernel/panic",
    ],
)
def test_what_is_no_key_of_connection_tracking_has_no_such_name(path):
    assert name_of_today(path) is None


KEY = st.sampled_from(
    ["net.netfilter.nf_conntrack_max", "net/ipv4/ip_conntrack_max", "net.netfilter.nf_flowtable_udp_timeout"]
)
WRONG = st.sampled_from(
    ["{0} {1}", "{0}: {1}", "{0}", "sysctl -w {0}={1}", "export {0} = {1}", "\ufeff{0}={1}", "'{0}'={1}"]
)


@given(WRONG, KEY, st.sampled_from(["5", "0x10", "lots"]))
def test_a_line_that_a_mistake_is_told_of_sets_nothing_by_either_program(shape, key, value):
    line = shape.format(key, value)
    found = mistake(1, line)
    assert found is not None and found.key == key.replace(".", "/") and found.value in (value, "")
    for parse in (systemd_sysctl.parse, procps_sysctl.parse):
        assert all(name_of_today(entry.key) is None or entry.value is None for entry in parse(line))


@given(KEY, st.sampled_from(["=", " = ", "\t=\t"]), st.sampled_from(["5", "", "a b", "5 = 6"]))
def test_an_assignment_is_no_mistake(key, equals, value):
    assert mistake(1, (key + equals + value).strip()) is None
    assert mistake(1, "-" + key) is None
