# Copyright (c) 2026 the netops.conntrack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A filter for the playbooks, which makes one document of what each host gave."""

from __future__ import annotations

import datetime as dt
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
    description: The variables of all hosts, which are C(hostvars).
    type: dict
    required: true
  hosts:
    description: The names of the hosts that the document is about.
    type: list
    elements: str
    required: true
  facts:
    description: The variable in which a task registered the result of M(netops.conntrack.conntrack_facts).
    type: str
  entries:
    description: The variable in which a task registered the result of M(netops.conntrack.conntrack_entries_info).
    type: str
  time:
    description: When the hosts were asked, in UTC as of ISO 8601. By default it is now.
    type: str
"""

EXAMPLES = r"""
- name: Show the names of the hosts, the worst first
  ansible.builtin.debug:
    msg: >-
      {{ (hostvars | netops.conntrack.fleet(ansible_play_hosts_all, facts='gathered')).hosts | map(attribute='name') }}
  run_once: true
"""

RETURN = r"""
_value:
  description: The document, with the hosts in the order worst first.
  type: dict
"""


def fleet(
    variables: t.Mapping[str, t.Mapping[str, t.Any]],
    hosts: t.Iterable[str],
    facts: str | None = None,
    entries: str | None = None,
    time: str | None = None,
) -> document.Document:
    """The document, as the documentation above has it."""
    if facts is None and entries is None:
        raise AnsibleFilterError("netops.conntrack.fleet: give facts, entries or both: the variables with the results")
    names = list(hosts)
    unknown = [name for name in names if name not in variables]
    if unknown:
        raise AnsibleFilterError(
            f"netops.conntrack.fleet: there is no host {unknown[0]}; hosts must be of the inventory"
        )
    of_facts, of_entries = (
        None if variable is None else {name: variables[name].get(variable) for name in names}
        for variable in (facts, entries)
    )
    when = time or dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    # Where facts were not asked for, what became of asking for entries is what became of the host.
    return document.make(of_facts or of_entries or {}, when, of_entries)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"fleet": fleet}
