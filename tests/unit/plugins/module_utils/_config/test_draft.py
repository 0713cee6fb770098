# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configuration files of one kind while their changes are being planned."""

from __future__ import annotations

import typing as t

import pytest
from conf_files import drop_ins
from fake_kernel import FakeKernel
from runs import tune

from ansible_collections.netops.conntrack.plugins.module_utils._config.draft import Draft
from ansible_collections.netops.conntrack.plugins.module_utils._config.drop_ins import ConfFile

A, B, C = "/etc/sysctl.d/a.conf", "/etc/sysctl.d/b.conf", "/etc/sysctl.d/c.conf"
LINK = ConfFile(C, A, "a\n")


class Case(t.NamedTuple):
    """Texts that are put in a row, and what becomes of two files and a link to the first."""

    about: str
    puts: list[tuple[str, str | None, str | None]]
    changes: list[tuple[str, str | None, str | None]]
    read: dict[str, str]


CASES = [
    Case("nothing", [], [], {A: "a\n", B: "b\n", C: "a\n"}),
    Case("the same text", [(A, "a\n", "a\n")], [], {A: "a\n", B: "b\n", C: "a\n"}),
    Case("no file where there was none", [("/etc/sysctl.d/d.conf", None, None)], [], {A: "a\n", B: "b\n", C: "a\n"}),
    Case("another text", [(B, "b\n", "x\n")], [(B, "b\n", "x\n")], {A: "a\n", B: "x\n", C: "a\n"}),
    Case("a removal", [(B, "b\n", None)], [(B, "b\n", None)], {A: "a\n", C: "a\n"}),
    Case(
        "a new file takes its place in the order",
        [("/etc/sysctl.d/aa.conf", None, "new\n")],
        [("/etc/sysctl.d/aa.conf", None, "new\n")],
        {A: "a\n", "/etc/sysctl.d/aa.conf": "new\n", B: "b\n", C: "a\n"},
    ),
    Case(
        "a file that is changed twice is written once, from what is there now",
        [(B, "b\n", "x\n"), (A, "a\n", "y\n"), (B, "x\n", "z\n")],
        [(B, "b\n", "z\n"), (A, "a\n", "y\n")],
        {A: "y\n", B: "z\n", C: "y\n"},
    ),
    Case(
        "a file that is changed by two of its names is written once, by the first",
        [(C, "a\n", "x\n"), (A, "x\n", "y\n")],
        [(C, "a\n", "y\n")],
        {A: "y\n", B: "b\n", C: "y\n"},
    ),
    Case(
        "a file that is changed and changed back is not written",
        [(B, "b\n", "x\n"), (A, "a\n", "y\n"), (B, "x\n", "b\n")],
        [(A, "a\n", "y\n")],
        {A: "y\n", B: "b\n", C: "y\n"},
    ),
    Case(
        "a file that is changed and then removed is removed",
        [(B, "b\n", "x\n"), (B, "x\n", None)],
        [(B, "b\n", None)],
        {A: "a\n", C: "a\n"},
    ),
    Case(
        "a file that nothing reads",
        [("/srv/x.conf", "1", "2")],
        [("/srv/x.conf", "1", "2")],
        {A: "a\n", B: "b\n", C: "a\n"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.about)
def test_each_file_is_changed_once_and_later_steps_read_what_earlier_ones_made(case):
    observed = drop_ins("sysctl.d", {A: "a\n", B: "b\n", C: LINK})
    draft = Draft(observed)
    for put in case.puts:
        draft = draft.put(*put)
    assert [(change.subject, change.before, change.after) for change in draft.changes] == case.changes
    assert {conf.path: conf.text for conf in draft.files.files} == case.read
    assert [conf.path for conf in draft.files.files] == sorted(case.read)
    # What was observed is as it was.
    assert observed == drop_ins("sysctl.d", {A: "a\n", B: "b\n", C: LINK})


def test_a_second_text_of_a_file_leaves_drafts_of_before_as_they_were():
    first = Draft(drop_ins("sysctl.d", {A: "a\n"})).put(A, "a\n", "x\n")
    first.put(A, "x\n", "y\n")
    assert [change.after for change in first.changes] == ["x\n"] and first.files.content(A) == "x\n"


def test_conflicts_add_up_in_order_and_change_no_file():
    draft = Draft(drop_ins("sysctl.d", {A: "a\n"})).with_conflicts(["1", "2"]).put(A, "a\n", "x\n")
    draft = draft.with_conflicts([]).with_conflicts(["3"])
    assert draft.conflicts == ("1", "2", "3")
    assert [change.subject for change in draft.changes] == [A]


def test_one_file_by_two_names_is_changed_once():
    kernel = FakeKernel(
        "trixie-6.12-nat",
        {
            "/etc/sysctl.d/zzz-a.conf": b"net.netfilter.nf_conntrack_max=5\nkernel.panic=1\n",
            "/etc/sysctl.d/zzz-b.conf": "zzz-a.conf",
        },
    )
    changes = tune(kernel, max=100000)["changes"]
    assert sorted(change["subject"] for change in changes if "zzz" in change["subject"]) == ["/etc/sysctl.d/zzz-a.conf"]
    assert kernel.tree["/etc/sysctl.d/zzz-a.conf"] == b"kernel.panic=1\n"
    assert not tune(kernel, max=100000)["changed"]
