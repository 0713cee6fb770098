# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What sets values at a load.

It is compared with the programs themselves, for generated trees, by the scenario ``boot``.
"""

from __future__ import annotations

import pytest
from fake_kernel import FakeKernel
from hypothesis import given
from hypothesis import strategies as st
from runs import SYSCTL_FILE, UDEV_FILE, refusal, tune

from ansible_collections.netops.conntrack.plugins.module_utils._boot import at_load
from ansible_collections.netops.conntrack.plugins.module_utils._config import drop_ins, modprobe_d

HOST = "trixie-6.12-nat"
COMMAND = "/usr/lib/systemd/systemd-sysctl --prefix=/net/netfilter"
MAX = "net.netfilter.nf_conntrack_max"
FIREWALLD = "/usr/lib/modprobe.d/firewalld-sysctls.conf"
INSTALL = (
    b"install nf_conntrack modprobe --ignore-install nf_conntrack $CMDLINE_OPTS"
    b" && sysctl --quiet --pattern 'net[.]netfilter[.]nf_conntrack.*' --system\n"
)


def find(files, command=COMMAND):
    kernel = FakeKernel(HOST, files)
    return at_load.find(kernel, drop_ins.read(kernel, modprobe_d.KIND, modprobe_d.READING), command)


def rule(program):
    return f'ACTION=="add", SUBSYSTEM=="module", KERNEL=="nf_conntrack", RUN+="{program}"\n'.encode()


def written(appliers):
    return [str(origin) for applier in appliers for origin in applier.writes(MAX)]


LINES = {
    "/etc/sysctl.d/a.conf": f"{MAX} = 1\n".encode(),
    "/etc/sysctl.d/.hidden.conf": f"{MAX} = 2\n".encode(),
    "/etc/sysctl.conf": f"# a\n{MAX} = 3\n".encode(),
    "/etc/other.conf": f"{MAX} = 4\n".encode(),
}
A, HIDDEN = "/etc/sysctl.d/a.conf:1 (1)", "/etc/sysctl.d/.hidden.conf:1 (2)"
CONF, OTHER = "/etc/sysctl.conf:2 (3)", "/etc/other.conf:1 (4)"


@pytest.mark.parametrize(
    ("files", "by", "writes"),
    [
        ({}, [], []),
        ({FIREWALLD: INSTALL}, ["modprobe"], [HIDDEN, A, CONF]),
        ({FIREWALLD: b"install nf_conntrack /bin/false sysctl --system\n"}, [], []),
        ({FIREWALLD: INSTALL, "/etc/modprobe.d/a.conf": b"install nf_conntrack modprobe -i nf_conntrack\n"}, [], []),
        ({UDEV_FILE: rule(COMMAND)}, ["udev"], [A]),
        ({UDEV_FILE: rule("/sbin/sysctl -p /etc/other.conf")}, ["udev"], [OTHER]),
        ({UDEV_FILE: rule("/sbin/sysctl -p /etc/oth*.conf /etc/sysctl.conf")}, ["udev"], [OTHER, CONF]),
        ({UDEV_FILE: rule("/sbin/sysctl -p /no/such.conf")}, ["udev"], []),
        ({UDEV_FILE: rule("/sbin/sysctl -p relative.conf")}, [], []),
        ({UDEV_FILE: rule("/lib/systemd/systemd-sysctl a.conf no.conf")}, ["udev"], [A]),
        ({UDEV_FILE: rule("/lib/systemd/systemd-sysctl no.conf")}, ["udev"], []),
        ({UDEV_FILE: b"# a\n" + rule(f"/sbin/sysctl {MAX}=5")}, ["udev"], [UDEV_FILE + ":2 (5)"]),
        ({UDEV_FILE: rule("sysctl --system")}, [], []),
        # What regcomp(3) and Python may read differently is not told.
        ({UDEV_FILE: rule("/sbin/sysctl --pattern '[[:alpha:]]' --system")}, [], []),
        ({UDEV_FILE: rule("/sbin/sysctl --pattern '(' --system")}, [], []),
    ],
)
def test_what_a_load_writes_is_what_the_commands_write_that_run_then(files, by, writes):
    found = find({**LINES, **files}).found
    assert [applier.by for applier in found] == by
    assert written(found) == writes


def test_the_collections_own_rule_is_thought_into_its_place_among_the_others():
    first, last = "/etc/udev/rules.d/10-a.rules", "/usr/lib/udev/rules.d/zz.rules"
    files = {first: rule(f"/sbin/sysctl {MAX}=5"), last: rule(f"/sbin/sysctl {MAX}=6")}
    loads = find({**LINES, **files})
    assert [applier.path for applier in loads.found] == [first, last]
    assert [applier.path for applier in loads.with_rule] == [first, UDEV_FILE, last]
    # A rule that clears the list of what is to be run takes ours with it; where there can be no rule, none is thought.
    clears = {last: rule("").replace(b"RUN+=", b"RUN=")}
    assert [applier.path for applier in find({**LINES, **clears}).with_rule] == []
    assert find({**LINES, **files}, "").with_rule == loads.found


@given(st.sampled_from([*sorted(LINES), "/etc/new.conf"]), st.sampled_from([None, "", f"{MAX} = 9\n", f"# {MAX}\n"]))
def test_a_file_with_another_text_is_as_if_it_had_been_there(path, text):
    appliers = {FIREWALLD: INSTALL, UDEV_FILE: rule("/sbin/sysctl -p /etc/other.conf /etc/new.conf")}
    then = {other: lines for other, lines in LINES.items() if other != path}
    if text is not None:
        then[path] = text.encode()
    changed, there = find({**LINES, **appliers}).with_text(path, text), find({**then, **appliers})
    assert written(changed.found) == written(there.found)
    assert written(changed.with_rule) == written(there.with_rule)
    assert written(changed.with_text(path, None).with_text(path, text).found) == written(there.found)


@pytest.mark.parametrize("is_read", [True, False])
def test_beside_firewalld_a_value_holds_at_loads_since_lines_that_it_would_apply_go(is_read):
    link = {"/etc/sysctl.d/99-sysctl.conf": "../sysctl.conf"} if is_read else {}
    kernel = FakeKernel(HOST, {FIREWALLD: INSTALL, "/etc/sysctl.conf": f"{MAX} = 65536\n".encode(), **link})
    tune(kernel, max=60000)
    assert kernel.text("/etc/sysctl.conf") == ""
    loads = at_load.find(kernel, drop_ins.read(kernel, modprobe_d.KIND, modprobe_d.READING), COMMAND)
    assert set(written(loads.found)) == {SYSCTL_FILE + ":2 (60000)"}
    assert not tune(kernel, max=60000)["changed"]


@pytest.mark.parametrize(
    ("files", "place"),
    [
        # procps reads what systemd-sysctl does not.
        ({FIREWALLD: INSTALL, "/usr/lib/sysctl.d/.zzz.conf": f"{MAX} = 5\n".encode()}, "/usr/lib/sysctl.d/.zzz.conf:1"),
        ({FIREWALLD: INSTALL.replace(b"--system", b"-w " + MAX.encode() + b"=5")}, FIREWALLD + ":1 (5)"),
        ({"/usr/lib/udev/rules.d/zz.rules": rule(f"/sbin/sysctl {MAX}=5")}, "/usr/lib/udev/rules.d/zz.rules:1 (5)"),
    ],
)
def test_what_a_load_would_set_to_something_else_is_refused_and_named(files, place):
    if ".zzz" in place:
        # Of two files of one program the last by name wins, and a dot sorts first.
        files[FIREWALLD] = files[FIREWALLD].replace(b"--system", b"-p /usr/lib/sysctl.d/.zzz.conf")
    refusal(FakeKernel(HOST, files), MAX + " would not be 60000", place, max=60000)


def test_a_rule_before_ours_is_outranked():
    kernel = FakeKernel(HOST, {"/etc/udev/rules.d/10-a.rules": rule(f"/sbin/sysctl {MAX}=5")})
    tune(kernel, max=60000)
    assert not tune(kernel, max=60000)["changed"]
