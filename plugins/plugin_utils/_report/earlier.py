# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The document of an earlier report, to compare with."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.netops.conntrack.plugins.plugin_utils._fleet.document import FORMAT, VERSION
from ansible_collections.netops.conntrack.plugins.plugin_utils._report.values import at


class NotComparable(Exception):
    """A file that is no document of this version; the message says why, and what to do."""


def parse(text: str, name: str) -> dict[str, t.Any]:
    """The document that a text is.

    :param name: the file's name, for messages.
    :raises NotComparable: if it is none.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotComparable(f"{name} is not JSON: {error}. {_GIVE}") from error
    if at(document, "format") != FORMAT:
        raise NotComparable(f"{name} is not a report's JSON: its format is not {FORMAT!r}. {_GIVE}")
    version = at(document, "version")
    if version != VERSION or isinstance(version, bool):
        raise NotComparable(
            f"{name} has version {version!r} of the format, and only version {VERSION} can be compared."
            " Make it again with this version of the collection"
        )
    hosts = at(document, "hosts")
    if not isinstance(hosts, list) or not all(isinstance(at(host, "name"), str) for host in hosts):
        raise NotComparable(f"{name} has no list of hosts that have names. {_GIVE}")
    return t.cast("dict[str, t.Any]", document)


def read(path: str) -> dict[str, t.Any]:
    """The document in a file.

    :raises NotComparable: if there is none.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise NotComparable(f"{path} cannot be read: {reason}. {_GIVE}") from error
    return parse(text, path)


_GIVE = "Give the .json file that an earlier run of netops.conntrack.report wrote"
