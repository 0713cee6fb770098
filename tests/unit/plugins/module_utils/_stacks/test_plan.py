# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""conntrack_modules against recorded hosts whose modules come and go."""

from __future__ import annotations

import itertools

import pytest
from fake_modules import FakeModules

from ansible_collections.netops.conntrack.plugins.module_utils import _own_files
from ansible_collections.netops.conntrack.plugins.module_utils._errors import ApplyError, HostError, Refused
from ansible_collections.netops.conntrack.plugins.module_utils._own_files import (
    BLOCK_FILE,
    MODULES_HEADER,
    STACK_LOAD_FILES,
)
from ansible_collections.netops.conntrack.plugins.module_utils._stacks import plan as stacks_plan
from ansible_collections.netops.conntrack.plugins.module_utils._stacks.observed import (
    STACKS,
    STATES,
    Request,
)

LOADED = [
    "bullseye-5.10-nat",
    "bookworm-6.1-nat",
    "trixie-6.12-nat",
    "sid-7.2-nat",
    "el8-4.18-by-hand",
    "buster-4.19-nft-by-hand",
]
ABSENT = ["bullseye-5.10-absent", "bookworm-6.1-absent", "trixie-6.12-absent", "sid-7.2-absent"]

NAT_BLOCK = MODULES_HEADER + "install nf_nat /bin/false\n"
CONNTRACK_BLOCK = MODULES_HEADER + (
    "install nf_conntrack /bin/false\ninstall nf_nat /bin/false\n"
    "install nf_defrag_ipv4 /bin/false\ninstall nf_defrag_ipv6 /bin/false\n"
)

REQUESTS = [Request(stack, state) for stack in STACKS for state in STATES]

#: Modules of the stacks by a rule simpler than the collection's, for the hosts recorded here.
WORDS = ("conntrack", "nat", "defrag", "MASQUERADE")


def ask(host, stack, state, check=False):
    return stacks_plan.run(host, Request(stack, state), check)


def stack_of(host):
    return sorted(name for name in host.loaded if any(word in name for word in WORDS))


def own_files(host):
    return [host.text(path) for path in (BLOCK_FILE, STACK_LOAD_FILES["conntrack"], STACK_LOAD_FILES["nat"])]


def subjects(result):
    return [change["subject"] for change in result["changes"]]


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


@pytest.mark.parametrize(
    "lines",
    [
        "nf_conntrack_ipv4 1 0 - Live 0x0\nnf_nat_ipv4 1 2 ipt_MASQUERADE,iptable_nat, Live 0x0\n"
        "ipt_MASQUERADE 1 0 - Live 0x0\niptable_nat 1 0 - Live 0x0\nnf_nat 1 1 nf_nat_ipv4, Live 0x0\n"
        "nf_conntrack 1 2 nf_nat,nf_conntrack_ipv4, Live 0x0\nnf_defrag_ipv4 1 1 nf_conntrack_ipv4, Live 0x0\n",
        "ip_nat 1 1 ipt_MASQUERADE, Live 0x0\nipt_MASQUERADE 1 0 - Live 0x0\nip_conntrack 1 1 ip_nat, Live 0x0\n",
    ],
    ids=["4.18", "2.6.16"],
)
def test_modules_of_old_names_go_too(lines):
    host = FakeModules("trixie-6.12-absent", {"/proc/modules": lines.encode()})
    ask(host, "conntrack", "absent")
    assert stack_of(host) == []


def test_names_nobody_thought_of_go_in_the_order_of_the_kernel():
    lines = "zeta 1 0 - Live 0x0\nalpha 1 1 zeta, Live 0x0\nnf_conntrack 1 1 alpha, Live 0x0\n"
    host = FakeModules("trixie-6.12-absent", {"/proc/modules": lines.encode()})
    assert subjects(ask(host, "conntrack", "absent"))[1:4] == ["zeta", "alpha", "nf_conntrack"]


def test_defragmentation_that_others_use_stays():
    host = FakeModules("trixie-6.12-nat", also=["xt_TPROXY"])
    host._depends["xt_TPROXY"] = ["nf_defrag_ipv4"]
    host._show()
    ask(host, "conntrack", "absent")
    assert stack_of(host) == ["nf_defrag_ipv4"]
    assert "nf_defrag_ipv4" not in host.text(BLOCK_FILE) and "nf_defrag_ipv6" in host.text(BLOCK_FILE)
    assert ask(host, "conntrack", "absent")["changed"] is False


