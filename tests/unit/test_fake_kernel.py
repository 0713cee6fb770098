# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel double answers as kernels do."""

from __future__ import annotations

import pytest
from fake_kernel import ALIAS, HASHSIZE, MAX, FakeKernel
from fake_modules import FakeModules
from runs import live, tune

from ansible_collections.netops.conntrack.plugins.module_utils._host import Host


def test_the_double_has_both_doors_to_each_size():
    kernel = FakeKernel("trixie-6.12-nat")
    with kernel.lock():
        kernel.write_value(HASHSIZE, "1000")
        kernel.write_value(ALIAS, "5000")
    assert live(kernel, "buckets", "max") == (1024, 5000)
    assert kernel.text(MAX) == "5000\n" and kernel.text(HASHSIZE) == "1024\n"


def test_the_double_applies_a_late_rule_when_it_is_waited_for_or_the_run_has_ended():
    kernel = FakeKernel("trixie-6.12-absent", late_udev=True)
    tune(kernel, max=100000, timeouts={"udp": 20})
    with kernel.lock():
        kernel.run(["modprobe", "nf_conntrack"])
        assert live(kernel, "udp_timeout") == (30,)
        kernel.run(["udevadm", "settle", "--timeout=5"])
        assert live(kernel, "udp_timeout") == (20,)
        kernel.run(["rmmod", "nf_conntrack"])
        kernel.run(["modprobe", "nf_conntrack"])
        assert live(kernel, "udp_timeout") == (30,)
    assert live(kernel, "udp_timeout") == (20,)


@pytest.mark.parametrize("kind", [FakeKernel, FakeModules])
def test_the_double_knows_every_operation_of_a_host_or_says_so(kind):
    kernel = kind("trixie-6.12-nat")
    with pytest.raises(NotImplementedError, match="modinfo nf_conntrack"), kernel.lock():
        kernel.run(["modinfo", "nf_conntrack"])
    # Those that are made of others, or are about this process and no host.
    made_of_others = {"read_value", "read_number", "read_text", "heeding_signals", "to_the_end", "check_signals"}
    for name, operation in vars(Host).items():
        if not name.startswith("_") and callable(operation) and name not in made_of_others:
            assert getattr(kind, name) is not operation, name
    with pytest.raises(NotImplementedError, match="/etc/passwd"):
        Host.read(kernel, "/etc/passwd")
