# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that an operator wrote keep every byte but the managed entries, and all that is not content, on a real disk."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MAX = "net.netfilter.nf_conntrack_max"
ESTABLISHED = "net.netfilter.nf_conntrack_tcp_timeout_established"
CONTEXT = b"system_u:object_r:etc_t:s0\0"
WANTED = {"max": 70001, "timeouts": {"tcp_established": 86400}, "scope": "boot"}

# Both parts of a file: what goes, and what must stay to the byte, whatever stands around it.
MANAGED = (
    st.sampled_from(
        [
            MAX,
            MAX.replace(".", "/"),
            ESTABLISHED,
            "net.nf_conntrack_max",
            "net.ipv4.ip_conntrack_max",
            "net.ipv4.netfilter.ip_conntrack_tcp_timeout_established",
        ]
    )
    .flatmap(lambda key: st.sampled_from([key + "=5", "-" + key + " = 5", "  " + key + "\t=  5 ", "-" + key]))
    .map(str.encode)
)
OTHERS = st.one_of(
    st.sampled_from(
        [
            b"",
            b"   ",
            b"# " + MAX.encode() + b" = 5",
            b";" + MAX.encode() + b"=5",
            b"kernel.panic=1",
            b"kernel.panic = 2",
            b"\tvm.swappiness\t=\t1 # why",
            b"net.netfilter.nf_conntrack_maximum = 5",
            b"net.netfilter.nf_conntrack_acct = 1",
            b"no assignment",
            b"=",
        ]
    ),
    st.binary(max_size=12).map(lambda content: b"#" + content.replace(b"\n", b"").replace(b"\r", b"")),
)
LINES = st.lists(
    st.tuples(st.one_of(OTHERS, MANAGED.map(lambda line: (line,))), st.sampled_from([b"\n", b"\n", b"\r\n"])),
    max_size=10,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(LINES, st.booleans(), st.sampled_from([0o600, 0o640, 0o644, 0o4755]), st.booleans())
def test_all_but_the_managed_entries_stays(recorded_host, run_module, lines, ended, mode, linked):
    content = b"".join((line[0] if isinstance(line, tuple) else line) + end for line, end in lines)
    kept = b"".join(line + end for line, end in lines if not isinstance(line, tuple))
    if not ended:
        content, kept = content.rstrip(b"\r\n"), kept.rstrip(b"\r\n")
    host = recorded_host("bookworm-6.1-nat")
    path, target = host.root / "etc/sysctl.d/zzz.conf", host.root / "etc/old-sysctl"
    place = target if linked else path
    place.write_bytes(content)
    if linked:
        path.symlink_to("../old-sysctl")
    place.chmod(mode)
    is_owner_free = os.geteuid() == 0
    if is_owner_free:
        os.chown(str(place), 1234, 4321)
        place.chmod(mode)
        os.setxattr(str(place), "security.selinux", CONTEXT)
    before = place.stat()
    host.is_root = True

    result = run_module("conntrack_settings", host, WANTED)

    assert not result.get("failed"), result
    # Only the end of the last line may have gone with a managed line behind it.
    assert place.read_bytes().rstrip(b"\r\n") == kept.rstrip(b"\r\n")
    assert path.is_symlink() == linked
    after = place.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    if is_owner_free:
        assert os.getxattr(str(place), "security.selinux") == CONTEXT
    assert not run_module("conntrack_settings", host, WANTED)["changed"]


# What ansible.posix.sysctl 2.x makes of these three: it keeps the first of the duplicates, though the last is in force;
# it strips the layout; and it appends a line beside those it does not recognise.
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (MAX + " = 1\n# between\n" + MAX + " = 2\n", "# between\n" + MAX + " = 70001\n"),
        ("\t" + MAX + "   =\t1   \n  kernel.panic   =   1\n", "\t" + MAX + "   =\t70001   \n  kernel.panic   =   1\n"),
        ("-net/netfilter/nf_conntrack_max = 1\n", "-net/netfilter/nf_conntrack_max = 70001\n"),
    ],
    ids=["duplicate entries", "layout", "other spellings"],
)
def test_a_file_of_ones_own_that_another_module_would_break(recorded_host, run_module, before, after):
    mine = "/etc/sysctl.d/90-mine.conf"
    host = recorded_host("bookworm-6.1-nat", {mine: before})
    host.is_root = True
    arguments = {"max": 70001, "scope": "boot", "sysctl_file": mine}
    result = run_module("conntrack_settings", host, arguments)
    assert host.read_text(mine) == after
    assert result["settings"]["nf_conntrack_max"]["boot"] == 70001
    assert not run_module("conntrack_settings", host, arguments)["changed"]


def test_sysctl_conf_is_edited_through_debians_link_which_stays_a_link(recorded_host, run_module):
    host = recorded_host(
        "bookworm-6.1-nat",
        {
            "/etc/sysctl.conf": "# mine\n" + MAX + " = 5\nkernel.panic = 1\n",
            "/etc/sysctl.d/99-sysctl.conf": {"link": "../sysctl.conf"},
        },
    )
    host.is_root = True
    run_module("conntrack_settings", host, WANTED)
    assert host.read_text("/etc/sysctl.conf") == "# mine\nkernel.panic = 1\n"
    assert os.readlink(str(host.root / "etc/sysctl.d/99-sysctl.conf")) == "../sysctl.conf"