def test_defragmentation_that_a_bpf_program_uses_stays():
    host = FakeModules("trixie-6.12-nat", pins={"nf_defrag_ipv4": 1})
    ask(host, "conntrack", "absent")
    assert stack_of(host) == ["nf_defrag_ipv4"] and "nf_defrag_ipv4" not in host.text(BLOCK_FILE)
    assert ask(host, "conntrack", "absent")["changed"] is False


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/etc/modules-load.d/tproxy.conf", b"xt_TPROXY\n"),
        ("/etc/modules-load.d/tproxy.conf", b"nf_defrag_ipv4\n"),
        ("/proc/cmdline", b"quiet modules_load=nf-defrag-ipv4\n"),
    ],
    ids=["a module that needs it", "itself", "command line"],
)
@pytest.mark.parametrize("name", ["trixie-6.12-absent", "trixie-6.12-nat"])
def test_defragmentation_that_the_boot_loads_for_others_stays(name, path, text):
    host = FakeModules(name, {path: text})
    host.put(host.modules_dep, b"net/xt_TPROXY.ko: net/nf_defrag_ipv4.ko\n")
    host._depends["xt_TPROXY"] = ["nf_defrag_ipv4"]
    result = ask(host, "conntrack", "absent")
    assert host.read(path) == text and result["notices"] == []
    assert "nf_defrag_ipv4" not in host.text(BLOCK_FILE) and "nf_defrag_ipv6" in host.text(BLOCK_FILE)
    host.reboot()
    assert path == "/proc/cmdline" or "nf_defrag_ipv4" in host.loaded
    assert "nf_conntrack" not in host.trigger()
    assert ask(host, "conntrack", "absent")["changed"] is False


# --- from one state to another


@pytest.mark.parametrize(
    ("first", "second"), list(itertools.product(REQUESTS, REQUESTS)), ids=lambda r: r.stack + r.state
)
def test_no_residue_of_the_state_before(first, second):
    host = FakeModules("trixie-6.12-absent")
    stacks_plan.run(host, first, False)
    before = own_files(host)
    stacks_plan.run(host, second, False)
    fresh = FakeModules("trixie-6.12-absent")
    stacks_plan.run(fresh, second, False)
    expected = own_files(fresh)
    if second.stack == "nat":
        expected[1] = before[1]  # NAT is none of what loads connection tracking
        if second.state == "unmanaged" and before[0] == CONNTRACK_BLOCK:
            expected[0] = before[0]
    elif second.state == "present":
        expected[2] = before[2]
        if before[0] == NAT_BLOCK:
            expected[0] = before[0]
    assert own_files(host) == expected
    assert stacks_plan.run(host, second, False)["changed"] is False
    host.reboot()
    assert stacks_plan.run(host, second, False)["changed"] is False


@pytest.mark.parametrize(("stack", "loaded"), [("conntrack", ["nf_conntrack"]), ("nat", ["nf_conntrack", "nf_nat"])])
def test_present_is_loaded_now_and_at_boot(stack, loaded):
    host = FakeModules("trixie-6.12-absent")
    result = ask(host, stack, "present")
    assert result["modules"] == [loaded[-1]]
    assert host.loaded_of("nf_conntrack", "nf_nat") == loaded
    host.reboot()
    assert host.loaded_of("nf_conntrack", "nf_nat") == loaded


@pytest.mark.parametrize("name", ["trixie-6.12-absent", "trixie-6.12-nat"])
@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: r.stack + r.state)
def test_check_mode_predicts_what_a_run_returns(name, request_):
    host = FakeModules(name)
    predicted = stacks_plan.run(host, request_, True)
    assert stacks_plan.run(host, request_, False) == predicted


def test_what_conntrack_settings_has_the_boot_load_stays_until_tracking_is_kept_out():
    host = FakeModules("trixie-6.12-absent", {_own_files.LOAD_FILE: _own_files.LOAD_TEXT.encode()})
    ask(host, "conntrack", "unmanaged")
    assert host.text(_own_files.LOAD_FILE) == _own_files.LOAD_TEXT
    ask(host, "conntrack", "absent")
    assert host.text(_own_files.LOAD_FILE) is None


