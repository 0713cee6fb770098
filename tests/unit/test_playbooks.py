# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible reads an expression when its task runs.

A slip in a scenario would show after minutes, in a role at a user's.
"""

from __future__ import annotations

import typing as t

import jinja2
import pytest
import yaml
from collection_path import ROOT

PLAYBOOKS = sorted(
    path.relative_to(ROOT)
    for directory in ("benchmarks", "extensions", "playbooks", "roles")
    for path in (ROOT / directory).rglob("*.yml")
    # Molecule's own settings have another syntax for variables.
    if path.name not in ("molecule.yml", "config.yml")
)
CONDITIONS = {"changed_when", "failed_when", "that", "until", "when"}


def expressions(node: t.Any, is_condition: bool = False) -> t.Iterator[str]:
    """Every text below a node of a playbook, as a template."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from expressions(value, key in CONDITIONS)
    elif isinstance(node, list):
        for item in node:
            yield from expressions(item, is_condition)
    elif isinstance(node, str):
        yield f"{{{{ {node} }}}}" if is_condition else node


@pytest.mark.parametrize("path", PLAYBOOKS, ids=str)
def test_every_expression_can_be_parsed(path):
    for expression in expressions(yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))):
        try:
            jinja2.Environment().parse(expression)
        except jinja2.TemplateSyntaxError as error:
            pytest.fail(f"{expression}: {error}")
