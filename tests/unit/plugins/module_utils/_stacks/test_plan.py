# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""conntrack_modules as a whole, against recorded hosts whose modules come and go."""

from __future__ import annotations

import pytest
from fake_modules import FakeModules
from runs import BLOCK_FILE, CONNTRACK_BLOCK, NAT_BLOCK, STACK_REQUESTS, ask, fulfil, refused, stack_of

from ansible_collections.netops.conntrack.plugins.module_utils._stacks.observed import STACKS

LOADED = [
    "bullseye-5.10-nat",
    "bookworm-6.1-nat",
    "trixie-6.12-nat",
    "sid-7.2-nat",
    "el8-4.18-by-hand",
    "buster-4.19-nft-by-hand",
]
ABSENT = ["bullseye-5.10-absent", "bookworm-6.1-absent", "trixie-6.12-absent", "sid-7.2-absent"]

# --- without the stack


@pytest.mark.parametrize("name", LOADED)
def test_without_nat_connection_tracking_stays(name):
    host = FakeModules(name)
    tracking = [module for module in stack_of(host) if "nat" not in module and "MASQ" not in module]
    result = ask(host, "nat", "absent")
    assert stack_of(host) == tracking
    assert host.text(BLOCK_FILE) == NAT_BLOCK
    assert result["blocked"] == {"nat": {"file": BLOCK_FILE, "line": 2}, "conntrack": None}
    assert result["modules"] == [] and result["pins"] == []
    assert "iptable_nat" not in host.trigger() and "nf_nat" not in host.loaded
    assert not ask(host, "nat", "absent")["changes"]


@pytest.mark.parametrize("name", LOADED + ABSENT)
def test_without_connection_tracking_nothing_of_it_is_loaded_again(name):
    host = FakeModules(name)
    predicted = ask(host, "conntrack", "absent", check=True)
    assert host.ran == [] or all(not words.startswith(("rmmod", "modprobe")) for words in host.ran)
    result = ask(host, "conntrack", "absent")
    assert result["changes"] == predicted["changes"]
    assert stack_of(host) == [] and host.text(BLOCK_FILE) == CONNTRACK_BLOCK
    assert host.trigger() == []
    assert ask(host, "conntrack", "absent")["changed"] is False
    host.reboot()
    assert host.trigger() == []
    assert ask(host, "conntrack", "absent")["changed"] is False


# --- with the stack


@pytest.mark.parametrize(("stack", "loaded"), [("conntrack", ["nf_conntrack"]), ("nat", ["nf_conntrack", "nf_nat"])])
def test_present_is_loaded_now_and_at_boot(stack, loaded):
    host = FakeModules("trixie-6.12-absent")
    result = ask(host, stack, "present")
    assert result["modules"] == [loaded[-1]]
    assert host.loaded_of("nf_conntrack", "nf_nat") == loaded
    host.reboot()
    assert host.loaded_of("nf_conntrack", "nf_nat") == loaded


@pytest.mark.parametrize("name", ["trixie-6.12-absent", "trixie-6.12-nat"])
@pytest.mark.parametrize("request_", STACK_REQUESTS, ids=lambda r: r.stack + r.state)
def test_check_mode_predicts_what_a_run_returns(name, request_):
    host = FakeModules(name)
    predicted = fulfil(host, request_, check=True)
    assert fulfil(host, request_) == predicted


def test_the_kernel_command_line_is_warned_of():
    host = FakeModules("trixie-6.12-absent", {"/proc/cmdline": b"quiet modules-load=loop,nf_nat\n"})
    assert "load nf_nat" in ask(host, "nat", "absent")["notices"][0]
    assert ask(host, "nat", "unmanaged")["notices"] == []


def test_what_is_built_in_is_present():
    host = FakeModules("linux-6.18-built-in")
    assert ask(host, "conntrack", "present")["changed"] is False


# --- refusals


@pytest.mark.parametrize("stack", STACKS)
def test_what_is_built_in_cannot_go(stack):
    assert "built into this kernel" in refused(FakeModules("linux-6.18-built-in"), stack).message


def test_a_container_is_told_to_go_to_the_host():
    host = FakeModules("trixie-6.12-nat")
    host.tree.pop("/proc/sys/net/core/dev_weight")
    assert "run this on the host itself" in refused(host).message


