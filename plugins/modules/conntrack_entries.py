#!/usr/bin/python
# Copyright (c) 2026 the netops.conntrack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Delete entries of the connection tracking table."""

from __future__ import annotations

DOCUMENTATION = r"""
module: conntrack_entries
short_description: Delete entries of the connection tracking table
version_added: 1.0.0
description:
  - Deletes the entries of connection tracking on a Linux host that match a filter, and no others. Each is deleted by
    its addresses, ports, zone and the kernel's ID of the entry. So a new connection with the same addresses and ports
    is not deleted.
  - The ssh sessions of the host itself are kept, also the one through which Ansible runs this module.
  - Deleted entries cannot be restored. Look first, with check mode or with M(netops.conntrack.conntrack_entries_info),
    which has the same filter.
  - Its memory does not grow with the table. On a host without connection tracking there is nothing to delete. It then
    says so and loads nothing.
options:
  state:
    description: V(absent) deletes the entries that match.
    type: str
    choices: [absent]
    required: true
  all:
    description:
      - V(true) deletes every entry of the network namespace, except ssh sessions. It cannot be used with O(filter).
      - Either this or at least one condition in O(filter) is required.
    type: bool
    default: false
  limit:
    description:
      - The largest number of entries to delete. V(0) means no limit. If more match, the first ones in the kernel's
        order are deleted.
    type: int
    default: 0
  entries:
    description: How many of the deleted entries to return in RV(entries), up to 1000.
    type: int
    default: 10
  namespace:
    description:
      - The network namespace to delete from, as a name in C(/run/netns), an absolute path, or the PID of a process in
        it.
      - By default it is the one that the module runs in.
    type: str
extends_documentation_fragment:
  - netops.conntrack.attributes
  - netops.conntrack.entries
attributes:
  check_mode:
    support: full
    details: It counts the entries that a run would delete.
  diff_mode:
    support: none
    details: RV(entries) has deleted entries.
  idempotent:
    support: partial
    details: A second run deletes matching entries that are new since the first. If there are none, it changes nothing.
notes:
  - It needs root in the host's own process namespace. With O(namespace) it needs CAP_SYS_ADMIN too.
  - If connection tracking is loaded and C(nf_conntrack_netlink) is not, the kernel loads that module to answer.
  - After its entry was deleted, the next packet of a connection is handled like that of a new connection. A rule that
    allows only established connections may drop it. If the connection used NAT, the packet may get another address or
    none.
  - These connections are kept as ssh sessions. First those of processes of OpenSSH, Dropbear and TinySSH, servers and
    clients, in every network namespace whose processes can be seen. Then those in C(SSH_CONNECTION) in the environment
    of this run's parent processes, and those to port 22 of the host. They are also found if the host does NAT for them.
  - A tunnel under a session, such as a VPN, has entries of its own, which are not kept.
  - Runs of this collection's modules that change the same host wait for each other. Check mode does not wait.
seealso:
  - module: netops.conntrack.conntrack_entries_info
  - module: netops.conntrack.conntrack_facts
author:
  - The netops.conntrack authors (@netops)
"""

EXAMPLES = r"""
# ansible gw1 -b -C -m netops.conntrack.conntrack_entries -a 'state=absent filter={"source":"10.20.0.17"}'

- name: Delete the entries of a host that scans others
  netops.conntrack.conntrack_entries:
    state: absent
    filter:
      source: 10.20.0.17
      protocol: tcp
      status: [unreplied]
  become: true
  register: freed

- name: Show the result
  ansible.builtin.debug:
    msg: >-
      {{ freed.deleted }} of {{ freed.matched }} were deleted. Kept: {{ freed.kept }}. {{ freed.advice | join(' ') }}

- name: Delete at most 1000 closing connections of a network, in the namespace of a container
  netops.conntrack.conntrack_entries:
    state: absent
    filter:
      source: 2001:db8:7::/48
      protocol: tcp
      state: time_wait
    limit: 1000
    namespace: "{{ container_pid }}"
  become: true

- name: Make the connections of a zone follow new NAT rules
  netops.conntrack.conntrack_entries:
    state: absent
    filter:
      zone: 7
  become: true

- name: Delete every entry except the ssh sessions of the host
  netops.conntrack.conntrack_entries:
    state: absent
    all: true
  become: true
"""

RETURN = r"""
tracking:
  description: Whether the kernel has connection tracking loaded or built in. If not, there was nothing to delete.
  returned: success
  type: bool
  sample: true
matched:
  description: Entries that match. This is the sum of RV(deleted) and all values of RV(kept).
  returned: success, and when it failed after entries had been deleted
  type: int
  sample: 5008
deleted:
  description: Entries that were deleted. In check mode those that a run would delete.
  returned: success, and when it failed after entries had been deleted
  type: int
  sample: 5000
kept:
  description: Entries that match and were not deleted, by reason.
  returned: success, and when it failed after entries had been deleted
  type: dict
  contains:
    ssh:
      description: Ssh sessions of the host itself.
      returned: success
      type: int
      sample: 2
    limit:
      description: Those above O(limit).
      returned: success
      type: int
      sample: 5
    gone:
      description:
        - Those that ended by themselves before they could be deleted, also if a new entry has the same addresses and
          ports.
      returned: success
      type: int
      sample: 1
    busy:
      description: Those that a flow table forwards, on kernels that do not delete such entries.
      returned: success
      type: int
      sample: 0
entries:
  description:
    - The first entries that were deleted, as many as O(entries) says. In check mode those that would be deleted.
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
      description: The state. V(null) if the protocol has none, and for an offloaded entry.
      returned: success
      type: str
      sample: established
    original:
      description:
        - The direction of the first packet, with C(source), C(destination), C(source_port) and C(destination_port). For
          GRE the ports are keys. For ICMP there are C(icmp_type), C(icmp_code) and C(icmp_id) in place of ports.
      returned: success
      type: dict
      sample: {source: 10.0.0.7, destination: 192.168.0.3, source_port: 40000, destination_port: 443}
    reply:
      description: The direction of the answers, after NAT.
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
      description: Seconds until the entry expires. V(null) for an offloaded entry.
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
      description: Packets in both directions. V(null) without accounting.
      returned: success
      type: int
      sample: null
    bytes:
      description: Bytes in both directions. V(null) without accounting.
      returned: success
      type: int
      sample: null
    helper:
      description: The helper. V(null) if there is none.
      returned: success
      type: str
      sample: null
    labels:
      description: The labels in hexadecimal digits. V(null) if there are none.
      returned: success
      type: str
      sample: null
    master:
      description: The original direction of the connection that announced this one. V(null) if there is none.
      returned: success
      type: dict
      sample: null
  sample: []
advice:
  description: Why entries were kept, one sentence for each reason.
  returned: success
  type: list
  elements: str
  sample:
    - "Kept as ssh sessions of this host: 2."
    - "Left because of limit: 5. Another run, or a larger limit, deletes them."
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netops.conntrack.plugins.module_utils import _compile_once  # noqa: F401  # pylint: disable=unused-import
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
