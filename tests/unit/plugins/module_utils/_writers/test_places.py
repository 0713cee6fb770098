# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files are worth a closer look: a property over all places."""

from __future__ import annotations

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._writers import places

LINE = "sysctl -w net.netfilter.nf_conntrack_max=5\n"


@pytest.mark.parametrize("path", [path for place in (*places.PLACES, places.UNITS) for path in place.paths])
def test_every_place_is_looked_at(files_of, path):
    place = next(place for place in (*places.PLACES, places.UNITS) if path in place.paths)
    suffix = place.suffixes[0] if place.suffixes else ""
    name = path if not path.endswith("/") else f"{path}file{suffix}"
    found = places.candidates(files_of({name: (LINE, True)}))
    assert [(candidate.place, candidate.file.path) for candidate in found] == [(place, name)]


@pytest.mark.parametrize(
    "directory", ["systemd/system/tune.service.d/x.conf", "modprobe.d/x.conf", "udev/rules.d/x.rules"]
)
def test_a_file_hides_those_of_its_name_in_later_directories(files_of, directory):
    line = f"ExecStart={LINE}" if "service" in directory else f"install a RUN {LINE}"
    files = files_of({f"/usr/lib/{directory}": line, f"/etc/{directory}": "# nothing\n"})
    assert places.candidates(files) == []
    both = files_of({f"/usr/lib/{directory}": line, f"/etc/{directory}": line})
    assert [candidate.file.path for candidate in places.candidates(both)] == [f"/etc/{directory}"]


def test_hidden_files_and_links_to_what_was_searched_are_passed_over(files_of, tmp_path):
    files = files_of({"/etc/rc.d/rc.local": (LINE, True), "/etc/cron.d/.placeholder": LINE})
    (tmp_path / "etc/rc.local").symlink_to("rc.d/rc.local")
    assert len(places.candidates(files)) == 1
