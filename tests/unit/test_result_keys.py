# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""No key of a module's result is one by which Ansible itself tells what became of a task.

A task whose result has ``skipped`` counts as skipped: it is shown so though it changed the host, and its handlers do
not run.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import ansible
import collection_path
import pytest
import yaml
from fake_kernel import FakeKernel
from fake_modules import FakeModules

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError

MODULES = sorted(path.stem for path in (collection_path.ROOT / "plugins/modules").glob("conntrack_*.py"))

#: Meant as Ansible means them.
ALLOWED = {"ansible_facts", "changed", "diff", "invocation", "msg"}

#: What every kind of module may return by Ansible's documentation ("Common return values"), or Ansible adds itself.
RESERVED = {
    *(
        "ansible_job_id",
        "attempts",
        "backup_file",
        "deprecations",
        "exception",
        "failed",
        "failed_when_result",
        "finished",
    ),
    *(
        "item",
        "rc",
        "results",
        "results_file",
        "retries",
        "skip_reason",
        "skipped",
        "started",
        "stderr",
        "stderr_lines",
    ),
    *(
        "stdout",
        "stdout_lines",
        "unreachable",
        "warnings",
        "add_host",
        "add_group",
        "ansible_stats",
        "ansible_loop_var",
    ),
}

#: Where it looks at results. Read as text: imported, the controller's code has the modules of other tests warn
#: elsewhere.
_READERS = (
    "executor/task_executor.py",
    "executor/task_result.py",
    "plugins/callback/__init__.py",
    "plugins/callback/default.py",
    "plugins/strategy/__init__.py",
)

#: ``result.get('skipped')``, ``result._result["diff"]``, ``'results' in self._return_data``, ``_check_key('failed')``
_READ = re.compile(
    r"\b(?:res|data|_?result|_return_data)(?:\.get\(|\.pop\(|\[)f?['\"](\w+)['\"]"
    r"|['\"](\w+)['\"] (?:not )?in (?:\w+\.)*(?:res|data|_?result|_return_data)\b"
    r"|_check_key\(['\"](\w+)"
)


def read_by_ansible():
    """The keys of a result that the Ansible that is installed looks at."""
    sources = ((Path(ansible.__file__).parent / path).read_text(encoding="utf-8") for path in _READERS)
    return {name for source in sources for found in _READ.findall(source) for name in found if name}


def results(run_module):
    """Results of every kind."""
    kernel = FakeKernel("trixie-6.12-nat")
    arguments = {"max": 60000, "sysctls": {"nf_conntrack_helper": 1}, "missing_keys": "skip"}
    yield run_module("conntrack_settings", kernel, arguments, diff=True)
    yield run_module("conntrack_settings", kernel, dict(arguments, max=70000, conflicting_entries="fail"))
    kernel.fails = {kernel.steps + 1: HostError("write", "/x", "Input/output error")}
    yield run_module("conntrack_settings", kernel, {"state": "absent"})
    yield run_module(
        "conntrack_modules", FakeModules("trixie-6.12-nat"), {"stack": "nat", "state": "absent"}, diff=True
    )
    pinned = FakeModules("trixie-6.12-nat", pins={"nf_nat": 1})
    yield run_module("conntrack_modules", pinned, {"stack": "nat", "state": "absent"})
    yield run_module("conntrack_facts", kernel)


def test_the_keys_that_are_known_to_be_ansibles_are_found_in_its_code():
    assert {
        "skipped",
        "failed",
        "changed",
        "results",
        "diff",
        "exception",
        "warnings",
        "unreachable",
    } <= read_by_ansible()


@pytest.mark.parametrize("name", MODULES)
def test_no_documented_key_is_ansibles_own(name):
    module = importlib.import_module(f"{collection_path.NAME}.plugins.modules.{name}")
    documented = set(yaml.safe_load(module.RETURN))
    assert documented
    assert documented & (RESERVED | read_by_ansible()) <= ALLOWED


def test_no_returned_key_is_ansibles_own(run_module):
    found = list(results(run_module))
    assert {name for result in found for name in result} >= {"missing", "reverted", "not_reverted", "pins", "settings"}
    for result in found:
        # What Ansible's own code added to a failure.
        keys = set(result) - ({"failed"} if result.get("failed") else set())
        assert keys & (RESERVED | read_by_ansible()) <= ALLOWED
