#!/usr/bin/python
# Copyright (c) 2026 the netops.conntrack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the state of connection tracking into facts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: conntrack_facts
short_description: Read the state of connection tracking into facts
version_added: 1.0.0
description:
  - Reads the state of connection tracking on a Linux host into C(ansible_facts.conntrack). It tells how full the
    table is and whether that is well, its timeouts and settings, its counters, the memory that it takes, what the
    kernel's log says of it, the host's TCP sockets by state, who logs packets, which kernel modules are loaded, what the
    next boot will set, where the running kernel or a file differs from that, and what else on the host sets the same keys.
  - It starts no command and loads no kernel module, so a host without connection tracking stays without it.
  - It works without root. What cannot be read is V(null) and listed in C(unreadable).
options:
  gather_subset:
    description:
      - The parts to read. Parts are V(table), V(timeouts), V(settings), V(statistics), V(sockets), V(logging),
        V(modules), V(persistent), V(writers), V(memory), V(kernel_log), V(namespaces) and V(health).
      - V(all), and an empty list too, picks every part but V(namespaces), which looks at every process of the host and
        is read where it is named.
      - V(health) reads the parts that its verdict stands on, also where they are not picked to be returned. Those that are
        left out by name are not read, and not judged.
      - A name with V(!) in front leaves that part out. If only such names are given, every other part is read.
      - V(!all) leaves out every part that is not named.
      - RV(ansible_facts.conntrack.state), RV(ansible_facts.conntrack.initial_namespace),
        RV(ansible_facts.conntrack.kernel) and RV(ansible_facts.conntrack.unreadable) are always there.
    type: list
    elements: str
    default: [all]
  interval:
    description:
      - Seconds after which the entries and the counters are read a second time, V(0) to V(60). The facts then tell
        RV(ansible_facts.conntrack.rates), and everything else as it is after that time.
      - With V(0) there is one reading, and no rates.
    type: float
    default: 0
  usage_warning:
    description: From how many percent of the maximum on the entries in use are a warning in V(health).
    type: int
    default: 75
  usage_critical:
    description:
      - From how many percent of the maximum on the entries in use are critical in V(health). Not below O(usage_warning).
    type: int
    default: 90
extends_documentation_fragment:
  - netops.conntrack.attributes
  - netops.conntrack.attributes.facts
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
  - The counters count from the boot on, or from the last load of C(nf_conntrack), or since the network namespace was made.
  - The number of entries, the timeouts, the settings, the counters and the sockets are those of the network namespace
    in which the module runs. The kernel checks the number of entries of each namespace against one maximum for all.
seealso:
  - name: Netfilter conntrack sysctl variables
    description: What each setting does.
    link: https://docs.kernel.org/networking/nf_conntrack-sysctl.html
author:
  - The netops.conntrack authors (@netops)
"""

EXAMPLES = r"""
# ansible all -m netops.conntrack.conntrack_facts
# ansible all -m netops.conntrack.conntrack_facts -a gather_subset=table,statistics

# A task replaces all of ansible_facts.conntrack, so ask for all that later tasks look at.

- name: Read everything about connection tracking
  netops.conntrack.conntrack_facts:

- name: Say how full the table is
  ansible.builtin.debug:
    msg: "{{ ansible_facts.conntrack.entries }} of {{ ansible_facts.conntrack.max }} entries in use"
  when: ansible_facts.conntrack.state != 'absent'

- name: Stop where something is not well, with the cause and what to do
  ansible.builtin.assert:
    that: ansible_facts.conntrack.health.status == 'ok'
    fail_msg: >-
      Not well: {% for item in ansible_facts.conntrack.health.reasons %}{{ item.message }} {{ item.remedy }} {% endfor %}

- name: Stop where the running kernel or a file differs from what the next boot will set, or that is not known
  ansible.builtin.assert:
    that: ansible_facts.conntrack.drift == []
    fail_msg: >-
      Not so at the next boot: {{ ansible_facts.conntrack.persistent_problem or
         ansible_facts.conntrack.drift | map(attribute='message') | join('; ') }}

