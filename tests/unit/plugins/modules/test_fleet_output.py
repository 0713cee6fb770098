# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import yaml
from collection_path import ROOT

from ansible_collections.netops.conntrack.plugins.modules.fleet_output import DOCUMENTATION


def test_its_documentation_has_the_options_that_the_action_takes():
    action = (ROOT / "plugins" / "action" / "fleet_output.py").read_text(encoding="utf-8")
    taken = re.findall(r'"(\w+)": {"type": "(\w+)"', action)
    assert [(name, of["type"]) for name, of in yaml.safe_load(DOCUMENTATION)["options"].items()] == taken
