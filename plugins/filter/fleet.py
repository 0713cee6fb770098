# Copyright (c) 2026 the netops.conntrack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A filter for the playbooks, which makes one document of what each host gave."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet import document

DOCUMENTATION = r"""
name: fleet
short_description: Make one document of what a fleet's hosts gave
version_added: 1.0.0
author:
  - the netops.conntrack authors (@netops)
description:
  - The playbooks of this collection use this. The document is described in C(docs/fleet.md).
  - A host that failed, did not answer or was not asked is in it too, with the reason.
options:
  _input:
    description: What a task that ran M(netops.conntrack.conntrack_facts) registered, by name of the host.
    type: dict
    required: true
  time:
    description: When that was, in UTC as of ISO 8601.
    type: str
    required: true
  entries:
    description: The same of M(netops.conntrack.conntrack_entries_info), if it was run.
    type: dict
"""

EXAMPLES = r"""
- name: Make one document of all hosts
  ansible.builtin.set_fact:
    fleet: "{{ results | netops.conntrack.fleet(time=now(utc=true).strftime('%Y-%m-%dT%H:%M:%SZ')) }}"
  vars:
    results: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars, 'gathered'))) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The document, with the hosts in the order worst first.
  type: dict
"""


def fleet(results: t.Any, time: str, entries: t.Mapping[str, t.Any] | None = None) -> document.Document:
    """The document, as the documentation above has it."""
    if not isinstance(results, t.Mapping):
        raise AnsibleFilterError(
            f"netops.conntrack.fleet: needs a dict of results by host, not {type(results).__name__}"
        )
    return document.make(results, time, entries)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"fleet": fleet}
