# Copyright (c) 2026 the netops.conntrack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A filter for the playbooks, which makes a text of the document of a fleet."""

from __future__ import annotations

import json
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet import document, lines, table, who

DOCUMENTATION = r"""
name: fleet_text
short_description: Make a text of the document of a fleet
version_added: 1.0.0
author:
  - the netops.conntrack authors (@netops)
description:
  - The playbooks of this collection use this.
options:
  _input:
    description: A document of P(netops.conntrack.fleet#filter).
    type: dict
    required: true
  output:
    description:
      - V(text) is a line a host, the worst first, with what is not well below it.
      - V(who) is who fills the tables, of each host and of all together.
      - V(csv) is a line a host under a line of names; V(json) is the document itself.
      - V(who_csv) is a line for each of a host's busiest.
    type: str
    choices: [text, who, csv, who_csv, json]
    default: text
"""

EXAMPLES = r"""
- name: Print a line for each host
  netops.conntrack.fleet_output:
    text: "{{ results | netops.conntrack.fleet(time='2026-12-01T02:00:00Z') | netops.conntrack.fleet_text }}"
  vars:
    results: "{{ {inventory_hostname: {'ansible_facts': {'conntrack': ansible_facts.conntrack}}} }}"
"""

RETURN = r"""
_value:
  description: The text.
  type: str
"""

_MAKERS: dict[str, t.Callable[[document.Document], str]] = {
    "text": lines.text,
    "who": who.text,
    "csv": table.text,
    "who_csv": who.csv_text,
    "json": lambda about: json.dumps(about, indent=1, sort_keys=False),
}


def fleet_text(about: t.Any, output: str = "text") -> str:
    """The text, as the documentation above has it."""
    reason = document.problem(about)
    if reason:
        raise AnsibleFilterError(f"netops.conntrack.fleet_text: {reason}")
    if output not in _MAKERS:
        raise AnsibleFilterError(f"netops.conntrack.fleet_text: output is {output!r}, but must be {', '.join(_MAKERS)}")
    return _MAKERS[output](about)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"fleet_text": fleet_text}
