# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole module against recorded hosts."""

from __future__ import annotations

import pytest
import yaml
from boot_services import UFW
from conftest import HOST_NAMES

from ansible_collections.netops.conntrack.plugins.module_utils._facts.gather import ON_DEMAND, SUBSETS
from ansible_collections.netops.conntrack.plugins.modules import conntrack_facts

KEYS = "/proc/sys/net/netfilter/"

ALWAYS = {"state", "initial_namespace", "kernel", "unreadable"}

KEYS_OF = {
    "table": {"entries", "max", "usage_percent", "buckets", "entries_per_bucket"},
    "timeouts": {"timeouts"},
    "settings": {"settings"},
    "statistics": {"statistics"},
    "sockets": {"sockets"},
    "logging": {"logging"},
    "modules": {"modules", "blocked", "nat_in_use", "needed_by"},
    "persistent": {"persistent", "persistent_problem", "load_problem", "drift"},
    "writers": {"writers"},
    "memory": {"memory"},
    "kernel_log": {"kernel_log"},
    "namespaces": {"namespaces"},
    "health": {"health"},
}
EVERY = ALWAYS.union(*(keys for part, keys in KEYS_OF.items() if part not in ON_DEMAND))

ABSENT = [name for name in HOST_NAMES if name.endswith("-absent")]
PRESENT = [name for name in HOST_NAMES if name not in ABSENT]


@pytest.fixture
def facts_of(run_module):
    """``facts_of(host, gather_subset)``: the facts that the module returns."""

    def run(host, gather_subset=("all",)):
        result = run_module("conntrack_facts", host, {"gather_subset": list(gather_subset)})
        assert not result.get("failed") and result["changed"] is False
        assert host.ran == []
        return result["ansible_facts"]["conntrack"]

    return run


@pytest.mark.parametrize(
    ("name", "state", "initial_namespace", "kernel"),
    [
        ("bookworm-6.1-absent", "absent", True, "6.1.0-"),
        ("bookworm-6.1-nat", "loaded", True, "6.1.0-"),
        ("bullseye-5.10-absent", "absent", True, "5.10.0-"),
        ("bullseye-5.10-nat", "loaded", True, "5.10.0-"),
        ("el8-4.18-by-hand", "loaded", True, "4.18.0-"),
        ("buster-4.19-nft-by-hand", "loaded", True, "4.19.0-"),
        ("linux-6.18-built-in", "built_in", True, "6.18."),
        ("linux-6.18-netns", "built_in", False, "6.18."),
        ("sid-7.2-absent", "absent", True, "7.2."),
        ("sid-7.2-nat", "loaded", True, "7.2."),
        ("trixie-6.12-absent", "absent", True, "6.12."),
        ("trixie-6.12-full", "loaded", True, "6.12."),
        ("trixie-6.12-nat", "loaded", True, "6.12."),
    ],
)
def test_state_namespace_and_kernel_are_always_told(recorded_host, facts_of, name, state, initial_namespace, kernel):
    facts = facts_of(recorded_host(name), ["!all"])
    assert set(facts) == ALWAYS
    assert facts["state"] == state
    assert facts["initial_namespace"] is initial_namespace
    assert facts["kernel"].startswith(kernel)
    assert facts["unreadable"] == []


@pytest.mark.parametrize("name", HOST_NAMES)
def test_every_recorded_host_gives_every_fact_and_can_be_read_whole(recorded_host, facts_of, name):
    facts = facts_of(recorded_host(name))
    assert set(facts) == EVERY
    assert facts["unreadable"] == []


@pytest.mark.parametrize("name", ABSENT)
def test_a_host_without_connection_tracking_has_null_for_its_values(recorded_host, facts_of, name):
    facts = facts_of(recorded_host(name))
    assert [facts[key] for key in sorted(KEYS_OF["table"])] == [None] * 5
    assert facts["timeouts"] == {} and facts["settings"] == {}
    assert facts["statistics"] is None
    assert facts["logging"]["log_invalid"] is None
    assert facts["sockets"]["ipv4"]["listen"] == 1


@pytest.mark.parametrize("name", PRESENT)
def test_every_key_of_the_kernel_is_reported_exactly_once(recorded_host, facts_of, name):
    host = recorded_host(name)
    facts = facts_of(host)
    keys = [key for key in host.names(KEYS[:-1]) if key.startswith(("nf_conntrack_", "nf_flowtable_"))]
    keys = [key for key in keys if not key.startswith("nf_conntrack_frag6_")]
    assert len(keys) == len(facts["timeouts"]) + len(facts["settings"]) + 3  # and count, max, buckets
    assert all(isinstance(value, int) for value in list(facts["timeouts"].values()) + list(facts["settings"].values()))


