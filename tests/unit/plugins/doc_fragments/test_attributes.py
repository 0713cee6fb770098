# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documentation of every module says about how it behaves in a playbook."""

from __future__ import annotations

import importlib

import pytest
import yaml
from collection_path import NAME, ROOT

from ansible_collections.netops.conntrack.plugins.doc_fragments.attributes import ModuleDocFragment

MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))


def attributes_of(module):
    """What a module's documentation comes to, its fragments included: what it says itself goes before theirs."""
    own = yaml.safe_load(importlib.import_module(f"{NAME}.plugins.modules.{module}").DOCUMENTATION)
    told = {}
    for fragment in own["extends_documentation_fragment"]:
        name, _dot, variant = fragment[len("netops.conntrack.") :].partition(".")
        if name != "attributes":
            continue  # one of options
        text = getattr(ModuleDocFragment, variant.upper() or "DOCUMENTATION")
        for name, about in yaml.safe_load(text)["attributes"].items():
            told.setdefault(name, {}).update(about)
    for name, about in own.get("attributes", {}).items():
        told.setdefault(name, {}).update(about)
    return told


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_of_every_attribute_whether_it_has_it(module):
    told = attributes_of(module)
    assert {"action_group", "check_mode", "diff_mode", "idempotent", "platform"} <= set(told)
    for name, about in told.items():
        assert about["description"] and about["support"] in ("full", "partial", "none", "N/A"), name


@pytest.mark.parametrize("module", MODULES)
def test_every_module_is_in_the_action_group_that_its_documentation_names(module):
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    about = attributes_of(module)["action_group"]
    if about["support"] == "none":
        assert not any(module in members for members in runtime["action_groups"].values())
        return
    (group,) = about["membership"]
    assert group.rpartition(".")[0] == "netops.conntrack"
    assert module in runtime["action_groups"][group.rpartition(".")[2]]
