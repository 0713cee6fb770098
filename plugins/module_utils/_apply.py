# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes made in order, and all of them reverted where one fails."""

from __future__ import annotations

import errno
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._change import (
    Change,
    FileContent,
    ModuleLoaded,
    RuntimeValue,
)
from ansible_collections.netops.conntrack.plugins.module_utils._errors import ApplyError, ConntrackError, HostError

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._change import Plan
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

#: What to do about what the system says.
_FULL = " Free some space there, then run this again."
_DENIED = " Even root may not write it: look for an immutable file (lsattr), SELinux or AppArmor, or a container."
_ADVICE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: " The file system that is mounted there must be writable.",
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
}


def apply(host: Host, changes: list[Change], make_plan: t.Callable[[], Plan]) -> tuple[list[Change], Plan]:
    """Make the changes; all that were made, and the empty plan that shows that nothing is left to do.

    :raises ApplyError: they were reverted, whatever it was that ended them.
    """
    begun: list[Change] = []
    try:
        while True:
            for change in changes:
                begun.append(change)
                change.apply(host)
                host.check_signals()
            plan = make_plan()
            if not plan.changes:
                return _net(host, begun), plan
            # A load shows what could not be known before, above all which keys the kernel has. It is done once.
            if _loads(plan.changes) or not _loads(changes):
                raise ConntrackError("after all changes were made, the host still differs: " + _describe(plan.changes))
            changes = plan.changes
    except BaseException as error:
        raise _apply_error(error, begun, _revert(host, begun)) from error


def _net(host: Host, begun: t.Sequence[Change]) -> list[Change]:
    """What was changed, each once: without keys that a loaded module turned out not to have."""
    net: list[Change] = []
    for change in begun:
        if isinstance(change, RuntimeValue) and not host.exists(change.path):
            continue
        earlier = next((other for other in net if (other.subject, other.layer) == (change.subject, change.layer)), None)
        if earlier is None:
            net.append(change)
        else:
            earlier.after = change.after
    return net


def _loads(changes: t.Sequence[Change]) -> bool:
    return any(isinstance(change, ModuleLoaded) for change in changes)


def _revert(host: Host, begun: t.Sequence[Change]) -> list[tuple[Change, BaseException]]:
    """Revert in reverse order, to the end; what could not be reverted, and why."""
    kept: list[tuple[Change, BaseException]] = []
    with host.to_the_end():
        for change in reversed(begun):
            try:
                change.revert(host)
            # Whatever this one's trouble is, the others are still to be reverted, and all of it is told.
            except BaseException as error:  # noqa: BLE001
                kept.append((change, error))
    return kept


def _apply_error(
    error: BaseException, begun: t.Sequence[Change], kept: t.Sequence[tuple[Change, BaseException]]
) -> ApplyError:
    not_reverted = [f"{change.subject} ({change.layer}): {_words(why)}" for change, why in kept]
    reverted = [change.subject for change in reversed(begun) if all(change is not other for other, _why in kept)]
    if not_reverted:
        ending = "Could not be reverted: {0}. Check these by hand.".format("; ".join(not_reverted))
    else:
        ending = "The host is as it was before: reverted " + ", ".join(reverted) + "."
    advice = _ADVICE.get(error.code or 0, "") if isinstance(error, HostError) else ""
    details = error.details if isinstance(error, ConntrackError) else {}
    return ApplyError(
        "{0}. {1}{2}".format(_words(error).rstrip("."), ending, advice),
        **dict(details, reverted=reverted, not_reverted=not_reverted),
    )


def _words(error: BaseException) -> str:
    """What is to be said of an error; of one that nobody expected, also its kind."""
    if isinstance(error, ConntrackError):
        return error.message
    return ": ".join(["unexpected " + type(error).__name__, *filter(None, [str(error)])])


def _describe(changes: t.Sequence[Change]) -> str:
    parts = []
    for change in changes:
        if isinstance(change, FileContent):
            parts.append(f"{change.subject} does not have the content that was written")
        else:
            parts.append(f"{change.subject} is {change.before} instead of {change.after}")
    return "; ".join(parts)