- name: Read how fast the table fills, over two seconds
  netops.conntrack.conntrack_facts:
    gather_subset: [table, statistics, health]
    interval: 2

- name: Say when it will be full
  ansible.builtin.debug:
    msg: "Full in {{ ansible_facts.conntrack.rates.seconds_to_full }} seconds"
  when: (ansible_facts.conntrack.rates or {}).seconds_to_full | default(none) is not none

- name: Stop where packets are being dropped now
  ansible.builtin.assert:
    that: (ansible_facts.conntrack.rates or {}).drops_per_second | default(0, true) == 0
    fail_msg: "{{ ansible_facts.conntrack.rates.drops_per_second }} packets a second are dropped"

- name: Read the tables of all network namespaces, those of containers too
  netops.conntrack.conntrack_facts:
    gather_subset: [table, namespaces]
  become: true

- name: Read everything but the sockets, which takes longest on a host with very many of them
  netops.conntrack.conntrack_facts:
    gather_subset: ["!sockets"]
"""

RETURN = r"""
ansible_facts:
  description: The facts, under one key.
  returned: success
  type: dict
  contains:
    conntrack:
      description: The state of connection tracking.
      returned: success
      type: dict
      contains:
        state:
          description:
            - V(loaded) if connection tracking is loaded as a module, V(built_in) if it is a fixed part of the kernel,
              V(absent) if it is not loaded now.
          returned: success
          type: str
          sample: loaded
        initial_namespace:
          description:
            - Whether the module ran in the initial network namespace, the only one in which the maximum and the
              number of buckets can be set. A container has a namespace of its own.
          returned: success
          type: bool
          sample: true
        kernel:
          description: The kernel's release.
          returned: success
          type: str
          sample: 6.12.57+deb13-amd64
        unreadable:
          description: What is there but could not be read; empty when all could.
          returned: success
          type: list
          elements: dict
          contains:
            path:
              description: The file or directory.
              returned: always
              type: str
              sample: /proc/modules
            reason:
              description: The system's words for it.
              returned: always
              type: str
              sample: Permission denied
          sample: []
        entries:
          description:
            - Entries in the table now. V(null) if connection tracking is absent.
          returned: if O(gather_subset) has V(table)
          type: int
          sample: 51200
        max:
          description:
            - The most entries the table takes. V(0) is no limit, on kernels that allow it. V(null) if connection
              tracking is absent.
          returned: if O(gather_subset) has V(table)
          type: int
          sample: 262144
        usage_percent:
          description:
            - Entries in percent of the maximum, to two decimals. V(null) if there is no maximum.
          returned: if O(gather_subset) has V(table)
          type: float
          sample: 19.53
        buckets:
          description: Buckets of the hash table. V(null) if connection tracking is absent.
          returned: if O(gather_subset) has V(table)
          type: int
          sample: 262144
        entries_per_bucket:
          description:
            - Entries that a full table has per bucket, that is the maximum divided by the buckets, to two decimals.
              V(null) if connection tracking is absent.
          returned: if O(gather_subset) has V(table)
          type: float
          sample: 1.0
        timeouts:
          description:
            - Every timeout of this kernel in seconds, by short name. V(tcp_established) is the key
              C(nf_conntrack_tcp_timeout_established), V(flowtable_udp) is C(nf_flowtable_udp_timeout).
            - Empty if connection tracking is absent.
          returned: if O(gather_subset) has V(timeouts)
          type: dict
          sample:
            tcp_established: 432000
            tcp_time_wait: 120
            udp: 30
            udp_stream: 120
        settings:
          description:
            - Every other key of connection tracking that this kernel has, by its full name below C(net.netfilter).
            - Empty if connection tracking is absent.
          returned: if O(gather_subset) has V(settings)
          type: dict
          sample:
            nf_conntrack_acct: 0
            nf_conntrack_tcp_be_liberal: 0
            nf_conntrack_tcp_loose: 1
        statistics:
          description:
            - Counters since the network namespace was made or connection tracking was loaded, summed over all CPUs.
              Which there are depends on the kernel.
            - C(drop) counts packets dropped, above all because the table was full. C(early_drop) counts entries given
              up to make room, C(insert_failed) entries that could not be inserted, C(clash_resolve) clashes of two
              packets of one flow that were resolved, C(chain_too_long) entries refused because their bucket was too
              full.
            - C(new), C(ignore), C(delete) and C(delete_list) stay 0 on recent kernels.
            - C(per_cpu) has each of them by CPU, as a list with a number for each possible CPU.
            - V(null) if connection tracking is absent or the kernel has no C(/proc/net/stat/nf_conntrack).
          returned: if O(gather_subset) has V(statistics)
          type: dict
          sample:
            chain_too_long: 0
            clash_resolve: 3
            drop: 17
            early_drop: 17
            found: 204
            insert: 0
            insert_failed: 1
            invalid: 12
            per_cpu:
              drop: [17, 0]
              early_drop: [9, 8]
            search_restart: 0
        sockets:
          description:
            - TCP sockets of the host itself by state, for C(ipv4) and C(ipv6). An IPv6 socket that serves IPv4 counts
              as IPv6. V(null) in place of the states if the host has no such protocol.
          returned: if O(gather_subset) has V(sockets)
          type: dict
          contains:
            ipv4:
              description: IPv4 sockets by state. All eleven states are there.
              returned: always
              type: dict
              sample:
                close: 0
                close_wait: 0
                closing: 0
                established: 12
                fin_wait1: 0
                fin_wait2: 0
                last_ack: 0
                listen: 4
                syn_recv: 0
                syn_sent: 0
                time_wait: 87
            ipv6:
              description: IPv6 sockets by state, as C(ipv4).
              returned: always
              type: dict
              sample:
                close: 0
                close_wait: 0
                closing: 0
                established: 1
                fin_wait1: 0
                fin_wait2: 0
                last_ack: 0
                listen: 3
                syn_recv: 0
                syn_sent: 0
                time_wait: 0
        logging:
          description: Who logs packets.
          returned: if O(gather_subset) has V(logging)
          type: dict
          contains:
            log_invalid:
              description:
                - The protocol whose invalid packets are logged, as its IP protocol number. V(0) is none, V(255) all.
                  V(null) if connection tracking is absent.
              returned: always
              type: int
              sample: 0
            loggers:
              description:
                - The logger of each protocol family, such as C(nf_log_ipv4) or C(nfnetlink_log). V(null) where nobody
                  logs. Families are V(unspec), V(inet), V(ipv4), V(arp), V(netdev), V(bridge), V(ipv6) and on older
                  kernels V(decnet).
              returned: always
              type: dict
              sample:
                arp: null
                bridge: null
                inet: null
                ipv4: nf_log_ipv4
                ipv6: nf_log_ipv6
                netdev: null
                unspec: null
        modules:
          description:
            - Loaded kernel modules of connection tracking, NAT, iptables and nftables, and every other that holds
              C(nf_conntrack) or C(nf_nat), such as C(openvswitch) or C(ip_vs). By name.
            - Empty where nothing is loaded, and where the kernel has no modules.
          returned: if O(gather_subset) has V(modules)
          type: dict
          contains:
            NAME:
              description: One module, under its own name.
              returned: always
              type: dict
              contains:
                size:
                  description: Bytes of memory it takes.
                  returned: always
                  type: int
                refcount:
                  description:
                    - How many use it, its holders included. V(null) if the kernel cannot unload modules.
                  returned: always
                  type: int
                holders:
                  description: The loaded modules that use it.
                  returned: always
                  type: list
                  elements: str
                pins:
                  description:
                    - References beyond its holders, such as rules and chains of any network namespace. While there
                      are any, it cannot be unloaded. V(null) if the kernel cannot unload modules.
                  returned: always
                  type: int
          sample:
            nf_conntrack:
              holders: [nf_nat, xt_conntrack]
              pins: 0
              refcount: 2
              size: 200704
        blocked:
          description:
            - What keeps C(nf_nat) and C(nf_conntrack) from being loaded, an C(install) line of modprobe.d that runs
              C(/bin/false) or the like, whoever wrote it. What keeps out connection tracking keeps out NAT. V(null) if
              a file there could not be read, which RV(ansible_facts.conntrack.unreadable) then names.
          returned: if O(gather_subset) has V(modules)
          type: dict
          contains:
            nat:
              description: The file and the line; V(null) if nothing keeps it out.
              returned: always
              type: dict
              sample:
                file: /etc/modprobe.d/00-netops-conntrack-modules.conf
                line: 2
            conntrack:
              description: The file and the line; V(null) if nothing keeps it out.
              returned: always
              type: dict
              sample: null
        nat_in_use:
          description:
            - Whether a rule or a chain of NAT stands in some network namespace, as far as it pins a module. V(null) if
              NAT is a fixed part of the kernel, which then does not count that, and if nothing but Open vSwitch or tc
              is in use, of which the kernel does not tell whether it translates.
          returned: if O(gather_subset) has V(modules)
          type: bool
          sample: false
        needed_by:
          description:
            - What services that the boot starts need of NAT and connection tracking at their next start, be they running
              now or not, each with what tells so. P(netops.conntrack.conntrack_tuning#role) does not take out a stack
              that is in this list. Where C(blocked) has the stack, the service does not start, or starts without its
              rules.
            - Looked for where C(blocked) has one, or connection tracking is not loaded; V(null) elsewhere.
            - A service that needs NAT needs connection tracking too, and is listed for both.
          returned: if O(gather_subset) has V(modules)
          type: list
          elements: dict
          contains:
            unit:
              description: The service.
              returned: always
              type: str
            stack:
              description: V(nat) or V(conntrack).
              returned: always
              type: str
            file:
              description: Where that stands, such as a file of rules or settings; else what has the boot start the service.
              returned: always
              type: str
            line:
              description: The line of the file; V(null) where it is about the file as a whole.
              returned: always
              type: int
            reason:
              description: The rule, or why in words.
              returned: always
              type: str
            certain:
              description: Whether that is known. V(false) if it is no more than possible, as with a script.
              returned: always
              type: bool
            remedy:
              description: What keeps the service from coming back.
              returned: always
              type: str
            message:
              description: All of it in one sentence.
              returned: always
              type: str
          sample:
            - unit: ufw.service
              stack: conntrack
              file: /etc/ufw/before.rules
              line: 25
              reason: -A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
              certain: true
              remedy: ufw disable, then systemctl disable --now ufw.service
              message: >-
                ufw.service needs connection tracking when it starts: /etc/ufw/before.rules:25 (-A ufw-before-input -m conntrack
                --ctstate RELATED,ESTABLISHED -j ACCEPT)
        persistent:
          description:
            - What this host's boot, or the load of C(nf_conntrack), sets, for each key that something sets, by its full
              name. The hashsize is C(nf_conntrack_buckets). A hashsize without a maximum sets both.
            - V(null) if a configuration file cannot be read. RV(ansible_facts.conntrack.persistent_problem) then says
              which.
          returned: if O(gather_subset) has V(persistent)
          type: dict
          contains:
            NAME:
              description: One key, under its own name.
              returned: always
              type: dict
              contains:
                boot:
                  description: The value, a hashsize as the kernel rounds it.
                  returned: always
                  type: int
                file:
                  description: The file that sets it, of several lines the last one that the kernel takes.
                  returned: always
                  type: str
                line:
                  description: The line of that file.
                  returned: always
                  type: int
          sample:
            nf_conntrack_max:
              boot: 1048576
              file: /etc/sysctl.d/zz-netops-conntrack.conf
              line: 2
        persistent_problem:
          description:
            - Why C(persistent) is V(null), or says nothing of the lines of sysctl.d. A file could not be read, nothing
              that is known applies such lines when this host boots (OpenRC, OpenWrt), or systemd-sysctl is masked.
            - V(null) if there is no such problem.
          returned: if O(gather_subset) has V(persistent)
          type: str
          sample: "/etc/sysctl.d/50-hardening.conf: permission denied; -b reads it"
        load_problem:
          description:
            - Why C(nf_conntrack) cannot be loaded, by an option in modprobe.d or on the kernel's command line that the
              kernel refuses. V(null) if nothing is known to be in the way; what keeps it out on purpose is
              RV(ansible_facts.conntrack.blocked).
          returned: if O(gather_subset) has V(persistent)
          type: str
          sample: "/etc/modprobe.d/a.conf:1: the kernel takes no hashsize of 64K, so every load of nf_conntrack fails"
        drift:
          description:
            - What is not as the next boot will have it, and lines that have no effect. Empty on a host where all is
              well.
            - V(null) if a configuration file cannot be read.
          returned: if O(gather_subset) has V(persistent)
          type: list
          elements: dict
          contains:
            kind:
              description:
                - V(runtime) if the live value is not what the boot sets. V(not_read) if the line is in a file that the
                  boot does not read, such as C(/etc/sysctl.conf) on Debian 13, and all where systemd-sysctl is masked.
                  V(not_at_load) if the line is lost when
                  C(nf_conntrack) is loaded after the boot applied it. V(former_name) and V(unknown_key) if no kernel of
                  today, or not this one, has the key. V(invalid_value) if the kernel will refuse the value. V(malformed)
                  if the line was meant to set a key and is no assignment. V(race) if modprobe and udev set the key to
                  different values at each load. V(not_loaded) if the line was meant to have the boot load
                  C(nf_conntrack), and loads nothing; the key is then C(nf_conntrack). V(writer) if
                  something else sets the key to another value than the boot does, or a script may, see
                  RV(ansible_facts.conntrack.writers).
              returned: always
              type: str
            key:
              description: The key by its name of today.
              returned: always
              type: str
            value:
              description: What the line sets; text if it is no number.
              returned: always
              type: raw
            runtime:
              description: The live value; V(null) where it does not matter or is not known.
              returned: always
              type: int
            file:
              description: The file.
              returned: always
              type: str
            line:
              description: The line. V(null) where a writer has none.
              returned: always
              type: int
            message:
              description: All of it in one sentence.
              returned: always
              type: str
          sample:
            - kind: runtime
              key: nf_conntrack_max
              value: 1048576
              runtime: 65536
              file: /etc/sysctl.d/50-conntrack.conf
              line: 1
              message: nf_conntrack_max is 65536, but the boot sets 1048576 (/etc/sysctl.d/50-conntrack.conf:1)
        writers:
          description:
            - What sets keys of connection tracking, the hashsize or timeouts beside the files that the boot reads for that.
              They are told where the rules of the program are certain, namely ufw, tuned's active profile, kube-proxy,
              pve-firewall and the kernel's command line, and named with the line where they are not, namely iptables-services,
              C(/etc/rc.local), units of systemd, cron, scripts of NetworkManager, ifupdown and networkd-dispatcher, init
              scripts, C(install) lines of modprobe.d and udev rules about anything but C(nf_conntrack), and systemd's credentials.
              Scripts that a unit, a table or
              C(/etc/rc.local) calls are searched too.
            - Files alone are read, at most 5000 of them with 32 MiB in all, 256 KiB of each and for 2 seconds. What was left
              out or could not be read is in RV(ansible_facts.conntrack.unreadable).
          returned: if O(gather_subset) has V(writers)
          type: list
          elements: dict
          contains:
            writer:
              description: The program, unit or file that sets the key.
              returned: always
              type: str
            file:
              description: The file that says so.
              returned: always
              type: str
            line:
              description: The line of that file. V(null) where there is none, as for what a program sets by default.
              returned: always
              type: int
            key:
              description: The key, by its full name; the hashsize is C(nf_conntrack_buckets). V(null) where it is not known.
              returned: always
              type: str
            value:
              description: What it is set to. V(null) where that is not known, or it is not set at all.
              returned: always
              type: int
            when:
              description: When that happens, in words.
              returned: always
              type: str
            certain:
              description:
                - Whether the program's rules say so. V(false) for a line of a script, which may come to it or not.
              returned: always
              type: bool
            message:
              description: All of it in one sentence.
              returned: always
              type: str
          sample:
            - writer: ufw
              file: /etc/ufw/sysctl.conf
              line: 3
              key: nf_conntrack_max
              value: 50000
              when: when ufw starts or reloads
              certain: true
              message: >-
                ufw sets nf_conntrack_max to 50000 when ufw starts or reloads (/etc/ufw/sysctl.conf:3), in a race with what
                applies sysctl.d
        memory:
          description:
            - What the table takes of the host's memory. V(null) if connection tracking is absent.
            - Entries of all network namespaces share the memory, and each namespace may have as many as the maximum.
          returned: if O(gather_subset) has V(memory)
          type: dict
          contains:
            entry_bytes:
              description:
                - Bytes that an entry takes at most. That is its object in the kernel, and 128 bytes for what NAT,
                  helpers, accounting and labels may add.
              returned: always
              type: int
              sample: 384
            entry_bytes_from:
              description:
                - V(slab) if the kernel told the size of the object, which only root can read; V(estimate) if it is taken to be
                  256 bytes, as on Linux 6.18. On Linux 5.10 it is 320.
              returned: always
              type: str
              sample: slab
            entries_bytes:
              description: Bytes that the entries in use take at most.
              returned: always
              type: int
              sample: 19660800
            buckets_bytes:
              description: Bytes that the hash table takes, whatever is in it.
              returned: always
              type: int
              sample: 2097152
            slab_bytes:
              description:
                - Bytes that the kernel holds for the objects of entries now, of all network namespaces, and free ones among
                  them. V(null) if it does not tell.
              returned: always
              type: int
              sample: 13434880
            full_table_bytes:
              description: Bytes that a full table takes at most, buckets included. V(null) if there is no maximum.
              returned: always
              type: int
              sample: 102760448
            full_table_percent:
              description: The same in percent of the host's memory, to two decimals.
              returned: always
              type: float
              sample: 0.61
            host_bytes:
              description: The host's memory.
              returned: always
              type: int
              sample: 16812482560
        kernel_log:
          description:
            - What the kernel's ring buffer of messages says of a full table. The kernel leaves out most of such lines, so they
              are fewer than the packets that were dropped; C(drop) of the statistics counts those.
            - V(null) if it may not be read, which RV(ansible_facts.conntrack.unreadable) then says, and where there
              is no C(/dev/kmsg), as in many containers.
          returned: if O(gather_subset) has V(kernel_log)
          type: dict
          contains:
            lines:
              description: Lines that say that a table is full, of all network namespaces.
              returned: always
              type: int
              sample: 12
            last_seconds_ago:
              description: Seconds since the last of them. V(null) if there is none.
              returned: always
              type: int
              sample: 340
            lines_here:
              description:
                - Those of the network namespace in which the module runs. A line that names none is the initial
                  namespace's; older kernels name none at all.
              returned: always
              type: int
              sample: 12
            last_here_seconds_ago:
              description: Seconds since the last of those. V(null) if there is none.
              returned: always
              type: int
              sample: 340
        namespaces:
          description:
            - The network namespaces that have a process or a name, those of containers included, the fullest first. Those of
              processes of other users are seen by root only. One in which no process lives is entered for a moment, which takes
              root.
            - V(null) if the processes cannot be listed.
          returned: if O(gather_subset) has V(namespaces)
          type: list
          elements: dict
          contains:
            name:
              description:
                - Its name as C(ip netns) has it, a name of Docker's with C((docker)) behind it, or the process that it was
                  found by. V(null) for that of the module itself.
              returned: always
              type: str
            inode:
              description: Its number, as the kernel's log has it. V(null) if that cannot be told.
              returned: always
              type: int
            here:
              description: Whether the module runs in it.
              returned: always
              type: bool
            process:
              description: The process with the lowest number that lives in it. V(null) if none is seen.
              returned: always
              type: dict
              contains:
                pid:
                  description: Its number.
                  returned: always
                  type: int
                command:
                  description: Its name.
                  returned: always
                  type: str
            entries:
              description: Entries in its table. V(null) if they cannot be read.
              returned: always
              type: int
            drop:
              description: Packets dropped, as in RV(ansible_facts.conntrack.statistics).
              returned: always
              type: int
            early_drop:
              description: Entries given up to make room.
              returned: always
              type: int
            insert_failed:
              description: Entries that could not be inserted.
              returned: always
              type: int
          sample:
            - drop: 0
              early_drop: 0
              entries: 51200
              here: false
              inode: 4026532177
              insert_failed: 1
              name: of process 4711 (haproxy)
              process:
                command: haproxy
                pid: 4711
        rates:
          description:
            - What two readings tell. Each is V(null) if it cannot be told, and all of it if connection tracking is absent.
          returned: if O(interval) is not V(0)
          type: dict
          contains:
            seconds:
              description: Seconds between the readings.
              returned: always
              type: float
            entries_per_second:
              description: By how many entries a second the table grew. Negative if it shrank.
              returned: always
              type: float
            seconds_to_full:
              description:
                - Seconds until the table is full at this rate, V(0) if it is. V(null) if it does not grow or has no maximum.
              returned: always
              type: int
            drops_per_second:
              description: Packets dropped.
              returned: always
              type: float
            early_drops_per_second:
              description: Entries given up to make room.
              returned: always
              type: float
            insert_failures_per_second:
              description: Entries that could not be inserted.
              returned: always
              type: float
            chain_too_long_per_second:
              description: Entries refused because their bucket was too full. V(null) before Linux 5.15.
              returned: always
              type: float
          sample:
            chain_too_long_per_second: 0.0
            drops_per_second: 0.0
            early_drops_per_second: 0.0
            entries_per_second: 1900.2
            insert_failures_per_second: 0.0
            seconds: 5.0
            seconds_to_full: 840
        health:
          description:
            - One verdict on what was read, and its reasons.
            - Counters only grow, from the boot or the last load of C(nf_conntrack) on. What they say is a V(note), which does
              not change the status, unless O(interval) shows that they grow now.
          returned: if O(gather_subset) has V(health)
          type: dict
          contains:
            status:
              description: V(ok), V(warning) or V(critical), the worst of the reasons. A V(note) leaves it V(ok).
              returned: always
              type: str
              sample: critical
            reasons:
              description: The reasons, the worst first.
              returned: always
              type: list
              elements: dict
              contains:
                reason:
                  description:
                    - V(usage) if the table is nearly full, or will be within ten minutes. V(drops), V(early_drops),
                      V(insert_failures) and V(chains) for what the counters say. V(kernel_log) and
                      V(kernel_log_elsewhere) for lines of the kernel that a table is full, this one or that of another
                      network namespace; after a day they are a note. V(namespaces) if the table of another is nearly full.
                      V(no_limit), V(timeouts), V(load), V(drift), V(writers), V(lines_without_effect) and V(boot) for what is set, live
                      and at the next boot. V(unused) if it is loaded and nothing needs it.
                  returned: always
                  type: str
                severity:
                  description: V(note), V(warning) or V(critical).
                  returned: always
                  type: str
                message:
                  description: What is so, and why, in one sentence.
                  returned: always
                  type: str
                remedy:
                  description: What to do about it, in one sentence.
                  returned: always
                  type: str
              sample:
                - reason: usage
                  severity: warning
                  message: >-
                    The table is 84 % full (220,201 of 262,144 entries) and filling by 49 entries a second: full in 14 minutes.
                  remedy: >-
                    See who fills it by conntrack_entries_info, and set max: 524288 by conntrack_settings (a full table then
                    takes at most 194 MiB, 1.2 % of the memory).
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netops.conntrack.plugins.module_utils._errors import ConntrackError
from ansible_collections.netops.conntrack.plugins.module_utils._facts.gather import gather, parse
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host, printable


def main() -> None:
    """Read the facts and return them."""
    module = AnsibleModule(
        argument_spec={
            "gather_subset": {"type": "list", "elements": "str", "default": ["all"]},
            "interval": {"type": "float", "default": 0.0},
            "usage_warning": {"type": "int", "default": 75},
            "usage_critical": {"type": "int", "default": 90},
        },
        supports_check_mode=True,
    )
    try:
        facts = gather(Host(), parse(module.params))
    except ConntrackError as error:
        module.fail_json(**printable(dict(error.details, msg=error.message)))
    module.exit_json(changed=False, ansible_facts={"conntrack": printable(facts)})


if __name__ == "__main__":
    main()
