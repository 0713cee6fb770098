#!/usr/bin/python
# Copyright (c) 2026 the netops.conntrack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Delete entries of the table of connections."""

from __future__ import annotations

DOCUMENTATION = r"""
module: conntrack_entries
short_description: Delete entries of the table of connections
version_added: 1.0.0
description:
  - Deletes those entries of connection tracking on a Linux host that a filter means, and no other. Each is deleted by its
    addresses, ports, zone and the kernel's number of it, so that a connection that began since with the same addresses and
    ports is not hit.
  - The ssh sessions of the host itself stay, the one that this run came by above all.
  - What is deleted cannot be brought back. Look first, by check mode or by M(netops.conntrack.conntrack_entries_info), which
    takes the same filter.
  - It needs memory of a fixed size, whatever the table holds. On a host without connection tracking there is nothing to
    delete. It says so and loads nothing.
options:
  state:
    description: V(absent) deletes the entries that are meant.
    type: str
    choices: [absent]
    required: true
  all:
    description:
      - V(true) deletes every entry of the network namespace. It does not go together with O(filter).
      - Either this or at least one field of O(filter) has to be given.
    type: bool
    default: false
  limit:
    description: The most entries to delete, V(0) for no limit. Which ones go, of more, is up to the kernel's order.
    type: int
    default: 0
  entries:
    description: How many of the deleted entries to return as they were, up to 1000.
    type: int
    default: 10
  namespace:
    description:
      - The network namespace to delete from, as the name of one below C(/run/netns), an absolute path, or the PID of a process.
      - By default it is the one that the module runs in.
    type: str
extends_documentation_fragment:
  - netops.conntrack.attributes
  - netops.conntrack.entries
attributes:
  check_mode:
    support: full
    details: It counts what a run would delete.
  diff_mode:
    support: none
    details: RV(entries) has what was deleted.
  idempotent:
    support: partial
    details: A second run deletes what came since. Where nothing came, it changes nothing.
notes:
  - It needs root, in the host's own process namespace; for O(namespace) CAP_SYS_ADMIN too.
  - Where connection tracking is loaded and C(nf_conntrack_netlink) is not, the kernel loads that to answer.
  - A packet of a connection whose entry is gone is handled as that of a new one. It may be dropped by a rule that lets only
    established connections pass, and one that was translated may be sent on to another address or untranslated.
  - Kept as ssh sessions are the connections of processes of OpenSSH, Dropbear and TinySSH, servers and clients, in every
    network namespace whose processes are seen; those of C(SSH_CONNECTION) in the environment of the processes that this run
    came from; and those to port 22 of the host. Address translation on the host does not hide them. A tunnel that a
    session goes through, such as a VPN, has entries of its own, which are not kept.
  - Runs that change a host do so one after the other, also with the other modules of this collection. Check mode does not wait.
seealso:
  - module: netops.conntrack.conntrack_entries_info
  - module: netops.conntrack.conntrack_facts
author:
  - The netops.conntrack authors (@netops)
"""

EXAMPLES = r"""
# ansible gw1 -b -C -m netops.conntrack.conntrack_entries -a 'state=absent filter={"source":"10.20.0.17"}'

- name: Free the entries of a host that scans others
  netops.conntrack.conntrack_entries:
    state: absent
    filter:
      source: 10.20.0.17
      protocol: tcp
      status: [unreplied]
  become: true
  register: freed

- name: Say it
  ansible.builtin.debug:
    msg: "{{ freed.deleted }} of {{ freed.matched }} are gone. Kept: {{ freed.kept }}. {{ freed.advice | join(' ') }}"

- name: Free at most 1000 closing connections of a network, in the namespace of a container
  netops.conntrack.conntrack_entries:
    state: absent
    filter:
      source: 2001:db8:7::/48
      protocol: tcp
      state: time_wait
    limit: 1000
    namespace: "{{ container_pid }}"
  become: true

- name: Have connections follow new rules of address translation, in a zone
  netops.conntrack.conntrack_entries:
    state: absent
    filter:
      zone: 7
  become: true

- name: Forget every connection but the ssh sessions of the host
  netops.conntrack.conntrack_entries:
    state: absent
    all: true
  become: true
"""