@pytest.mark.parametrize("name", [name for name in PRESENT if not name.endswith("by-hand")])
def test_timeouts_have_short_names_and_are_seconds(recorded_host, facts_of, name):
    timeouts = facts_of(recorded_host(name))["timeouts"]
    assert {key: timeouts[key] for key in ("tcp_established", "tcp_time_wait", "udp", "udp_stream", "generic")} == {
        "tcp_established": 432000,
        "tcp_time_wait": 120,
        "udp": 30,
        "udp_stream": 120,
        "generic": 600,
    }


def test_flow_table_timeouts_do_not_hide_those_of_tcp_and_udp(recorded_host, facts_of):
    timeouts = facts_of(recorded_host("trixie-6.12-nat"))["timeouts"]
    assert timeouts["flowtable_udp"] == 30 and timeouts["flowtable_tcp"] == 30


def test_a_full_table_shows_in_usage_and_drops(recorded_host, facts_of):
    facts = facts_of(recorded_host("trixie-6.12-full"))
    assert (facts["entries"], facts["max"], facts["usage_percent"]) == (100, 100, 100.0)
    assert facts["statistics"]["drop"] == 657
    assert facts["statistics"]["early_drop"] == 151


@pytest.mark.parametrize(
    ("count", "limit", "buckets", "usage", "per_bucket"),
    [
        ("0", "262144", "262144", 0.0, 1.0),
        ("1", "3", "65536", 33.33, 0.0),
        ("51200", "262144", "65536", 19.53, 4.0),
        ("7", "0", "1024", None, 0.0),
        ("7", "8", "0", 87.5, None),
        ("12", "8", "4", 150.0, 2.0),
    ],
)
def test_usage_and_entries_per_bucket_have_two_decimals_and_no_division_by_zero(
    recorded_host, facts_of, count, limit, buckets, usage, per_bucket
):
    facts = facts_of(
        recorded_host(
            "linux-6.18-built-in",
            {
                KEYS + "nf_conntrack_count": count + "\n",
                KEYS + "nf_conntrack_max": limit + "\n",
                KEYS + "nf_conntrack_buckets": buckets + "\n",
            },
        ),
        ["table"],
    )
    assert facts["usage_percent"] == usage
    assert facts["entries_per_bucket"] == per_bucket


def test_counters_of_an_old_kernel_keep_the_names_it_gives_them(recorded_host, facts_of):
    statistics = facts_of(recorded_host("el8-4.18-by-hand"))["statistics"]
    assert (statistics["found"], statistics["drop"], statistics["search_restart"]) == (511, 9, 78)
    assert "searched" in statistics and "clash_resolve" not in statistics


def test_a_kernel_without_the_statistics_file_has_null_counters(recorded_host, facts_of):
    facts = facts_of(recorded_host("trixie-6.12-nat", {"/proc/net/stat/nf_conntrack": None}))
    assert facts["statistics"] is None
    assert facts["unreadable"] == []


def test_sockets_are_counted_by_state_for_both_protocols(recorded_host, facts_of):
    sockets = facts_of(recorded_host("el8-4.18-by-hand"))["sockets"]
    assert {state: count for state, count in sockets["ipv4"].items() if count} == {
        "listen": 2,
        "established": 3,
        "time_wait": 2,
        "close_wait": 1,
    }
    assert (sockets["ipv6"]["listen"], sockets["ipv6"]["established"]) == (1, 1)


def test_a_host_without_ipv6_has_null_in_its_place(recorded_host, facts_of):
    sockets = facts_of(recorded_host("trixie-6.12-nat", {"/proc/net/tcp6": None}))["sockets"]
    assert sockets["ipv6"] is None
    assert sockets["ipv4"]["listen"] == 1


def test_loggers_are_told_by_protocol_family(recorded_host, facts_of):
    logging = facts_of(recorded_host("trixie-6.12-nat"))["logging"]
    assert logging == {
        "log_invalid": 0,
        "loggers": {
            "unspec": None,
            "inet": None,
            "ipv4": "nf_log_ipv4",
            "arp": "nf_log_arp",
            "netdev": "nf_log_netdev",
            "bridge": "nf_log_bridge",
            "ipv6": "nf_log_ipv6",
        },
    }


