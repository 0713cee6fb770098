# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A filter for the playbook report, which puts together what was read of a fleet."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.plugin_utils._report.document import document

DOCUMENTATION = r"""
name: report_document
short_description: Put together what was read of a fleet
version_added: 1.0.0
author:
  - the netops.conntrack authors (@netops)
description:
  - Makes one document of the results that tasks of M(netops.conntrack.conntrack_facts) and
    M(netops.conntrack.conntrack_entries_info) registered for each host.
options:
  _input:
    description: The variables of all hosts, which are C(hostvars).
    type: dict
    required: true
  hosts:
    description: The names of the hosts to put in.
    type: list
    elements: str
    required: true
  facts:
    description: The variable in which the result of M(netops.conntrack.conntrack_facts) is registered.
    type: str
    required: true
  entries:
    description: The variable in which the result of M(netops.conntrack.conntrack_entries_info) is registered.
    type: str
    required: true
  time:
    description: When it was read.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the hosts, the worst first
  ansible.builtin.debug:
    msg: "{{ document.hosts | map(attribute='name') }}"
  vars:
    document: >-
      {{ hostvars | netops.conntrack.report_document(ansible_play_hosts_all, 'read_facts', 'read_entries',
         now(utc=true)) }}
  run_once: true
"""

RETURN = r"""
_value:
  description: The document, as docs/report.md of the collection describes it.
  type: dict
"""


def report_document(
    variables: t.Mapping[str, t.Any], hosts: t.Iterable[str], facts: str, entries: str, time: t.Any
) -> dict[str, t.Any]:
    """The document of these hosts, as the documentation above has it."""
    results = {name: {"facts": variables[name].get(facts), "entries": variables[name].get(entries)} for name in hosts}
    return document(results, str(time))


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"report_document": report_document}
