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
  - Reads the state of connection tracking on a Linux host into C(ansible_facts.conntrack).
  - The facts are how full the table is, a verdict on that, timeouts, settings, counters, memory, "table full" lines of
    the kernel's log, the host's TCP sockets by state, who logs packets, and the loaded kernel modules. They also say
    what the next boot will set, what differs from that, and what else on the host sets the same keys.
  - It starts no program and loads no kernel module, so a host without connection tracking stays without it.
  - It works without root. A value that cannot be read is V(null), and its file is listed in
    RV(ansible_facts.conntrack.unreadable).
options:
  gather_subset:
    description:
      - The parts to read. Parts are V(table), V(timeouts), V(settings), V(statistics), V(sockets), V(logging),
        V(modules), V(persistent), V(writers), V(memory), V(kernel_log), V(namespaces) and V(health).
      - V(all) or an empty list reads every part except V(namespaces). That part looks at every process of the host, so
        it is read only if you name it.
      - V(health) reads every part that it judges, even one that is not in the list and so is not returned.
      - A name with V(!) in front leaves that part out. It is then not read, and V(health) does not judge it. If the
        list has only such names, every other part is read.
      - V(!all) leaves out every part that is not named.
      - RV(ansible_facts.conntrack.state), RV(ansible_facts.conntrack.initial_namespace),
        RV(ansible_facts.conntrack.kernel) and RV(ansible_facts.conntrack.unreadable) are always returned.
    type: list
    elements: str
    default: [all]
  interval:
    description:
      - Seconds after which the entries and the counters are read a second time, from V(0) to V(60). The facts then have
        RV(ansible_facts.conntrack.rates), and all other values are those of the second reading.
      - With V(0) there is only one reading, and there are no rates.
    type: float
    default: 0
  usage_warning:
    description: Usage of the table, in percent of the maximum, from which V(health) is V(warning).
    type: int
    default: 75
  usage_critical:
    description:
      - Usage of the table, in percent of the maximum, from which V(health) is V(critical). Not below O(usage_warning).
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
    details: It changes nothing. The values are the current ones.
notes:
  - The counters begin at 0 at boot, at a load of C(nf_conntrack), and when a network namespace is made.
  - The number of entries, the timeouts, the settings, the counters and the sockets are those of the network namespace
    in which the module runs. There is one maximum, and each namespace may have that many entries.
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

# Each task replaces all of ansible_facts.conntrack, so gather every part that later tasks need.

- name: Read everything about connection tracking
  netops.conntrack.conntrack_facts:

- name: Show how full the table is
  ansible.builtin.debug:
    msg: "{{ ansible_facts.conntrack.entries }} of {{ ansible_facts.conntrack.max }} entries in use"
  when: ansible_facts.conntrack.state != 'absent'

- name: Fail if there is a problem, with its cause and what to do
  ansible.builtin.assert:
    that: ansible_facts.conntrack.health.status == 'ok'
    fail_msg: >-
      Problems: {% for item in ansible_facts.conntrack.health.reasons %}{{ item.message }}
      {{ item.remedy }} {% endfor %}

- name: Fail if something differs from what the next boot will set, or if that is not known
  ansible.builtin.assert:
    that: ansible_facts.conntrack.drift == []
    fail_msg: >-
      Differs from the next boot: {{ ansible_facts.conntrack.persistent_problem or
         ansible_facts.conntrack.drift | map(attribute='message') | join('; ') }}

- name: Measure for two seconds how fast the table fills
  netops.conntrack.conntrack_facts:
    gather_subset: [table, statistics, health]
    interval: 2

- name: Show when it will be full
  ansible.builtin.debug:
    msg: "Full in {{ ansible_facts.conntrack.rates.seconds_to_full }} seconds"
  when: (ansible_facts.conntrack.rates or {}).seconds_to_full | default(none) is not none

- name: Fail if packets are being dropped now
  ansible.builtin.assert:
    that: (ansible_facts.conntrack.rates or {}).drops_per_second | default(0, true) == 0
    fail_msg: "{{ ansible_facts.conntrack.rates.drops_per_second }} packets a second are dropped"

