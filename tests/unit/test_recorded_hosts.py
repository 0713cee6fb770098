# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib.util
import json

import pytest
from collection_path import ROOT
from conftest import HOST_NAMES, RECORDED

RECORDER = ROOT / "tests" / "unit" / "fixtures" / "record_host.py"


@pytest.mark.parametrize("name", HOST_NAMES)
def test_a_recorded_host_is_what_its_file_says(recorded_host, name):
    recorded = json.loads((RECORDED / (name + ".json")).read_text(encoding="utf-8"))
    host = recorded_host(name)
    assert host.about == recorded["about"]
    assert host.page_size == recorded["page_size"]
    for path, recorded_entry in recorded["tree"].items():
        entry = {"content": recorded_entry} if isinstance(recorded_entry, str) else recorded_entry
        place = host.root / path.lstrip("/")
        if "content" in entry:
            assert host.read(path) == entry["content"].encode("utf-8", "surrogateescape")
            assert place.stat().st_mode & 0o777 == int(entry.get("mode", "0644"), 8)
        elif "link" in entry:
            assert place.is_symlink()
        else:
            assert host.is_directory(path)


def test_paths_of_a_recorded_host_can_be_changed_for_one_test(recorded_host):
    host = recorded_host(
        "linux-6.18-built-in",
        {
            "/proc/sys/net/netfilter/nf_conntrack_max": "8\n",
            "/proc/net/tcp6": None,
            "/etc/sysctl.d/90-x.conf": {"link": "../sysctl.conf"},
        },
    )
    assert host.read_value("/proc/sys/net/netfilter/nf_conntrack_max") == "8"
    assert host.read("/proc/net/tcp6") is None
    assert host.resolve("/etc/sysctl.d/90-x.conf") == "/etc/sysctl.conf"


def test_what_is_recorded_can_be_read_back(tmp_path):
    spec = importlib.util.spec_from_file_location("record_host", RECORDER)
    recorder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recorder)
    (tmp_path / "odd \xff").write_bytes(b"\xff\n")
    tree = {}
    recorder.add_tree(tree, str(tmp_path))
    text = recorder.dump({"about": "", "page_size": 4096, "pointer_bytes": 8, "tree": dict(tree)})
    assert json.loads(text)["tree"] == tree
