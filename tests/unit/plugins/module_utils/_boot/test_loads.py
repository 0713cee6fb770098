# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a boot makes of the lines that have it load modules.

Names were looked up by kmod 30 among Debian's 6.1 modules.
"""

from __future__ import annotations

import pytest
from fake_kernel import FakeKernel

from ansible_collections.netops.conntrack.plugins.module_utils._boot import loads, outcome
from ansible_collections.netops.conntrack.plugins.module_utils._config import drop_ins, modprobe_d
from ansible_collections.netops.conntrack.plugins.module_utils._facts import persistent

HOST = "bookworm-6.1-absent"
MODULES = "/usr/lib/modules/" + (FakeKernel(HOST).read_value("/proc/sys/kernel/osrelease") or "")
KERNEL = {
    MODULES + "/modules.dep": b"kernel/net/netfilter/nf_conntrack.ko: kernel/net/ipv4/netfilter/nf_defrag_ipv4.ko\n"
    b"kernel/net/netfilter/nf_nat.ko: kernel/net/netfilter/nf_conntrack.ko\n"
    b"kernel/net/ipv4/netfilter/iptable_nat.ko.xz: kernel/net/netfilter/nf_nat.ko.xz "
    b"kernel/net/netfilter/nf_conntrack.ko.xz\n",
    MODULES + "/modules.alias": b"# Aliases\nalias nf_conntrack-10 nf_conntrack\nalias nf_conntrack-2 nf_conntrack\n"
    b"alias ip_conntrack nf_conntrack\nalias pci:v*d*sv* xt_x\nalias ipt_MASQUERADE xt_MASQUERADE\n",
    MODULES + "/modules.builtin": b"kernel/net/packet/af_packet.ko\n",
}
#: A host that boots by an init script of kmod.
BY_SCRIPT = {"/usr/sbin/init": b"", "/etc/init.d/procps": b"", "/usr/sbin/sysctl": b"", "/usr/bin/udevadm": b""}


def host(*changes):
    files = dict(KERNEL)
    for change in changes:
        files.update(change)
    kernel = FakeKernel(HOST, files)
    if any("/usr/sbin/init" in change for change in changes):
        kernel.tree.pop("/run/systemd/system", None)
    return kernel


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("nf_conntrack", {"nf_conntrack"}),
        ("ip_conntrack", {"nf_conntrack"}),
        ("nf_conntrack_2", {"nf_conntrack"}),
        ("iptable_nat", {"iptable_nat"}),
        ("ipt_MASQUERADE", {"xt_MASQUERADE"}),
        ("af_packet", {"af_packet"}),
        ("nf_conntrack_ipv4", set()),
        ("nf_conntrack hashsize=5", set()),
        ("options nf_conntrack hashsize=5", set()),
        ("mine", {"nf_conntrack"}),
    ],
)
def test_a_name_is_looked_up_as_kmod_does(name, modules):
    kernel = host({"/etc/modprobe.d/a.conf": b"alias mi?e nf-conntrack\n"})
    files = drop_ins.read(kernel, modprobe_d.KIND, modprobe_d.READING)
    assert loads.resolve(kernel, MODULES.rpartition("/")[2], files, [name]) == {name: frozenset(modules)}


LINE = {"/etc/sysctl.d/a.conf": b"net.netfilter.nf_conntrack_max = 4096\n"}


@pytest.mark.parametrize(
    ("line", "loads_it"),
    [
        ("nf_conntrack", True),
        ("  nf-conntrack \r", True),
        ("ip_conntrack", True),
        ("iptable_nat", True),
        ("nf_conntrack_ipv4", False),
        ("nf_conntrack hashsize=65536", False),
        ("options nf_conntrack hashsize=65536", False),
    ],
)
def test_a_line_counts_for_what_it_loads_and_one_that_loads_nothing_is_told(line, loads_it):
    path = "/etc/modules-load.d/a.conf"
    found = persistent.gather(host(LINE, {path: f"# a\n{line}\n".encode()}))
    told = [(item["file"], item["line"], item["value"]) for item in found["drift"] if item["kind"] == "not_loaded"]
    assert told == ([] if loads_it else [(path, 2, line)])
    assert any(item["kind"] == "not_at_load" for item in found["drift"]) is not loads_it


def test_what_is_no_line_for_nf_conntrack_is_not_told_and_etc_modules_is_read_where_a_link_leads_to_it():
    others = {"/etc/modules-load.d/a.conf": b"no_such_module\n# nf_conntrack hashsize=5\nloop max_loop=8\n"}
    assert persistent.gather(host(others))["drift"] == []
    lines = {"/etc/modules": b"nf_conntrack_ipv4\n"}
    kernel = host(lines)
    assert [item["kind"] for item in persistent.gather(kernel)["drift"]] == ["not_loaded"]
    del kernel.tree["/etc/modules-load.d/modules.conf"]
    assert persistent.gather(kernel)["drift"] == []


ALIAS_OPTION = {"/etc/modprobe.d/zzz.conf": b"options nf_conntrack hashsize=4096\noptions ip-conntrack hashsize=8192\n"}


def test_options_of_an_alias_count_where_the_boot_loads_the_module_by_it():
    by_alias = {"/etc/modules-load.d/a.conf": b"ip_conntrack\n"}
    assert outcome.hashsize_at_load(outcome.observe(host(ALIAS_OPTION, by_alias))) == 8192
    for other in ({}, {"/etc/modules-load.d/a.conf": b"nf_conntrack\nip_conntrack\n"}):
        assert outcome.hashsize_at_load(outcome.observe(host(ALIAS_OPTION, other))) == 4096


def test_parameters_in_etc_modules_count_where_an_init_script_loads_it():
    lines = {
        "/etc/modules": b"nf_conntrack hashsize=16384 acct=1\n",
        "/etc/modprobe.d/a.conf": b"options nf_conntrack hashsize=4096\n",
    }
    kernel = host(lines, BY_SCRIPT)
    del kernel.tree["/etc/modules-load.d/modules.conf"]
    found = persistent.gather(kernel)
    assert found["persistent"]["nf_conntrack_buckets"] == {"boot": 16384, "file": "/etc/modules", "line": 1}
    assert not [item for item in found["drift"] if item["kind"] == "not_loaded"]
    assert persistent.gather(host(lines))["persistent"]["nf_conntrack_buckets"]["boot"] == 4096
