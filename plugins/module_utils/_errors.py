# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The exception family of the collection. Front doors turn it into a failed module, once."""

from __future__ import annotations

import typing as t


class ConntrackError(Exception):
    """Something an operator can act on.

    :param message: what was given, what is allowed, what to do; shown as ``msg``.
    :param details: further keys of the module's result, all of plain types.
    """

    def __init__(self, message: str, **details: t.Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidInput(ConntrackError):
    """A value the user gave cannot be meant."""


class Refused(ConntrackError):
    """The request is well formed, but this host in its present state must not be changed that way."""


class HostError(ConntrackError):
    """Reading or changing the host failed.

    :param path: the file or program concerned.
    :param reason: the system's words for it; None, as OSError may have it, for none.
    :param code: errno, or None where a program failed.
    """

    def __init__(self, action: str, path: str, reason: str | None, code: int | None = None) -> None:
        self.reason = reason or "unknown error"
        super().__init__(f"cannot {action} {path}: {self.reason}")
        self.path = path
        self.code = code


class Interrupted(ConntrackError):
    """A signal asked this process to end before it was done."""


class ApplyError(ConntrackError):
    """A change failed after writing had begun; ``details`` tell what was reverted and what could not be."""