def test_root_is_asked_for():
    host = FakeModules("trixie-6.12-nat")
    host.is_root = False
    assert "become: true" in refused(host).message
    assert host.ran == []


#: CapEff of a container's root: all but CAP_SYS_MODULE and a few others.
CONTAINED = {"/proc/self/status": b"Name:\tpython3\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\n"}
LOCKED = {"/proc/sys/kernel/modules_disabled": b"1\n"}


@pytest.mark.parametrize("name", ["trixie-6.12-nat", "trixie-6.12-absent"])
@pytest.mark.parametrize("state", ["absent", "present"])
def test_a_container_in_the_network_of_its_host_is_told_to_go_to_the_host(name, state):
    host = FakeModules(name, CONTAINED)
    del host.tree[host.modules_dep]
    for check in (True, False):
        message = refused(host, "nat", state, check).message
        assert "run this on the host itself" in message and "CAP_SYS_MODULE" in message
    assert host.ran == []


def test_root_with_every_capability_may_change_modules():
    host = FakeModules("trixie-6.12-nat", {"/proc/self/status": b"CapEff:\t000001ffffffffff\n"})
    assert ask(host, "nat", "absent")["changed"] is True


@pytest.mark.parametrize(
    ("name", "state", "word"),
    [
        ("trixie-6.12-nat", "absent", "unloaded"),
        ("trixie-6.12-absent", "present", "loaded"),
    ],
)
def test_a_kernel_that_takes_no_more_modules_is_left_alone(name, state, word):
    host = FakeModules(name, LOCKED, pins={"nft_ct": 1})
    for check in (True, False):
        message = refused(host, "nat", state, check).message
        assert "kernel.modules_disabled" in message and "cannot be " + word in message and "reboot" in message
    assert host.ran == []


def test_files_are_written_where_no_module_has_to_be_loaded_or_unloaded():
    host = FakeModules("trixie-6.12-absent", dict(LOCKED, **{"/proc/self/status": b"CapEff:\t000001ffffffffff\n"}))
    assert ask(host, "nat", "absent")["changed"] is True
    assert host.text(BLOCK_FILE) == NAT_BLOCK


def test_kmod_is_asked_for():
    host = FakeModules("trixie-6.12-nat")
    for path in ("/usr/sbin/modprobe", "/sbin/modprobe"):
        host.tree.pop(path, None)
    assert "install the package kmod" in refused(host).message


@pytest.mark.parametrize(
    ("name", "state", "words"),
    [
        ("trixie-6.12-nat", "absent", "a failure could not be undone"),
        ("trixie-6.12-absent", "present", "nothing can be loaded"),
    ],
)
def test_a_kernel_whose_files_are_gone_is_left_alone(name, state, words):
    host = FakeModules(name)
    del host.tree[host.modules_dep]
    message = refused(host, "nat", state).message
    assert "the module files of the running kernel 6.12." in message and words in message and "reboot first" in message
    assert ask(host, "nat", "unmanaged")["changed"] is False


def test_a_driver_of_the_network_card_is_never_unloaded():
    host = FakeModules(
        "trixie-6.12-nat", {"/sys/module/mlx5_core/drivers/pci:mlx5_core": "/sys/bus"}, also=["mlx5_core"]
    )
    host._depends["mlx5_core"] = ["nf_conntrack"]
    host._show()
    host.pins = {"nft_ct": 1}
    host._insert_all("nft_ct")
    host._show()
    host.answers = {"nft -s list ruleset": "table inet t {\n\tchain c {\n\t\tct state new accept\n\t}\n}\n"}
    error = refused(host)
    assert "What you can do instead" in error.message and "then run this again" not in error.message
    assert "mlx5_core: it drives devices of this host (pci:mlx5_core)" in error.message
    assert error.details["pins"][0]["module"] == "mlx5_core"


def test_services_that_are_known_to_hold_modules_are_named_beside_a_pin():
    host = FakeModules("trixie-6.12-nat", {"/proc/7/comm": b"dockerd\n"}, pins={"xt_conntrack": 3})
    assert "Running here, and known to use it: docker." in refused(host).message


def test_a_pin_that_cannot_be_found_is_unknown_with_its_references():
    error = refused(FakeModules("trixie-6.12-nat", pins={"xt_conntrack": 3}))
    assert "xt_conntrack (3 references): unknown" in error.message
    assert "ipvsadm -Ln" in error.message and "never flushed" not in error.message
