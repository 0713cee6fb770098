# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told of tables of this machine's kernel, beside what conntrack(8) tells, and what becomes true."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import kinds
import pytest
from entries_made import address, reply_of
from kinds import ASSURED, CHILDREN, FILTERS, TRANSLATED, agree, of_all_kinds, statistics_agree, told, told_by_conntrack
from netns import add, namespace, raw, room_for, run, send, track

from ansible_collections.netops.conntrack.plugins.module_utils import _ctnetlink as netlink
from ansible_collections.netops.conntrack.plugins.module_utils._entries import count, dump, tables
from ansible_collections.netops.conntrack.plugins.module_utils._entries.filter import parse as parse_filter
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError, InvalidInput
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

BUCKETS = Path("/proc/sys/net/netfilter/nf_conntrack_buckets")
HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def all_kinds():
    """The name of a namespace with entries of all kinds."""
    with kinds.all_kinds(6000, 1) as name:
        yield name


def test_counts_are_those_of_conntrack(all_kinds):
    expected = told_by_conntrack(all_kinds)
    assert expected.entries == 6000 + CHILDREN + TRANSLATED
    result = told(all_kinds)
    agree(result, expected)
    assert result["counts"]["expected"]["entries"] == CHILDREN
    assert result["counts"]["nat"]["source"]["entries"] == TRANSLATED


def test_statistics_of_ctnetlink_are_those_of_proc():
    statistics_agree()


def test_each_entry_is_the_one_that_conntrack_shows(all_kinds):
    entries = raw(all_kinds)
    assert {entry.id for entry in entries} == told_by_conntrack(all_kinds).ids
    assert {entry.original.protocol for entry in entries} == {6, 17, 1, 58, 132, 47, 136, 89}
    assert sum(entry.master is not None for entry in entries) == CHILDREN
    assert any(entry.labels for entry in entries)


def test_no_message_of_this_kernel_needs_the_careful_parser(all_kinds, monkeypatch):
    before = told(all_kinds)

    def refuse(_counts, _message):
        raise AssertionError

    # A shape is not made for a few messages of a length, which is not what this is about.
    monkeypatch.setattr(count, "_FEW", 1)
    monkeypatch.setattr(count.Counts, "_count_with_care", refuse)
    assert told(all_kinds)["counts"] == before["counts"]


@pytest.mark.parametrize("fields", FILTERS, ids=str)
def test_a_filter_gives_exactly_what_is_meant(all_kinds, fields):
    meant = parse_filter(fields)
    expected = [entry for entry in raw(all_kinds) if meant.matches(entry)]
    assert expected
    result = told(all_kinds, filter=fields, entries=1000)
    assert result["matched"] == len(expected)
    assert len(result["entries"]) == min(len(expected), 1000)
    assert {entry["id"] for entry in result["entries"]} <= {entry.id for entry in expected}


@pytest.mark.parametrize("fields", [
    {"family": "ipv6"}, {"mark": "0x10"}, {"source": "10.0.0.0"}, {"protocol": "udp", "family": "ipv4"},
    {"source": "10.0.0.0", "protocol": "tcp", "port": 443},
], ids=str)  # fmt: skip
def test_the_kernel_leaves_out_what_it_can(all_kinds, fields):
    result = told(all_kinds, filter=fields)
    assert 0 < result["read"] == result["matched"] < result["total"]


@pytest.mark.parametrize("by", ["name", "path", "pid"])
def test_a_namespace_is_read_by_name_path_and_pid(by):
    with namespace() as name:
        add(name, list(of_all_kinds(50, 2)))
        sleeper = subprocess.Popen(["ip", "netns", "exec", name, "sleep", "60"])
        try:
            # The process is in the namespace as soon as it has become another program.
            while "sleep" not in Path(f"/proc/{sleeper.pid}/comm").read_text(encoding="utf-8"):
                time.sleep(0.01)
            given = {"name": name, "path": f"/run/netns/{name}", "pid": str(sleeper.pid)}[by]
            before = os.readlink("/proc/thread-self/ns/net")
            assert told(given)["read"] == 50
            assert os.readlink("/proc/thread-self/ns/net") == before
        finally:
            sleeper.terminate()
            sleeper.wait()


