# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that say which entries are meant: what is documented is what modules take."""

from __future__ import annotations

import yaml

from ansible_collections.netops.conntrack.plugins.doc_fragments.entries import ModuleDocFragment
from ansible_collections.netops.conntrack.plugins.module_utils._entries.filter import OPTIONS


def test_each_field_of_a_filter_is_documented_with_its_type():
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]["filter"]["suboptions"]
    assert {
        name: {key: about[key] for key in ("type", "elements") if key in about} for name, about in documented.items()
    } == (OPTIONS)
    assert all(about["description"] for about in documented.values())
