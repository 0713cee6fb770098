#!/usr/bin/python
# Copyright (c) 2026 the netops.conntrack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action plugin of the same name, which does all of it on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_output
short_description: Print a text as it is, or write it to a file on the controller
version_added: 1.0.0
author:
  - the netops.conntrack authors (@netops)
description:
  - The playbooks of this collection use this to show what they gathered. M(ansible.builtin.debug) would print a text of
    many lines as one string.
  - It runs on the controller. Managed hosts are not asked.
options:
  text:
    description: What to print or to write. Without it the module only checks O(path).
    type: str
  path:
    description:
      - A file on the controller to write to, or V(-) to print.
      - The file is written whole and then renamed, so whoever reads it sees the old or the new one. A file that is
        there keeps its mode, and a link leads to the new file.
      - A device such as C(/dev/null) is refused.
    type: path
    default: "-"
extends_documentation_fragment:
  - netops.conntrack.attributes
attributes:
  action_group:
    support: none
    details: The defaults of the group are for modules that run on a host.
    membership: []
  check_mode:
    support: full
    details: A text is printed all the same, and no file is written.
  diff_mode:
    support: none
    details: It shows no differences.
  idempotent:
    support: full
    details: A file that holds the text already is not written.
  platform:
    platforms: posix
    details: It runs on the controller.
"""

EXAMPLES = r"""
- name: Make sure that the file can be written before hosts are asked
  netops.conntrack.fleet_output:
    path: /tmp/conntrack.csv

- name: Print a text
  netops.conntrack.fleet_output:
    text: "{{ ansible_play_hosts | join('\n') }}"
  run_once: true
"""

RETURN = r"""
path:
  description: The file that was written or checked, as an absolute path, or V(-).
  returned: always
  type: str
  sample: /tmp/conntrack.csv
"""
