# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.netops.conntrack.plugins.filter.fleet_text import DOCUMENTATION, FilterModule
from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet import document

fleet_text = FilterModule().filters()["fleet_text"]
ABOUT = document.make({"a": {"failed": True, "msg": "no Python"}}, "2026-12-01T02:00:00Z")


def test_every_documented_output_is_made():
    outputs = yaml.safe_load(DOCUMENTATION)["options"]["output"]["choices"]
    texts = {output: fleet_text(ABOUT, output) for output in outputs}
    assert all("no Python" in text for text in texts.values())
    assert json.loads(texts["json"]) == ABOUT


@pytest.mark.parametrize(
    ("about", "output", "words"),
    [({}, "text", "not a document of a fleet"), (ABOUT, "xml", "'xml', but must be text, who, csv, who_csv, json")],
)
def test_what_cannot_be_meant_is_refused(about, output, words):
    with pytest.raises(AnsibleFilterError, match=words):
        fleet_text(about, output)
