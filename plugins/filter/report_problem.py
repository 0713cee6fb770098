# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A filter for the playbook report, which finds what would fail at its end before hosts are asked."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.plugin_utils._report.destination import problem
from ansible_collections.netops.conntrack.plugins.plugin_utils._report.earlier import NotComparable, read

DOCUMENTATION = r"""
name: report_problem
short_description: Find out why a report could not be written or compared
version_added: 1.0.0
author:
  - the netops.conntrack authors (@netops)
description:
  - The playbook C(netops.conntrack.report) uses this before it asks any host.
  - It looks at files on the controller, and changes nothing.
options:
  _input:
    description: The path of the report, which ends in C(.html).
    type: path
    required: true
  earlier:
    description: The path of the JSON file of an earlier report. Empty if the report is not compared.
    type: path
    default: ""
"""

EXAMPLES = r"""
- name: Refuse what cannot be written or compared
  ansible.builtin.assert:
    that: problem == ''
    fail_msg: "{{ problem }}"
  vars:
    problem: "{{ 'report.html' | netops.conntrack.report_problem('yesterday.json') }}"
"""

RETURN = r"""
_value:
  description: What is wrong and what to do. Empty if nothing is wrong.
  type: str
"""


def report_problem(path: str, earlier: str = "") -> str:
    """What is wrong with the paths of a report, as the documentation above has it."""
    found = problem(path)
    if found or not earlier:
        return found
    try:
        read(earlier)
    except NotComparable as error:
        return f"conntrack_compare: {error}"
    return ""


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"report_problem": report_problem}