def test_modules_of_the_stack_are_told_with_who_holds_them(recorded_host, facts_of):
    modules = facts_of(recorded_host("trixie-6.12-nat"))["modules"]
    assert modules["nf_nat"] == {
        "size": 65536,
        "refcount": 3,
        "holders": ["ip6table_nat", "iptable_nat", "xt_MASQUERADE"],
        "pins": 0,
    }
    assert modules["xt_MASQUERADE"]["pins"] == 1
    assert set(modules) == {
        "ip6_tables",
        "ip6table_nat",
        "ip_tables",
        "iptable_filter",
        "iptable_nat",
        "nf_conntrack",
        "nf_conntrack_ftp",
        "nf_defrag_ipv4",
        "nf_defrag_ipv6",
        "nf_nat",
        "x_tables",
        "xt_LOG",
        "xt_MASQUERADE",
        "xt_conntrack",
        "xt_tcpudp",
    }


def test_a_kernel_without_modules_has_none(recorded_host, facts_of):
    assert facts_of(recorded_host("linux-6.18-built-in"))["modules"] == {}


BLOCK = "# \ninstall nf_nat /bin/false\n"


@pytest.mark.parametrize(
    ("files", "nat", "conntrack"),
    [
        ({}, None, None),
        ({"/etc/modprobe.d/b.conf": BLOCK}, ("/etc/modprobe.d/b.conf", 2), None),
        (
            {"/usr/lib/modprobe.d/b.conf": "install nf-conntrack /bin/true\n"},
            ("/usr/lib/modprobe.d/b.conf", 1),
            ("/usr/lib/modprobe.d/b.conf", 1),
        ),
        (
            {"/etc/modprobe.d/a.conf": "install nf_* modprobe -i $CMDLINE_OPTS\n", "/etc/modprobe.d/b.conf": BLOCK},
            None,
            None,
        ),
        ({"/etc/modprobe.d/b.conf": "blacklist nf_nat\n"}, None, None),
    ],
    ids=["nothing", "NAT", "another's, all", "outranked", "a blacklist is none"],
)
def test_what_keeps_a_stack_out_is_told_by_file_and_line(recorded_host, facts_of, files, nat, conntrack):
    facts = facts_of(recorded_host("trixie-6.12-absent", files), ["modules"])
    places = {"nat": nat, "conntrack": conntrack}
    assert facts["blocked"] == {
        stack: place and {"file": place[0], "line": place[1]} for stack, place in places.items()
    }


@pytest.mark.parametrize(
    ("name", "in_use"),
    [
        ("trixie-6.12-nat", True),
        ("buster-4.19-nft-by-hand", True),
        ("trixie-6.12-absent", False),
        ("linux-6.18-built-in", None),
    ],
)
def test_whether_nat_is_in_use_is_told_where_the_kernel_counts_it(recorded_host, facts_of, name, in_use):
    assert facts_of(recorded_host(name), ["modules"])["nat_in_use"] is in_use


@pytest.mark.parametrize(
    ("listed", "in_use"),
    [
        ("kernel/net/netfilter/nf_conntrack.ko\n", False),
        ("kernel/net/netfilter/nf_nat.ko\n", None),
    ],
    ids=["a module", "built in"],
)
def test_nat_that_is_no_part_of_the_kernel_and_not_loaded_is_not_in_use(recorded_host, facts_of, listed, in_use):
    host = recorded_host("linux-6.18-built-in")
    host.put("/lib/modules/{0}/modules.builtin".format(host.read_value("/proc/sys/kernel/osrelease")), listed)
    host.put("/proc/modules", "loop 1 0 - Live 0x0\n")
    assert facts_of(host, ["modules"])["nat_in_use"] is in_use


def test_what_could_not_be_read_is_not_taken_for_no_block(recorded_host, facts_of):
    host = recorded_host("trixie-6.12-absent", {"/etc/modprobe.d/b.conf": BLOCK})
    host.denied = {"/etc/modprobe.d/b.conf"}
    facts = facts_of(host, ["modules"])
    assert facts["blocked"] is None
    assert [entry["path"] for entry in facts["unreadable"]] == ["/etc/modprobe.d/b.conf"]