- name: Read the tables of all network namespaces, including those of containers
  netops.conntrack.conntrack_facts:
    gather_subset: [table, namespaces]
  become: true

- name: Read everything except the sockets, which take longest if there are very many
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
            - V(loaded) if connection tracking is loaded as a module, V(built_in) if it is built into the kernel,
              V(absent) if it is not loaded now.
          returned: success
          type: str
          sample: loaded
        initial_namespace:
          description:
            - Whether the module ran in the initial network namespace. Only there the maximum and the number of buckets
              can be set. A container usually has a namespace of its own.
          returned: success
          type: bool
          sample: true
        kernel:
          description: The kernel's release.
          returned: success
          type: str
          sample: 6.12.57+deb13-amd64
        unreadable:
          description: Files that exist but could not be read. Empty if all could be read.
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
              description: The error message of the system.
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
            - The largest number of entries. V(0) means no limit, on kernels that allow it. V(null) if connection
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
            - Entries per bucket in a full table. This is the maximum divided by the buckets, to two decimals.
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
              The kernel's version decides which counters there are.
            - C(drop) counts dropped packets, most often because the table was full. C(early_drop) counts entries that
              were evicted to make room. C(insert_failed) counts entries that could not be inserted. C(clash_resolve)
              counts resolved clashes of two packets of one flow. C(chain_too_long) counts entries that were refused
              because their bucket was too full.
            - C(new), C(ignore), C(delete) and C(delete_list) stay 0 on recent kernels.
            - C(per_cpu) has each counter as a list with one number for each possible CPU.
            - They come from C(/proc/net/stat/nf_conntrack). A kernel that lacks it is asked by ctnetlink if the module
              runs as root and C(nf_conntrack_netlink) is loaded already.
            - V(null) if connection tracking is absent or the kernel tells them in neither way.
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
            - TCP sockets of the host itself by state, for C(ipv4) and C(ipv6). An IPv6 socket that also serves IPv4
              counts as IPv6. C(ipv4) or C(ipv6) is V(null) if the host does not have that protocol.
          returned: if O(gather_subset) has V(sockets)
          type: dict
          contains:
            ipv4:
              description: IPv4 sockets by state. All eleven states are returned.
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
                - The protocol whose invalid packets are logged, as its IP protocol number. V(0) means none, V(255)
                  means all. V(null) if connection tracking is absent.
              returned: always
              type: int
              sample: 0
            loggers:
              description:
                - The logger of each protocol family, such as C(nf_log_ipv4) or C(nfnetlink_log). V(null) if there is
                  none. Families are V(unspec), V(inet), V(ipv4), V(arp), V(netdev), V(bridge), V(ipv6) and on older
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
            - The loaded kernel modules of connection tracking, NAT, iptables and nftables, and all others that use
              C(nf_conntrack) or C(nf_nat), such as C(openvswitch) or C(ip_vs). By name.
            - Empty if none is loaded, and if the kernel has no modules.
          returned: if O(gather_subset) has V(modules)
          type: dict
          contains:
            NAME:
              description: One module, by its name.
              returned: always
              type: dict
              contains:
                size:
                  description: Bytes of memory that it takes.
                  returned: always
                  type: int
                refcount:
                  description:
                    - Number of references to it, those of its holders included. V(null) if the kernel cannot unload
                      modules.
                  returned: always
                  type: int
                holders:
                  description: The loaded modules that use it.
                  returned: always
                  type: list
                  elements: str
                pins:
                  description:
                    - Number of references from anything but its holders, such as rules and chains of any network
                      namespace. The module can only be unloaded when this is 0. V(null) if the kernel cannot unload
                      modules.
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
            - What blocks C(nf_nat) and C(nf_conntrack). That is an C(install) line of modprobe.d that runs
              C(/bin/false) or a similar program, whoever wrote it. A line that blocks connection tracking also blocks
              NAT.
            - V(null) if a file of modprobe.d could not be read. RV(ansible_facts.conntrack.unreadable) then names it.
          returned: if O(gather_subset) has V(modules)
          type: dict
          contains:
            nat:
              description: The file and the line. V(null) if nothing blocks it.
              returned: always
              type: dict
              sample:
                file: /etc/modprobe.d/00-netops-conntrack-modules.conf
                line: 2
            conntrack:
              description: The file and the line. V(null) if nothing blocks it.
              returned: always
              type: dict
              sample: null
        nat_in_use:
          description:
            - Whether a NAT rule or chain in any network namespace uses a module of NAT.
            - V(null) if NAT is built into the kernel, which then does not count this. V(null) also if only Open vSwitch
              or tc uses NAT modules, because the kernel does not say whether these really do NAT.
          returned: if O(gather_subset) has V(modules)
          type: bool
          sample: false
        needed_by:
          description:
            - Services that the boot starts and that need NAT or connection tracking at their next start, whether they
              run now or not. Each has the file and line that show it.
            - P(netops.conntrack.conntrack_tuning#role) refuses to unload and block NAT or connection tracking if a
              service in this list needs it. If it is already in C(blocked), the service does not start, or starts
              without its rules.
            - This is read only if C(blocked) has NAT or connection tracking, or if connection tracking is not loaded.
              Else it is V(null).
            - A service that needs NAT also needs connection tracking, and is listed for both.
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
              description:
                - The file that shows the need, such as a file of rules or settings, or what makes the boot start the
                  service.
              returned: always
              type: str
            line:
              description: The line of that file. V(null) if it is not about a single line.
              returned: always
              type: int
            reason:
              description: The rule, or the reason in words.
              returned: always
              type: str
            certain:
              description: Whether this is certain. V(false) if it is only possible, as with a script.
              returned: always
              type: bool
            remedy:
              description: The commands that keep the service from starting again.
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
                ufw.service needs connection tracking when it starts: /etc/ufw/before.rules:25 (-A ufw-before-input -m
                conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT)
        persistent:
          description:
            - The value that this host's boot, or a load of C(nf_conntrack), sets for each key, by the key's full name.
              Keys that nothing sets are not in it. The hashsize is C(nf_conntrack_buckets). A hashsize without a
              maximum sets both.
            - V(null) if a configuration file cannot be read. RV(ansible_facts.conntrack.persistent_problem) then names
              it.
          returned: if O(gather_subset) has V(persistent)
          type: dict
          contains:
            NAME:
              description: One key, by its name.
              returned: always
              type: dict
              contains:
                boot:
                  description: The value. A hashsize is rounded as the kernel does it.
                  returned: always
                  type: int
                file:
                  description:
                    - The file that sets it. If several lines set it, this is the last one that the kernel accepts.
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
            - Why C(persistent) is V(null), or why it does not have the lines of sysctl.d. Possible reasons are a file
              that could not be read, a boot by a program that is not known here (OpenRC, OpenWrt), and a masked
              systemd-sysctl.
            - V(null) if there is no such problem.
          returned: if O(gather_subset) has V(persistent)
          type: str
          sample: "/etc/sysctl.d/50-hardening.conf: permission denied; run with -b to read it"
        load_problem:
          description:
            - Which option in modprobe.d or on the kernel's command line the kernel refuses, so that C(nf_conntrack)
              cannot be loaded. V(null) if no such option is known. Lines that block it on purpose are in
              RV(ansible_facts.conntrack.blocked).
          returned: if O(gather_subset) has V(persistent)
          type: str
          sample: >-
            /etc/modprobe.d/a.conf:1 (hashsize=64K), so every load of nf_conntrack fails: the kernel does not accept
            this hashsize
        drift:
          description:
            - What differs from the next boot, and lines of configuration files that have no effect. Empty if there are
              none.
            - V(null) if a configuration file cannot be read.
          returned: if O(gather_subset) has V(persistent)
          type: list
          elements: dict
          contains:
            kind:
              description:
                - V(runtime) if the live value is not what the boot sets.
                - V(not_read) if the boot does not read the file, such as C(/etc/sysctl.conf) on Debian 13. This is so
                  for all files if systemd-sysctl is masked.
                - V(not_at_load) if the value is lost when C(nf_conntrack) is loaded after the boot applied it.
                - V(former_name) if no kernel of today has the key, V(unknown_key) if this kernel does not have it.
                - V(invalid_value) if the kernel will refuse the value.
                - V(malformed) if the line looks as if it should set a key but is not an assignment.
                - V(race) if modprobe and udev set the key to different values at each load.
                - V(not_loaded) if the line should make the boot load C(nf_conntrack) but loads nothing. The key is then
                  C(nf_conntrack).
                - V(writer) if something else sets the key to another value than the boot does, or if a script may do
                  so. See RV(ansible_facts.conntrack.writers).
              returned: always
              type: str
            key:
              description: The key, by its current name.
              returned: always
              type: str
            value:
              description: The value in the line. It is text if it is not a number.
              returned: always
              type: raw
            runtime:
              description: The live value. V(null) if it does not matter or is not known.
              returned: always
              type: int
            file:
              description: The file.
              returned: always
              type: str
            line:
              description: The line. V(null) for a writer without one.
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
            - Programs and scripts that set keys of connection tracking, the hashsize or timeouts, besides the files
              that the boot reads for that.
            - The value is certain for ufw, tuned's active profile, kube-proxy, pve-firewall and the kernel's command
              line. For others the line is returned, and what it may set. These are iptables-services, C(/etc/rc.local),
              systemd units, cron, scripts of NetworkManager, ifupdown and networkd-dispatcher, init scripts, C(install)
              lines of modprobe.d and udev rules whose effect is not certain, and systemd's credentials.
            - Scripts that a unit, a cron table or C(/etc/rc.local) calls are searched too.
            - The search reads only files, at most 5000 of them, 32 MiB in all and 256 KiB of each, and ends after 2
              seconds. Files that were not searched or could not be read are in RV(ansible_facts.conntrack.unreadable).
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
              description: The line of that file. V(null) if there is none, as for a program's default.
              returned: always
              type: int
            key:
              description:
                - The key, by its full name. The hashsize is C(nf_conntrack_buckets). V(null) if it is not known.
              returned: always
              type: str
            value:
              description: The value that it is set to. V(null) if that is not known, or if it is not set at all.
              returned: always
              type: int
            when:
              description: When it is set, in words.
              returned: always
              type: str
            certain:
              description:
                - Whether this is certain. V(false) for a line of a script, because the script may not run that line.
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
                ufw sets nf_conntrack_max to 50000 when ufw starts or reloads (/etc/ufw/sysctl.conf:3), in a race with
                what applies sysctl.d
        memory:
          description:
            - The memory that the table takes. V(null) if connection tracking is absent.
            - Each network namespace may have as many entries as the maximum, and all of them take the same host's
              memory.
          returned: if O(gather_subset) has V(memory)
          type: dict
          contains:
            entry_bytes:
              description:
                - Bytes that an entry takes at most. That is the size of its object in the kernel, and 128 bytes that
                  NAT, helpers, accounting and labels may add.
              returned: always
              type: int
              sample: 384
            entry_bytes_from:
              description:
                - V(slab) if the size of the object was read from the kernel, which needs root. V(estimate) if 256 bytes
                  were assumed, which is right for Linux 6.18. On Linux 5.10 it is 320.
              returned: always
              type: str
              sample: slab
            entries_bytes:
              description: Bytes that the entries in use take at most.
              returned: always
              type: int
              sample: 19660800
            buckets_bytes:
              description: Bytes that the hash table takes, however many entries there are.
              returned: always
              type: int
              sample: 2097152
            slab_bytes:
              description:
                - Bytes that the kernel has allocated for entries of all network namespaces, free objects included.
                  V(null) if it cannot be read.
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
            - The "table full" lines in the kernel's ring buffer of messages. The kernel leaves out most of these lines,
              so there are fewer of them than dropped packets. C(drop) of the statistics counts the packets.
            - V(null) if the buffer cannot be read, which is then in RV(ansible_facts.conntrack.unreadable). V(null)
              also if there is no C(/dev/kmsg), as in many containers.
          returned: if O(gather_subset) has V(kernel_log)
          type: dict
          contains:
            lines:
              description: Number of such lines, of all network namespaces.
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
                - Number of such lines of the network namespace in which the module runs. A line that names no namespace
                  counts for the initial one. Older kernels never name one.
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
            - The network namespaces that have a process or a name, those of containers included, the fullest first.
            - Without root only the namespaces of your own processes are found. A namespace without a process is entered
              for a moment, which needs root.
            - V(null) if the processes cannot be listed.
          returned: if O(gather_subset) has V(namespaces)
          type: list
          elements: dict
          contains:
            name:
              description:
                - Its name in C(ip netns), a name of Docker's with C((docker)) behind it, or the process by which it was
                  found. V(null) for the namespace of the module itself.
              returned: always
              type: str
            inode:
              description: Its inode number, as in the kernel's log. V(null) if it is not known.
              returned: always
              type: int
            here:
              description: Whether the module runs in it.
              returned: always
              type: bool
            process:
              description: The process in it with the lowest PID. V(null) if none was found.
              returned: always
              type: dict
              contains:
                pid:
                  description: Its PID.
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
              description: Dropped packets, as in RV(ansible_facts.conntrack.statistics).
              returned: always
              type: int
            early_drop:
              description: Entries evicted to make room.
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
            - Changes between two readings. A value is V(null) if it is not known. C(rates) is V(null) if connection
              tracking is absent.
          returned: if O(interval) is not V(0)
          type: dict
          contains:
            seconds:
              description: Seconds between the readings.
              returned: always
              type: float
            entries_per_second:
              description: How many entries the table gained per second. Negative if it lost entries.
              returned: always
              type: float
            seconds_to_full:
              description:
                - Seconds until the table is full at this rate. V(0) if it is full now. V(null) if it does not grow or
                  has no maximum.
              returned: always
              type: int
            drops_per_second:
              description: Packets dropped per second.
              returned: always
              type: float
            early_drops_per_second:
              description: Entries evicted per second to make room.
              returned: always
              type: float
            insert_failures_per_second:
              description: Entries per second that could not be inserted.
              returned: always
              type: float
            chain_too_long_per_second:
              description: Entries per second refused because their bucket was too full. V(null) before Linux 5.15.
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
            - A verdict on the table, and the reasons for it.
            - Counters only grow, since the boot or the last load of C(nf_conntrack). So a counter gives only a V(note),
              which does not change the status, unless O(interval) shows that it grows now. The exception is V(chains)
              if a full table has 8 or more entries per bucket, because a larger hashsize corrects that.
          returned: if O(gather_subset) has V(health)
          type: dict
          contains:
            status:
              description:
                - V(ok), V(warning) or V(critical), the worst severity of the reasons. With only notes it is V(ok).
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
                    - V(usage) if the table is nearly full, or will be full within ten minutes.
                    - V(drops), V(early_drops), V(insert_failures) and V(chains) for the counters.
                    - V(kernel_log) for "table full" lines of this network namespace in the kernel's log,
                      V(kernel_log_elsewhere) for those of others. After a day they are a V(note).
                    - V(namespaces) if the table of another network namespace is nearly full.
                    - V(no_limit) and V(timeouts) for a maximum of 0, and for timeouts of 0 or less.
                    - V(load) if C(nf_conntrack) cannot be loaded.
                    - V(drift), V(writers) and V(lines_without_effect) for items of C(drift), V(boot) for
                      C(persistent_problem).
                    - V(unused) if connection tracking is loaded and nothing needs it.
                  returned: always
                  type: str
                severity:
                  description: V(note), V(warning) or V(critical).
                  returned: always
                  type: str
                message:
                  description: The problem and its cause, in one sentence.
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
                    The table is 84 % full (220,201 of 262,144 entries) and grows by 49 entries a second: full in 14
                    minutes.
                  remedy: >-
                    Find out with conntrack_entries_info who fills it, and set max: 524288 with conntrack_settings (a
                    full table then takes at most 194 MiB, 1.2 % of the memory).
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netops.conntrack.plugins.module_utils import _compile_once  # noqa: F401  # pylint: disable=unused-import
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
