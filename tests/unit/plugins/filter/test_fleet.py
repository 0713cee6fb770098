# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.netops.conntrack.plugins.filter.fleet import FilterModule

fleet = FilterModule().filters()["fleet"]


def test_a_document_is_made_of_registered_results():
    about = fleet({"a": {"ansible_facts": {"conntrack": {}}}}, time="2026-12-01T02:00:00Z")
    assert (about["version"], about["time"], about["hosts"][0]["name"]) == (1, "2026-12-01T02:00:00Z", "a")


def test_what_is_no_dict_is_refused():
    with pytest.raises(AnsibleFilterError, match="needs a dict of results by host, not list"):
        fleet([], time="")