@pytest.mark.parametrize(
    ("rule", "in_use"),
    [
        ("nft_chain_nat 1 0 - Live 0x0\n", None),
        ("nft_chain_nat 1 1 - Live 0x0\n", True),
    ],
    ids=["no rule", "a chain"],
)
def test_open_vswitch_does_not_tell_whether_it_translates(recorded_host, facts_of, rule, in_use):
    modules = rule + "openvswitch 1 2 - Live 0x0\nnf_nat 1 2 openvswitch,nft_chain_nat, Live 0x0\n"
    host = recorded_host("trixie-6.12-absent", {"/proc/modules": modules})
    assert facts_of(host, ["modules"])["nat_in_use"] is in_use


def on_disk(tree):
    """A tree of boot_services as ``recorded_host`` takes it."""
    return {path: {"link": entry} if isinstance(entry, str) else entry.decode() for path, entry in tree.items()}


def test_nobody_is_looked_for_where_nothing_can_be_missed(recorded_host, facts_of):
    assert facts_of(recorded_host("trixie-6.12-nat", on_disk(UFW)), ["modules"])["needed_by"] is None


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("trixie-6.12-absent", {}),
        ("trixie-6.12-nat", {"/etc/modprobe.d/b.conf": "install nf_conntrack /bin/false\n"}),
        ("trixie-6.12-nat", {"/etc/modprobe.d/b.conf": "install nf_nat /bin/false\n"}),
    ],
    ids=["not loaded", "kept out", "NAT kept out"],
)
def test_what_services_need_at_their_next_start_is_told_where_they_may_miss_it(recorded_host, facts_of, name, files):
    (need,) = facts_of(recorded_host(name, {**on_disk(UFW), **files}), ["modules"])["needed_by"]
    documented = yaml.safe_load(conntrack_facts.RETURN)["ansible_facts"]["contains"]["conntrack"]["contains"]
    assert set(need) == set(documented["needed_by"]["contains"])
    assert (need["unit"], need["stack"], need["file"], need["line"]) == (
        "ufw.service",
        "conntrack",
        "/etc/ufw/before.rules",
        5,
    )
    assert need["message"] == (
        "ufw.service needs connection tracking when it starts: /etc/ufw/before.rules:5"
        " (-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT)"
    )


def test_rules_that_cannot_be_read_are_told_as_such(recorded_host, facts_of):
    host = recorded_host("trixie-6.12-absent", on_disk(UFW))
    host.denied = {"/etc/ufw/before.rules"}
    facts = facts_of(host, ["modules"])
    assert {(need["file"], need["certain"]) for need in facts["needed_by"]} == {
        ("/etc/ufw/before.rules", False),
        ("/etc/ufw/ufw.conf", True),
    }
    assert [entry["path"] for entry in facts["unreadable"]] == ["/etc/ufw/before.rules"]


@pytest.mark.parametrize("subset", SUBSETS)
def test_each_part_can_be_read_alone_and_left_out(recorded_host, facts_of, subset):
    host = recorded_host("bookworm-6.1-nat")
    assert set(facts_of(host, [subset])) == ALWAYS | KEYS_OF[subset]
    assert set(facts_of(host, ["!" + subset])) == EVERY - KEYS_OF[subset]


def test_a_wrong_part_is_one_clear_error(recorded_host, run_module):
    result = run_module("conntrack_facts", recorded_host("trixie-6.12-nat"), {"gather_subset": ["tables"]})
    assert result["failed"]
    assert result["msg"] == (
        "gather_subset: there is no 'tables'; allowed are all, table, timeouts, settings, statistics, sockets, "
        "logging, modules, persistent, writers, memory, kernel_log, namespaces, health, and each with '!' in front to "
        "leave it out"
    )
    assert "exception" not in result


def test_what_cannot_be_read_is_null_and_listed_with_the_reason(recorded_host, facts_of):
    host = recorded_host("trixie-6.12-nat")
    host.denied = {
        KEYS + "nf_conntrack_count",
        KEYS + "nf_conntrack_udp_timeout",
        KEYS + "nf_conntrack_acct",
        KEYS + "nf_log/2",
        "/proc/net/stat/nf_conntrack",
        "/proc/net/tcp",
        "/proc/modules",
    }
    facts = facts_of(host)
    assert facts["unreadable"] == [{"path": path, "reason": "Permission denied"} for path in sorted(host.denied)]
    assert facts["entries"] is None and facts["usage_percent"] is None
    assert facts["max"] == 4096
    assert facts["timeouts"]["udp"] is None and facts["timeouts"]["udp_stream"] == 120
    assert facts["settings"]["nf_conntrack_acct"] is None
    assert facts["statistics"] is None
    assert facts["sockets"]["ipv4"] is None and facts["sockets"]["ipv6"]["listen"] == 1
    assert facts["logging"]["loggers"]["ipv4"] is None
    assert facts["modules"] == {}


