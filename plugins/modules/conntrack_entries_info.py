#!/usr/bin/python
# Copyright (c) 2026 the netops.conntrack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell who fills the table of connections."""

from __future__ import annotations

DOCUMENTATION = r"""
module: conntrack_entries_info
short_description: Tell who fills the table of connections
version_added: 1.0.0
description:
  - Reads the entries of connection tracking on a Linux host and counts them. It tells the busiest sources, destinations,
    ports and pairs of both, the protocols and states, which timeout holds the entries and what another value would
    free, and how full the ports of address translation are.
  - By default it reads a sample. The kernel hashes the table with a random key, so the entries that come first are a
    fair sample of a table of any size, and it tells how far off each share may be.
  - It needs memory of a fixed size, whatever the table holds, and changes nothing. On a host without connection tracking
    it says so and loads nothing.
options:
  sample:
    description:
      - How many entries to read, or V(all). A table that is no larger is read whole.
      - Whole datagrams of the kernel are read, so it may be some 200 entries more.
    type: str
    default: "50000"
  top:
    description: How many to list of the busiest, up to 1000.
    type: int
    default: 10
  prefix:
    description: How many bits of an address make one source or destination, so that networks are counted in place of hosts.
    type: dict
    suboptions:
      ipv4:
        description: Of IPv4, from 0 to 32.
        type: int
        default: 32
      ipv6:
        description: Of IPv6, from 0 to 128.
        type: int
        default: 64
  entries:
    description: How many entries to return as they are, up to 1000.
    type: int
    default: 0
  namespace:
    description:
      - The network namespace to read, as the name of one below C(/run/netns), an absolute path, or the PID of a process.
      - By default it is the one that the module runs in.
    type: str
  what_if:
    description:
      - For timeouts by short name, seconds to judge. RV(timeouts) tells how many entries each would free.
      - By default a few values below each timeout in force.
    type: dict
extends_documentation_fragment:
  - netops.conntrack.attributes
  - netops.conntrack.entries
attributes:
  check_mode:
    support: full
    details: It changes nothing in any mode.
  diff_mode:
    support: N/A
    details: It changes nothing.
  idempotent:
    support: N/A
    details: It changes nothing. The values are those of the moment.
notes:
  - It needs root, or CAP_NET_ADMIN; for O(namespace) CAP_SYS_ADMIN too.
  - Where connection tracking is loaded and C(nf_conntrack_netlink) is not, the kernel loads that to answer.
  - C(entries) is what was counted. C(share_percent) is its share of RV(matched). C(margin_percent) is how many points of percent the
    share in the whole table may be off, in 95 of 100 readings; for a list of the busiest, all of its shares together. It is 0 where
    all was read, unless the list had more to count than it has room for. C(estimate) is the number in the whole table, V(null)
    where that is not known.
  - A list of the busiest has room for 12000 different sources, and so on. Where there are more, a count may be too low by what
    C(margin_percent) then says.
  - Idle time is the timeout of the state that an entry is in, less what remains of it. It is not known for an entry that has more
    time left than that, because a timeout was lowered since its last packet, or a rule gives it another one, and for flows that
    a flow table forwards. An entry for whose TCP connection data was sent again too often is under C(tcp_max_retrans), which the
    kernel does not tell.
seealso:
  - module: netops.conntrack.conntrack_entries
  - module: netops.conntrack.conntrack_facts
  - module: netops.conntrack.conntrack_settings
author:
  - The netops.conntrack authors (@netops)
"""

EXAMPLES = r"""
# ansible all -b -m netops.conntrack.conntrack_entries_info
# ansible all -b -m netops.conntrack.conntrack_entries_info -a 'sample=all prefix={"ipv4":24}'

- name: See who fills the table
  netops.conntrack.conntrack_entries_info:
  register: who
  become: true

- name: Say it
  ansible.builtin.debug:
    msg: "{{ who.advice + [who.sources[0].source ~ ' has ' ~ who.sources[0].share_percent ~ ' % of the entries'] }}"

- name: Ask what a day, and what two hours, as timeout of established connections would free
  netops.conntrack.conntrack_entries_info:
    sample: all
    what_if:
      tcp_established: [7200, 86400]
  register: who
  become: true

- name: Look at connections to the mail server that nobody answered, in the namespace of a container
  netops.conntrack.conntrack_entries_info:
    filter:
      protocol: tcp
      port: 25
      status: [unreplied]
    entries: 20
    namespace: "{{ container_pid }}"
  become: true
"""

