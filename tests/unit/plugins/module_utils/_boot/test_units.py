# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from boot_services import ENABLED, SYSTEMD, UNITS, enabled, installed
from fake_kernel import FakeKernel
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.module_utils._boot import units
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError

if t.TYPE_CHECKING:
    from conftest import RecordedHost

SERVICE = b"[Service]\nExecStart=/bin/it\n"


def find(tree, name="trixie-6.12-absent"):
    return find_on(tree if isinstance(tree, FakeKernel) else FakeKernel(name, tree))


def find_on(host):
    def attempt(read, *arguments):
        try:
            return read(*arguments)
        except HostError:
            return None

    return units.find(host, attempt)


def names(tree):
    return [service.name for service in find(tree)]


@pytest.mark.parametrize(
    "tree",
    [
        enabled("it"),
        enabled("it", by="sysinit.target"),
        {**installed("it"), f"{ENABLED}/basic.target.requires/it.service": f"{UNITS}/it.service"},
        {**installed("it"), f"{UNITS}/multi-user.target.wants/it.service": "../it.service"},
        {**installed("it"), "/run/systemd/system/multi-user.target.wants/it.service": f"{UNITS}/it.service"},
        {**installed("it"), **enabled("other"),
         f"{UNITS}/other.service": b"[Unit]\nRequires=a.service \\\n it.service\n"},
        {**installed("it"), **enabled("other"), f"{ENABLED}/other.service.d/x.conf": b"[Unit]\nWants=it.service\n"},
        {**SYSTEMD, f"{ENABLED}/multi-user.target.wants/alias.service": f"{UNITS}/it.service",
         f"{ENABLED}/alias.service": f"{UNITS}/it.service", f"{UNITS}/it.service": SERVICE},
        {**SYSTEMD, f"{ENABLED}/multi-user.target.wants/it.service": "/opt/it/it.service",
         f"{ENABLED}/it.service": "/opt/it/it.service", "/opt/it/it.service": SERVICE},
        {**SYSTEMD, f"{ENABLED}/multi-user.target.wants/it.service": "/opt/it/x.service",
         f"{ENABLED}/it.service": "/opt/it/x.service", "/opt/it/x.service": SERVICE},
    ],
    ids=["enabled", "early", "required", "by a package", "until the next boot", "by a line", "by a drop-in",
         "by an alias",
         "linked", "linked under another name"],
)  # fmt: skip
def test_what_the_boot_starts_is_found(tree):
    assert "it.service" in names(tree)


@pytest.mark.parametrize(
    "tree",
    [
        installed("it"),
        enabled("it", by="rescue.target"),
        enabled("it", by="nowhere.target"),
        {**enabled("it"), f"{ENABLED}/it.service": "/dev/null"},
        {**enabled("it"), f"{ENABLED}/it.service": b""},
        {**enabled("it"), "/run/systemd/system/it.service": "/dev/null"},
        {**enabled("it"), f"{ENABLED}/multi-user.target.wants/it.service": "/dev/null"},
        {**enabled("it"), f"{UNITS}/it.service": None},
        {**enabled("it"), f"{UNITS}/it.service": "it.service"},
        {**enabled("it", by="graphical.target"), f"{ENABLED}/default.target": f"{UNITS}/multi-user.target"},
    ],
    ids=["not enabled", "of another target", "of no target", "masked", "masked by an empty file",
         "masked until the next boot",
         "link masked", "a directory", "a ring", "of a target that is not booted"],
)  # fmt: skip
def test_what_it_does_not_start_is_not(tree):
    assert "it.service" not in names(tree)


def test_a_host_without_a_default_target_boots_the_usual_one():
    tree = enabled("it")
    del tree[f"{UNITS}/default.target"]
    assert "it.service" in names(tree)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("socket", b"[Socket]\nListenStream=/run/it\n"),
        ("timer", b"[Timer]\nOnBootSec=9\n"),
        ("path", b"[Path]\nPathExists=/x\n"),
    ],
)
def test_what_a_socket_a_timer_or_a_path_starts_is_found_with_the_unit_to_disable(kind, text):
    tree = {
        **installed("it"),
        f"{UNITS}/it.{kind}": text,
        f"{ENABLED}/{kind}s.target.wants/it.{kind}": f"{UNITS}/it.{kind}",
    }
    (service,) = find(tree)
    assert (service.name, service.enabled, service.enabled_by) == ("it.service", (f"it.{kind}",), f"{UNITS}/it.{kind}")


