# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from fake_kernel import FakeKernel
from hypothesis import given
from hypothesis import strategies as st
from runs import tune, wish

from ansible_collections.netops.conntrack.plugins.module_utils import _keys
from ansible_collections.netops.conntrack.plugins.module_utils._errors import ConntrackError, InvalidInput
from ansible_collections.netops.conntrack.plugins.module_utils._keys import KEYS, TIMEOUTS

INT_MAX = 2147483647


def timeouts(**values):
    return {"timeouts": values}


def sysctls(**values):
    return {"sysctls": values}


SIZE = "a whole number from 1 to 2147483647"
SECONDS = "a whole number from 1 to 2147483 (seconds)"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"max": 0}, ["max is 0,", SIZE, "entries, or auto"]),
        ({"max": -1}, ["max is -1,", SIZE]),
        ({"max": "-1"}, ["max is -1,", SIZE]),
        ({"max": INT_MAX + 1}, ["max is 2147483648,", SIZE]),
        ({"max": 10**30}, ["max is 1" + 30 * "0", SIZE]),
        ({"max": str(10**30)}, ["max is '1" + 30 * "0", SIZE]),
        ({"max": "abc"}, ["max is 'abc',", SIZE]),
        ({"max": ""}, ["max is '',", SIZE]),
        ({"max": "Auto"}, ["max is 'Auto',", "or auto"]),
        ({"max": "1e6"}, ["max is '1e6',"]),
        ({"max": "0x100"}, ["max is '0x100',"]),
        ({"max": "1_000"}, ["max is '1_000',"]),
        ({"max": " 5"}, ["max is ' 5',"]),
        ({"max": "5\n"}, ["max is '5\\n',"]),
        ({"max": "٥"}, ["max is '٥',"]),
        ({"max": 5.0}, ["max is 5.0,", SIZE]),
        ({"max": True}, ["max is True,", SIZE]),
        ({"max": [5]}, ["max is [5],", SIZE]),
        ({"max": {"a": 5}}, ["max is {'a': 5},", SIZE]),
        ({"hashsize": 0}, ["hashsize is 0,", SIZE, "buckets, or auto"]),
        ({"hashsize": -512}, ["hashsize is -512,", SIZE]),
        ({"hashsize": "big"}, ["hashsize is 'big',"]),
        ({"entries_per_bucket": 0}, ["entries_per_bucket is 0,", "from 1 to 1024", "or auto"]),
        ({"entries_per_bucket": 1025}, ["entries_per_bucket is 1025,", "from 1 to 1024"]),
        ({"entries_per_bucket": None}, ["entries_per_bucket is None,", "from 1 to 1024"]),
        ({"memory_percent": 0}, ["memory_percent is 0,", "from 1 to 100", "percent of the host's memory"]),
        ({"memory_percent": 101}, ["memory_percent is 101,", "from 1 to 100"]),
        ({"memory_percent": "5%"}, ["memory_percent is '5%',"]),
        (timeouts(udp=0), ["timeouts.udp is 0,", SECONDS]),
        (timeouts(udp=-1), ["timeouts.udp is -1,", SECONDS]),
        (timeouts(tcp_established=2147484), ["timeouts.tcp_established is 2147484,", SECONDS]),
        (timeouts(udp=1.5), ["timeouts.udp is 1.5,", SECONDS]),
        (timeouts(udp="30\n"), ["timeouts.udp is '30\\n',", SECONDS]),
        (timeouts(udp="30s"), ["timeouts.udp is '30s',", SECONDS]),
        (timeouts(udp=None), ["timeouts.udp is None,", SECONDS]),
        (timeouts(udp=True), ["timeouts.udp is True,", SECONDS]),
        (timeouts(tcp_establised=5), ["no key 'tcp_establised'", "nearest", "tcp_established"]),
        (timeouts(established=5), ["no key 'established'", "tcp_established"]),
        (timeouts(nf_conntrack_tcp_timeout_established=5), ["use timeouts.tcp_established"]),
        ({"timeouts": {"net.netfilter.nf_conntrack_udp_timeout": 5}}, ["use timeouts.udp"]),
        (timeouts(zzz=5), ["no key 'zzz'", "known are", "udp_stream"]),
        ({"timeouts": {"": 5}}, ["no key ''"]),
        ({"timeouts": {5: 5}}, ["timeouts is {5: 5}", "must be names"]),
        (sysctls(nf_conntrack_tcp_be_libral=1), ["no key 'nf_conntrack_tcp_be_libral'", "nf_conntrack_tcp_be_liberal"]),
        (sysctls(nf_conntrack_acct=2), ["sysctls.nf_conntrack_acct is 2,", "from 0 to 1", "flag"]),
        (sysctls(nf_conntrack_acct="yes"), ["sysctls.nf_conntrack_acct is 'yes',", "from 0 to 1"]),
        (sysctls(nf_conntrack_log_invalid=256), ["sysctls.nf_conntrack_log_invalid is 256,", "from 0 to 255"]),
        (sysctls(nf_conntrack_log_invalid=True), ["sysctls.nf_conntrack_log_invalid is True,"]),
        (sysctls(nf_conntrack_tcp_timeout_establishd=5), ["nearest are timeouts.tcp_established"]),
        ({"sysctls": {"net.ipv4.netfilter.ip_conntrack_tcp_timeout_established": 5}}, ["use timeouts.tcp_established"]),
        (sysctls(tcp_established=5), ["use timeouts.tcp_established"]),
        ({"sysctls": {"net/nf_conntrack_buckets": 5}}, ["use hashsize"]),
        ({"max": 10**5000}, ["max is a number of more than 60 digits", SIZE]),
        (
            {"sysctl_file": "/etc/sysctl.d/x.conf/"},
            ["sysctl_file is '/etc/sysctl.d/x.conf/'", "absolute path of a file"],
        ),
        ({"sysctl_file": "/etc/sysctl.d/x\r.conf"}, ["sysctl_file is", "absolute path of a file"]),
        (sysctls(nf_conntrack_max=5), ["nf_conntrack_max", "use max"]),
        ({"sysctls": {"net.netfilter.nf_conntrack_max": 5}}, ["use max"]),
        ({"sysctls": {"net.nf_conntrack_max": 5}}, ["use max"]),
        ({"sysctls": {"net.ipv4.netfilter.ip_conntrack_max": 5}}, ["use max"]),
        (sysctls(nf_conntrack_buckets=5), ["use hashsize"]),
        (sysctls(nf_conntrack_count=5), ["sysctls.nf_conntrack_count cannot be set"]),
        (sysctls(nf_conntrack_udp_timeout=5), ["use timeouts.udp"]),
        (sysctls(nf_conntrack_frag6_timeout=5), ["no key 'nf_conntrack_frag6_timeout'", "nf_defrag_ipv6"]),
        ({"sysctls": {"nf_conntrack_acct": 1, "net.netfilter.nf_conntrack_acct": 0}}, ["nf_conntrack_acct", "already"]),
        ({"sysctls": {"kernel.panic": 1}}, ["no key 'kernel.panic'"]),
        (
            {"sysctl_file": "etc/sysctl.d/a.conf"},
            ["sysctl_file is 'etc/sysctl.d/a.conf'", "absolute path of a file, such as /etc/"],
        ),
        ({"sysctl_file": ""}, ["sysctl_file is ''", "absolute path"]),
        ({"sysctl_file": "/etc/sysctl.d/a\n.conf"}, ["sysctl_file is", "absolute path"]),
        ({"sysctl_file": "/etc/sysctl.d/a\0.conf"}, ["sysctl_file is", "absolute path"]),
    ],
)
def test_bad_input_is_named_with_what_is_allowed(params, words):
    with pytest.raises(InvalidInput) as raised:
        wish(**params)
    for word in words:
        assert word in raised.value.message
    assert "\n" not in raised.value.message


