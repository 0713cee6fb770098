# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands that run at a load, by the rules that were taken apart. ``test_at_load`` has what they come to."""

from __future__ import annotations

import pytest
from fake_kernel import FakeKernel

from ansible_collections.netops.conntrack.plugins.module_utils._boot import at_load
from ansible_collections.netops.conntrack.plugins.module_utils._boot.load_commands import Commands
from ansible_collections.netops.conntrack.plugins.module_utils._config import drop_ins, modprobe_d, udev_files
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import ConfFile, DropIns
from ansible_collections.netops.conntrack.plugins.module_utils._own_files import UDEV_FILE

MAX = "net.netfilter.nf_conntrack_max"
LINES = {"/etc/sysctl.d/a.conf": f"{MAX} = 1\n".encode(), "/usr/lib/sysctl.d/b.conf": b"net.core.x = 1\n"}


def by_rules(kernel, text):
    rules = DropIns(udev_files.KIND, (ConfFile(UDEV_FILE, UDEV_FILE, text),), udev_files.READING)
    return list(Commands(kernel).of_rules(rules))


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("directory", ["/usr/lib/systemd", "/lib/systemd"])
def test_the_collections_own_rule_taken_apart_is_what_it_is_taken_for(is_there, directory):
    command = directory + "/systemd-sysctl --prefix=/net/netfilter"
    text = at_load.udev_rule(command)
    kernel = FakeKernel("trixie-6.12-nat", {**LINES, **({UDEV_FILE: text.encode()} if is_there else {})})
    modprobe_files = drop_ins.read(kernel, modprobe_d.KIND, modprobe_d.READING)
    taken = at_load.find(kernel, modprobe_files, command)
    apart = by_rules(kernel, text)
    assert len(apart) == 1
    assert list(taken.with_rule) == apart
    assert list(taken.found) == (apart if is_there else [])