RETURN = r"""
tracking:
  description: Whether connection tracking is there. If not, there was nothing to delete.
  returned: success
  type: bool
  sample: true
matched:
  description: Entries that are meant. It is the sum of RV(deleted) and all of RV(kept).
  returned: success, and when it failed after entries had been deleted
  type: int
  sample: 5008
deleted:
  description: Entries that were deleted; in check mode those that a run would delete.
  returned: success, and when it failed after entries had been deleted
  type: int
  sample: 5000
kept:
  description: Entries that are meant and were not deleted.
  returned: success, and when it failed after entries had been deleted
  type: dict
  contains:
    ssh:
      description: Ssh sessions of the host itself.
      returned: success
      type: int
      sample: 2
    limit:
      description: Those beyond O(limit).
      returned: success
      type: int
      sample: 5
    gone:
      description: Those that had ended by themselves, or had made room for a later one of the same addresses and ports, when they were to be deleted.
      returned: success
      type: int
      sample: 1
    busy:
      description: Those that a flow table forwards, on kernels that delete none of these.
      returned: success
      type: int
      sample: 0
entries:
  description: The first entries that were deleted, as many as O(entries) says; in check mode those that would be.
  returned: success
  type: list
  elements: dict
  contains:
    family:
      description: The address family.
      returned: success
      type: str
      sample: ipv4
    protocol:
      description: The protocol.
      returned: success
      type: str
      sample: tcp
    state:
      description: The state; V(null) where the protocol has none, and for an offloaded entry.
      returned: success
      type: str
      sample: established
    original:
      description:
        - The direction of the first packet, with C(source), C(destination), C(source_port) and C(destination_port), which for GRE
          are keys, or with C(icmp_type), C(icmp_code) and C(icmp_id).
      returned: success
      type: dict
      sample: {source: 10.0.0.7, destination: 192.168.0.3, source_port: 40000, destination_port: 443}
    reply:
      description: The direction of the answers, after address translation.
      returned: success
      type: dict
      sample: {source: 192.168.0.3, destination: 10.0.0.7, source_port: 443, destination_port: 40000}
    status:
      description: Names of the kernel's status bits that are set.
      returned: success
      type: list
      elements: str
      sample: [seen_reply, assured, confirmed]
    timeout:
      description: Seconds that remain; V(null) for an offloaded entry.
      returned: success
      type: int
      sample: 431999
    mark:
      description: The mark.
      returned: success
      type: int
      sample: 0
    zone:
      description: The zone.
      returned: success
      type: int
      sample: 0
    id:
      description: The kernel's number of this entry.
      returned: success
      type: int
      sample: 1472926446
    packets:
      description: Packets of both directions; V(null) without accounting.
      returned: success
      type: int
      sample: null
    bytes:
      description: Bytes of both directions; V(null) without accounting.
      returned: success
      type: int
      sample: null
    helper:
      description: The helper; V(null) where there is none.
      returned: success
      type: str
      sample: null
    labels:
      description: The labels in hexadecimal digits; V(null) where there are none.
      returned: success
      type: str
      sample: null
    master:
      description: The original direction of the connection that announced this one; V(null) where there is none.
      returned: success
      type: dict
      sample: null
  sample: []
advice:
  description: What became of the entries that were kept, a sentence each.
  returned: success
  type: list
  elements: str
  sample:
    - "Kept as ssh sessions of this host: 2."
    - "Left because of limit: 5. Another run, or a larger limit, deletes them."
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netops.conntrack.plugins.module_utils._entries.delete import parse, run
from ansible_collections.netops.conntrack.plugins.module_utils._entries.filter import OPTIONS
from ansible_collections.netops.conntrack.plugins.module_utils._errors import ApplyError, ConntrackError
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host, printable


def main() -> None:
    """Delete what is asked and return what was deleted."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["absent"], "required": True},
            "all": {"type": "bool", "default": False},
            "filter": {"type": "dict", "options": OPTIONS},
            "limit": {"type": "int", "default": 0},
            "entries": {"type": "int", "default": 10},
            "namespace": {"type": "str"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(Host(), parse(module.params), module.check_mode)
    except ConntrackError as error:
        if isinstance(error, ApplyError):
            module.log(printable(error.message))  # nobody may be there any more to be told
        module.fail_json(**printable(dict(error.details, msg=error.message)))
    module.exit_json(**printable(result))


if __name__ == "__main__":
    main()
