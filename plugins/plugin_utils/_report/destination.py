# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a report is written."""

from __future__ import annotations

import os


def problem(path: str) -> str:
    """Why a report cannot be written there, and what to do; an empty text if it can."""
    directory = os.path.dirname(os.path.realpath(path))
    if not path.endswith(".html"):
        return f"conntrack_report is {path!r}, and has to end in .html; a .json and a .csv file are written beside it"
    if not os.path.isdir(directory):
        return f"conntrack_report is {path!r}, and there is no directory {directory}. Make it, or give another path"
    if not os.access(directory, os.W_OK | os.X_OK):
        return (
            f"conntrack_report is {path!r}, and the directory {directory} cannot be written by the user that runs"
            " ansible-playbook. Give another path"
        )
    for ending in (".html", ".json", ".csv"):
        beside = path[: -len(".html")] + ending
        if os.path.isdir(beside):
            return f"conntrack_report is {path!r}, and {beside} is a directory. Give another path"
    return ""