# --- what others wrote


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        (
            "/etc/modprobe.d/00-a.conf",
            b"# \xff\ninstall nf-nat /bin/true \\\n x\noptions a b=1",
            b"# \xff\noptions a b=1",
        ),
        ("/etc/modules-load.d/x.conf", b"; \xff\nnf_nat\n\n iptable-nat x=1\nloop", b"; \xff\n\nloop"),
        ("/etc/modules", b"# a\nip_nat\nloop\n", b"# a\nloop\n"),
    ],
    ids=["install", "modules-load.d", "/etc/modules"],
)
def test_lines_below_etc_that_would_undo_it_are_removed_and_no_other_byte(path, before, after):
    host = FakeModules("trixie-6.12-nat", {path: before})
    ask(host, "nat", "absent")
    assert host.read(path) == after
    assert ask(host, "nat", "absent")["changed"] is False


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("/usr/lib/modprobe.d/00-a.conf", b"\ninstall nf_nat /bin/true\n", "/usr/lib/modprobe.d/00-a.conf:2"),
        ("/etc/modprobe.d/00-a.conf", b"install nf_* /bin/true\n", "/etc/modprobe.d/00-a.conf:1"),
        (
            "/usr/lib/modules-load.d/a.conf",
            b"# \nnf_nat_ftp\n",
            "/usr/lib/modules-load.d/a.conf:2 has the boot load nf_nat_ftp",
        ),
    ],
    ids=["vendor's install", "pattern", "vendor's load"],
)
def test_lines_elsewhere_are_named_and_nothing_is_changed(path, text, words):
    host = FakeModules("trixie-6.12-nat", {path: text})
    before = host.state()
    with pytest.raises(Refused) as refused:
        ask(host, "nat", "absent")
    assert words in refused.value.message
    assert host.state() == before


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/usr/lib/modprobe.d/00-a.conf", b"install nf_nat /bin/false\n"),
        ("/etc/modprobe.d/00-a.conf", b"install nf_* /usr/bin/false 'not here'\n"),
    ],
    ids=["vendor's", "pattern"],
)
def test_what_others_wrote_that_keeps_nat_out_as_well_may_stay(path, text):
    host = FakeModules("trixie-6.12-absent", {path: text})
    result = ask(host, "nat", "absent")
    assert host.read(path) == text and host.text(BLOCK_FILE) == NAT_BLOCK
    assert result["blocked"]["nat"] == {"file": path, "line": 1}
    assert "nf_nat" not in host.trigger()


def test_modules_that_need_the_stack_are_told_by_modules_dep():
    release = FakeModules("trixie-6.12-nat").read_value("/proc/sys/kernel/osrelease")
    host = FakeModules(
        "trixie-6.12-nat",
        {
            "/lib": None,
            f"/lib/modules/{release}/modules.dep": b"kernel/a/odd-one.ko.xz: kernel/b/nf_nat.ko.xz\n",
            "/etc/modules-load.d/x.conf": b"odd_one\nother\n",
        },
    )
    ask(host, "nat", "absent")
    assert host.text("/etc/modules-load.d/x.conf") == "other\n"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/etc/modprobe.d/x.conf", b"install nf_conntrack /bin/false\n"),
        ("/etc/modprobe.d/x.conf", b"blacklist nf-conntrack\n"),
    ],
    ids=["install", "blacklist"],
)
def test_present_lifts_what_others_wrote_below_etc(path, text):
    host = FakeModules("trixie-6.12-absent", {path: text})
    ask(host, "conntrack", "present")
    assert host.text(path) == ""


def test_present_keeps_an_install_of_the_same_module_that_loads_it():
    own = b"install nf_nat /sbin/modprobe --ignore-install nf_nat && /usr/local/sbin/nat-up\n"
    host = FakeModules("trixie-6.12-nat", {"/etc/modprobe.d/x.conf": b"install nf_nat /bin/false\n" + own})
    ask(host, "nat", "present")
    assert host.read("/etc/modprobe.d/x.conf") == own


def test_present_names_a_block_elsewhere():
    host = FakeModules("trixie-6.12-absent", {"/usr/lib/modprobe.d/x.conf": b"install nf_conntrack /bin/false\n"})
    with pytest.raises(Refused) as refused:
        ask(host, "conntrack", "present")
    assert "/usr/lib/modprobe.d/x.conf:1" in refused.value.message