def test_without_root_what_hides_the_next_boot_is_said_with_what_helps(recorded_host, facts_of):
    host = recorded_host("trixie-6.12-nat", {"/etc/sysctl.d/50-hardening.conf": "net.netfilter.nf_conntrack_max = 5\n"})
    host.denied = {"/etc/sysctl.d/50-hardening.conf"}
    host.is_root = False
    facts = facts_of(host)
    problem = "/etc/sysctl.d/50-hardening.conf: permission denied; run with -b to read it"
    assert (facts["persistent"], facts["drift"], facts["persistent_problem"]) == (None, None, problem)
    (reason,) = [item for item in facts["health"]["reasons"] if item["reason"] == "boot"]
    assert reason["message"] == f"What the next boot sets is not known: {problem}."
    host.is_root = True
    assert facts_of(host)["persistent_problem"] == "/etc/sysctl.d/50-hardening.conf: permission denied"


def test_the_kernel_log_counts_lines_and_tells_when_it_may_not_be_read(recorded_host, facts_of):
    host = recorded_host("trixie-6.12-nat", {"/dev/kmsg": FULL + "6,78,2000000,-;eth0: link\n" + FULL})
    host.clock = lambda: 61.5
    assert facts_of(host, ["kernel_log"])["kernel_log"] == {
        "lines": 2,
        "last_seconds_ago": 60,
        "lines_here": 2,
        "last_here_seconds_ago": 60,
    }
    host.denied = {"/dev/kmsg"}
    facts = facts_of(host, ["kernel_log"])
    assert facts["kernel_log"] is None
    assert facts["unreadable"] == [{"path": "/dev/kmsg", "reason": "Permission denied"}]


def test_the_memory_of_the_table_is_told_with_where_it_is_known_from(recorded_host, facts_of):
    slab = "/sys/kernel/slab/nf_conntrack/"
    host = recorded_host(
        "trixie-6.12-nat", {slab + "slab_size": "320\n", slab + "slabs": "4 N0=4\n", slab + "order": "1\n"}
    )
    memory = facts_of(host, ["memory"])["memory"]
    assert (memory["entry_bytes"], memory["entry_bytes_from"], memory["slab_bytes"]) == (448, "slab", 4 * 8192)
    host.denied = {slab + "slab_size"}
    facts = facts_of(host, ["memory"])
    assert (facts["memory"]["entry_bytes"], facts["memory"]["entry_bytes_from"]) == (384, "estimate")
    assert [entry["path"] for entry in facts["unreadable"]] == [slab + "slab_size"]


def test_each_cpu_has_its_own_counters(recorded_host, facts_of):
    statistics = facts_of(recorded_host("trixie-6.12-full"), ["statistics"])["statistics"]
    assert sum(statistics["per_cpu"]["drop"]) == statistics["drop"] == 657
    assert set(statistics["per_cpu"]) == set(statistics) - {"per_cpu"}


def test_two_readings_give_rates_and_the_values_are_those_of_the_second(recorded_host, run_module):
    host = recorded_host("trixie-6.12-nat", {KEYS + "nf_conntrack_max": "1000\n", KEYS + "nf_conntrack_count": "700\n"})
    clock = [100.0]
    host.clock = lambda: clock[0]

    def wait(seconds):
        assert seconds == 5.0
        clock[0] += seconds
        host.put(KEYS + "nf_conntrack_count", "850\n")

    host.wait = wait
    arguments = {"gather_subset": ["table", "health"], "interval": 5}
    facts = run_module("conntrack_facts", host, arguments)["ansible_facts"]["conntrack"]
    assert facts["entries"] == 850
    assert (facts["rates"]["entries_per_second"], facts["rates"]["seconds_to_full"]) == (30.0, 5)
    assert facts["rates"]["drops_per_second"] == 0.0
    assert facts["health"]["status"] == "critical"
    assert facts["health"]["reasons"][0]["message"] == (
        "The table is 85 % full (850 of 1,000 entries) and grows by 30 entries a second: full in 5 seconds."
    )


