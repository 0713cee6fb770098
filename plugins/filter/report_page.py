# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A filter for the playbook report, which makes its page."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.plugin_utils._report.changes import compare
from ansible_collections.netops.conntrack.plugins.plugin_utils._report.earlier import read
from ansible_collections.netops.conntrack.plugins.plugin_utils._report.page import page

DOCUMENTATION = r"""
name: report_page
short_description: Make a page of HTML from what was read of a fleet
version_added: 1.0.0
author:
  - the netops.conntrack authors (@netops)
description:
  - The page needs no other file and no network. Everything that comes from hosts is escaped.
options:
  _input:
    description: The document of the fleet, which the playbook C(netops.conntrack.report) also writes as JSON.
    type: dict
    required: true
  earlier:
    description:
      - The path of the JSON file of an earlier report. The page then shows what changed since. Empty if it shall not.
    type: path
    default: ""
"""

EXAMPLES = r"""
- name: Write the page
  ansible.builtin.copy:
    content: "{{ document | netops.conntrack.report_page('yesterday.json') }}"
    dest: report.html
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The page.
  type: str
"""


def report_page(document: dict[str, t.Any], earlier: str = "") -> str:
    """The page of a fleet's document, as the documentation above has it."""
    return page(document, compare(read(earlier), document) if earlier else None)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"report_page": report_page}
