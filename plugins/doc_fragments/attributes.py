# Copyright (c) 2026 the netops.conntrack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documentation of every module says about how it behaves in a playbook."""

from __future__ import annotations


class ModuleDocFragment:
    """``netops.conntrack.attributes`` for every module, with one of the others.

    ``netops.conntrack.attributes.changing`` is for a module that changes the host,
    ``netops.conntrack.attributes.facts`` for one that returns facts and says itself why the three do not apply.
    """

    DOCUMENTATION = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/netops.conntrack.conntrack) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - netops.conntrack.conntrack
  check_mode:
    description: In C(check_mode) it returns what would change, and changes nothing.
  diff_mode:
    description: With C(--diff) it returns what changed, or in C(check_mode) what would change.
  idempotent:
    description: If it runs twice in a row with the same arguments, the second run changes nothing and says so.
  platform:
    description: What it runs on.
    support: full
    platforms: linux
    details: The managed host needs Python 3.7 or newer, and no other packages.
"""

    CHANGING = r"""
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

    FACTS = r"""
options: {}
attributes:
  facts:
    description: Returns an C(ansible_facts) dictionary that updates the facts of the host.
    support: full
"""