@pytest.mark.parametrize(
    ("stack", "words", "is_kept_out"),
    [
        ("nat", "modprobe.blacklist=loop,nf-nat", True),
        ("nat", "modprobe.blacklist=nf_conntrack", False),
        ("nat", "module_blacklist=nf_nat", True),
        ("nat", "module_blacklist=loop,nf_conntrack", True),
        ("nat", "module_blacklist=nf_nat_ftp blacklist=nf_nat", False),
        ("conntrack", "module-blacklist=nf_defrag_ipv6", True),
        ("conntrack", "module_blacklist=nf_nat modprobe.blacklist=nf_nat", False),
    ],
)
def test_present_names_a_blacklist_on_the_kernel_command_line(stack, words, is_kept_out):
    host = FakeModules("trixie-6.12-absent", {"/proc/cmdline": f"quiet {words} ro\n".encode()})
    if is_kept_out:
        message = refused(host, stack, "present").message
        assert "/proc/cmdline" in message and words in message
    else:
        assert ask(host, stack, "present")["changed"] is True
    assert ask(host, stack, "absent")["changed"] is True


def test_the_kernel_command_line_is_warned_of():
    host = FakeModules("trixie-6.12-absent", {"/proc/cmdline": b"quiet modules-load=loop,nf_nat\n"})
    assert "load nf_nat" in ask(host, "nat", "absent")["notices"][0]
    assert ask(host, "nat", "unmanaged")["notices"] == []


# --- refusals


def refused(host, stack="conntrack", state="absent", check=False):
    before = host.state()
    with pytest.raises(Refused) as caught:
        ask(host, stack, state, check)
    assert host.state() == before
    return caught.value


@pytest.mark.parametrize("stack", STACKS)
def test_what_is_built_in_cannot_go(stack):
    assert "fixed part of this kernel" in refused(FakeModules("linux-6.18-built-in"), stack).message


@pytest.mark.parametrize("modules", [None, b"", b"loop 1 0 - Live 0x0\n"], ids=["no modules", "none loaded", "some"])
def test_nat_is_built_in_where_tracking_is_and_no_list_says_otherwise(modules):
    host = FakeModules("linux-6.18-built-in", {} if modules is None else {"/proc/modules": modules})
    assert "nf_nat is a fixed part of this kernel" in refused(host, "nat").message
    host.put(host.modules_dep.replace("modules.dep", "modules.builtin"), b"kernel/net/netfilter/nf_conntrack.ko\n")
    host.put("/proc/modules", b"")
    assert ask(host, "nat", "absent")["changed"] is True


def test_what_is_built_in_is_present():
    host = FakeModules("linux-6.18-built-in")
    assert ask(host, "conntrack", "present")["changed"] is False


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
    assert "the files of the running kernel 6.12." in message and words in message and "reboot first" in message
    assert ask(host, "nat", "unmanaged")["changed"] is False


def test_a_masked_file_of_our_own_is_named():
    assert BLOCK_FILE in refused(FakeModules("trixie-6.12-nat", {BLOCK_FILE: "/dev/null"})).message


@pytest.mark.parametrize("target", ["/dev/null", "/srv/nowhere"])
@pytest.mark.parametrize("path", [BLOCK_FILE, *STACK_LOAD_FILES.values()])
@pytest.mark.parametrize("stack", STACKS)
def test_a_link_to_nothing_in_the_place_of_our_own_file_is_nothing_to_take_away(stack, path, target):
    host = FakeModules("trixie-6.12-absent", {path: target})
    before = host.state()
    assert ask(host, stack, "unmanaged")["changed"] is False
    assert host.state() == before
    if path != BLOCK_FILE:
        ask(host, stack, "absent")
        assert host.tree[path] == target
        assert ask(host, stack, "absent")["changed"] is False


@pytest.mark.parametrize(
    ("path", "state"),
    [
        (BLOCK_FILE, "absent"),
        (STACK_LOAD_FILES["nat"], "present"),
    ],
    ids=["block", "load"],
)
def test_our_own_file_may_be_a_link(path, state):
    host = FakeModules("trixie-6.12-absent", {path: "/etc/site.conf", "/etc/site.conf": b"# nothing\n"})
    ask(host, "nat", state)
    assert host.text("/etc/site.conf").startswith(MODULES_HEADER) and host.tree[path] == "/etc/site.conf"
    ask(host, "nat", "unmanaged")
    assert host.tree[path] == "/etc/site.conf" and "/etc/site.conf" not in host.tree
    assert ask(host, "nat", "unmanaged")["changed"] is False
    ask(host, "nat", state)
    assert host.text("/etc/site.conf").startswith(MODULES_HEADER)


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
    assert "What can be done instead" in error.message and "then run this again" not in error.message
    assert "mlx5_core: it drives devices of this host (pci:mlx5_core)" in error.message
    assert error.details["pins"][0]["module"] == "mlx5_core"