@pytest.mark.parametrize(
    ("given_value", "value"),
    [
        (1, 1),
        (INT_MAX, INT_MAX),
        ("65536", 65536),
        ("007", 7),
        ("auto", "auto"),
        (None, None),
    ],
)
def test_accepted_spellings_of_a_size(given_value, value):
    assert wish(max=given_value).max == value
    assert wish(hashsize=given_value).hashsize == value


@pytest.mark.parametrize(
    "name", ["nf_conntrack_acct", "net.netfilter.nf_conntrack_acct", "net/netfilter/nf_conntrack_acct"]
)
@pytest.mark.parametrize(("given_value", "value"), [(1, 1), ("1", 1), (True, 1), (False, 0), (0, 0)])
def test_accepted_spellings_of_a_sysctl(name, given_value, value):
    assert wish(sysctls={name: given_value}).values == {"nf_conntrack_acct": value}


@pytest.mark.parametrize("short", sorted(TIMEOUTS))
def test_every_timeout_has_a_short_name_and_limits(short):
    name = TIMEOUTS[short].name
    assert wish(timeouts={short: "1"}).values == {name: 1}
    assert wish(timeouts={short: 2147483}).values == {name: 2147483}


def test_a_null_mapping_is_an_empty_one():
    assert wish(timeouts=None, sysctls=None).values == {}


@pytest.mark.parametrize(
    ("scope", "runtime", "boot"), [("both", True, True), ("runtime", True, False), ("boot", False, True)]
)
def test_scopes(scope, runtime, boot):
    asked = wish(scope=scope)
    assert (asked.runtime, asked.boot) == (runtime, boot)


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/etc/sysctl.d/a.conf", "/etc/sysctl.d/a.conf"),
        ("//etc/sysctl.d/a.conf", "/etc/sysctl.d/a.conf"),
        ("/etc//sysctl.d/../sysctl.conf", "/etc/sysctl.conf"),
        (None, None),
    ],
)
def test_a_path_is_normalised(path, normal):
    assert wish(sysctl_file=path).sysctl_file == normal


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=5), inner, max_size=2)),
    max_leaves=3,
)
NAMES = st.one_of(st.text(max_size=20), st.sampled_from(sorted(KEYS) + sorted(TIMEOUTS)), st.integers())


@given(
    VALUES,
    VALUES,
    VALUES,
    VALUES,
    st.dictionaries(NAMES, VALUES, max_size=2),
    st.dictionaries(NAMES, VALUES, max_size=2),
)
def test_anything_is_either_a_request_within_limits_or_a_clear_error(size, buckets, per, percent, times, others):
    try:
        asked = wish(
            max=size, hashsize=buckets, entries_per_bucket=per, memory_percent=percent, timeouts=times, sysctls=others
        )
    except ConntrackError as error:
        assert error.message
        return
    for name, value in asked.values.items():
        assert KEYS[name].minimum <= value <= KEYS[name].maximum
    assert asked.max in (None, "auto") or 1 <= asked.max <= INT_MAX


def test_values_are_not_looked_at_where_they_are_taken_away():
    wanted = {"max": 0, "hashsize": -1, "entries_per_bucket": 0, "timeouts": dict.fromkeys(TIMEOUTS, 10**12)}
    wanted["sysctls"] = {
        name: "x" for name, key in KEYS.items() if key.timeout is None and name not in (_keys.MAX, _keys.BUCKETS)
    }
    assert not tune(FakeKernel("trixie-6.12-nat"), state="absent", **wanted)["changed"]
