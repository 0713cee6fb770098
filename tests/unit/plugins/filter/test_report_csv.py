# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fleets

from ansible_collections.netops.conntrack.plugins.filter.report_csv import FilterModule


def test_a_fleet_is_lines_below_the_columns_names():
    lines = FilterModule().filters()["report_csv"](fleets.fleet(3)).splitlines()
    assert len(lines) == 4 and lines[0].startswith("name,status,health,entries,max,")
