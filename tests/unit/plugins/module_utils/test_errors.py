# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One family of errors, whose messages users read."""

from __future__ import annotations

import errno

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._errors import (
    ApplyError,
    ConntrackError,
    HostError,
    InvalidInput,
    Refused,
)


@pytest.mark.parametrize("kind", [InvalidInput, Refused, ApplyError])
def test_an_error_carries_its_message_and_more_keys_for_the_result(kind):
    error = kind("max is 0", conflicts=["/etc/x:1"])
    assert isinstance(error, ConntrackError)
    assert str(error) == error.message == "max is 0"
    assert error.details == {"conflicts": ["/etc/x:1"]}
    assert kind("max is 0").details == {}


def test_what_the_host_said_is_told_with_what_was_tried_and_where():
    error = HostError("write 5 to", "/proc/x", "Invalid argument", errno.EINVAL)
    assert isinstance(error, ConntrackError)
    assert error.message == "cannot write 5 to /proc/x: Invalid argument"
    assert (error.path, error.reason, error.code, error.details) == ("/proc/x", "Invalid argument", errno.EINVAL, {})
    assert HostError("run", "nft", "exit code 1").code is None
