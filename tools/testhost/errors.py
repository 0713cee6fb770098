# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong with test hosts."""

from __future__ import annotations


class TestHostError(Exception):
    """A test host could not be made, started or found. The message is for the user."""
