# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole module: what the controller gets. What it does to a host is in module_utils/_settings."""

from __future__ import annotations

import json

import pytest
from fake_kernel import FakeKernel

from ansible_collections.netops.conntrack.plugins.module_utils._boot import writers
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.modules import conntrack_settings

WANTED = {"max": 60000, "hashsize": "20000", "timeouts": {"udp": 20}, "sysctls": {"nf_conntrack_acct": True}}


@pytest.mark.parametrize("name", ["trixie-6.12-nat", "bookworm-6.1-nat", "trixie-6.12-absent"])
def test_files_of_a_recorded_host_are_changed_as_check_mode_says(recorded_host, run_module, name):
    host = recorded_host(name)
    before = host.snapshot()
    arguments = dict(WANTED, scope="boot")
    predicted = run_module("conntrack_settings", host, arguments, check=True, diff=True)
    assert predicted["changed"] and host.snapshot() == before
    done = run_module("conntrack_settings", host, arguments, diff=True)
    assert done["changes"] == predicted["changes"] and done["diff"] == predicted["diff"]
    after = host.snapshot()
    assert {path for path in after if after[path] != before.get(path)} == {
        change["subject"] for change in done["changes"]
    }
    again = run_module("conntrack_settings", host, arguments, diff=True)
    assert not again["changed"] and again["changes"] == again["diff"] == []
    assert host.snapshot() == after


def test_returned_keys_are_those_documented(run_module):
    yaml = pytest.importorskip("yaml")
    documented = yaml.safe_load(conntrack_settings.RETURN)
    result = run_module("conntrack_settings", FakeKernel("trixie-6.12-nat"), WANTED)
    returned = set(result) - {"changed", "diff", "invocation"}
    assert returned == {key for key, about in documented.items() if about["returned"] == "success"}
    assert set(result["sizing"]) == set(documented["sizing"]["contains"])
    with_contents = run_module("conntrack_settings", FakeKernel("trixie-6.12-nat"), WANTED, diff=True)
    for changes in (result["changes"], with_contents["changes"]):
        assert {name for change in changes for name in change} == set(documented["changes"]["contains"])
    for value in result["settings"].values():
        assert set(value) == set(documented["settings"]["contains"]["NAME"]["contains"])


@pytest.mark.parametrize("check", [False, True])
def test_a_result_stays_small_however_large_the_files_are_unless_a_diff_is_asked_for(run_module, check):
    large = b"# long ago\n" * 20000
    files = {"/etc/sysctl.d/zzz.conf": large + b"net.netfilter.nf_conntrack_max = 5\n"}
    wanted = {"max": 60000, "hashsize": 16384}
    without, asked = (
        run_module("conntrack_settings", FakeKernel("trixie-6.12-nat", files), wanted, check=check, diff=diff)
        for diff in (False, True)
    )
    assert len(json.dumps(without)) < 5000 and "diff" not in without
    for small, whole in zip(without["changes"], asked["changes"]):
        if whole["layer"] == "runtime":
            assert small == whole
        else:
            contents = {when: whole.pop(when) for when in ("before", "after")}
            assert small == whole
            assert all(small[when + "_bytes"] == size(content) for when, content in contents.items())
    (change,) = [change for change in without["changes"] if change["subject"] == "/etc/sysctl.d/zzz.conf"]
    assert (change["before_bytes"], change["after_bytes"]) == (len(large) + 35, len(large))
    assert [block["after"] for block in asked["diff"] if block["after_header"] == change["subject"]] == [large.decode()]