def test_a_pin_that_cannot_be_found_is_unknown_with_its_references():
    error = refused(FakeModules("trixie-6.12-nat", pins={"xt_conntrack": 3}))
    assert "xt_conntrack (3 references): unknown" in error.message
    assert "ipvsadm -Ln" in error.message and "never flushed" not in error.message


def test_a_reference_that_goes_away_is_waited_for():
    host = FakeModules("trixie-6.12-nat", pins={"nf_conntrack_netlink": 1})
    host.momentary.add("nf_conntrack_netlink")
    ask(host, "conntrack", "absent")
    assert stack_of(host) == []


# --- failures


@pytest.mark.parametrize("late", [False, True], ids=["without effect", "with effect"])
@pytest.mark.parametrize("name", ["trixie-6.12-nat", "el8-4.18-by-hand"])
@pytest.mark.parametrize(("stack", "state"), [("nat", "absent"), ("conntrack", "absent"), ("nat", "present")])
def test_a_failure_at_any_step_leaves_modules_and_files_as_they_were(name, stack, state, late):
    def fresh():
        host = FakeModules(
            name, {"/etc/modules-load.d/x.conf": b"nf_nat\n", BLOCK_FILE: b"install nf_nat /bin/false\n"}
        )
        if state == "present":
            host.reboot()
        return host

    whole = fresh()
    ask(whole, stack, state)
    assert whole.steps > 2
    for step in range(whole.steps):
        host = fresh()
        before, loaded = host.state(), host.loaded
        host.fails, host.fails_late = {step: HostError("do", "it", "no")}, late
        with pytest.raises(ApplyError) as failed:
            ask(host, stack, state)
        assert failed.value.details["not_reverted"] == []
        assert host.loaded == loaded
        assert {path: entry for path, entry in host.state().items() if path.startswith("/etc")} == {
            path: entry for path, entry in before.items() if path.startswith("/etc")
        }


OFF = {"/etc/modprobe.d/x.conf": b"alias nf_nat off\n"}


def test_a_load_that_loads_nothing_is_a_failure():
    host = FakeModules("trixie-6.12-absent", OFF)
    before = host.state()
    with pytest.raises(ApplyError) as failed:
        ask(host, "nat", "present")
    assert "cannot load nf_nat: modprobe loads nothing" in failed.value.message
    assert "modprobe --showconfig" in failed.value.message and failed.value.details["not_reverted"] == []
    assert host.state() == before


def test_a_module_that_does_not_come_back_is_named():
    host = FakeModules("trixie-6.12-nat", OFF)
    last = len(subjects(ask(host, "nat", "absent", check=True))) - 1
    host.fails, host.fails_late = {last: HostError("do", "it", "no")}, True
    with pytest.raises(ApplyError) as failed:
        ask(host, "nat", "absent")
    assert "nf_nat" not in host.loaded
    assert any("cannot load nf_nat" in why for why in failed.value.details["not_reverted"])
    assert "The host is as it was before" not in failed.value.message


@pytest.mark.parametrize("module", ["nf_conntrack", "nf_nat"])
def test_a_load_that_fails_half_way_takes_back_what_came_with_it_and_no_more(module):
    install = f"install {module} /usr/bin/it\n".encode()
    host = FakeModules("trixie-6.12-absent", {"/etc/modprobe.d/x.conf": install}, also=["nf_defrag_ipv6"])
    loaded = host.loaded
    with pytest.raises(ApplyError) as failed:
        ask(host, "nat", "present")
    assert "The host is as it was before" in failed.value.message
    assert host.loaded == loaded


def test_a_module_that_others_loaded_in_the_meantime_stays():
    host = FakeModules("trixie-6.12-absent")
    host.fails, host.fails_late = {2: HostError("do", "it", "no")}, True
    load = host.modprobe_by_name
    host.modprobe_by_name = lambda *arguments: (host._insert_all("usb_storage"), load(*arguments))
    with pytest.raises(ApplyError):
        ask(host, "nat", "present")
    assert "usb_storage" in host.loaded and "nf_conntrack" not in host.loaded
