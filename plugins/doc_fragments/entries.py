# Copyright (c) 2026 the netops.conntrack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that say which entries of the table are meant."""

from __future__ import annotations


class ModuleDocFragment:
    """``netops.conntrack.entries`` for the modules that read the table's entries."""

    DOCUMENTATION = r"""
options:
  filter:
    description:
      - Which entries to use. An entry has to match all conditions.
      - The kernel filters as far as it can. The module then checks each entry itself.
    type: dict
    suboptions:
      family:
        description: The address family, V(ipv4) or V(ipv6).
        type: str
      protocol:
        description:
          - V(tcp), V(udp), V(icmp), V(icmpv6), V(sctp), V(dccp), V(gre), V(udplite), or the number of an IP protocol.
        type: str
      source:
        description: The source address of the first packet. An address, or a network such as V(10.0.0.0/8).
        type: str
      destination:
        description: The destination address of the first packet, before NAT. An address or a network.
        type: str
      port:
        description: The destination port of the first packet. Needs O(filter.protocol).
        type: int
      state:
        description: A state of TCP, SCTP or DCCP, such as V(established) or V(time_wait).
        type: str
      status:
        description:
          - V(assured), V(unreplied), V(seen_reply), V(expected), V(src_nat), V(dst_nat), V(offload), V(hw_offload),
            V(helper), V(fixed_timeout) and the other names of the kernel's status bits. With V(!) in front, only
            entries without that bit.
        type: list
        elements: str
      zone:
        description: The number of the zone.
        type: int
      mark:
        description: A mark such as V(0x10), or mark and mask such as V(0x10/0xff).
        type: str
"""
