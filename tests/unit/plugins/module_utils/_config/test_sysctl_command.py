# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the programs set is compared with the programs themselves, for generated commands, by the scenario ``boot``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._config.sysctl_command import (
    PROCPS,
    SYSTEMD,
    Call,
    of_shell,
    of_words,
)

NETFILTER = "net[.]netfilter[.]nf_conntrack.*"
FIREWALLD = f"modprobe --ignore-install nf_conntrack $CMDLINE_OPTS && sysctl --quiet --pattern '{NETFILTER}' --system"


# Each was run with procps-ng 4.0.2 and systemd 252.
@pytest.mark.parametrize(
    ("command", "call"),
    [
        ("sysctl --system", Call(PROCPS, None)),
        ("sysctl -r x --system", Call(PROCPS, None, ("x",))),
        ("sysctl --system --pattern x", Call(PROCPS, None)),
        ("sysctl -p", Call(PROCPS, ("/etc/sysctl.conf",))),
        ("sysctl -qp /a", Call(PROCPS, ("/a",))),
        ("sysctl -pa /b", Call(PROCPS, ("a", "/b"))),
        ("sysctl /a -f", Call(PROCPS, ("/a",))),
        ("sysctl --load=/a", Call(PROCPS, ("/a",))),
        ("sysctl --load /a", Call(PROCPS, ("/a",))),
        ("sysctl -p /a -r x", Call(PROCPS, ("/a",), ("x",))),
        ("sysctl -p -", None),
        ("sysctl -fa", None),
        ("sysctl a=5", Call(PROCPS, assignments=("a=5",))),
        ("sysctl -w a=5 -n b/c=6", Call(PROCPS, assignments=("a=5", "b/c=6"))),
        ("sysctl -w a = 5", Call(PROCPS, assignments=("=",))),
        ("sysctl 'a = 5'", Call(PROCPS, assignments=("a = 5",))),
        ("sysctl a*=5", None),
        ("sysctl -a a=5", None),
        ("sysctl a", None),
        ("sysctl -w -- -a=5", Call(PROCPS, assignments=("-a=5",))),
        ("systemd-sysctl", Call(SYSTEMD, None)),
        (
            "systemd-sysctl --prefix=/net/netfilter --prefix net.core",
            Call(SYSTEMD, None, ("net/netfilter", "net/core")),
        ),
        ("systemd-sysctl --strict --prefix=net/ a.conf", Call(SYSTEMD, ("a.conf",), ("net",))),
        ("systemd-sysctl --cat-config", None),
        ("logger sysctl --system", None),
    ],
)
def test_what_a_command_sets_is_what_its_arguments_say(command, call):
    assert of_shell(command) == ([] if call is None else [call])
    assert of_shell(f'/usr/bin/sh -c "{command}"') == of_shell(command)


SYSTEM = Call(PROCPS, None)


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        (FIREWALLD, [Call(PROCPS, None, (NETFILTER,))]),
        ("modprobe x; /sbin/sysctl --system >/dev/null 2>&1", [SYSTEM]),
        ("A=1 exec sysctl --system", [SYSTEM]),
        (
            "sysctl --system & sysctl a=1\nsysctl b=2",
            [SYSTEM, Call(PROCPS, assignments=("a=1",)), Call(PROCPS, assignments=("b=2",))],
        ),
        ("sysctl a=1 || sysctl --system", [Call(PROCPS, assignments=("a=1",))]),
        ("{ sysctl --system; }", [SYSTEM]),
        ("(sysctl --system)", [SYSTEM]),
        ("echo 5 > /proc/sys/net/x", [Call(PROCPS, assignments=("net/x=5",))]),
        ("echo -n 5 >/proc/sys/net/x 2>/dev/null", [Call(PROCPS, assignments=("net/x=5",))]),
        ("echo 5 > /tmp/x", []),
        # What depends on something else is not certain.
        ("if true; then sysctl --system; fi", []),
        ("for i in a b; do sysctl --system; done", []),
        ("sysctl -p $FILE; sysctl --system", [SYSTEM]),
        ("sysctl -w a=$(cat /x)", []),
        ("sysctl -w 'a=$x'", [Call(PROCPS, assignments=("a=$x",))]),
        ("sysctl 'a=5", []),
        ("sh /usr/local/bin/tune", []),
        ("", []),
    ],
)
def test_a_shells_commands_are_told_where_it_is_certain_that_they_run(text, calls):
    assert of_shell(text) == calls


@given(st.text(alphabet="syctl -wpr=;&|'\"\\$(){}\n>/12", max_size=40))
def test_no_command_is_a_crash(text):
    of_shell(text)
    of_shell("sysctl " + text)
    of_words(("/bin/sh", "-c", text))
    of_words(("systemd-sysctl", *text.split()))
