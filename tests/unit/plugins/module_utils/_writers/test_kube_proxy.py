# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What kube-proxy sets when it starts."""

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._writers import kube_proxy

CPUS = {"/sys/devices/system/cpu/online": "0-7\n"}
PROCESS = "/proc/4711/cmdline"
CONFIG = "/proc/4711/root/var/lib/kube-proxy/config.conf"
BY_CONFIG = {PROCESS: "/usr/local/bin/kube-proxy\0--config=/var/lib/kube-proxy/config.conf\0--v=2\0"}
MAX, BUCKETS = "nf_conntrack_max", "nf_conntrack_buckets"
ESTABLISHED, CLOSE_WAIT = "nf_conntrack_tcp_timeout_established", "nf_conntrack_tcp_timeout_close_wait"

KUBEADM = """\
apiVersion: kubeproxy.config.k8s.io/v1alpha1
clientConnection:
  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf
conntrack:
  maxPerCore: null
  min: null
  tcpCloseWaitTimeout: null
  tcpEstablishedTimeout: null
kind: KubeProxyConfiguration
"""


def values(files):
    return {found.key: found.value for found in kube_proxy.find(files)}


def test_a_host_without_kube_proxy_has_none(files_of):
    tree = {**CPUS, "/proc/1/cmdline": "/sbin/init\0", "/etc/kubernetes/manifests/etcd.yaml": "command: [etcd]\n"}
    assert values(files_of(tree)) == {}


def test_what_is_null_is_what_kube_proxy_sets_by_default(files_of, told):
    found = list(kube_proxy.find(files_of({**CPUS, **BY_CONFIG, CONFIG: KUBEADM})))
    path = "/var/lib/kube-proxy/config.conf"
    assert told(found) == [
        (MAX, 262144, path, None, True),
        (BUCKETS, 65536, path, None, True),
        (ESTABLISHED, 86400, path, None, True),
        (CLOSE_WAIT, 3600, path, None, True),
    ]
    assert all(one.only_raises for one in found)


@pytest.mark.parametrize(
    ("conntrack", "expected"),
    [
        ("  maxPerCore: 65536\n  min: 131072", {MAX: 524288, BUCKETS: 131072}),
        ("  maxPerCore: 1024\n  min: 655350", {MAX: 655350, BUCKETS: 163837}),
        ("  maxPerCore: 0\n  min: 655350", {}),
        ("  maxPerCore: 262144\n  min: 131072", {MAX: None}),
        ("  maxPerCore: 262144\n  min: 4194304", {MAX: 4194304, BUCKETS: 1048576}),
        ('  maxPerCore: 0\n  tcpEstablishedTimeout: "1h30m0s"', {ESTABLISHED: 5400}),
        ("  maxPerCore: 0\n  tcpEstablishedTimeout: 0s\n  tcpCloseWaitTimeout: 1.5h # long", {CLOSE_WAIT: 5400}),
        ("  maxPerCore: 0\n  udpTimeout: 40s\n  udpStreamTimeout: 500ms", {"nf_conntrack_udp_timeout": 40}),
        ("  maxPerCore: some", {}),
    ],
)
@pytest.mark.parametrize("version", ["v1alpha1", "v1alpha2"])
def test_a_configuration_file_says_what_is_set(files_of, conntrack, expected, version):
    # Without a timeout of its own that is 0, the default is set.
    for name in ("tcpEstablishedTimeout", "tcpCloseWaitTimeout"):
        if name not in conntrack:
            conntrack += f"\n  {name}: 0s"
    text = f"conntrack:\n{conntrack}\n"
    if version == "v1alpha2":
        text = "linux:\n" + "".join(f"  {line}\n" for line in text.splitlines())
    text += "iptables:\n  min: 5\n"
    assert values(files_of({**CPUS, **BY_CONFIG, CONFIG: text})) == expected


def test_each_value_is_told_with_its_line(files_of, told):
    tree = {**CPUS, **BY_CONFIG, CONFIG: "conntrack:\n  maxPerCore: 65536\n  tcpEstablishedTimeout: 2h\n"}
    lines = {key: (path, line) for key, _value, path, line, _certain in told(kube_proxy.find(files_of(tree)))}
    assert lines[MAX] == (CONFIG, 2) and lines[ESTABLISHED] == (CONFIG, 3)


