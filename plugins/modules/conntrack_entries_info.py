#!/usr/bin/python
# Copyright (c) 2026 the netops.conntrack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Show who fills the connection tracking table."""

from __future__ import annotations

DOCUMENTATION = r"""
module: conntrack_entries_info
short_description: Show who fills the connection tracking table
version_added: 1.0.0
description:
  - Reads the entries of connection tracking on a Linux host and counts them. It returns the sources, destinations,
    ports and pairs with the most entries, and counts by protocol and state. It also returns how many entries each
    timeout holds and how many another value would free, and how many of the NAT ports are used.
  - By default it reads a sample. The kernel hashes the table with a random key, so the first entries that it returns
    are a fair sample of a table of any size. Each share has its margin of error.
  - It changes nothing, and its memory does not grow with the table. On a host without connection tracking it says so
    and loads nothing.
options:
  sample:
    description:
      - How many entries to read, or V(all). A smaller table is read completely.
      - Up to about 200 entries more may be read, because the kernel sends entries in groups.
    type: str
    default: "50000"
  top:
    description: How many items to return in each list of the busiest, up to 1000.
    type: int
    default: 10
  prefix:
    description:
      - How many bits of an address are counted as one source or destination. With fewer bits networks are counted, not
        hosts.
    type: dict
    suboptions:
      ipv4:
        description: Bits of an IPv4 address, from 0 to 32.
        type: int
        default: 32
      ipv6:
        description: Bits of an IPv6 address, from 0 to 128.
        type: int
        default: 64
  entries:
    description: How many entries to return themselves in RV(entries), up to 1000.
    type: int
    default: 0
  namespace:
    description:
      - The network namespace to read, as a name in C(/run/netns), an absolute path, or the PID of a process in it.
      - By default it is the one that the module runs in.
    type: str
  what_if:
    description:
      - For each timeout, by its short name, other values in seconds. RV(timeouts) then says how many entries each value
        would free.
      - By default a few values below each current timeout.
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
    details: It changes nothing. The values are the current ones.
notes:
  - It needs root or CAP_NET_ADMIN. With O(namespace) it needs CAP_SYS_ADMIN too.
  - If connection tracking is loaded and C(nf_conntrack_netlink) is not, the kernel loads that module to answer.
  - C(entries) is the number that was counted. C(share_percent) is its share of RV(matched). C(estimate) is the
    estimated number in the whole table, V(null) if it is not known.
  - C(margin_percent) says how far the share may be from the share in the whole table. In 95 of 100 readings it is
    within that many percentage points. For a list of the busiest this is true of all its shares at once. The margin is
    0 if all entries were read, unless the list had more items to count than it has room for.
  - A list of the busiest has room for 12000 different items. If there are more, a count may be too low, by no more than
    C(margin_percent) says.
  - The idle time of an entry is the timeout of its state, minus the time that the entry has left. It is not known for
    flows that a flow table forwards, and for an entry that has more time left than its timeout. That happens if the
    timeout was lowered after its last packet, or if a rule gives the entry another timeout. A TCP connection that sent
    data again too often has the timeout C(tcp_max_retrans). The kernel does not show that.
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

- name: Show the advice and the busiest source
  ansible.builtin.debug:
    msg: "{{ who.advice + [who.sources[0].source ~ ' has ' ~ who.sources[0].share_percent ~ ' % of the entries'] }}"

- name: Ask how many entries a timeout of two hours or of a day would free
  netops.conntrack.conntrack_entries_info:
    sample: all
    what_if:
      tcp_established: [7200, 86400]
  register: who
  become: true

- name: Show unanswered connections to a mail server, in the namespace of a container
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
  description: Whether the kernel has connection tracking loaded or built in. If not, all other values are empty.
  returned: success
  type: bool
  sample: true
total:
  description: Entries in the table when the reading began. Expired ones are included.
  returned: success
  type: int
  sample: 1000000
limit:
  description: The largest number of entries. V(0) means no limit.
  returned: success
  type: int
  sample: 1048576
read:
  description: How many entries were read.
  returned: success
  type: int
  sample: 50025
matched:
  description: How many of these match O(filter). All shares are shares of this number.
  returned: success
  type: int
  sample: 50025
complete:
  description: Whether the whole table was read.
  returned: success
  type: bool
  sample: false
margin_percent:
  description: The margin of a share of 50 %, which is the widest margin, in percentage points.
  returned: success
  type: float
  sample: 0.43
counts:
  description: How many entries there are of each kind.
  returned: success
  type: dict
  contains:
    families:
      description: By address family, the largest first.
      returned: success
      type: dict
      sample: {ipv4: {entries: 50025, share_percent: 100.0, margin_percent: 0.01, estimate: 1000000}}
    protocols:
      description: By protocol. A protocol without a name here has its number.
      returned: success
      type: dict
      sample: {tcp: {entries: 34925, share_percent: 69.82, margin_percent: 0.4, estimate: 698151}}
    tcp_states:
      description: TCP entries by state. Offloaded entries are under V(none).
      returned: success
      type: dict
      sample: {established: {entries: 24987, share_percent: 49.95, margin_percent: 0.43, estimate: 499490}}
    assured:
      description: Entries that the kernel does not evict to make room for new ones.
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
      description: Entries that another connection announced, such as FTP data connections.
      returned: success
      type: dict
      sample: {entries: 0, share_percent: 0.0, margin_percent: 0.01, estimate: 0}
    nat:
      description: By the address that NAT changes, V(none), V(source), V(destination) or V(both).
      returned: success
      type: dict
      sample: {none: {entries: 35021, share_percent: 70.01, margin_percent: 0.4, estimate: 700070}}
    zones:
      description: The zones with the most entries. V(0) means no zone.
      returned: success
      type: list
      elements: dict
      sample: [{zone: 0, entries: 50025, share_percent: 100.0, margin_percent: 0.01, estimate: 1000000}]
    marks:
      description: The marks with the most entries. V(0) means no mark.
      returned: success
      type: list
      elements: dict
      sample: [{mark: 0, entries: 50025, share_percent: 100.0, margin_percent: 0.01, estimate: 1000000}]
sources:
  description: The sources with the most entries, by the source address of the first packet.
  returned: success
  type: list
  elements: dict
  sample: [{source: 10.0.0.7, entries: 1098, share_percent: 2.19, margin_percent: 0.19, estimate: 21949}]
destinations:
  description: The destinations with the most entries, by the destination address of the first packet.
  returned: success
  type: list
  elements: dict
  sample: [{destination: 192.168.0.3, entries: 1119, share_percent: 2.24, margin_percent: 0.19, estimate: 22369}]
ports:
  description: The ports with the most entries, by the destination port of the first packet.
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
    - source: 10.0.0.7
      destination: 192.168.0.3
      entries: 31
      share_percent: 0.06
      margin_percent: 0.05
      estimate: 620
timeouts:
  description:
    - For each timeout that holds entries, and each that O(what_if) names, by short name, how many entries it holds and
      how long they have been idle.
  returned: success
  type: dict
  contains:
    NAME:
      description: One timeout, by its short name.
      returned: success
      type: dict
      contains:
        seconds:
          description: The current value.
          returned: success
          type: int
          sample: 432000
        entries:
          description: How many entries have this timeout.
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
          description: How many of them have more time left than this timeout. Their idle time is not known.
          returned: success
          type: int
          sample: 0
        idle:
          description:
            - Idle times in seconds. C(half) of the entries have been idle for this long or longer, and so have a
              C(tenth) and a C(hundredth) of them. C(longest) is the longest idle time. Each may be off by a tenth.
              V(null) if not known.
          returned: success
          type: dict
          sample: {half: 94893, tenth: 312116, hundredth: 382812, longest: 394719}
        what_if:
          description:
            - For each value, its C(seconds) and how many of the entries it C(frees), with C(share_percent),
              C(margin_percent) and C(estimate). These entries would be gone if the timeout had had this value since
              their last packets.
          returned: success
          type: list
          elements: dict
          sample:
            - {seconds: 86400, frees: 13046, share_percent: 26.08, margin_percent: 0.38, estimate: 260790}
  sample: {}
nat_ports:
  description:
    - Where source NAT has used the largest part of its ports. Each connection with the same C(address), C(protocol),
      C(destination) and C(port) needs a NAT port of its own.
    - C(first_port) and C(last_port) are the range from which the kernel takes ports, unless the rule has a range of its
      own. For ICMP they are identifiers, for GRE keys. C(used_percent) is the used part of that range. Connections of
      the host itself from that address use ports too, but are not counted.
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
    - Share of the entries that the kernel may evict by itself when the table is full. These are the entries that are
      not assured, and from 95 % usage on also those of closing connections.
  returned: success
  type: float
  sample: 40.3
entries:
  description: The first entries that match O(filter), as many as O(entries) says.
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
  description: What an operator can do about what the entries show, one sentence for each point.
  returned: success
  type: list
  elements: str
  sample:
    - >-
      tcp_established is 432000 s. With 86400 s, 26.08 % of the entries (± 0.38) would be gone: they have been idle for
      that long. Set it with conntrack_settings, timeouts: {tcp_established: 86400}. It applies to an entry from its
      next packet on.
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netops.conntrack.plugins.module_utils import _compile_once  # noqa: F401  # pylint: disable=unused-import
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