def test_a_socket_may_name_another_service():
    tree = {**installed("it"), f"{UNITS}/x.socket": b"[Socket]\nService=it.service\n",
            f"{ENABLED}/sockets.target.wants/x.socket": f"{UNITS}/x.socket"}  # fmt: skip
    assert names(tree) == ["it.service"]


def test_a_service_that_has_a_socket_too_takes_both_to_disable():
    tree = {**enabled("docker"), f"{UNITS}/docker.socket": b"[Socket]\nListenStream=/run/docker.sock\n",
            f"{ENABLED}/sockets.target.wants/docker.socket": f"{UNITS}/docker.socket"}  # fmt: skip
    (service,) = find(tree)
    assert service.enabled == ("docker.service", "docker.socket")
    assert service.enabled_by == f"{ENABLED}/multi-user.target.wants/docker.service"


def test_a_service_that_another_brings_along_names_that_one_to_disable():
    tree = {**installed("inner"), **enabled("outer"), f"{UNITS}/outer.service": b"[Unit]\nRequires=inner.service\n"}
    assert {service.name: service.enabled for service in find(tree)} == {
        "outer.service": ("outer.service",),
        "inner.service": ("outer.service",),
    }


def test_an_instance_is_found_by_its_template():
    tree = {**SYSTEMD, f"{UNITS}/wg-quick@.service": b"[Service]\nExecStart=/usr/bin/wg-quick up %i\n",
            f"{ENABLED}/multi-user.target.wants/wg-quick@wg0.service": f"{UNITS}/wg-quick@.service"}  # fmt: skip
    (service,) = find(tree)
    assert (service.name, service.base, service.instance) == ("wg-quick@wg0.service", "wg-quick", "wg0")


def test_a_drop_in_changes_what_a_service_runs():
    tree = {
        **enabled("it", command="/bin/old"),
        f"{ENABLED}/it.service.d/x.conf": b"[Service]\nExecStart=\nExecStart=/bin/new\n",
    }
    (service,) = find(tree)
    assert service.commands == ("/bin/new",)


def with_lines(*lines):
    """The service with lines about when it is started, on a host with some files."""
    text = "[Unit]\n" + "".join(f"{line}\n" for line in lines) + "[Service]\nExecStart=/bin/it\n"
    return {
        **enabled("it"),
        f"{UNITS}/it.service": text.encode(),
        "/etc/there": b"x",
        "/etc/empty": b"",
        "/etc/d/f": b"",
        "/etc/bare": None,
    }


@pytest.mark.parametrize(
    "lines",
    [
        ["ConditionPathExists=/etc/gone"],
        ["ConditionPathExists=!/etc/there"],
        ["ConditionPathExists=! /etc/there"],
        ["AssertPathExists=/etc/gone"],
        ["ConditionPathExists=/etc/there", "ConditionPathExists=/etc/gone"],
        ["ConditionPathExists=|/etc/gone", "ConditionPathExists=|!/etc/there"],
        ["ConditionPathExists=|/etc/there", "ConditionPathExists=/etc/gone"],
        ["ConditionPathExists=|/etc/gone", "ConditionFileNotEmpty=|/etc/empty"],
        ["ConditionPathExists=|/etc/there", "AssertPathExists=|/etc/gone"],
        ["ConditionPathExists=", "ConditionPathExists=/etc/gone"],
        ["ConditionFileNotEmpty=/etc/empty"],
        ["ConditionDirectoryNotEmpty=/etc/bare"],
        ["ConditionDirectoryNotEmpty=/etc/there"],
        ["ConditionPathIsDirectory=/etc/there"],
        ["ConditionFileIsExecutable=/etc/gone"],
    ],
)
def test_a_service_whose_conditions_fail_is_not_started(lines):
    assert "it.service" not in names(with_lines(*lines))


