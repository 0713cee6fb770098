# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a verdict on health is made of. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

OK, NOTE, WARNING, CRITICAL = "ok", "note", "warning", "critical"

#: The worst first.
SEVERITIES = (CRITICAL, WARNING, NOTE)

Facts = t.Mapping[str, t.Any]


class Limits(Record):
    """From how many percent on the table's usage is a warning, and critical."""

    warning: int
    critical: int


def reason(name: str, severity: str, message: str, remedy: str) -> dict[str, str]:
    """One reason, as users see it."""
    return {"reason": name, "severity": severity, "message": message, "remedy": remedy}


def megabytes(size: int) -> str:
    """Bytes in words: ``194 MiB``, and never less than one."""
    return f"{max(1, round(size / 2**20)):,} MiB"
