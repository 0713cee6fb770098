# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""All writers of a host together, and what they disagree with."""

from __future__ import annotations

import pytest
from conftest import HOST_NAMES

from ansible_collections.netops.conntrack.plugins.module_utils._boot import units, writers
from ansible_collections.netops.conntrack.plugins.module_utils._errors import Interrupted
from ansible_collections.netops.conntrack.plugins.module_utils._writers import ufw
from ansible_collections.netops.conntrack.plugins.module_utils._writers.files import Limits

MAX, BUCKETS = "nf_conntrack_max", "nf_conntrack_buckets"
SET = "net.netfilter.nf_conntrack_max=50000\n"
UNITS = "/usr/lib/systemd/system/"
SYSTEMD = {"/usr/lib/systemd/systemd": {"content": "", "mode": "0755"}}
UFW = {
    "/etc/ufw/ufw.conf": "ENABLED=yes\n",
    "/etc/default/ufw": "IPT_SYSCTL=/etc/ufw/sysctl.conf\n",
    "/etc/ufw/sysctl.conf": SET,
    UNITS + "multi-user.target": "[Unit]\nDescription=x\n",
    **SYSTEMD,
    UNITS + "ufw.service": "[Service]\nExecStart=/lib/ufw/ufw-init start quiet\n",
}
ENABLED = {"/etc/systemd/system/multi-user.target.wants/ufw.service": {"link": UNITS + "ufw.service"}}
OTHER = {"/etc/systemd/system/multi-user.target.wants/other.service": {"link": UNITS + "other.service"}}
OTHER_UNIT = {UNITS + "other.service": "[Service]\nExecStart=/bin/true\n"}
LOCAL = {"/etc/rc.local": {"content": "#!/bin/sh\nsysctl -w " + SET, "mode": "0755"}}
TUNED = {
    "/etc/tuned/active_profile": "gw\n",
    "/etc/tuned/gw/tuned.conf": "[sysctl]\nnet.netfilter.nf_conntrack_max=50000\n[net]\nnf_conntrack_hashsize=1000\n",
}
KUBE = {
    "/etc/kubernetes/manifests/kube-proxy.yaml": "command:\n- kube-proxy\n- --conntrack-max-per-core=65536\n",
    "/sys/devices/system/cpu/online": "0-1\n",
}
PVE = {"/etc/pve/firewall/cluster.fw": "[OPTIONS]\nenable: 1\n"}
IPTABLES = {
    "/etc/sysconfig/iptables-config": "IPTABLES_SYSCTL_LOAD_LIST=.nf_conntrack\n",
    "/etc/sysctl.d/50.conf": SET,
}
CREDENTIAL = {"/etc/credstore/sysctl.extra": SET}
COMMAND_LINE = {"/proc/cmdline": "ro nf_conntrack.hashsize=1000\n"}


@pytest.mark.parametrize("name", HOST_NAMES)
def test_a_recorded_host_has_no_writers_and_none_is_looked_up_in_vain(recorded_host, monkeypatch, name):
    monkeypatch.setattr(units, "find", lambda *_: 1 / 0)
    host = recorded_host(name)
    before = host.snapshot()
    found = writers.find(host)
    assert (list(found.writers), dict(found.unreadable), dict(found.left_out)) == ([], {}, {})
    assert host.snapshot() == before and not host.ran


@pytest.mark.parametrize(
    ("tree", "who"),
    [
        (UFW, {"ufw"}),
        (TUNED, {"tuned profile gw"}),
        (KUBE, {"kube-proxy"}),
        (PVE, {"pve-firewall"}),
        (IPTABLES, {"iptables"}),
        (CREDENTIAL, {"systemd credential sysctl.extra"}),
        (COMMAND_LINE, {"kernel command line"}),
        (LOCAL, {"rc.local"}),
        ({**UFW, **LOCAL, **PVE}, {"ufw", "rc.local", "pve-firewall"}),
    ],
)
def test_each_kind_is_found_by_its_own_files(recorded_host, tree, who):
    found = writers.find(recorded_host("trixie-6.12-nat", tree))
    assert {one.writer for one in found.writers} == who
    for one in found.writers:
        assert set(one.told()) == {"writer", "file", "line", "key", "value", "when", "certain", "message"}
        assert one.writer in one.message and one.path in one.message


@pytest.mark.parametrize(
    ("links", "by_itself"),
    [({**ENABLED, **OTHER, **OTHER_UNIT}, True), ({**OTHER, **OTHER_UNIT}, False), ({}, True)],
    ids=["enabled", "another unit is", "nothing is known"],
)
def test_a_unit_that_the_boot_does_not_start_does_nothing_by_itself(recorded_host, links, by_itself):
    (found,) = writers.find(recorded_host("trixie-6.12-nat", {**UFW, **links})).writers
    assert found.by_itself is by_itself