@pytest.mark.parametrize(
    "lines",
    [
        ["ConditionPathExists=/etc/there"],
        ["ConditionPathExists=!/etc/gone"],
        ["ConditionPathExists=|/etc/gone", "ConditionPathExists=|/etc/there"],
        ["ConditionPathExists=|!/etc/there", "ConditionPathExists=|!/etc/gone"],
        ["ConditionPathExists=|/etc/gone", "ConditionVirtualization=|container"],
        ["ConditionPathExists=/etc/gone", "ConditionPathExists="],
        ["ConditionPathExists=/etc/gone", "ConditionVirtualization="],
        ["AssertPathExists=/etc/gone", "AssertPathExists="],
        ["ConditionFileNotEmpty=/etc/there", "ConditionDirectoryNotEmpty=/etc/d", "ConditionPathIsDirectory=/etc/d"],
        ["ConditionFileIsExecutable=/etc/there"],
        ["ConditionVirtualization=!container", "ConditionKernelCommandLine=quiet"],
        ["ConditionPathExists=/run/made-by-the-boot"],
        ["ConditionPathExists=!/var/run"],
        ["ConditionPathExists=/proc/net/what"],
        ["ConditionPathExists=/etc/%p"],
        ["ConditionPathExists=relative"],
    ],
)
def test_one_whose_conditions_hold_or_are_not_known_is(lines):
    assert "it.service" in names(with_lines(*lines))


def test_a_drop_in_has_a_service_left_out():
    drop_in = b"[Unit]\nConditionPathExists=!/etc/there\n"
    assert names({**with_lines(), f"{ENABLED}/it.service.d/x.conf": drop_in}) == []


def test_what_a_left_out_service_wants_is_started_all_the_same():
    tree = with_lines("ConditionPathExists=/etc/gone", "Wants=other.service")
    assert names({**tree, f"{UNITS}/other.service": SERVICE}) == ["other.service"]


@pytest.mark.parametrize(("path", "expected"), [("/etc/gone", []), ("/etc", ["it.service"])])
def test_a_socket_whose_conditions_fail_starts_no_service(path, expected):
    tree = {**installed("it"),
            f"{UNITS}/it.socket": f"[Unit]\nConditionPathExists={path}\n[Socket]\nListenStream=/x\n".encode(),
            f"{ENABLED}/sockets.target.wants/it.socket": f"{UNITS}/it.socket"}  # fmt: skip
    assert names(tree) == expected


def test_whoever_may_not_read_what_a_condition_asks_for_is_told_of_the_service(recorded_host):
    tree = with_lines("ConditionFileNotEmpty=/etc/there")
    changes = {path: {"link": entry} if isinstance(entry, str)
               else {"directory": True} if entry is None else entry.decode()
               for path, entry in tree.items()}  # fmt: skip
    host = recorded_host("trixie-6.12-absent", changes)
    host.denied.add("/etc/there")
    assert "it.service" in [service.name for service in find_on(host)]


@pytest.mark.parametrize(
    ("accept", "name"),
    [("yes", "it@.service"), ("true", "it@.service"), ("no", "it.service"), ("", "it.service")],
)
def test_a_socket_that_accepts_starts_an_instance_for_each_connection(accept, name):
    tree = {**installed("it"), f"{UNITS}/it@.service": SERVICE,
            f"{UNITS}/it.socket": f"[Socket]\nListenStream=1\nAccept={accept}\n".encode(),
            f"{ENABLED}/sockets.target.wants/it.socket": f"{UNITS}/it.socket"}  # fmt: skip
    (service,) = find(tree)
    assert (service.name, service.base, service.enabled) == (name, "it", ("it.socket",))


RC = {"/etc/rc2.d/S01it": "../init.d/it", "/etc/init.d/it": b"#!/bin/sh\n"}


def test_an_init_script_without_a_unit_is_started_by_systemd_too():
    (service,) = find({**SYSTEMD, **RC})
    assert (service.name, service.manager, service.path) == ("it", units.SYSV, "/etc/init.d/it")


