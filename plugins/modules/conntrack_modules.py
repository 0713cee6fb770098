#!/usr/bin/python
# Copyright (c) 2026 the netops.conntrack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conntrack_modules
short_description: Unload NAT or all of connection tracking and keep it out, or have it loaded
description:
  - Unloads the kernel modules of NAT, or of all connection tracking, and keeps them out; or loads them, now and at every
    boot.
  - The order of unloading is what the running kernel says of who holds whom, so it holds for every kernel, and for
    modules nobody here thought of.
  - What is in use is never broken. Before anything is changed it is found out what pins a module, that is which rule of
    which table, in which network namespace, and likely of which service; and the module fails with that. A reference
    that nothing explains is looked at again for 3 seconds, since listing connections holds modules too. No rule is
    flushed, and no module that drives a network card is unloaded.
  - What is stopped now pins nothing, but starts at the next boot where it is enabled. Before V(state=absent) takes a stack
    out, the files of the host are read for services that the boot starts, or that a socket, timer or path starts, and
    for what these load. If one needs the stack, the module fails and names the unit, what it needs, and the file and
    line; O(force) goes on.
  - "Read are the files of C(nftables.service) and of every unit that runs C(nft -f) or C(iptables-restore), with
    includes; saved rules of C(netfilter-persistent), C(iptables.service) and C(ip6tables.service); ufw, firewalld,
    docker, networks of libvirt, Open vSwitch, ip_vs of keepalived, ipvsadm and ldirectord, conntrackd, shorewall, the
    firewall of Proxmox VE, and C(IPMasquerade) of systemd-networkd. Less is certain of, and the message says
    C(possibly) for, ferm, fail2ban, Kubernetes, lxc-net, NetworkManager, C(wg-quick), ifupdown, C(rc.local) and
    scripts. No program is started for it."
  - "A stack is kept out by C(install NAME /bin/false) for the modules that all others of it depend on, in
    C(/etc/modprobe.d/00-netops-conntrack-modules.conf). That also stops loads that a rule, another module or an alias
    asks for, such as C(iptables-legacy -t nat -L). The file sorts first, because the first C(install) of a module
    wins."
  - All changes of a call are one transaction. When a change fails, or the run is interrupted, those made before are reverted,
    and the error says so, as the host's log does. Modules that were unloaded are loaded again, but without their entries
    and live values.
  - After the changes the host is read again. If it is not as asked for, the module reverts its changes and fails.
version_added: 1.0.0
author:
  - The netops.conntrack authors (@netops)
extends_documentation_fragment:
  - netops.conntrack.attributes
  - netops.conntrack.attributes.changing