RETURN = r"""
tracking:
  description: Whether connection tracking is there. If not, all else is empty.
  returned: success
  type: bool
  sample: true
total:
  description: Entries in the table when the reading began, those that had expired included.
  returned: success
  type: int
  sample: 1000000
limit:
  description: The most entries the table takes. V(0) is no limit.
  returned: success
  type: int
  sample: 1048576
read:
  description: Entries that the kernel gave.
  returned: success
  type: int
  sample: 50025
matched:
  description: Entries of these that O(filter) means. All shares are of these.
  returned: success
  type: int
  sample: 50025
complete:
  description: Whether the reading went to the end of the table.
  returned: success
  type: bool
  sample: false
margin_percent:
  description: The margin of a share of one half, which is the widest; in points of percent.
  returned: success
  type: float
  sample: 0.43
counts:
  description: How many entries there are of each kind.
  returned: success
  type: dict
  contains:
    families:
      description: By address family, the most first.
      returned: success
      type: dict
      sample: {ipv4: {entries: 50025, share_percent: 100.0, margin_percent: 0.01, estimate: 1000000}}
    protocols:
      description: By protocol; one that connection tracking does not know by its number.
      returned: success
      type: dict
      sample: {tcp: {entries: 34925, share_percent: 69.82, margin_percent: 0.4, estimate: 698151}}
    tcp_states:
      description: TCP entries by state, V(none) for those that are offloaded.
      returned: success
      type: dict
      sample: {established: {entries: 24987, share_percent: 49.95, margin_percent: 0.43, estimate: 499490}}
    assured:
      description: Entries that the kernel does not evict for new ones.
      returned: success
      type: dict
      sample: {entries: 39867, share_percent: 79.69, margin_percent: 0.35, estimate: 796942}
    unreplied:
      description: Entries that have seen no answer.
      returned: success
      type: dict
      sample: {entries: 10158, share_percent: 20.31, margin_percent: 0.35, estimate: 203058}
    offloaded:
      description: Entries whose packets a flow table forwards.
      returned: success
      type: dict
      sample: {entries: 0, share_percent: 0.0, margin_percent: 0.01, estimate: 0}
    expected:
      description: Entries that another connection announced, such as data connections of FTP.
      returned: success
      type: dict
      sample: {entries: 0, share_percent: 0.0, margin_percent: 0.01, estimate: 0}
    nat:
      description: By what is translated, V(none), V(source), V(destination) or V(both).
      returned: success
      type: dict
      sample: {none: {entries: 35021, share_percent: 70.01, margin_percent: 0.4, estimate: 700070}}
    zones:
      description: The zones with the most entries. V(0) is no zone.
      returned: success
      type: list
      elements: dict
      sample: [{zone: 0, entries: 50025, share_percent: 100.0, margin_percent: 0.01, estimate: 1000000}]
    marks:
      description: The marks with the most entries. V(0) is no mark.
      returned: success
      type: list
      elements: dict
      sample: [{mark: 0, entries: 50025, share_percent: 100.0, margin_percent: 0.01, estimate: 1000000}]
sources:
  description: Where the most first packets came from.
  returned: success
  type: list
  elements: dict
  sample: [{source: 10.0.0.7, entries: 1098, share_percent: 2.19, margin_percent: 0.19, estimate: 21949}]
destinations:
  description: Where the most first packets went to.
  returned: success
  type: list
  elements: dict
  sample: [{destination: 192.168.0.3, entries: 1119, share_percent: 2.24, margin_percent: 0.19, estimate: 22369}]
ports:
  description: The ports with the most entries, of the destination of first packets.
  returned: success
  type: list
  elements: dict
  sample: [{protocol: tcp, port: 443, entries: 11741, share_percent: 23.47, margin_percent: 0.53, estimate: 234703}]
pairs:
  description: The pairs of source and destination with the most entries.
  returned: success
  type: list
  elements: dict
  sample:
    - {source: 10.0.0.7, destination: 192.168.0.3, entries: 31, share_percent: 0.06, margin_percent: 0.05, estimate: 620}
timeouts:
  description:
    - For each timeout that holds entries, and each that O(what_if) names, by short name, how many it holds and how long they
      have been idle.
  returned: success
  type: dict
  contains:
    NAME:
      description: One timeout, under its own name.
      returned: success
      type: dict
      contains:
        seconds:
          description: The value in force.
          returned: success
          type: int
          sample: 432000
        entries:
          description: Entries that it holds.
          returned: success
          type: int
          sample: 24987
        share_percent:
          description: Their share.
          returned: success
          type: float
          sample: 49.95
        margin_percent:
          description: The margin of the share.
          returned: success
          type: float
          sample: 0.43
        estimate:
          description: Their number in the whole table.
          returned: success
          type: int
          sample: 499490
        unknown:
          description: Those of them with more time left than this timeout gives. How long they have been idle is not known.
          returned: success
          type: int
          sample: 0
        idle:
          description:
            - Seconds for which C(half), a C(tenth) and a C(hundredth) of them have been idle or longer, and the C(longest), to a
              tenth. V(null) if not known.
          returned: success
          type: dict
          sample: {half: 94893, tenth: 312116, hundredth: 382812, longest: 394719}
        what_if:
          description:
            - For each value that was judged, the C(seconds), and how many of the entries it C(frees), with C(share_percent),
              C(margin_percent) and C(estimate). Those would be gone if the value had been in force since their last packets.
          returned: success
          type: list
          elements: dict
          sample:
            - {seconds: 86400, frees: 13046, share_percent: 26.08, margin_percent: 0.38, estimate: 260790}
  sample: {}
nat_ports:
  description:
    - The fullest of what source address translation has to give. A translated connection needs a port that no other one of the
      same C(address), C(protocol), C(destination) and C(port) has.
    - C(first_port) and C(last_port) are the range that the kernel takes ports from unless the rule names one of its own, for
      ICMP the identifiers and for GRE the keys. C(used_percent) is of that range. Connections of the host itself from that
      address are not counted, though they take ports too.
  returned: success
  type: list
  elements: dict
  sample:
    - address: 203.0.113.5
      protocol: tcp
      destination: 198.51.100.80
      port: 443
      first_port: 1024
      last_port: 65535
      used_percent: 94.11
      entries: 3041
      share_percent: 6.08
      margin_percent: 0.31
      estimate: 60715
early_drop_percent:
  description:
    - Share of the entries that the kernel may evict by itself when the table is full. These are the ones that are not assured, and
      from 95 % usage on those that are closing.
  returned: success
  type: float
  sample: 40.3
entries:
  description: The first entries that O(filter) means, as many as O(entries) says.
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
  description: What an operator can do about what the entries show, a sentence each.
  returned: success
  type: list
  elements: str
  sample:
    - >-
      tcp_established is 432000 s. With 86400 s, 26.08 % of the entries (± 0.38) would be gone: they have been idle for that
      long. It is set by conntrack_settings, timeouts: {tcp_established: 86400}, and counts for an entry from its next
      packet on.
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netops.conntrack.plugins.module_utils._entries.filter import OPTIONS
from ansible_collections.netops.conntrack.plugins.module_utils._entries.gather import gather
from ansible_collections.netops.conntrack.plugins.module_utils._entries.request import parse
from ansible_collections.netops.conntrack.plugins.module_utils._errors import ConntrackError
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host, printable


def main() -> None:
    """Read the table and return what is in it."""
    module = AnsibleModule(
        argument_spec={
            "sample": {"type": "str", "default": "50000"},
            "top": {"type": "int", "default": 10},
            "prefix": {
                "type": "dict",
                "options": {"ipv4": {"type": "int", "default": 32}, "ipv6": {"type": "int", "default": 64}},
            },
            "filter": {"type": "dict", "options": OPTIONS},
            "entries": {"type": "int", "default": 0},
            "namespace": {"type": "str"},
            "what_if": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    try:
        found = gather(Host(), parse(module.params))
    except ConntrackError as error:
        module.fail_json(**printable(dict(error.details, msg=error.message)))
    module.exit_json(changed=False, **printable(found))


if __name__ == "__main__":
    main()
