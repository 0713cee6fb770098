# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A filter for the playbook report, which makes its CSV."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.plugin_utils._report.table import table

DOCUMENTATION = r"""
name: report_csv
short_description: Make CSV from what was read of a fleet
version_added: 1.0.0
author:
  - the netops.conntrack authors (@netops)
description:
  - One line for each host, below a line of the columns' names.
  - A text that a spreadsheet would take for a formula gets C(') in front.
options:
  _input:
    description: The document of the fleet, from P(netops.conntrack.report_document#filter).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write the table
  ansible.builtin.copy:
    content: "{{ document | netops.conntrack.report_csv }}"
    dest: report.csv
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The lines.
  type: str
"""


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"report_csv": table}
