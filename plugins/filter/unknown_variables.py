# Copyright (c) 2026 the netops.conntrack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A filter for the role, which finds misspelt variables before they have no effect."""

from __future__ import annotations

import difflib
import functools
import typing as t
from pathlib import Path

import yaml

DOCUMENTATION = r"""
name: unknown_variables
short_description: Find names that are not variables of the role conntrack_tuning
version_added: 1.0.0
author:
  - the netops.conntrack authors (@netops)
description:
  - The role itself uses this. Without it a misspelt variable would have no effect, and nobody would notice.
options:
  _input:
    description: Names of variables.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse variables that the role does not have
  ansible.builtin.fail:
    msg: "{{ names | netops.conntrack.unknown_variables }}"
  when: names | netops.conntrack.unknown_variables | length > 0
  vars:
    names: "{{ query('ansible.builtin.varnames', '^conntrack_tuning_') }}"
"""

RETURN = r"""
_value:
  description: A message that names each of them and the nearest variable. Empty if all names are variables.
  type: str
"""

_SPECIFICATION = Path(__file__).resolve().parents[2] / "roles" / "conntrack_tuning" / "meta" / "argument_specs.yml"


@functools.lru_cache(maxsize=None)
def _known() -> list[str]:
    specification = yaml.safe_load(_SPECIFICATION.read_text(encoding="utf-8"))
    return sorted(specification["argument_specs"]["main"]["options"])


def unknown_variables(names: t.Iterable[str]) -> str:
    """What is wrong with names of variables, as the documentation above has it."""
    problems = []
    for name in sorted(set(names).difference(_known())):
        near = difflib.get_close_matches(name, _known(), n=1, cutoff=0)
        problems.append(f"there is no variable {name}; the nearest is {near[0]}")
    if not problems:
        return ""
    return f"{'; '.join(problems)}. Nothing was changed. The role's variables are: {', '.join(_known())}"


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"unknown_variables": unknown_variables}
