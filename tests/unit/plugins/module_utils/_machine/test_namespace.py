# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is called in another network namespace."""

from __future__ import annotations

import errno

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host
from ansible_collections.netops.conntrack.plugins.module_utils._machine import namespace


@pytest.fixture
def host(tmp_path):
    (tmp_path / "etc").mkdir()
    return Host(str(tmp_path))


def test_what_is_no_network_namespace_is_not_entered(tmp_path):
    (tmp_path / "file").write_text("")
    ran = []
    for path, code in (("/file", errno.EINVAL), ("/gone", errno.ENOENT)):
        with pytest.raises(HostError) as failed:
            Host(str(tmp_path)).inside(path, lambda: ran.append(1))
        # Who may not enter any is told that first.
        assert (failed.value.path, failed.value.code in (code, errno.EPERM)) == (path, True)
    assert ran == []


def test_an_error_inside_another_network_namespace_comes_out_of_it(monkeypatch):
    monkeypatch.setattr(namespace, "_enter", lambda namespace, place: None)
    assert Host().inside("/run/netns/lab", lambda: 7) == 7
    with pytest.raises(HostError):
        Host().inside("/run/netns/lab", lambda: Host().read("/proc"))