@pytest.mark.parametrize("name", ABSENT)
def test_a_host_without_connection_tracking_is_not_waited_for_and_well(recorded_host, run_module, name):
    host = recorded_host(name)
    host.wait = lambda seconds: pytest.fail("it waited")
    facts = run_module("conntrack_facts", host, {"interval": 60})["ansible_facts"]["conntrack"]
    assert facts["rates"] is None and facts["memory"] is None
    assert facts["health"] == {"status": "ok", "reasons": []}


@pytest.mark.parametrize("name", HOST_NAMES)
def test_every_recorded_host_gets_a_verdict(recorded_host, facts_of, name):
    status = facts_of(recorded_host(name))["health"]["status"]
    assert status == {"trixie-6.12-full": "critical"}.get(name, "ok")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interval": 61}, "interval is 61.0, but must be 0 to 60 seconds"),
        (
            {"usage_warning": 91},
            "usage_warning is 91 and usage_critical 90, but usage_warning must not be the larger one: lower"
            " usage_warning, or raise usage_critical",
        ),
    ],
)
def test_an_option_that_cannot_be_meant_is_one_clear_error(recorded_host, run_module, options, message):
    result = run_module("conntrack_facts", recorded_host("trixie-6.12-nat"), options)
    assert result["failed"] and result["msg"] == message and "exception" not in result


def test_a_directory_of_keys_that_cannot_be_listed_leaves_the_rest(recorded_host, facts_of):
    host = recorded_host("trixie-6.12-nat")
    host.denied = {KEYS[:-1]}
    facts = facts_of(host)
    assert facts["timeouts"] == {} and facts["settings"] == {}
    assert [entry["path"] for entry in facts["unreadable"]] == [KEYS[:-1]]
    assert facts["max"] == 4096


def test_a_key_that_is_no_number_is_listed_as_such(recorded_host, facts_of):
    path = KEYS + "nf_conntrack_tcp_loose"
    facts = facts_of(recorded_host("trixie-6.12-nat", {path: "1\t2\n"}))
    assert facts["settings"]["nf_conntrack_tcp_loose"] is None
    assert facts["unreadable"] == [{"path": path, "reason": "not a number: '1\\t2'"}]


def test_a_machine_without_proc_and_sys_is_an_absent_one(recorded_host, facts_of):
    host = recorded_host("trixie-6.12-absent")
    host._root += "/no/such/tree"
    facts = facts_of(host)
    assert facts["state"] == "absent"
    assert facts["unreadable"] == []
    assert facts["sockets"] == {"ipv4": None, "ipv6": None}


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("diff", [True, False])
def test_check_mode_and_diff_mode_give_the_same_facts_and_write_nothing(recorded_host, run_module, check, diff):
    host = recorded_host("trixie-6.12-nat")
    before = host.snapshot()
    result = run_module("conntrack_facts", host, {}, check=check, diff=diff)
    assert result["ansible_facts"]["conntrack"]["max"] == 4096
    assert "diff" not in result
    assert host.snapshot() == before


TYPES = {"str": str, "bool": bool, "list": list, "int": int, "float": float, "dict": dict, "raw": object}


def check_documented(documented, value, place):
    """That a value is of the documented type, and has the documented keys and no other, all the way down."""
    if value is None and "V(null)" in str(documented["description"]):
        return
    assert isinstance(value, TYPES[documented["type"]]), place
    if set(documented.get("contains", {"NAME"})) == {"NAME"}:
        return
    for item in value if isinstance(value, list) else [value]:
        assert set(item) == set(documented["contains"]), place
        for name, below in documented["contains"].items():
            check_documented(below, item[name], f"{place}.{name}")


def test_every_returned_key_is_documented_and_nothing_else(recorded_host, run_module):
    documented = yaml.safe_load(conntrack_facts.RETURN)["ansible_facts"]["contains"]["conntrack"]
    host = recorded_host(
        "trixie-6.12-nat", {**NAMESPACES, "/dev/kmsg": FULL, "/etc/sysctl.d/a.conf": "net.nf_conntrack_max=5\n"}
    )
    host.wait = lambda seconds: None
    arguments = {"gather_subset": ["all", "namespaces"], "interval": 1}
    facts = run_module("conntrack_facts", host, arguments)["ansible_facts"]["conntrack"]
    assert facts["drift"] and facts["health"]["reasons"] and facts["namespaces"] and facts["kernel_log"]["lines"]
    check_documented(documented, facts, "conntrack")
    documented = documented["contains"]
    assert set(documented["sockets"]["contains"]["ipv4"]["sample"]) == set(facts["sockets"]["ipv4"])
    assert set(documented["modules"]["contains"]["NAME"]["contains"]) == set(facts["modules"]["nf_conntrack"])
    assert set(documented["statistics"]["sample"]) <= set(facts["statistics"])
    assert set(documented["rates"]["sample"]) == set(facts["rates"])