def test_a_timer_and_an_instance_count_as_started(recorded_host):
    timer = "/etc/systemd/system/timers.target.wants/tune.timer"
    instance = "/etc/systemd/system/multi-user.target.wants/set@eth0.service"
    tree = {
        **SYSTEMD,
        UNITS + "multi-user.target": "[Unit]\nRequires=basic.target\n",
        UNITS + "basic.target": "[Unit]\nWants=timers.target\n",
        UNITS + "timers.target": "[Unit]\nDescription=x\n",
        UNITS + "tune.timer": "[Timer]\nOnBootSec=1\n",
        UNITS + "tune.service": f"[Service]\nExecStart=/sbin/sysctl -w {SET}",
        UNITS + "set@.service": f"[Service]\nExecStart=/sbin/sysctl -w {SET}",
        UNITS + "never.service": f"[Service]\nExecStart=/sbin/sysctl -w {SET}",
        timer: {"link": UNITS + "tune.timer"},
        instance: {"link": UNITS + "set@.service"},
    }
    found = writers.find(recorded_host("trixie-6.12-nat", tree)).writers
    assert {one.writer: one.by_itself for one in found} == {
        "tune.service": True,
        "set@.service": True,
        "never.service": False,
    }


def test_a_search_that_was_cut_short_says_so(recorded_host):
    tree = {f"/etc/cron.d/{number}": "true\n" for number in range(20)}
    found = writers.find(recorded_host("trixie-6.12-nat", tree), Limits(files=10))
    assert found.left_out and all("past the limit of 10 files" in reason for reason in found.left_out.values())


def against(host, **wanted):
    return writers.against(host, wanted)


def test_who_sets_another_value_than_was_asked_for_is_told_with_both(recorded_host):
    told = against(recorded_host("trixie-6.12-nat", UFW), nf_conntrack_max=131072)
    (one,) = told["writers"]
    assert one["message"] == (
        "ufw sets nf_conntrack_max to 50000 when ufw starts or reloads (/etc/ufw/sysctl.conf:1), and not to 131072 as"
        " asked for, in a race with what applies sysctl.d"
    )
    assert told["unsearched"] == []


@pytest.mark.parametrize(
    ("tree", "wanted"),
    [
        (UFW, {MAX: 50000}),
        (UFW, {"nf_conntrack_acct": 1}),
        ({**UFW, **OTHER, **OTHER_UNIT}, {MAX: 131072}),
        (IPTABLES, {MAX: 131072}),
        (
            {**LOCAL, "/etc/rc.local": {"content": "sysctl -w net.netfilter.nf_conntrack_max=$M\n", "mode": "0755"}},
            {MAX: 5},
        ),
        (KUBE, {MAX: 1048576}),
        (COMMAND_LINE, {BUCKETS: 1024}),
    ],
)
def test_who_sets_the_same_or_yields_or_does_nothing_by_himself_is_not_told(recorded_host, tree, wanted):
    assert against(recorded_host("trixie-6.12-nat", tree), **wanted)["writers"] == []


def test_tuned_yields_max_to_sysctl_d_but_no_hashsize(recorded_host):
    told = against(recorded_host("trixie-6.12-nat", TUNED), nf_conntrack_max=131072, nf_conntrack_buckets=131072)
    assert [one["key"] for one in told["writers"]] == [BUCKETS]
    off = {**TUNED, "/etc/tuned/tuned-main.conf": "reapply_sysctl=0\n"}
    told = against(recorded_host("trixie-6.12-nat", off), nf_conntrack_max=131072, nf_conntrack_buckets=131072)
    assert [one["key"] for one in told["writers"]] == [MAX, BUCKETS]


def test_what_could_not_be_searched_is_told_to_root_alone(recorded_host):
    host = recorded_host("trixie-6.12-nat")
    host.denied = {"/var/spool/cron"}
    host.is_root = True
    assert against(host, nf_conntrack_max=5)["unsearched"] == ["/var/spool/cron: Permission denied"]
    host.is_root = False
    assert against(host, nf_conntrack_max=5)["unsearched"] == []


def test_nothing_is_searched_where_nothing_is_wanted(recorded_host, monkeypatch):
    monkeypatch.setattr(writers, "find", lambda *_: 1 / 0)
    assert against(recorded_host("trixie-6.12-nat", UFW)) == {"writers": [], "unsearched": []}


