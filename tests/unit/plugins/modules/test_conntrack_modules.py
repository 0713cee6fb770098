# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole module, as the controller would get its result."""

from __future__ import annotations

import pytest
import yaml
from boot_services import UFW
from fake_modules import FakeModules

from ansible_collections.netops.conntrack.plugins.module_utils._boot.needs import Need
from ansible_collections.netops.conntrack.plugins.module_utils._own_files import BLOCK_FILE
from ansible_collections.netops.conntrack.plugins.module_utils._pins.find import Pin
from ansible_collections.netops.conntrack.plugins.module_utils._stacks.observed import STACKS, STATES
from ansible_collections.netops.conntrack.plugins.modules import conntrack_modules

NAT_ABSENT = {"stack": "nat", "state": "absent"}


def test_check_mode_and_diff_show_what_a_run_does(run_module):
    host = FakeModules("trixie-6.12-nat")
    before = host.state()
    predicted = run_module("conntrack_modules", host, NAT_ABSENT, check=True, diff=True)
    assert host.state() == before
    result = run_module("conntrack_modules", host, NAT_ABSENT, diff=True)
    assert result["changed"] and result["changes"] == predicted["changes"] and result["diff"] == predicted["diff"]
    assert [block["after_header"] for block in result["diff"]] == ["live kernel", BLOCK_FILE]
    assert "nf_nat = loaded" in result["diff"][0]["before"]
    assert "nf_nat = not loaded" in result["diff"][0]["after"]
    again = run_module("conntrack_modules", host, NAT_ABSENT)
    assert again["changed"] is False and again["changes"] == []


def test_every_returned_key_is_documented(run_module):
    documented = yaml.safe_load(conntrack_modules.RETURN)
    result = run_module("conntrack_modules", FakeModules("trixie-6.12-nat"), NAT_ABSENT)
    assert set(result) - {"changed", "diff", "invocation"} == set(documented) - {"reverted", "not_reverted"}
    with_contents = run_module("conntrack_modules", FakeModules("trixie-6.12-nat"), NAT_ABSENT, diff=True)
    for changes in (result["changes"], with_contents["changes"]):
        assert {name for change in changes for name in change} == set(documented["changes"]["contains"])
    assert set(documented["pins"]["contains"]) == set(Pin("x", 1).result())
    need = Need("x", "nat", "/x", None, "why", certain=True, remedy="stop it")
    assert set(documented["needed_by"]["contains"]) == set(need.result())


def test_the_documentation_names_every_choice():
    options = yaml.safe_load(conntrack_modules.DOCUMENTATION)["options"]
    assert options["stack"]["choices"] == list(STACKS) and options["state"]["choices"] == list(STATES)


def test_what_pins_a_module_is_an_error_with_its_rule(run_module):
    host = FakeModules("trixie-6.12-nat", pins={"xt_MASQUERADE": 1, "iptable_nat": 1})
    host.put("/proc/self/net/ip_tables_names", b"nat\n")
    host.put("/usr/sbin/iptables-legacy-save", b"")
    host.answers["iptables-legacy-save"] = "*nat\n-A POSTROUTING -o eth0 -j MASQUERADE\nCOMMIT\n"
    before = host.state()
    result = run_module("conntrack_modules", host, NAT_ABSENT)
    assert result["failed"] and "exception" not in result
    assert result["msg"] == (
        "NAT is in use and cannot be unloaded: iptable_nat (1 reference) and xt_MASQUERADE (1 reference):"
        " iptables-legacy, table nat, chain POSTROUTING: -A POSTROUTING -o eth0 -j MASQUERADE. Rules are never"
        " flushed: remove them, or stop and disable the service that makes them (systemctl disable --now UNIT),"
        " because an enabled service starts again at the next boot; then run this again. Nothing was changed"
    )
    assert [pin["module"] for pin in result["pins"]] == ["iptable_nat", "xt_MASQUERADE"]
    assert host.state() == before


@pytest.mark.parametrize("check", [False, True])
def test_what_a_service_will_need_is_an_error_and_force_makes_it_a_warning(run_module, check):
    host = FakeModules("trixie-6.12-nat", UFW)
    before = host.state()
    absent = {"stack": "conntrack", "state": "absent"}
    result = run_module("conntrack_modules", host, absent, check=check)
    assert result["failed"] and "exception" not in result and "ufw.service" in result["msg"]
    assert [need["unit"] for need in result["needed_by"]] == ["ufw.service"] and host.state() == before
    forced = run_module("conntrack_modules", host, {**absent, "force": True}, check=check)
    assert forced["changed"] and any("ufw.service" in warning for warning in forced["notices"])


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"stack": "nat;reboot", "state": "absent"}, "stack"),
        ({"stack": "nat", "state": "gone"}, "state"),
        ({"stack": "nat"}, "state"),
    ],
)
def test_a_wrong_request_is_one_clear_error(run_module, arguments, word):
    result = run_module("conntrack_modules", FakeModules("trixie-6.12-nat"), arguments)
    assert result["failed"] and word in result["msg"]


def test_what_a_boot_will_try_in_vain_is_a_warning(run_module):
    host = FakeModules("trixie-6.12-absent", {"/proc/cmdline": b"quiet modules_load=nf_nat\n"})
    result = run_module("conntrack_modules", host, NAT_ABSENT)
    assert result["changed"] and [warning for warning in result["warnings"] if "load nf_nat" in str(warning)]
    assert not run_module("conntrack_modules", host, dict(NAT_ABSENT, state="unmanaged")).get("warnings")