@pytest.mark.parametrize("entry", [b"[Service]\n", "/dev/null"], ids=["a unit", "a mask"])
def test_an_init_script_with_a_unit_of_its_name_is_not(entry):
    assert names({**SYSTEMD, **RC, f"{ENABLED}/it.service": entry}) == []


def test_a_host_without_systemd_starts_init_scripts_early_ones_too():
    host = FakeKernel("trixie-6.12-absent", {**RC, "/etc/rcS.d/S02early": "../init.d/early", "/etc/init.d/early": b"",
                                             "/etc/rc2.d/K01dead": "../init.d/it", "/sbin/init": b""})  # fmt: skip
    del host.tree["/run/systemd/system"]
    assert sorted(names(host)) == ["early", "it"]


def test_a_host_of_openrc_starts_what_its_runlevels_name():
    tree = {"/run/openrc": None, "/etc/runlevels/default/it": "/etc/init.d/it", "/etc/init.d/it": b"",
            "/etc/runlevels/shutdown/off": "/etc/init.d/it",
            "/etc/runlevels/boot/gone": "/etc/init.d/gone"}  # fmt: skip
    (service,) = find(tree)
    assert (service.name, service.manager) == ("it", units.OPENRC)


def test_units_that_start_each_other_in_a_ring_are_found_once():
    tree = {
        **enabled("a"),
        f"{UNITS}/a.service": b"[Unit]\nWants=b.service\n",
        f"{UNITS}/b.service": b"[Unit]\nWants=a.service\n",
    }
    assert names(tree) == ["a.service", "b.service"]


def test_what_cannot_be_read_is_told_and_the_rest_is_found(recorded_host):
    tree = {path: entry for path, entry in enabled("it").items() if not isinstance(entry, bytes)}
    changes = {path: {"link": entry} for path, entry in tree.items()}
    changes.update({path: entry.decode() for path, entry in enabled("it").items() if isinstance(entry, bytes)})
    host: RecordedHost = recorded_host(
        "trixie-6.12-absent", {**changes, f"{ENABLED}/basic.target.wants": {"directory": True}}
    )
    host.denied.add(f"{ENABLED}/basic.target.wants")
    caught = []

    def attempt(read, *arguments):
        try:
            return read(*arguments)
        except HostError as error:
            caught.append(error.path)
            return None

    assert [service.name for service in units.find(host, attempt)] == ["it.service"]
    assert caught == [f"{ENABLED}/basic.target.wants"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[Unit]\nWants=a b\n", {"Wants": ["a b"]}),
        ("Wants=a\nWants=\nWants=b\n", {"Wants": ["a", "b"]}),
        ("ExecStart=a\nExecStart=\nExecStart=b\n", {"ExecStart": ["b"]}),
        ("ConditionA=x\nAssertA=y\nConditionB=\n", {"AssertA": ["y"]}),
        ("ExecStart=a \\\n# why\n; not\n  b\n", {"ExecStart": ["a  b"]}),
        ("# Wants=a\n;Wants=b\nnothing\n=x\n", {"": ["x"]}),
    ],
)
def test_lines_of_a_unit(text, expected):
    assert units.parse(text) == expected


@given(st.binary())
def test_no_unit_is_a_crash(text):
    names({**enabled("it"), f"{UNITS}/it.service": text})


@given(st.dictionaries(st.sampled_from([f"u{number}.service" for number in range(6)]),
                       st.lists(st.sampled_from([f"u{number}.service" for number in range(6)]), max_size=4)),
       st.sets(st.sampled_from([f"u{number}.service" for number in range(6)])))  # fmt: skip
def test_exactly_what_can_be_reached_is_found(wants, roots):
    tree = dict(SYSTEMD)
    for name, others in wants.items():
        tree[f"{UNITS}/{name}"] = f"[Unit]\nWants={' '.join(others)}\n".encode()
    for name in roots:
        tree[f"{ENABLED}/multi-user.target.wants/{name}"] = f"{UNITS}/{name}"
    reached, waiting = set(), [name for name in roots if name in wants]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [other for other in wants[name] if other in wants]
    assert set(names(tree)) == reached