@pytest.mark.parametrize(
    "manifest",
    [
        "command:\n- kube-proxy\n- --conntrack-max-per-core=65536\n- --conntrack-tcp-timeout-established=1h\n",
        'command: ["/bin/kube-proxy", "--conntrack-max-per-core", "65536", "--conntrack-tcp-timeout-established=1h"]\n',
        "command: [sh, -c, 'kube-proxy --conntrack-max-per-core=65536 --conntrack-tcp-timeout-established=1h']\n",
    ],
)
def test_a_static_pods_manifest_says_what_is_set_by_its_options(files_of, manifest):
    found = values(files_of({**CPUS, "/etc/kubernetes/manifests/kube-proxy.yaml": manifest}))
    assert found == {MAX: 524288, BUCKETS: 131072, ESTABLISHED: 3600, CLOSE_WAIT: 3600}


def test_options_of_a_process_count_where_it_has_no_file_and_not_where_it_has_one(files_of):
    options = "--conntrack-max-per-core=0\0--conntrack-tcp-timeout-established\x000s\0"
    assert values(files_of({**CPUS, PROCESS: f"kube-proxy\0{options}"})) == {CLOSE_WAIT: 3600}
    with_file = {PROCESS: BY_CONFIG[PROCESS] + options, CONFIG: KUBEADM}
    assert values(files_of({**CPUS, **with_file}))[MAX] == 262144


def test_a_file_that_cannot_be_read_leaves_the_values_open(files_of, told):
    (found,) = kube_proxy.find(files_of({**CPUS, **BY_CONFIG}))
    assert told([found]) == [(MAX, None, "/var/lib/kube-proxy/config.conf", None, False)]
    assert PROCESS in found.message


@pytest.mark.parametrize(("online", "entries"), [("0-7", 262144), ("0,2-4", 131072), ("0", 131072), ("x", None)])
def test_max_follows_the_processors_that_are_online(files_of, online, entries):
    tree = {**BY_CONFIG, CONFIG: KUBEADM, "/sys/devices/system/cpu/online": online + "\n"}
    assert values(files_of(tree))[MAX] == entries


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("24h0m0s", 86400),
        ("1h", 3600),
        ("90s", 90),
        ("1m30s", 90),
        ("1500ms", 1),
        ("0", 0),
        ("5", None),
        ("", 0),
        ("9" * 400 + "h", None),
        ("\u0662s", None),
    ],
)
def test_durations_are_read_as_go_writes_them(text, expected):
    assert kube_proxy.seconds(text) == expected


def test_max_is_raised_only(files_of):
    found = next(kube_proxy.find(files_of({**CPUS, **BY_CONFIG, CONFIG: KUBEADM})))
    assert found.sets_another(131072, 512)
    assert not found.sets_another(1048576, 512) and not found.sets_another(262144, 512)


@pytest.mark.parametrize("number", ["\u00b2", "9" * 5000])
def test_what_is_no_number_of_go_is_passed_over(files_of, number):
    tree = {PROCESS: f"kube-proxy\0--conntrack-min={number}\0"}
    assert MAX not in values(files_of({**CPUS, **tree}))
    online = {"/sys/devices/system/cpu/online": number + "\n"}
    assert values(files_of({**tree, PROCESS: "kube-proxy\0", **online}))[MAX] is None


@pytest.mark.parametrize(
    ("path", "text", "line", "program"),
    [
        ("/etc/rancher/k3s/config.yaml", "kube-proxy-arg:\n  - conntrack-max-per-core=65536\n", 2, "k3s"),
        ("/etc/rancher/k3s/config.yaml.d/x.yaml", 'kube-proxy-arg: "conntrack-min=65536"\n', 1, "k3s"),
        ("/etc/systemd/system/k3s.service", "ExecStart=k3s \\\n  '--kube-proxy-arg=conntrack-min=5' \\\n", 2, "k3s"),
        ("/etc/rancher/rke2/config.yaml", "# x\nkube-proxy-arg: [conntrack-min=5]\n", 2, "rke2"),
        ("/var/snap/microk8s/current/args/kube-proxy", "--x=1\n--conntrack-min=5\n", 2, "kubelite"),
    ],
)
def test_options_for_a_kube_proxy_in_another_program_are_named(files_of, told, path, text, line, program):
    (found,) = kube_proxy.find(files_of({path: text}))
    assert told([found]) == [(MAX, None, path, line, False)]
    assert found.message.startswith(f"{program} may set {MAX} when {program} starts kube-proxy ({path}:{line}: ")
    # What runs says more than that.
    assert path not in {one.path for one in kube_proxy.find(files_of({path: text, PROCESS: "kube-proxy\0", **CPUS}))}


def test_a_timeout_for_a_kube_proxy_in_another_program_is_named_by_its_key(files_of):
    text = "kube-proxy-arg:\n#  - conntrack-min=5\n  - conntrack-udp-timeout=5s\n  - proxy-mode=ipvs\n"
    (found,) = kube_proxy.find(files_of({"/etc/rancher/k3s/config.yaml": text}))
    assert (found.key, found.line) == ("nf_conntrack_udp_timeout", 3)
