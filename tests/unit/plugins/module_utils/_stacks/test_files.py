# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that keep a stack out, or have the boot load it."""

from __future__ import annotations

import itertools

import pytest
from conf_files import drop_ins
from fake_modules import FakeModules
from runs import BLOCK_FILE, CONNTRACK_BLOCK, LOAD_FILE, MODULES_HEADER, NAT_BLOCK, STACK_REQUESTS, ask, fulfil, refused

from ansible_collections.netops.conntrack.plugins.module_utils._config.draft import Draft
from ansible_collections.netops.conntrack.plugins.module_utils._errors import Refused
from ansible_collections.netops.conntrack.plugins.module_utils._own_files import LOAD_TEXT, STACK_LOAD_FILES
from ansible_collections.netops.conntrack.plugins.module_utils._stacks import files
from ansible_collections.netops.conntrack.plugins.module_utils._stacks.observed import STACKS


def own_files(host):
    return [host.text(path) for path in (BLOCK_FILE, STACK_LOAD_FILES["conntrack"], STACK_LOAD_FILES["nat"])]


# --- from one state to another


@pytest.mark.parametrize(
    ("first", "second"), list(itertools.product(STACK_REQUESTS, STACK_REQUESTS)), ids=lambda r: r.stack + r.state
)
def test_no_residue_of_the_state_before(first, second):
    host = FakeModules("trixie-6.12-absent")
    fulfil(host, first)
    before = own_files(host)
    fulfil(host, second)
    fresh = FakeModules("trixie-6.12-absent")
    fulfil(fresh, second)
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
    assert fulfil(host, second)["changed"] is False
    host.reboot()
    assert fulfil(host, second)["changed"] is False


def test_what_conntrack_settings_has_the_boot_load_stays_until_tracking_is_kept_out():
    host = FakeModules("trixie-6.12-absent", {LOAD_FILE: LOAD_TEXT.encode()})
    ask(host, "conntrack", "unmanaged")
    assert host.text(LOAD_FILE) == LOAD_TEXT
    ask(host, "conntrack", "absent")
    assert host.text(LOAD_FILE) is None


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
            "/usr/lib/modules-load.d/a.conf:2 makes the boot load nf_nat_ftp",
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


# --- what is in the place of our own files


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


def test_a_block_that_nothing_would_read_is_refused():
    # No host is known on which this happens: /etc/modprobe.d hides all other directories.
    unread = Draft(drop_ins("modprobe.d", {}))
    with pytest.raises(Refused, match="nf_nat would not be blocked: nothing reads " + BLOCK_FILE):
        files._keep_out(unread, "nf_nat")


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], MODULES_HEADER),
        (["nf_nat"], NAT_BLOCK),
        (["a", "b"], MODULES_HEADER + "install a /bin/false\ninstall b /bin/false\n"),
    ],
)
def test_a_block_is_a_line_for_each_module(names, text):
    assert files.block_text(names) == text
