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
  - All changes of a call are one transaction. Everything that can be checked is checked before anything is written. If
    a change fails, or the run is interrupted, all earlier changes are reverted. The error message and the host's log
    say so.
  - After the changes the host is read again. If a value was not set, the module reverts its changes and fails.
  - For boots it writes three files. C(/etc/sysctl.d/zz-netops-conntrack.conf) has the sysctl lines, and
    C(/etc/modprobe.d/zz-netops-conntrack.conf) has the hashsize. C(/etc/udev/rules.d/99-netops-conntrack.rules) is a
    udev rule that applies the sysctl lines whenever C(nf_conntrack) is loaded. Without that rule they are lost when the
    module is loaded after boot, which is the normal case.
  - It removes other lines for the same keys from files below C(/etc) if they would win at boot or have a former name,
    see O(conflicting_entries). Everything else in these files stays as it was.
  - With O(hashsize) it also removes every other hashsize that the kernel refuses, such as C(64K). With such a line in
    any file, the kernel does not load C(nf_conntrack) at all.
  - Other keys are not changed. With O(other_keys=remove) they are removed from the collection's own files.
  - Which line wins at boot depends on the program that the host's boot runs. This is systemd-sysctl, or, without
    systemd, an init script, C(/etc/init.d/procps), that runs C(sysctl --system). On a host with neither only
    O(scope=runtime) is possible.
  - Runs that change the same host wait for each other. This includes runs of M(netops.conntrack.conntrack_modules).
version_added: 1.0.0
author:
  - the netops.conntrack authors (@netops)
extends_documentation_fragment:
  - netops.conntrack.attributes
  - netops.conntrack.attributes.changing
