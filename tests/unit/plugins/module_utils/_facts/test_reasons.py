# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""All reasons together; ``test_health`` has each of them, word for word."""

from __future__ import annotations

from ansible_collections.netops.conntrack.plugins.module_utils._facts import reasons
from ansible_collections.netops.conntrack.plugins.module_utils._facts.reason import Limits


def test_what_is_now_comes_before_what_the_boot_does():
    facts = {"entries": 9, "max": 9, "statistics": {"drop": 1}, "persistent_problem": "x", "load_problem": "y"}
    told = [reason["reason"] for reason in reasons.look(facts, Limits(75, 90))]
    assert told == ["usage", "drops", "load", "boot"]
