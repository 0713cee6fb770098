# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tuned's active profile sets.

6,600 generated trees of profiles gave what tuned 2.20.0 and 2.28.0-rc.1 made of them.
"""

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._writers import tuned

ETC = "/etc/tuned/a/tuned.conf"
MAX = "net.netfilter.nf_conntrack_max"
# The beginning of the profile as tuned 2.20.0 of Debian 12 ships it, which includes another by a function.
OPENSHIFT = """\
# tuned configuration
[main]
summary=Optimize systems running OpenShift (parent profile)
include=${f:virt_check:virtual-guest:throughput-performance}

[net]
nf_conntrack_hashsize=1048576

[sysctl]
net.ipv4.ip_forward=1
net.netfilter.nf_conntrack_max=1048576
"""
OFF = {"/etc/tuned/tuned-main.conf": "reapply_sysctl = 0\n"}


def find(files, starts=True):
    return list(tuned.find(files, lambda unit: starts if unit == "tuned.service" else None))


def test_the_profile_of_openshift_as_debian_ships_it(files_of, told):
    path = "/usr/lib/tuned/openshift/tuned.conf"
    found = find(files_of({"/etc/tuned/active_profile": "openshift\n", path: OPENSHIFT}))
    assert told(found) == [
        ("nf_conntrack_max", 1048576, path, 11, True),
        ("nf_conntrack_buckets", 1048576, path, 7, True),
    ]
    assert [one.yields for one in found] == [True, False]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (f"[sysctl]\n{MAX}=5 # few\n", [("nf_conntrack_max", 5, ETC, 2, True)]),
        (f"[sysctl]\n{MAX}='5'\n", [("nf_conntrack_max", 5, ETC, 2, True)]),
        (f"[sysctl]\n{MAX}=5\n{MAX}=6\n", [("nf_conntrack_max", 6, ETC, 3, True)]),
        (f"[mine]\ntype=sysctl\n{MAX}=5\n", [("nf_conntrack_max", 5, ETC, 3, True)]),
        (f"[sysctl]\nenabled=0\n{MAX}=5\n", []),
        (f"[sysctl]\n;{MAX}=5\n#{MAX}=5\n", []),
        (f"[vm]\n{MAX}=5\n", []),
        (f"[sysctl]\n{MAX}=${{entries}}\n", [("nf_conntrack_max", None, ETC, 2, False)]),
        (f"[sysctl]\nuname_regex=x86_64\n{MAX}=5\n", [("nf_conntrack_max", 5, ETC, 3, False)]),
        ("[net]\nnf_conntrack_hashsize=4096\n", [("nf_conntrack_buckets", 4096, ETC, 2, True)]),
        ("[net]\nnf_conntrack_hashsize=-1\n", [("nf_conntrack_buckets", None, ETC, 2, False)]),
        (f"{MAX}=5\n", []),
        ("\ufffd[sysctl\n=\n[]\n", []),
    ],
)
def test_an_option_of_a_plugin_is_what_tuned_sets(files_of, told, options, expected):
    assert told(find(files_of({"/etc/tuned/active_profile": "a", ETC: options, **OFF}))) == expected


def test_a_value_with_a_greater_sign_only_raises(files_of):
    (found,) = find(files_of({"/etc/tuned/active_profile": "a", ETC: f"[sysctl]\n{MAX}=>5\n", **OFF}))
    assert (found.value, found.only_raises) == (5, True)
    assert not found.sets_another(6, 512) and found.sets_another(4, 512)


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"/usr/lib/tuned/a/tuned.conf": f"[sysctl]\n{MAX}=1\n", ETC: f"[sysctl]\n{MAX}=2\n"}, 2),
        ({"/usr/lib/tuned/profiles/a/tuned.conf": f"[sysctl]\n{MAX}=1\n"}, 1),
        ({ETC: f"[main]\ninclude=b\n[sysctl]\n{MAX}=2\n", "/usr/lib/tuned/b/tuned.conf": f"[sysctl]\n{MAX}=1\n"}, 2),
        ({ETC: "[main]\ninclude=b\n", "/usr/lib/tuned/b/tuned.conf": f"[sysctl]\n{MAX}=1\n"}, 1),
        ({ETC: "[main]\ninclude=a\n", "/usr/lib/tuned/a/tuned.conf": f"[sysctl]\n{MAX}=1\n"}, 1),
        ({ETC: f"[main]\ninclude=-no\n[sysctl]\n{MAX}=1\n"}, 1),
        ({ETC: f"[main]\ninclude=no\n[sysctl]\n{MAX}=1\n"}, None),
        ({ETC: f"[main]\ninclude=a, a ;a\n[sysctl]\n{MAX}=1\n"}, 1),
        (
            {ETC: f"[main]\ninclude=b\n[sysctl]\ndrop={MAX}\n", "/etc/tuned/b/tuned.conf": f"[sysctl]\n{MAX}=1\n"},
            None,
        ),
        (
            {
                ETC: "[main]\ninclude=b\n[sysctl]\nreplace=1\nvm.swappiness=1\n",
                "/etc/tuned/b/tuned.conf": f"[sysctl]\n{MAX}=1\n",
            },
            None,
        ),
        ({"/srv/tuned/a/tuned.conf": f"[sysctl]\n{MAX}=1\n", ETC: f"[sysctl]\n{MAX}=2\n"}, 2),
    ],
)
def test_profiles_are_found_and_laid_over_one_another_as_tuned_does(files_of, tree, expected):
    found = find(files_of({"/etc/tuned/active_profile": "a", **tree, **OFF}))
    assert [one.value for one in found] == ([] if expected is None else [expected])


def test_directories_that_tuned_is_given_are_the_only_ones(files_of):
    tree = {
        "/etc/tuned/active_profile": "a",
        "/etc/tuned/tuned-main.conf": "reapply_sysctl=0\nprofile_dirs = /opt/x,/srv/tuned\n",
        "/srv/tuned/a/tuned.conf": f"[sysctl]\n{MAX}=1\n",
        ETC: f"[sysctl]\n{MAX}=2\n",
    }
    assert [one.value for one in find(files_of(tree))] == [1]


REAPPLYING = {
    "/etc/tuned/active_profile": "a",
    ETC: f"[sysctl]\n{MAX}=5\n",
    "/etc/sysctl.d/zz.conf": f"{MAX} = 7\n",
}


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ({}, 7),
        ({"/etc/sysctl.conf": f"{MAX}=8\n"}, 8),
        ({"/run/sysctl.d/zzz.conf": f"{MAX}=9\n"}, 9),
        ({"/run/sysctl.d/zz.conf": f"{MAX}=9\n"}, 9),
        ({"/usr/lib/sysctl.d/zzz.conf": f"{MAX}=9\n"}, 7),
        ({"/etc/sysctl.d/zzz.conf": f"-{MAX}=9\n#{MAX}=9\n{MAX}\n"}, 7),
        ({"/etc/sysctl.d/zzz.conf": f"{MAX}=lots\n"}, 7),
        ({"/etc/tuned/tuned-main.conf": "reapply_sysctl=0\n"}, 5),
        ({"/etc/tuned/tuned-main.conf": "reapply_sysctl=1\nreapply_sysctl_exclude=vm.*,net.netfilter.*\n"}, 5),
        ({"/etc/tuned/tuned-main.conf": "reapply_sysctl=True\n"}, 7),
    ],
)
def test_what_tuned_applies_again_wins_over_its_profile(files_of, change, value):
    (found,) = find(files_of({**REAPPLYING, **change}))
    assert (found.value, found.path, found.line) == (value, ETC, 2)


def test_tuned_applies_sysctl_conf_which_the_boot_of_debian_13_does_not_read(files_of, told):
    tree = {
        "/etc/tuned/active_profile": "a",
        ETC: "[sysctl]\nvm.swappiness=10\n",
        "/etc/sysctl.conf": f"{MAX}=8\n",
        "/etc/sysctl.d/a.conf": "net.netfilter.nf_conntrack_acct=1\n",
    }
    assert told(find(files_of(tree))) == [("nf_conntrack_max", 8, "/etc/sysctl.conf", 1, True)]
    assert find(files_of({**tree, ETC: "[vm]\nx=1\n"})) == []


def test_a_tuned_that_no_boot_starts_does_nothing_by_itself(files_of):
    tree = {"/etc/tuned/active_profile": "a", ETC: f"[sysctl]\n{MAX}=5\n"}
    (found,) = find(files_of(tree), starts=False)
    assert not found.by_itself and "which the boot does not" in found.message


@pytest.mark.parametrize("active", ["", "\n", "no-such", "../../etc/x"])
def test_no_profile_is_no_writer(files_of, active):
    assert find(files_of({"/etc/tuned/active_profile": active, ETC: f"[sysctl]\n{MAX}=5\n"})) == []


@pytest.mark.parametrize(
    ("excluded", "key", "yields"),
    [
        ("vm.*", "nf_conntrack_max", True),
        ("net.netfilter.*", "nf_conntrack_max", False),
        ("vm.*", "nf_conntrack_buckets", False),
    ],
)
def test_a_profile_yields_to_what_tuned_applies_again_and_not_to_modprobe_d(files_of, excluded, key, yields):
    tree = {
        "/etc/tuned/active_profile": "a",
        ETC: f"[sysctl]\nnet.netfilter.{key}=5\n",
        "/etc/tuned/tuned-main.conf": f"reapply_sysctl_exclude={excluded}\n",
    }
    assert [one.yields for one in find(files_of(tree))] == [yields]


def test_a_hashsize_of_sysctl_conf_that_tuned_applies_does_not_yield(files_of):
    tree = {
        "/etc/tuned/active_profile": "a",
        ETC: "[sysctl]\nvm.swappiness=10\n",
        "/etc/sysctl.conf": f"{MAX}=8\nnet.netfilter.nf_conntrack_buckets=8\n",
    }
    assert [one.yields for one in find(files_of(tree))] == [True, False]
