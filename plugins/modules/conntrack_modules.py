#!/usr/bin/python
# Copyright (c) 2026 the netops.conntrack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conntrack_modules
short_description: Unload and block NAT or all of connection tracking, or load it
description:
  - Unloads the kernel modules of NAT, or of all connection tracking, and blocks them, so that nothing loads them again.
    Or loads them, now and at every boot. In this documentation a stack is either of the two, see O(stack).
  - The running kernel says which module uses which, and this gives the order of unloading. So it works for every
    kernel, and for modules that are not known here.
  - A module that is in use is never unloaded. The module first looks for what uses it. If there is something, the
    module fails before any change. It names the table, chain and rule, the network namespace, and the service that
    probably made the rule. If nothing explains a reference, it looks again for 3 seconds, because listing connections
    uses modules too. It never flushes rules, and never unloads a module that drives a network card.
  - A service that is stopped uses nothing now, but if it is enabled it starts at the next boot. So before
    O(state=absent) unloads a stack, the files of services are read. These are services that the boot, a socket, a timer
    or a path starts. If one of them needs the stack, the module fails and names the unit, what it needs, the file and
    the line. O(force) allows it.
  - The module reads the files of C(nftables.service) and of every unit that runs C(nft -f) or C(iptables-restore), with
    files that they include, and the saved rules of C(netfilter-persistent), C(iptables.service) and
    C(ip6tables.service). It also reads the files of ufw, firewalld, docker, networks of libvirt, Open vSwitch, ip_vs of
    keepalived, ipvsadm and ldirectord, conntrackd, shorewall, the firewall of Proxmox VE, and C(IPMasquerade) of
    systemd-networkd. It starts no program for this.
  - For ferm, fail2ban, Kubernetes, lxc-net, NetworkManager, C(wg-quick), ifupdown, C(rc.local) and scripts the need is
    not certain, and the message says C(possibly).
  - A stack is blocked with C(install NAME /bin/false) lines in C(/etc/modprobe.d/00-netops-conntrack-modules.conf).
    They are for the modules on which all others of the stack depend. They also stop loads by a rule, another module or
    an alias, such as by C(iptables-legacy -t nat -L). The file's name sorts first, because the first C(install) line of
    a module wins.
  - All changes of a call are one transaction. If a change fails, or the run is interrupted, all earlier changes are
    reverted. The error message and the host's log say so. Unloaded modules are loaded again, but their entries and live
    values are lost.
  - After the changes the host is read again. If the changes had no effect, the module reverts them and fails.
version_added: 1.0.0
author:
  - The netops.conntrack authors (@netops)
extends_documentation_fragment:
  - netops.conntrack.attributes
  - netops.conntrack.attributes.changing