options:
  stack:
    description:
      - V(nat) is C(nf_nat) and every module that holds it. Without it C(ct state) rules still work.
      - V(conntrack) is C(nf_conntrack) and every module that holds it, NAT among them, and C(nf_defrag_ipv4) and
        C(nf_defrag_ipv6), each where nothing else, such as C(xt_TPROXY), uses it, and the boot does not load it for
        something else.
    type: str
    choices: [nat, conntrack]
    required: true
  state:
    description:
      - V(absent) unloads the stack and keeps it out, unless something uses it, or will at its next start. With O(stack=nat)
        connection tracking is allowed; where all of it was kept out by this module, only NAT is then.
      - "V(absent) also removes lines below C(/etc) that would undo this: C(install) lines of the same modules that come
        first, and lines in C(/etc/modules-load.d) and C(/etc/modules) that have the boot load a module of the stack.
        It fails where such a line is elsewhere, and names it. An C(install) line that does nothing but fail, such as
        C(install nf_nat /bin/false), may stay wherever it is."
      - V(present) loads C(nf_nat) or C(nf_conntrack) now and at every boot, and lets it in, also where a line below
        C(/etc) that is not of this collection keeps it out. It fails where such a line is elsewhere, or where the
        kernel's command line keeps it out, and names that. O(stack=nat) lets in both. O(stack=conntrack) lets a block
        of NAT alone stay.
      - V(unmanaged) takes away what V(absent) or V(present) wrote, and loads and unloads nothing. With
        O(stack=conntrack) that is everything, with O(stack=nat) a block of all connection tracking stays as it is.
      - The role P(netops.conntrack.conntrack_tuning#role) calls V(unmanaged) for a host that tracks and may
        translate, so do not use V(present) there beside the role. Each would undo the other. A file of your own in
        C(/etc/modules-load.d) has modules loaded at every boot, and so has
        O(netops.conntrack.conntrack_settings#module:load).
    type: str
    choices: [absent, present, unmanaged]
    required: true
  force:
    description:
      - V(true) takes a stack out although services will need it at their next start, which the result then lists as
        RV(needed_by). What is in use now, listed as RV(pins), stays all the same.
      - It has no effect on a host where the stack is kept out already, and with another O(state) than V(absent).
    type: bool
    default: false
notes:
  - While C(nf_defrag_ipv4) and C(nf_defrag_ipv6) are kept out, so is what needs them later, such as C(xt_TPROXY) and
    C(xt_socket). Have the boot load such a module, and V(absent) leaves alone what it needs.
  - Nothing is unloaded or loaded where the files of the running kernel's modules are gone, as after an upgrade of the
    kernel. Reboot first. So it is where C(kernel.modules_disabled) is 1, which only a reboot lifts.
  - It takes C(CAP_SYS_MODULE), which root in a container does not have. Run this on the host itself.
  - Unloading NAT ends connections that are being translated; unloading connection tracking forgets every connection.
    Connections of the host itself go on.
  - What is loaded without modprobe, by C(insmod) or from an initial RAM disk made before, is not kept out.
seealso:
  - module: netops.conntrack.conntrack_facts
  - module: netops.conntrack.conntrack_settings
"""

EXAMPLES = r"""
- name: This host needs no NAT
  netops.conntrack.conntrack_modules:
    stack: nat
    state: absent
  become: true

- name: This host needs no connection tracking at all
  netops.conntrack.conntrack_modules:
    stack: conntrack
    state: absent
  become: true

- name: Whatever needs connection tracking may load it again
  netops.conntrack.conntrack_modules:
    stack: conntrack
    state: unmanaged
  become: true

- name: A gateway, with NAT loaded before its firewall starts
  netops.conntrack.conntrack_modules:
    stack: nat
    state: present
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
      description: What is changed, a module or a file.
      type: str
    layer:
      description: V(runtime) for a module, V(boot) for a file.
      type: str
    before:
      description: V(loaded) or V(not loaded), of a file its content before; null where there was none.
      returned: of a file with C(--diff) only
      type: str
    after:
      description: V(loaded) or V(not loaded), of a file its content after; null where there is none.
      returned: of a file with C(--diff) only
      type: str
    before_bytes:
      description: The size of a file before; null where there was none.
      returned: of a file
      type: int
    after_bytes:
      description: The size of a file after; null where there is none.
      returned: of a file
      type: int
  sample:
    - {subject: /etc/modprobe.d/00-netops-conntrack-modules.conf, layer: boot, before_bytes: null, after_bytes: 83}
    - {subject: nf_nat, layer: runtime, before: loaded, after: not loaded}
stack:
  description: The stack that was asked for.
  returned: success
  type: str
state:
  description: The state that was asked for.
  returned: success
  type: str
modules:
  description: The loaded modules of the stack, as they are after the changes.
  returned: success
  type: list
  elements: str
  sample: [nf_conntrack, nft_ct]
blocked:
  description: What keeps each stack out after the changes, whoever wrote it.
  returned: success
  type: dict
  contains:
    nat:
      description: The C(file) and the C(line); null where nothing keeps it out.
      type: dict
    conntrack:
      description: The C(file) and the C(line); null where nothing keeps it out.
      type: dict
  sample:
    nat: {file: /etc/modprobe.d/00-netops-conntrack-modules.conf, line: 2}
    conntrack: null
notices:
  description: What the module cannot change and an operator should know; also given as warnings.
  returned: success
  type: list
  elements: str
pins:
  description: What keeps modules of the stack from being unloaded. Empty on success.
  returned: success, and failure where something does
  type: list
  elements: dict
  contains:
    module:
      description: The module that cannot go.
      type: str
    references:
      description: How many references it has beyond the modules that hold it, over all that pin it.
      type: int
    reason:
      description: Why, where it is no rule; starts with V(unknown) where nothing was found, or not all could be listed, or
        the rules found explain only some of the references.
      type: str
    tool:
      description: The program that shows the rule, V(nft), V(iptables-legacy) or V(ip6tables-legacy).
      type: str
    table:
      description: The table, for V(nft) with its family.
      type: str
    chain:
      description: The chain; null for what is in none.
      type: str
    rule:
      description: The rule as that program prints it, or the line that makes a chain or an object what it is.
      type: str
    namespace:
      description: The network namespace; null for the host's own.
      type: str
    owner:
      description: The service that likely made it, by the names it uses; null where they tell nothing.
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
    - What services that the boot starts need of the stack at their next start, each with what tells so. With
      O(state=absent) only, and then, on success, what is broken by it. Empty where nothing needs it.
  returned: success, and failure where something needs it
  type: list
  elements: dict
  contains:
    unit:
      description: The service.
      type: str
    stack:
      description: The stack that it needs, as O(stack).
      type: str
    file:
      description: Where that stands, such as a file of rules or settings; else what has the boot start the service.
      type: str
    line:
      description: The line of the file; null where it is about the file as a whole.
      type: int
    reason:
      description: The rule, or why in words.
      type: str
    certain:
      description: Whether that is known. V(false) if it is no more than possible, as with a script.
      type: bool
    remedy:
      description: What keeps the service from coming back.
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
