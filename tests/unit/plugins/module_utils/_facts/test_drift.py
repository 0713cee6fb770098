# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drift is looked for where not all is in order, and then all of it is; ``test_persistent`` has each kind."""

from __future__ import annotations

from fake_kernel import FakeKernel
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._facts import persistent

LINES = [
    "net.netfilter.nf_conntrack_max = 262144",
    "net.nf_conntrack_max = 262144",
    "net.netfilter.nf_conntrack_max = 0x40000",
    "net.netfilter.nf_conntrack_max = 5",
    "net.netfilter.nf_conntrack_udp_timeout = 30",
    "net.netfilter.nf_conntrack_nothing = 1",
    "net.netfilter.nf_conntrack_count = 1",
    "net.ipv4.netfilter.ip_conntrack_max = 9",
    "net.netfilter.nf_conntrack_*_timeout = 30",
    "-net.netfilter.nf_conntrack_udp_timeout",
    "sysctl -w net.netfilter.nf_conntrack_max=262144",
    "# net.netfilter.nf_conntrack_max = 7",
    "net.core.somaxconn = 9",
]
TEXT = st.lists(st.sampled_from(LINES), max_size=4).map(lambda lines: "".join(f"{line}\n" for line in lines).encode())
FILES = st.dictionaries(
    st.sampled_from(
        [
            "/etc/sysctl.d/a.conf",
            "/etc/sysctl.d/b.conf",
            "/etc/sysctl.d/b.txt",
            "/etc/sysctl.conf",
            "/usr/lib/sysctl.d/b.conf",
        ]
    ),
    TEXT,
    max_size=3,
)
LOADED = {"/etc/modules-load.d/a.conf": b"nf_conntrack\n"}


@given(FILES, st.booleans(), st.sampled_from(["trixie-6.12-nat", "trixie-6.12-absent"]))
def test_what_is_taken_to_be_in_order_has_no_drift(files, is_loaded, name):
    kernel = FakeKernel(name, {**files, **(LOADED if is_loaded else {})})
    told = persistent.gather(kernel)["drift"]
    # The same with a look at everything.
    in_order, persistent._is_in_order = persistent._is_in_order, lambda *_observed: False
    try:
        assert told == persistent.gather(kernel)["drift"]
    finally:
        persistent._is_in_order = in_order