options:
  stack:
    description:
      - V(nat) is C(nf_nat) and every module that uses it. Without it C(ct state) rules still work.
      - V(conntrack) is C(nf_conntrack) and every module that uses it, those of NAT too. C(nf_defrag_ipv4) and
        C(nf_defrag_ipv6) are also part of it, unless another module, such as C(xt_TPROXY), uses them or the boot loads
        them for one.
    type: str
    choices: [nat, conntrack]
    required: true
  state:
    description:
      - V(absent) unloads the stack and blocks it. It fails if something uses the stack now or needs it at its next
        start. With O(stack=nat), if this module blocked all connection tracking before, it then blocks only NAT.
      - V(absent) also removes lines below C(/etc) that would undo this. These are C(install) lines of the same modules
        that come first, and lines in C(/etc/modules-load.d) and C(/etc/modules) that make the boot load a module of the
        stack. It fails if such a line is in a file elsewhere, and names it. An C(install) line that only fails, such as
        C(install nf_nat /bin/false), stays wherever it is.
      - V(present) loads C(nf_nat) or C(nf_conntrack) now and at every boot. It removes lines below C(/etc) that block
        the module, whoever wrote them. It fails if such a line is in a file elsewhere or on the kernel's command line,
        and names it. O(stack=nat) also allows connection tracking. O(stack=conntrack) does not remove a block of NAT
        only.
      - V(unmanaged) removes the files that V(absent) and V(present) wrote. It loads and unloads nothing. With
        O(stack=conntrack) it removes all of them. With O(stack=nat) a block of all connection tracking stays.
      - The role P(netops.conntrack.conntrack_tuning#role) calls V(unmanaged) on a host that uses connection tracking.
        Do not use V(present) with the role on one host, because each would undo the other. To load modules at every
        boot there, use O(netops.conntrack.conntrack_settings#module:load) or a file of your own in
        C(/etc/modules-load.d).
    type: str
    choices: [absent, present, unmanaged]
    required: true
  force:
    description:
      - V(true) unloads and blocks a stack even if services need it at their next start. RV(needed_by) lists these. A
        module that is in use now, see RV(pins), is never unloaded.
      - It has no effect if the stack is already blocked and unloaded, or if O(state) is not V(absent).
    type: bool
    default: false
notes:
  - While C(nf_defrag_ipv4) and C(nf_defrag_ipv6) are blocked, other modules that need them, such as C(xt_TPROXY) and
    C(xt_socket), cannot be loaded. If you make the boot load such a module, V(absent) does not block what it needs.
  - It fails if the files of the running kernel's modules do not exist, as after an upgrade of the kernel, and if
    C(kernel.modules_disabled) is 1. In both cases reboot first.
  - It needs C(CAP_SYS_MODULE), which root in a container normally does not have. Run it on the host itself.
  - Unloading NAT ends the connections that use NAT. Unloading connection tracking forgets every connection, but
    connections of the host itself continue.
  - Loads without modprobe are not blocked. These are loads with C(insmod), and by an initial RAM disk that was made
    before.
seealso:
  - module: netops.conntrack.conntrack_facts
  - module: netops.conntrack.conntrack_settings
"""

EXAMPLES = r"""
- name: Unload and block NAT
  netops.conntrack.conntrack_modules:
    stack: nat
    state: absent
  become: true

- name: Unload and block all of connection tracking
  netops.conntrack.conntrack_modules:
    stack: conntrack
    state: absent
  become: true

- name: Allow connection tracking again, and load nothing
  netops.conntrack.conntrack_modules:
    stack: conntrack
    state: unmanaged
  become: true

- name: Load NAT on a gateway before its firewall starts
  netops.conntrack.conntrack_modules:
    stack: nat
    state: present
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
      description: The module or file that is changed.
      type: str
    layer:
      description: V(runtime) for a module, V(boot) for a file.
      type: str
    before:
      description: V(loaded) or V(not loaded), or the content of a file before. Null if there was none.
      returned: of a file with C(--diff) only
      type: str
    after:
      description: V(loaded) or V(not loaded), or the content of a file after. Null if there is none.
      returned: of a file with C(--diff) only
      type: str
    before_bytes:
      description: The size of the file before. Null if there was none.
      returned: of a file
      type: int
    after_bytes:
      description: The size of the file after. Null if there is none.
      returned: of a file
      type: int
  sample:
    - {subject: /etc/modprobe.d/00-netops-conntrack-modules.conf, layer: boot, before_bytes: null, after_bytes: 83}
    - {subject: nf_nat, layer: runtime, before: loaded, after: not loaded}
stack:
  description: The value of O(stack).
  returned: success
  type: str
state:
  description: The value of O(state).
  returned: success
  type: str
modules:
  description: The loaded modules of the stack after the changes.
  returned: success
  type: list
  elements: str
  sample: [nf_conntrack, nft_ct]
blocked:
  description: The lines that block each stack after the changes, whoever wrote them.
  returned: success
  type: dict
  contains:
    nat:
      description: The C(file) and the C(line). Null if nothing blocks it.
      type: dict
    conntrack:
      description: The C(file) and the C(line). Null if nothing blocks it.
      type: dict
  sample:
    nat: {file: /etc/modprobe.d/00-netops-conntrack-modules.conf, line: 2}
    conntrack: null
notices:
  description: Problems that the module cannot solve and an operator should know. They are also warnings.
  returned: success
  type: list
  elements: str
pins:
  description: What uses modules of the stack, so that they cannot be unloaded. Empty on success.
  returned: success, and failure because of it
  type: list
  elements: dict
  contains:
    module:
      description: The module that cannot be unloaded.
      type: str
    references:
      description: How many references it has from anything but other modules, in all items of this module together.
      type: int
    reason:
      description:
        - The reason, if it is not a rule. It starts with V(unknown) if nothing was found, if not everything could be
          listed, or if the rules explain only some of the references.
      type: str
    tool:
      description: The program that shows the rule, V(nft), V(iptables-legacy) or V(ip6tables-legacy).
      type: str
    table:
      description: The table. For V(nft) with its family.
      type: str
    chain:
      description: The chain. Null if it is not in one.
      type: str
    rule:
      description: The rule as that program prints it, or the line that defines a chain or an object.
      type: str
    namespace:
      description: The network namespace. Null for the host's own.
      type: str
    owner:
      description: The service that probably made it, guessed from names in the rule. Null if these show nothing.
      type: str
  sample:
    - module: nft_masq
      references: 1
      reason: null
      tool: nft
      table: ip nat
      chain: POSTROUTING
      rule: oifname "eth0" masquerade
      namespace: null
      owner: null
needed_by:
  description:
    - Services that the boot starts and that need the stack at their next start, each with the file and line that show
      it. Only with O(state=absent). On success these services will not work. Empty if nothing needs the stack.
  returned: success, and failure because of it
  type: list
  elements: dict
  contains:
    unit:
      description: The service.
      type: str
    stack:
      description: The stack that it needs, as in O(stack).
      type: str
    file:
      description:
        - The file that shows the need, such as a file of rules or settings, or what makes the boot start the service.
      type: str
    line:
      description: The line of that file. Null if it is not about a single line.
      type: int
    reason:
      description: The rule, or the reason in words.
      type: str
    certain:
      description: Whether this is certain. V(false) if it is only possible, as with a script.
      type: bool
    remedy:
      description: The commands that keep the service from starting again.
      type: str
    message:
      description: All of it in one sentence.
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
from ansible_collections.netops.conntrack.plugins.module_utils._stacks import observed as stacks_observed
from ansible_collections.netops.conntrack.plugins.module_utils._stacks import plan as stacks_plan


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "stack": {"type": "str", "choices": list(stacks_observed.STACKS), "required": True},
            "state": {"type": "str", "choices": list(stacks_observed.STATES), "required": True},
            "force": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    request = stacks_observed.Request(module.params["stack"], module.params["state"], module.params["force"])
    try:
        result = stacks_plan.run(Host(), request, module.check_mode, module._diff)  # noqa: SLF001
        for warning in result["notices"]:
            module.warn(warning)
    except ConntrackError as error:
        if isinstance(error, ApplyError):
            module.log(printable(error.message))  # nobody may be there any more to be told
        module.fail_json(**printable(dict(error.details, msg=error.message)))
    module.exit_json(**printable(result))


if __name__ == "__main__":
    main()