NAMESPACES = {
    "/proc/self/ns/net": {"link": "net:[1]"},
    "/proc/1/ns/net": {"link": "net:[1]"},
    "/proc/1/comm": "systemd\n",
}
FULL = "4,77,1000000,-;nf_conntrack: nf_conntrack: table full, dropping packet\n"


def test_the_documentation_names_every_part():
    option = yaml.safe_load(conntrack_facts.DOCUMENTATION)["options"]["gather_subset"]
    for name in SUBSETS:
        assert f"V({name})" in " ".join(option["description"])


def test_files_of_any_bytes_can_be_told_of(recorded_host, facts_of):
    line = "net.netfilter.nf_conntrack_max = 5 # caf\udce9\n"
    facts = facts_of(recorded_host("trixie-6.12-nat", {"/etc/sysctl.d/t\udcfcned.conf": line}))
    assert facts["drift"]
    str(facts).encode("utf-8")


def test_an_unreadable_file_that_no_boot_reads_hides_nothing_else(recorded_host, facts_of):
    host = recorded_host(
        "trixie-6.12-nat", {"/etc/sysctl.conf": "", "/etc/sysctl.d/50-a.conf": "net.nf_conntrack_max = 5\n"}
    )
    # As its name without .conf: the boot passes over it.
    host.put("/etc/sysctl.d/secret", "net.netfilter.nf_conntrack_max = 5\n")
    host.denied.add("/etc/sysctl.d/secret")
    facts = facts_of(host, ["persistent"])
    assert facts["persistent"]["nf_conntrack_max"]["boot"] == 5
    assert [item["path"] for item in facts["unreadable"]] == ["/etc/sysctl.d/secret"]


BY_UFW = {
    "/etc/ufw/ufw.conf": "ENABLED=yes\n",
    "/etc/default/ufw": "IPT_SYSCTL=/etc/ufw/sysctl.conf\n",
    "/etc/ufw/sysctl.conf": "# few\nnet/netfilter/nf_conntrack_max=50000\n",
}


def test_what_else_sets_keys_is_told_with_file_and_line(recorded_host, facts_of):
    host = recorded_host("trixie-6.12-nat", BY_UFW)
    (writer,) = facts_of(host, ("writers",))["writers"]
    assert writer == {
        "writer": "ufw",
        "file": "/etc/ufw/sysctl.conf",
        "line": 2,
        "key": "nf_conntrack_max",
        "value": 50000,
        "when": "when ufw starts or reloads",
        "certain": True,
        "message": (
            "ufw sets nf_conntrack_max to 50000 when ufw starts or reloads (/etc/ufw/sysctl.conf:2), in a race with"
            " what applies sysctl.d"
        ),
    }
    assert set(writer) == set(documented("writers")["contains"])


def test_writers_are_searched_for_once_and_left_out_alone(recorded_host, facts_of, monkeypatch):
    from ansible_collections.netops.conntrack.plugins.module_utils._boot import writers

    searches = []
    find = writers.find
    monkeypatch.setattr(writers, "find", lambda host: searches.append(host) or find(host))
    host = recorded_host("trixie-6.12-nat")
    assert facts_of(host)["writers"] == [] and len(searches) == 1
    facts_of(host, ("!writers", "!persistent"))
    assert len(searches) == 1


def test_a_file_that_was_not_searched_for_writers_is_unreadable(recorded_host, facts_of):
    host = recorded_host("trixie-6.12-nat", {"/etc/cron.d/secret": "x"})
    host.denied = {"/etc/cron.d/secret"}
    facts = facts_of(host, ("writers",))
    assert facts["writers"] == [] and [item["path"] for item in facts["unreadable"]] == ["/etc/cron.d/secret"]


def documented(key):
    returned = yaml.safe_load(conntrack_facts.RETURN)["ansible_facts"]["contains"]["conntrack"]["contains"]
    return returned[key]
