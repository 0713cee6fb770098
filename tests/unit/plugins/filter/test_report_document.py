# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fleets

from ansible_collections.netops.conntrack.plugins.filter.report_document import FilterModule

report_document = FilterModule().filters()["report_document"]


def test_the_results_are_found_by_the_names_of_their_variables():
    answer = {"ansible_facts": {"conntrack": fleets.facts(10)}}
    variables = {"a": {"read_facts": answer, "read_entries": {"skipped": True}}, "b": {}, "c": {"read_facts": answer}}
    document = report_document(variables, ["a", "b"], "read_facts", "read_entries", "2026-12-01T01:40:00Z")
    assert [(host["name"], host["status"]) for host in document["hosts"]] == [("b", "skipped"), ("a", "ok")]
    assert document["time"] == "2026-12-01T01:40:00Z"
