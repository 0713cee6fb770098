#!/usr/bin/python
# Copyright (c) 2026 the netops.conntrack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conntrack_settings
short_description: Size and tune the connection tracking table, live and for every later boot
description:
  - Sets the maximum number of entries, the number of buckets (hashsize), timeouts and other C(nf_conntrack) keys in the
    running kernel, and makes later boots and later loads of C(nf_conntrack) set the same values.
  - All changes of a call are one transaction. What can be refused is refused before anything is written. When a change
    fails, or the run is interrupted, those made before are reverted, and the error says so, as the host's log does.
  - After the changes the host is read again. If a value did not take, the module reverts its changes and fails.
  - "For boots it writes sysctl lines into a drop-in of its own, C(/etc/sysctl.d/zz-netops-conntrack.conf), the hashsize
    into C(/etc/modprobe.d/zz-netops-conntrack.conf), and a udev rule, C(/etc/udev/rules.d/99-netops-conntrack.rules),
    that applies the sysctl lines whenever C(nf_conntrack) is loaded. Without that rule they are lost when the module is
    loaded after boot, which is the normal case."
  - Other lines for the same keys that would win at boot, and lines with former names of them, are removed from files
    below C(/etc), see O(conflicting_entries). All other bytes of these files stay as they were.
  - With a O(hashsize) so is any other that the kernel refuses, such as C(64K), because with one of those, wherever it
    stands, it does not load C(nf_conntrack) at all.
  - Keys that are not named are left alone, or with O(other_keys=remove) taken out of the collection's own files.
  - What holds at boot is told, and made, by the rules of the host's own boot, which is systemd-sysctl, or where systemd
    does not boot it an init script, C(/etc/init.d/procps), that runs C(sysctl --system). A host with neither can have
    O(scope=runtime) alone.
  - Runs that change the same host are done one after the other, those of M(netops.conntrack.conntrack_modules) among them.
version_added: 1.0.0
author:
  - the netops.conntrack authors (@netops)
extends_documentation_fragment:
  - netops.conntrack.attributes
  - netops.conntrack.attributes.changing