options:
  state:
    description:
      - V(present) sets the values of the other options.
      - V(absent) without keys removes the collection's own files. With keys it removes only these keys from the
        collection's own files and from O(sysctl_file). With keys and O(other_keys=remove) it does both.
      - With V(absent) the values of keys do not matter, and the running kernel stays as it is.
    type: str
    choices: [present, absent]
    default: present
  max:
    description:
      - Largest number of entries, C(net.netfilter.nf_conntrack_max). From V(1) to V(2147483647), or V(auto).
      - V(auto) is the largest power of two whose full table, entries and buckets, fits in O(memory_percent) percent of
        the host's memory. It is never below the kernel's own default. For this an entry counts 384 bytes, and a bucket
        the size of a pointer.
      - Memory is used by entries, not by the limit.
      - Not changed if it is not given or null.
    type: raw
  hashsize:
    description:
      - Number of buckets of the table, from V(1) to V(2147483647), or V(auto).
      - V(auto) is O(max) (or the live max) divided by O(entries_per_bucket). It never shrinks the live table. Boots get
        the computed number, even if the live table is larger.
      - The kernel rounds up to whole memory pages of buckets (512 on most hosts). The rounded number is compared and
        written.
      - Not changed if it is not given.
      - If it is given without O(max), the live max is written for boots too, always to
        C(/etc/sysctl.d/zz-netops-conntrack.conf). Without that line, loading C(nf_conntrack) with a hashsize would set
        max to eight times the hashsize.
    type: raw
  entries_per_bucket:
    description:
      - Entries per bucket for O(hashsize=auto), from V(1) to V(1024), or V(auto).
      - V(auto) is the ratio of the kernel's own default, V(1) from Linux 5.15 on and V(4) before.
    type: raw
    default: auto
  memory_percent:
    description:
      - Share of the host's memory that a full table may take with O(max=auto), in percent, from V(1) to V(100).
      - A table that could take more than V(25) percent needs O(force).
    type: raw
    default: 5
  timeouts:
    description:
      - Timeouts in seconds, from V(1) to V(2147483), by short name such as V(tcp_established), V(tcp_time_wait), V(udp)
        or V(udp_stream). The short name is the kernel key without C(nf_conntrack_) and C(timeout).
      - In a network namespace other than the initial one, the namespace's own timeouts are set.
    type: dict
    default: {}
  sysctls:
    description:
      - Values of other conntrack keys, such as C(nf_conntrack_tcp_be_liberal). The name may begin with
        C(net.netfilter.).
    type: dict
    default: {}
  scope:
    description:
      - V(runtime) changes only the running kernel, V(boot) only the configuration files.
    type: str
    choices: [both, runtime, boot]
    default: both
  sysctl_file:
    description:
      - File for the sysctl lines, as an absolute path. It must be one that the boot of the host reads.
      - systemd reads C(/etc/sysctl.conf) only if a link in C(/etc/sysctl.d) leads to it. On Debian 13 there is no such
        link.
      - Refused are a new file that would hide a package's file of the same name, and a link to C(/run) or to a
        package's file.
      - By default C(/etc/sysctl.d/zz-netops-conntrack.conf).
    type: path
  missing_keys:
    description:
      - What to do with keys that the running kernel does not have. V(skip) does not set them and does not write them to
        files.
      - This is known only while C(nf_conntrack) is loaded. If it is not, all keys are written to the files.
    type: str
    choices: [fail, skip]
    default: fail
  conflicting_entries:
    description:
      - What to do with other lines below C(/etc) for the same keys. These are lines that would win at boot, lines in
        C(/etc/sysctl.conf) that would win at the next C(sysctl -p) or C(sysctl --system), lines with a former or wrong
        name of these keys, and a hashsize that the kernel refuses.
      - V(replace) removes these lines. Everything else in the files stays, and a link stays a link.
      - V(fail) changes nothing, and names each line by file and number.
      - If a line in a file elsewhere wins, such as in C(/usr/lib/sysctl.d), the module always fails.
    type: str
    choices: [replace, fail]
    default: replace
  other_keys:
    description:
      - What to do with keys that earlier calls set and this call does not name.
      - V(keep) leaves them, so that several calls add up.
      - V(remove) makes this call describe the host completely. It removes those keys from the collection's own files
        and from a O(sysctl_file) that the collection made. It also removes the file that O(load) wrote.
      - With V(remove) the running kernel gets the value that the next boot sets. This is the value of another file, or
        the kernel's own default. If that default is not known, as for C(nf_conntrack_events), the running value stays
        and RV(kept_live) names the key.
      - If O(sysctl_file) existed before the collection wrote to it, V(remove) does not remove the lines of keys that
        are no longer named, because nothing shows who wrote them.
    type: str
    choices: [keep, remove]
    default: keep
  keep_larger:
    description:
      - V(true) does not lower a max or a hashsize that is larger than O(max) or O(hashsize). This is about live values,
        and about values for boots in files that are not the collection's. Use it for hosts where kube-proxy or an
        operator raises them.
    type: bool
    default: false
  load:
    description:
      - V(true) loads C(nf_conntrack) now and at every boot. O(scope) can limit this to one of the two.
      - After a load it waits until udev has applied its rules, which set values too. If that takes more than 30
        seconds, the module reverts its changes and fails.
      - If a line in C(modprobe.d) blocks C(nf_conntrack), the module fails and names it. This is an C(install) line
        with C(/bin/false) or the like, or, for boots, a C(blacklist) line. M(netops.conntrack.conntrack_modules) with
        O(netops.conntrack.conntrack_modules#module:state=present) removes such lines.
      - Check mode ignores the file with which that module blocks modules, because in check mode an earlier task may
        only have predicted its removal.
      - V(false) loads nothing. If C(nf_conntrack) is not loaded, the files are written and RV(pending) is V(true). What
        an earlier V(true) set up stays, unless O(other_keys=remove).
    type: bool
    default: false
  force:
    description:
      - V(true) allows a O(max) below the entries in use, and a full table that takes more than a quarter of the host's
        memory.
    type: bool
    default: false
seealso:
  - module: netops.conntrack.conntrack_facts
  - module: netops.conntrack.conntrack_modules
"""

EXAMPLES = r"""
- name: Size the table for the host's memory, live and for boots
  netops.conntrack.conntrack_settings:
    max: auto
    hashsize: auto
    timeouts:
      tcp_established: 86400
      tcp_time_wait: 90
  become: true

- name: Set a size, and load nf_conntrack at every boot
  netops.conntrack.conntrack_settings:
    max: 1048576
    hashsize: 262144
    load: true
  become: true

- name: Accept out-of-window packets, on old and new kernels
  netops.conntrack.conntrack_settings:
    sysctls:
      nf_conntrack_tcp_be_liberal: 1
      nf_conntrack_tcp_ignore_invalid_rst: 1
    missing_keys: skip
  become: true

- name: Fail if another file sets the same keys
  netops.conntrack.conntrack_settings:
    max: auto
    hashsize: auto
    conflicting_entries: fail
  become: true

- name: Let the next boot start with the kernel's defaults again
  netops.conntrack.conntrack_settings:
    state: absent
  become: true

- name: Set these values and remove all others of earlier calls
  netops.conntrack.conntrack_settings:
    max: 262144
    hashsize: auto
    timeouts:
      udp: 20
    other_keys: remove
  become: true

- name: Remove one timeout from the files
  netops.conntrack.conntrack_settings:
    state: absent
    timeouts:
      udp: 20
  become: true

- name: Set values in an incident, only until the next boot
  netops.conntrack.conntrack_settings:
    max: 524288
    hashsize: auto
    scope: runtime
  become: true
"""

RETURN = r"""
changes:
  description: The changes that were made, in their order. In check mode those that would be made.
  returned: success
  type: list
  elements: dict
  contains:
    subject:
      description: The key, file or module that is changed.
      type: str
    layer:
      description: V(runtime) or V(boot).
      type: str
    before:
      description: The value before, or the content of a file. Null if there was none.
      returned: of a file with C(--diff) only
      type: raw
    after:
      description: The value after, or the content of a file. Null if there is none.
      returned: of a file with C(--diff) only
      type: raw
    before_bytes:
      description: The size of the file before. Null if there was none.
      returned: of a file
      type: int
    after_bytes:
      description: The size of the file after. Null if there is none.
      returned: of a file
      type: int
  sample:
    - {subject: nf_conntrack_max, layer: runtime, before: 65536, after: 131072}
    - {subject: /etc/sysctl.d/zz-netops-conntrack.conf, layer: boot, before_bytes: null, after_bytes: 99}
settings:
  description: Live value and boot value of each key of this call, after the changes.
  returned: success
  type: dict
  contains:
    NAME:
      description: The values of the key with this name.
      type: dict
      contains:
        runtime:
          description: The live value. Null if C(nf_conntrack) is not loaded.
          type: int
        boot:
          description: The value that boots and loads set. Null with O(scope=runtime).
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
  description: How the size was computed. Null if neither O(max) nor O(hashsize) was given.
  returned: success
  type: dict
  contains:
    max:
      description: Largest number of entries, as given or as it is.
      type: int
    hashsize:
      description: Number of buckets, as given (rounded by the kernel) or as it is.
      type: int
    automatic_max:
      description: The value of O(max=auto) on this host.
      type: int
    kernel_default_max:
      description: The kernel's own default.
      type: int
    entries_per_bucket:
      description: The ratio for O(hashsize=auto).
      type: int
    memory_bytes:
      description: Memory of the host, in bytes.
      type: int
    memory_percent:
      description: Percentage of it that a full table may take with O(max=auto).
      type: int
    entry_bytes:
      description: Bytes that an entry counts.
      type: int
    bucket_bytes:
      description: Bytes that a bucket takes.
      type: int
    table_bytes:
      description: Bytes of a full table with RV(sizing.max) entries and RV(sizing.hashsize) buckets.
      type: int
conflicts:
  description: The lines of other files that V(replace) would remove, each as file, line number and text.
  returned: when it failed because of O(conflicting_entries=fail)
  type: list
  elements: str
pending:
  description: Whether the values are only in the files, because C(nf_conntrack) is not loaded.
  returned: success
  type: bool
stacks:
  description:
    - Whether NAT and connection tracking are loaded, blocked, and loaded by a boot, before the changes. The role uses
      this to know whether M(netops.conntrack.conntrack_modules) has something to change.
    - Null with O(scope=runtime).
  returned: success
  type: dict
  contains:
    NAME:
      description: V(nat) or V(conntrack).
      type: dict
      contains:
        modules:
          description: Its loaded modules.
          type: list
          elements: str
        kept_out:
          description: The C(file) and C(line) in C(modprobe.d) that block it. Null if nothing does.
          type: dict
        loaded_at_boot:
          description: The lines that make a boot load it, as file and line number.
          type: list
          elements: str
        own_files:
          description: The files of M(netops.conntrack.conntrack_modules) about it.
          type: list
          elements: str
        is_out:
          description: Whether it is blocked and not loaded, and no boot tries to load it.
          type: bool
  sample:
    nat:
      modules: []
      kept_out: {file: /etc/modprobe.d/00-netops-conntrack-modules.conf, line: 2}
      loaded_at_boot: []
      own_files: [/etc/modprobe.d/00-netops-conntrack-modules.conf]
      is_out: true
kept_live:
  description: Keys that O(other_keys=remove) removed from the files, and whose running value stays until the next boot.
  returned: success
  type: list
  elements: str
missing:
  description: The keys that this kernel does not have, and that O(missing_keys=skip) left out.
  returned: success
  type: list
  elements: str
writers:
  description:
    - Programs and scripts that will set a key of this call to another value, such as ufw, tuned, kube-proxy or a line
      of C(/etc/rc.local). There is a warning for each. C(writers) of M(netops.conntrack.conntrack_facts) lists all of
      them.
    - A program after which C(/etc/sysctl.d) is applied again, as tuned does by default, is not in this list.
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
      description: The line of that file. Null if there is none.
      type: int
    key:
      description: The key.
      type: str
    value:
      description: The value that it is set to.
      type: int
    when:
      description: When it is set, in words.
      type: str
    certain:
      description: Whether this is certain. V(false) for a line of a script, because the script may not run that line.
      type: bool
    message:
      description: All of it in one sentence.
      type: str
  sample: []
unsearched:
  description:
    - Places that were not searched for such programs and scripts, because they are too large or could not be read.
      There is a warning for each.
  returned: success
  type: list
  elements: str
  sample: []
reverted:
  description: The changes that were reverted after one failed.
  returned: when a change failed
  type: list
  elements: str
not_reverted:
  description: The changes that could not be reverted, and why.
  returned: when a change failed
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netops.conntrack.plugins.module_utils import _compile_once  # noqa: F401  # pylint: disable=unused-import
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