def test_a_namespace_that_is_gone_is_told():
    with namespace() as name:
        pass
    with pytest.raises(InvalidInput, match="must be a name below /run/netns"):
        told(name)
    Path(f"/run/netns/{name}").touch()
    try:
        with pytest.raises(InvalidInput, match="is not a network namespace, or no longer exists"):
            told(name)
    finally:
        Path(f"/run/netns/{name}").unlink()


@pytest.mark.parametrize("option", [[], ["--bounding-set=-net_admin", "--inh-caps=-net_admin"]])
def test_without_the_right_to_it_the_kernel_s_refusal_says_what_to_do(option):
    code = (
        "from ansible_collections.netops.conntrack.plugins.module_utils._entries import tables;"
        "from ansible_collections.netops.conntrack.plugins.module_utils._host import Host;"
        "list(tables.connect(Host()).socket.dump())"
    )
    user = [] if option else ["--reuid=65534", "--regid=65534", "--clear-groups"]
    done = subprocess.run(
        ["setpriv", *user, *option, sys.executable, "-c", code], check=False, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert "Refused" in done.stderr and "become: true" in done.stderr


def test_an_entry_is_deleted_by_its_id_and_no_later_one_of_its_tuple():
    entry, *others = of_all_kinds(200, 3)
    with namespace() as name:
        add(name, [entry])
        (first,) = raw(name)
        table = tables.connect(Host(), name)
        with table.socket as opened:
            opened.request(netlink.DELETE, dump.encode_deletion(first), first.original.family)
            # Its place in memory goes to another one: the kernel makes the id of that place and the tuple.
            add(name, [*others, entry])
            with pytest.raises(HostError) as raised:
                opened.request(netlink.DELETE, dump.encode_deletion(first), first.original.family)
            assert raised.value.code == 2  # ENOENT
        assert len(raw(name)) == 200


def test_shares_of_samples_are_within_their_margins_as_often_as_they_claim():
    single, together, tables = [], [], 40
    for seed in range(tables):
        with namespace() as name:
            add(name, list(of_all_kinds(4000, 1000 + seed)))
            whole = told(name, top=5)
            part = told(name, top=5, sample="400")
            everything = told(name)
        assert not part["complete"] and 400 <= part["read"] < 800
        counts = part["counts"]
        for group in ("families", "protocols", "tcp_states"):
            for kind, item in whole["counts"][group].items():
                seen = counts[group].get(kind)
                # What the sample has not seen has a share of 0, with the margin of that.
                seen = seen or {"share_percent": 0.0, "margin_percent": counts["offloaded"]["margin_percent"]}
                single.append(abs(seen["share_percent"] - item["share_percent"]) <= seen["margin_percent"] + 0.01)
        for kind in ("assured", "unreplied"):
            off = abs(counts[kind]["share_percent"] - whole["counts"][kind]["share_percent"])
            single.append(off <= counts[kind]["margin_percent"] + 0.01)
        for listed, keys in (
            ("sources", ["source"]),
            ("destinations", ["destination"]),
            ("ports", ["protocol", "port"]),
        ):
            true = {tuple(item[key] for key in keys): item["share_percent"] for item in everything[listed]}
            together.append(
                all(
                    abs(item["share_percent"] - true.get(tuple(item[key] for key in keys), 0.0))
                    <= item["margin_percent"] + 0.01
                    for item in part[listed]
                )
            )
    held, lists = sum(single) / len(single), sum(together) / len(together)
    print(
        f"\nsingle shares within their margin: {held:.1%} of {len(single)}; whole lists: {lists:.1%} of {len(together)}"
    )
    # Both claim 95 of 100. The shares of one table hang together, so there is room for chance of some 800 and 100
    # draws.
    assert held > 0.93 and lists > 0.89


@contextlib.contextmanager
def meanwhile(work):
    """Run something again and again, in another thread, as long as the block runs."""
    over, errors = threading.Event(), []

    def repeat():
        try:
            while not over.is_set():
                work()
        except Exception as error:  # fails the test below
            errors.append(error)

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not errors


def test_a_table_that_grows_and_shrinks_meanwhile_is_read_without_error():
    stay, come = list(of_all_kinds(8000, 5)), list(of_all_kinds(3000, 60_000))
    with namespace() as name:
        add(name, stay)
        table = tables.connect(Host(), name)
        with table.socket as opened:
            new = [(entry.original.family, dump.encode(entry)) for entry in come]
            old = [(entry.original.family, dump.encode_deletion(entry)) for entry in come]

            def churn():
                opened.requests(netlink.NEW, new, netlink.CREATE)
                opened.requests(netlink.DELETE, old)

            with meanwhile(churn):
                for _unused in range(20):
                    result = told(name)
                    # A chain that changes under the dump is walked again, so a few may come twice.
                    assert 7900 <= result["matched"] <= 11_300


def test_a_hash_table_that_is_resized_meanwhile_is_told():
    before = BUCKETS.read_text(encoding="ascii").strip()
    sizes = [before, str(int(before) // 2)] * 50
    with namespace() as name:
        add(name, list(of_all_kinds(20_000, 6)))
        try:
            with meanwhile(lambda: BUCKETS.write_text(sizes.pop() if sizes else before, encoding="ascii")):
                results = [told(name) for _unused in range(10)]
        finally:
            BUCKETS.write_text(before, encoding="ascii")
        assert all(0 < result["matched"] <= 40_000 for result in results)
        assert told(name)["matched"] == 20_000


def set_udp(name, seconds):
    run("ip", "netns", "exec", name, "sysctl", "-q", "-w", f"net.netfilter.nf_conntrack_udp_timeout={seconds}")


def test_what_another_timeout_would_free_is_what_a_run_with_it_frees():
    stop, go_on, candidate = range(20000, 20150), range(30000, 30100), 4
    with namespace() as long, namespace() as short:
        for name, seconds in ((long, 14), (short, candidate)):
            track(name)
            set_udp(name, seconds)
            send(name, 53, stop)
        began = time.monotonic()
        while time.monotonic() - began < 6:
            for name in (long, short):
                send(name, 53, go_on)
            time.sleep(0.5)
        result = told(long, what_if={"udp": [candidate]})
        judged = result["timeouts"]["udp"]
        assert (judged["seconds"], judged["entries"], judged["unknown"]) == (14, 250, 0)
        assert judged["what_if"][0]["frees"] == len(stop)
        # Under the other value all along, just those are gone.
        assert told(short)["matched"] == len(go_on) == judged["entries"] - judged["what_if"][0]["frees"]
        # And where it is lowered now, once the traffic has gone on for as long as the old timers still run.
        set_udp(long, candidate)
        assert told(long)["timeouts"]["udp"]["unknown"] > 0
        while time.monotonic() - began < 16:
            send(long, 53, go_on)
            time.sleep(0.5)
        assert told(long)["matched"] == len(go_on)


def test_ports_of_translation_are_counted_against_what_the_kernel_gives():
    snat = (
        "add chain ip t nat { type nat hook postrouting priority 100; }",
        "add rule ip t nat ip daddr 127.0.0.2 snat to 127.0.0.9",
    )
    with namespace() as name:
        track(name, *snat)
        send(name, 53, range(20000, 20200))
        send(name, 600, range(600, 700))
        fullest = told(name)["nat_ports"]
    shown = {key: fullest[0][key] for key in ("address", "protocol", "destination", "port", "first_port", "last_port")}
    assert shown == {
        "address": "127.0.0.9", "protocol": "udp", "destination": "127.0.0.2", "port": 600, "first_port": 600,
        "last_port": 1023,
    }  # fmt: skip
    assert (fullest[0]["entries"], fullest[0]["used_percent"]) == (100, 23.58)
    assert (fullest[1]["entries"], fullest[1]["port"], fullest[1]["first_port"]) == (200, 53, 1024)


def test_it_takes_less_than_64_mib_whatever_the_table_holds():
    def entries():
        for number in range(90_000):
            family = socket.AF_INET if number % 3 else socket.AF_INET6
            source = address(number * 256 if family == socket.AF_INET6 else number, family)
            original = dump.Tuple(
                family, dump.UDP, source, address(10**6 + number * 256, family), 1000, number % 65535 + 1
            )
            yield dump.Entry(original, reply_of(original), status=ASSURED, timeout=1000 + number, mark=number)

    with room_for(150_000), namespace() as name:
        add(name, entries())
        arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {"namespace": name, "sample": "all"}})
        done = subprocess.run(
            [sys.executable, str(HERE / "resident.py"), "conntrack_entries_info"], input=arguments, check=True,
            stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
    result, resident = filter(None, done.stdout.splitlines())
    assert json.loads(result)["matched"] == 90_000
    print(f"\nresident: {int(resident) / 1024:.1f} MiB")
    assert int(resident) < 64 * 1024