options:
  state:
    description:
      - V(present) sets what is asked for.
      - V(absent) without keys takes the collection's own files away. With keys it takes these alone out of the
        collection's own files and out of O(sysctl_file). With keys and O(other_keys=remove) it does both.
      - Values are not looked at, and the running kernel stays as it is.
    type: str
    choices: [present, absent]
    default: present
  max:
    description:
      - Largest number of entries, C(net.netfilter.nf_conntrack_max). From V(1) to V(2147483647), or V(auto).
      - V(auto) is the largest power of two whose full table, entries and buckets, fits in O(memory_percent) of the host's
        memory, and never below the kernel's own default. Memory is spent for each entry in use, not for the limit.
        An entry is counted with 384 bytes, a bucket with the size of a pointer.
      - Left alone when not given, or null.
    type: raw
  hashsize:
    description:
      - Number of buckets of the table, from V(1) to V(2147483647), or V(auto).
      - V(auto) is O(max) (or the live max) divided by O(entries_per_bucket). An automatic size never shrinks the live
        table. Boots get what it comes to, whatever the live table has.
      - The kernel rounds up to whole memory pages of buckets (512 on most hosts). The rounded number is what is compared
        and kept.
      - Left alone when not given. When it is given without O(max), the live max is kept for boots too, because loading
        C(nf_conntrack) with a hashsize would set max to eight times that. That line is always in
        C(/etc/sysctl.d/zz-netops-conntrack.conf).
    type: raw
  entries_per_bucket:
    description:
      - Entries per bucket for O(hashsize=auto), from V(1) to V(1024), or V(auto).
      - V(auto) is what the running kernel uses for its own default, V(1) from Linux 5.15 on and V(4) before.
    type: raw
    default: auto
  memory_percent:
    description:
      - Share of the host's memory that a full table may take with O(max=auto), in percent, from V(1) to V(100).
      - Above V(25) the guard of O(force) applies.
    type: raw
    default: 5
  timeouts:
    description:
      - Timeouts in seconds, from V(1) to V(2147483), by short name such as V(tcp_established), V(tcp_time_wait), V(udp)
        or V(udp_stream). The short name is the kernel key without C(nf_conntrack_) and C(timeout).
      - In a network namespace other than the initial one these are the namespace's own.
    type: dict
    default: {}
  sysctls:
    description:
      - Values of other conntrack keys, such as C(nf_conntrack_tcp_be_liberal), with or without C(net.netfilter.).
    type: dict
    default: {}
  scope:
    description:
      - V(runtime) changes the running kernel alone, V(boot) the configuration files alone.
    type: str
    choices: [both, runtime, boot]
    default: both
  sysctl_file:
    description:
      - File for the sysctl lines, as an absolute path. It must be one that the boot of the host really reads.
      - C(/etc/sysctl.conf) is read only where a link in C(/etc/sysctl.d) leads to it, so not on Debian 13.
      - A new file that would hide a package's file of the same name is refused, and so is a link to C(/run)
        or to a package's file.
      - By default C(/etc/sysctl.d/zz-netops-conntrack.conf).
    type: path
  missing_keys:
    description:
      - What to do with keys that the running kernel does not have. V(skip) leaves them out, also of the files.
      - Where C(nf_conntrack) is not loaded, that is known only once it is. Until then the files name all keys.
    type: str
    choices: [fail, skip]
    default: fail
  conflicting_entries:
    description:
      - What to do with lines below C(/etc) that set the same keys and would win, at boot or, in C(/etc/sysctl.conf), at
        the next C(sysctl -p) or C(sysctl --system), with lines that use another or a former name of these keys,
        and with a hashsize that the kernel refuses.
      - V(replace) takes these lines out. All other bytes of the files stay, and a link stays a link.
      - V(fail) changes nothing and names each by file and line.
      - A line that wins from a file elsewhere, such as C(/usr/lib/sysctl.d), is refused in both cases.
    type: str
    choices: [replace, fail]
    default: replace
  other_keys:
    description:
      - What to do with keys that earlier calls set and this one does not name.
      - V(keep) leaves them, so that several calls add up.
      - V(remove) makes this call the whole truth about the host. It takes those keys out of the collection's own files, also
        out of a O(sysctl_file) that the collection made, and takes back O(load). A running value goes back to what the
        next boot sets, which is what another file sets or the kernel's own default. Where that default is not known, as of
        C(nf_conntrack_events), the running value stays and RV(kept_live) names the key.
      - Lines that O(sysctl_file) put into a file that was there before are known by their key only as long as the key is
        named.
    type: str
    choices: [keep, remove]
    default: keep
  keep_larger:
    description:
      - V(true) leaves a O(max) and a O(hashsize) that are larger than asked for, live, or set for boots by files that are not
        the collection's. For hosts whose kube-proxy or operator raises them.
    type: bool
    default: false
  load:
    description:
      - V(true) loads C(nf_conntrack) now and at every boot, as O(scope) says.
      - After a load it waits until udev has applied its rules, which set values too. If that takes more than 30 seconds, the
        module reverts its changes and fails.
      - A line in C(modprobe.d) that keeps it out, an C(install) such as C(/bin/false), or for boots a C(blacklist), is
        refused and named. M(netops.conntrack.conntrack_modules) with
        O(netops.conntrack.conntrack_modules#module:state=present) takes such lines away.
      - Check mode passes over that module's own file, because a task before may only have predicted that it goes.
      - V(false) loads nothing, and takes nothing back that an earlier V(true) set up, but with O(other_keys=remove). Where C(nf_conntrack) is not
        loaded, the files are written and RV(pending) is V(true).
    type: bool
    default: false
  force:
    description:
      - Allow a O(max) below the entries in use, and a full table that takes more than a quarter of the host's memory.
    type: bool
    default: false
seealso:
  - module: netops.conntrack.conntrack_facts
  - module: netops.conntrack.conntrack_modules
"""

EXAMPLES = r"""
- name: Size the table for the host's memory, live and at boot
  netops.conntrack.conntrack_settings:
    max: auto
    hashsize: auto
    timeouts:
      tcp_established: 86400
      tcp_time_wait: 90
  become: true

- name: A table of a given size, with nf_conntrack loaded at every boot
  netops.conntrack.conntrack_settings:
    max: 1048576
    hashsize: 262144
    load: true
  become: true

- name: Accept out-of-window packets, on kernels of all ages
  netops.conntrack.conntrack_settings:
    sysctls:
      nf_conntrack_tcp_be_liberal: 1
      nf_conntrack_tcp_ignore_invalid_rst: 1
    missing_keys: skip
  become: true

- name: Take over no host where another file sets the same keys
  netops.conntrack.conntrack_settings:
    max: auto
    hashsize: auto
    conflicting_entries: fail
  become: true

- name: Let the next boot start from the kernel's defaults again
  netops.conntrack.conntrack_settings:
    state: absent
  become: true

- name: Have these values and no others of earlier calls
  netops.conntrack.conntrack_settings:
    max: 262144
    hashsize: auto
    timeouts:
      udp: 20
    other_keys: remove
  become: true

- name: Take one timeout back, for boots
  netops.conntrack.conntrack_settings:
    state: absent
    timeouts:
      udp: 20
  become: true

- name: Survive an incident now, and leave the next boot as it is
  netops.conntrack.conntrack_settings:
    max: 524288
    hashsize: auto
    scope: runtime
  become: true
"""

RETURN = r"""
changes:
  description: The changes made, or in check mode to be made, in their order.
  returned: success
  type: list
  elements: dict
  contains:
    subject:
      description: What is changed, a key, a file or a module.
      type: str
    layer:
      description: V(runtime) or V(boot).
      type: str
    before:
      description: The value before, of a file its content; null where there was none.
      returned: of a file with C(--diff) only
      type: raw
    after:
      description: The value after, of a file its content; null where there is none.
      returned: of a file with C(--diff) only
      type: raw
    before_bytes:
      description: The size of a file before; null where there was none.
      returned: of a file
      type: int
    after_bytes:
      description: The size of a file after; null where there is none.
      returned: of a file
      type: int
  sample:
    - {subject: nf_conntrack_max, layer: runtime, before: 65536, after: 131072}
    - {subject: /etc/sysctl.d/zz-netops-conntrack.conf, layer: boot, before_bytes: null, after_bytes: 99}
settings:
  description: Runtime and boot value of each key that was asked for, as they are after the changes.
  returned: success
  type: dict
  contains:
    NAME:
      description: The values of the key with this name.
      type: dict
      contains:
        runtime:
          description: The live value; null where C(nf_conntrack) is not loaded.
          type: int
        boot:
          description: The value that boots and loads set; null with O(scope=runtime).
          type: int
        file:
          description: The file that sets it.
          type: str
        line:
          description: The line of that file.
          type: int
  sample:
    nf_conntrack_max: {runtime: 131072, boot: 131072, file: /etc/sysctl.d/zz-netops-conntrack.conf, line: 2}
sizing:
  description: How the size came about. Null when neither O(max) nor O(hashsize) was given.
  returned: success
  type: dict
  contains:
    max:
      description: Entries, as asked for or as they are.
      type: int
    hashsize:
      description: Buckets, as asked for (rounded by the kernel) or as they are.
      type: int
    automatic_max:
      description: What O(max=auto) gives on this host.
      type: int
    kernel_default_max:
      description: What the kernel gives itself.
      type: int
    entries_per_bucket:
      description: Used for O(hashsize=auto).
      type: int
    memory_bytes:
      description: Memory of the host.
      type: int
    memory_percent:
      description: Share of it that an automatic full table may take.
      type: int
    entry_bytes:
      description: Bytes an entry is counted with.
      type: int
    bucket_bytes:
      description: Bytes of a bucket.
      type: int
    table_bytes:
      description: Memory of a full table of RV(sizing.max) entries and RV(sizing.hashsize) buckets.
      type: int
conflicts:
  description: The lines of other files that would have to go, each as file, line number and text.
  returned: when O(conflicting_entries=fail) refused
  type: list
  elements: str
pending:
  description: Whether values wait in the files because C(nf_conntrack) is not loaded.
  returned: success
  type: bool
stacks:
  description:
    - What of NAT and of connection tracking is loaded, kept out, and loaded by a boot, before the changes. By it the role
      knows whether M(netops.conntrack.conntrack_modules) has something to do.
    - Null with O(scope=runtime).
  returned: success
  type: dict
  contains:
    NAME:
      description: The stack, V(nat) or V(conntrack).
      type: dict
      contains:
        modules:
          description: Its loaded modules.
          type: list
          elements: str
        kept_out:
          description: The C(file) and C(line) in C(modprobe.d) that keep it out; null where nothing does.
          type: dict
        loaded_at_boot:
          description: The lines that have a boot load it, as file and line number.
          type: list
          elements: str
        own_files:
          description: Files of M(netops.conntrack.conntrack_modules) about it.
          type: list
          elements: str
        is_out:
          description: Whether it is kept out, not loaded, and no boot tries to load it.
          type: bool
  sample:
    nat:
      modules: []
      kept_out: {file: /etc/modprobe.d/00-netops-conntrack-modules.conf, line: 2}
      loaded_at_boot: []
      own_files: [/etc/modprobe.d/00-netops-conntrack-modules.conf]
      is_out: true
kept_live:
  description: Keys that O(other_keys=remove) took out of the files and whose running value stays until the next boot.
  returned: success
  type: list
  elements: str
missing:
  description: The keys that this kernel does not have, and that were left out with O(missing_keys=skip).
  returned: success
  type: list
  elements: str
writers:
  description:
    - What will set a key that was asked for to another value, such as ufw, tuned, kube-proxy or a line of C(/etc/rc.local),
      each with a warning. M(netops.conntrack.conntrack_facts) tells more of them, in C(writers).
    - What yields to C(/etc/sysctl.d), as tuned does by default, is not among them.
  returned: success
  type: list
  elements: dict
  contains:
    writer:
      description: The program, unit or file that sets it.
      type: str
    file:
      description: The file that says so.
      type: str
    line:
      description: The line of that file; null where there is none.
      type: int
    key:
      description: The key.
      type: str
    value:
      description: What it is set to.
      type: int
    when:
      description: When.
      type: str
    certain:
      description: Whether the program's rules say so, or a script may do it or not.
      type: bool
    message:
      description: All of it in one sentence.
      type: str
  sample: []
unsearched:
  description:
    - What was not searched for such writers, because there is very much of it or it could not be read, each with a warning.
  returned: success
  type: list
  elements: str
  sample: []
reverted:
  description: What was reverted after a change failed.
  returned: when a change failed
  type: list
  elements: str
not_reverted:
  description: What could not be reverted, and why.
  returned: when a change failed
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netops.conntrack.plugins.module_utils._errors import ApplyError, ConntrackError
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host, printable
from ansible_collections.netops.conntrack.plugins.module_utils._settings import plan as settings_plan
from ansible_collections.netops.conntrack.plugins.module_utils._settings.request import parse


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "max": {"type": "raw"},
            "hashsize": {"type": "raw"},
            "entries_per_bucket": {"type": "raw", "default": "auto"},
            "memory_percent": {"type": "raw", "default": 5},
            "timeouts": {"type": "dict", "default": {}},
            "sysctls": {"type": "dict", "default": {}},
            "scope": {"type": "str", "choices": ["both", "runtime", "boot"], "default": "both"},
            "sysctl_file": {"type": "path"},
            "conflicting_entries": {"type": "str", "choices": ["replace", "fail"], "default": "replace"},
            "missing_keys": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
            "other_keys": {"type": "str", "choices": ["keep", "remove"], "default": "keep"},
            "keep_larger": {"type": "bool", "default": False},
            "load": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        result = settings_plan.run(Host(), parse(module.params), module.check_mode, module._diff)  # noqa: SLF001
    except ConntrackError as error:
        if isinstance(error, ApplyError):
            module.log(printable(error.message))  # nobody may be there any more to be told
        module.fail_json(**printable(dict(error.details, msg=error.message)))
    result = printable(result)
    for message in [writer["message"] for writer in result["writers"]] + result["unsearched"]:
        module.warn(message)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