@pytest.mark.parametrize(
    ("sysctl_file", "keys"),
    [
        ("/etc/sysctl.d/90-mine.conf", [BUCKETS]),
        ("/usr/local/lib/sysctl.d/90-mine.conf", [MAX, BUCKETS]),
        (None, [MAX, BUCKETS]),
    ],
)
def test_tuned_yields_to_lines_of_etc_sysctl_d_alone(recorded_host, sysctl_file, keys):
    profile = f"[sysctl]\nnet.netfilter.{MAX}=50000\nnet.netfilter.{BUCKETS}=50000\n"
    host = recorded_host("trixie-6.12-nat", {**TUNED, "/etc/tuned/gw/tuned.conf": profile})
    told = writers.against(host, {MAX: 131072, BUCKETS: 131072}, sysctl_file)
    assert [one["key"] for one in told["writers"]] == keys


INSTALL = "/etc/modprobe.d/mine.conf"
RULES = "/etc/udev/rules.d/50-mine.rules"
_W = f"sysctl -w net.netfilter.{MAX}=5"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (INSTALL, f"install nf_conntrack modprobe -i nf_conntrack; if true; then {_W}; fi\n"),
        (RULES, f'KERNEL=="nf_conntrack", RUN+="/bin/sh -c \'if true; then {_W}; fi\'"\n'),
        (RULES, f'KERNEL=="nf_conntrack", ATTR{{refcnt}}=="?*", RUN+="/sbin/{_W}"\n'),
    ],
)
def test_what_is_said_about_a_load_and_cannot_be_resolved_is_told(recorded_host, path, text):
    (one,) = against(recorded_host("trixie-6.12-nat", {path: text}), nf_conntrack_max=131072)["writers"]
    assert (one["file"], one["line"], one["value"]) == (path, 1, 5)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (INSTALL, f"install nf_conntrack modprobe -i nf_conntrack; {_W}\n"),
        (INSTALL, "install nf_conntrack modprobe -i nf_conntrack && sysctl -p /etc/mine.conf\n"),
        (RULES, f'ACTION=="add", SUBSYSTEM=="module", KERNEL=="nf_conntrack", RUN+="/sbin/{_W}"\n'),
    ],
)
def test_what_is_resolved_of_a_load_is_no_other_writer(recorded_host, path, text):
    tree = {path: text, "/etc/mine.conf": SET, "/sbin/sysctl": {"content": "", "mode": "0755"}}
    assert list(writers.find(recorded_host("trixie-6.12-nat", tree)).writers) == []


def test_of_a_line_that_is_resolved_in_part_the_rest_is_told(recorded_host):
    line = f"install nf_conntrack modprobe -i nf_conntrack; sysctl -w net.netfilter.nf_conntrack_acct=1; {_W}\n"
    ends = line.replace(_W, f"if true; then {_W}; fi")
    for text, keys in ((line, []), (ends, [MAX])):
        found = writers.find(recorded_host("trixie-6.12-nat", {INSTALL: text})).writers
        assert [one.key for one in found if one.key == MAX] == keys


BAD = {
    "a duration of 400 digits": (
        {
            "/etc/kubernetes/manifests/kube-proxy.yaml": (
                f"command:\n- kube-proxy\n- --conntrack-udp-timeout={'9' * 400}h\n"
            )
        },
        "",
    ),
    "a number that is no digit": (
        {**KUBE, "/etc/kubernetes/manifests/kube-proxy.yaml": "command:\n- kube-proxy\n- --conntrack-min=\u00b2\n"},
        "",
    ),
    "a max of 5000 digits": (
        {**PVE, "/etc/pve/local/host.fw": f"[OPTIONS]\nnf_conntrack_max: {'9' * 5000}\n"},
        "",
    ),
    "a link to itself": ({"/etc/pve": {"link": "/etc/pve"}}, "/etc/pve"),
}


@pytest.mark.parametrize(("tree", "unreadable"), BAD.values(), ids=BAD)
def test_no_reader_ends_the_search(recorded_host, tree, unreadable):
    found = writers.find(recorded_host("trixie-6.12-nat", {**tree, **LOCAL}))
    assert "rc.local" in {one.writer for one in found.writers}
    assert list(found.unreadable) == ([unreadable] if unreadable else []) and not found.left_out


def test_an_error_that_nobody_thought_of_is_told_and_ends_one_reader_alone(recorded_host, monkeypatch):
    def fail(_files, _is_started):
        raise ValueError("what\nis this")

    monkeypatch.setattr(ufw, "find", fail)
    told = against(recorded_host("trixie-6.12-nat", {**UFW, **LOCAL}), nf_conntrack_max=131072)
    assert [one["writer"] for one in told["writers"]] == ["rc.local"]
    assert told["unsearched"] == ["ufw: not searched for lines that set connection tracking: ValueError: what is this"]


def test_a_signal_ends_the_search(recorded_host, monkeypatch):
    def fail(_files, _is_started):
        raise Interrupted("SIGTERM")

    monkeypatch.setattr(ufw, "find", fail)
    with pytest.raises(Interrupted):
        writers.find(recorded_host("trixie-6.12-nat", UFW))
