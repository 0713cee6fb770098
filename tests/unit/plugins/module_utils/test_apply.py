# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes one after the other. ``test_change`` has whole runs, with every kind of change and of failure."""

from __future__ import annotations

import errno

import pytest
from fake_kernel import FakeKernel

from ansible_collections.netops.conntrack.plugins.module_utils._apply import apply
from ansible_collections.netops.conntrack.plugins.module_utils._change import RUNTIME, Change, Plan
from ansible_collections.netops.conntrack.plugins.module_utils._errors import ApplyError, HostError


class Step(Change):
    """Writes down what is done to it."""

    def __init__(self, subject, done, error=None):
        super().__init__(subject, RUNTIME, 1, 2)
        self._done, self._error = done, error

    def apply(self, _host):
        self._done.append("apply " + self.subject)
        if self._error:
            raise self._error

    def revert(self, _host):
        self._done.append("revert " + self.subject)


def test_changes_are_made_in_order_until_none_is_left():
    done = []
    changes = [Step("a", done), Step("b", done)]
    assert apply(FakeKernel("trixie-6.12-nat"), changes, lambda: Plan([], {"x": 1})) == (changes, Plan([], {"x": 1}))
    assert done == ["apply a", "apply b"]


def test_where_one_fails_it_and_those_before_it_are_reverted_last_first_and_what_to_do_is_said():
    done = []
    full = HostError("write", "/etc/b", "No space left on device", errno.ENOSPC)
    changes = [Step("a", done), Step("b", done, full), Step("c", done)]
    with pytest.raises(ApplyError, match="reverted b, a. Free some space there") as failed:
        apply(FakeKernel("trixie-6.12-nat"), changes, lambda: Plan([], {}))
    assert done == ["apply a", "apply b", "revert b", "revert a"]
    assert failed.value.details == {"reverted": ["b", "a"], "not_reverted": []}


def test_what_still_differs_after_all_changes_is_named_and_they_are_reverted():
    done = []
    with pytest.raises(ApplyError, match="the host still differs: a is 1 instead of 2"):
        apply(FakeKernel("trixie-6.12-nat"), [Step("a", done)], lambda: Plan([Step("a", done)], {}))
    assert done == ["apply a", "revert a"]