def size(text):
    return None if text is None else len(text.encode())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"max": 0}, "max is 0"),
        ({"timeouts": {"udp": "30\n"}}, "timeouts.udp is '30\\n'"),
        ({"sysctls": {"nf_conntrack_max": 5}}, "use max"),
        ({"sysctl_file": "sysctl.conf"}, "absolute path"),
        ({"sysctls": {"nf_conntrack_helper": 1}}, "this kernel"),
        ({"scope": "now"}, "must be one of"),
        ({"timeouts": "abc"}, "timeouts"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_a_bad_request_is_one_message_and_changes_nothing(run_module, arguments, words):
    kernel = FakeKernel("trixie-6.12-nat")
    before = kernel.state()
    result = run_module("conntrack_settings", kernel, arguments)
    assert result["failed"] and words in result["msg"] and "exception" not in result
    assert kernel.state() == before


def test_a_null_size_or_file_is_as_if_not_given(run_module):
    arguments = dict.fromkeys(["max", "hashsize", "sysctl_file"])
    result = run_module("conntrack_settings", FakeKernel("trixie-6.12-nat"), arguments)
    assert not result.get("failed") and not result["changed"]


def test_what_was_reverted_is_returned(run_module):
    kernel = FakeKernel("trixie-6.12-nat")
    kernel.fails = {1: HostError("write 60000 to", "/proc/x", "Input/output error")}
    result = run_module("conntrack_settings", kernel, {"max": 60000, "timeouts": {"udp": 20}})
    assert result["failed"] and "Input/output error" in result["msg"]
    assert result["reverted"] == ["nf_conntrack_max", "nf_conntrack_udp_timeout"]
    assert result["not_reverted"] == []


def test_files_of_any_bytes_can_be_returned(run_module):
    kernel = FakeKernel("trixie-6.12-nat", {"/etc/sysctl.d/zz-netops-conntrack.conf": b"# \xff\n"})
    result = run_module("conntrack_settings", kernel, {"max": 60000}, diff=True)
    assert "# \N{REPLACEMENT CHARACTER}\n" in json.dumps(result, ensure_ascii=False).replace("\\n", "\n")
    assert kernel.tree["/etc/sysctl.d/zz-netops-conntrack.conf"].startswith(b"# \xff\n")


def test_a_conflicting_line_of_any_bytes_can_be_named(run_module):
    kernel = FakeKernel(
        "trixie-6.12-nat", {"/etc/sysctl.d/zzz.conf": b"net.netfilter.nf_conntrack_max = 5 # caf\xe9\n"}
    )
    result = run_module("conntrack_settings", kernel, {"max": 100000, "conflicting_entries": "fail"})
    assert "/etc/sysctl.d/zzz.conf:1" in result["msg"]
    str(result).encode("utf-8")


UFW = {
    "/etc/ufw/ufw.conf": b"ENABLED=yes\n",
    "/etc/default/ufw": b"IPT_SYSCTL=/etc/ufw/sysctl.conf\n",
    "/etc/ufw/sysctl.conf": b"net/netfilter/nf_conntrack_max=50000\n",
}


@pytest.fixture
def warned(monkeypatch):
    """What the module warned of; Ansible itself keeps that for all modules of a process."""
    said = []
    monkeypatch.setattr(conntrack_settings.AnsibleModule, "warn", lambda _self, message: said.append(message))
    return said


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("scope", ["both", "runtime", "boot"])
def test_who_will_set_another_value_is_a_warning_each_time(run_module, warned, scope, check):
    kernel = FakeKernel("trixie-6.12-nat", UFW)
    for _time in range(2):
        result = run_module("conntrack_settings", kernel, {"max": 60000, "scope": scope}, check=check)
        (writer,) = result["writers"]
        assert (writer["writer"], writer["key"], writer["value"]) == ("ufw", "nf_conntrack_max", 50000)
        assert warned == [writer["message"]] and "and not to 60000 as asked for" in writer["message"]
        warned.clear()


@pytest.mark.parametrize(
    "arguments", [{"max": 50000}, {"timeouts": {"udp": 20}}, {"state": "absent"}, {"max": 50000, "state": "absent"}]
)
def test_who_sets_the_same_or_another_key_is_no_warning(run_module, warned, arguments):
    result = run_module("conntrack_settings", FakeKernel("trixie-6.12-nat", UFW), arguments)
    assert result["writers"] == [] and warned == []


def test_a_line_that_the_run_takes_away_warns_of_nothing(run_module, warned):
    local = {"/etc/rc.local": b"#!/bin/sh\nsysctl -p\n", "/etc/sysctl.conf": b"net.netfilter.nf_conntrack_max=5\n"}
    result = run_module("conntrack_settings", FakeKernel("trixie-6.12-nat", local), {"max": 60000})
    assert result["writers"] == [] and warned == [] and result["changed"]


def test_what_was_not_searched_is_a_warning(run_module, warned, monkeypatch):
    found = {"writers": [], "unsearched": ["/etc/cron.d: not searched"]}
    monkeypatch.setattr(writers, "against", lambda _host, _wanted, _file: found)
    result = run_module("conntrack_settings", FakeKernel("trixie-6.12-nat"), {"max": 60000})
    assert result["unsearched"] == warned == ["/etc/cron.d: not searched"]
