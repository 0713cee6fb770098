# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deletes entries: which ones of a dump go, and the requests that delete just those.

The dump is a stream, and its entries are deleted while it goes on, so memory is of a fixed size whatever the table
holds. A dump survives that its entries are deleted (``ctnetlink_dump_table()`` holds the one that it goes on with).

What is deleted cannot be brought back. So this is not a list of changes for the one flow, see docs/design.md.
"""

from __future__ import annotations

import contextlib
import errno
import os
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _ctnetlink as netlink
from ansible_collections.netops.conntrack.plugins.module_utils._entries import (
    advice,
    dump,
    reading,
    sessions,
    tables,
)
from ansible_collections.netops.conntrack.plugins.module_utils._entries import (
    filter as filters,
)
from ansible_collections.netops.conntrack.plugins.module_utils._entries.selection import Chooser
from ansible_collections.netops.conntrack.plugins.module_utils._errors import (
    ApplyError,
    ConntrackError,
    HostError,
    Interrupted,
    InvalidInput,
    Refused,
)

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._host import Host

#: What a module returns, of plain types.
Result = t.Dict[str, t.Any]

_MOST_DELETED = 2**31 - 1
_MOST_RETURNED = 1000

#: The ssh sessions are looked up again after this many seconds, or ten times what the look took: one may have begun
#: since.
_SECONDS, _TIMES = 1.0, 10

#: Why an entry that was meant is still there, or not there to be deleted.
SSH, LIMIT, GONE, BUSY = "ssh", "limit", "gone", "busy"

#: What the kernel answers for an entry that it does not delete: there is none of this tuple and id; or a flow table
#: forwards it, which kernels with ``EBUSY`` in ``ctnetlink_del_conntrack()`` leave alone.
_KEPT = {errno.ENOENT: GONE, errno.EBUSY: BUSY}


class Request(t.NamedTuple):
    """A checked request.

    :ivar meant: which entries are to go.
    :ivar limit: the most to delete; None for all.
    :ivar entries: how many of the deleted to return.
    :ivar namespace: name, path or PID; None for the module's own.
    """

    meant: filters.Filter
    limit: int | None
    entries: int
    namespace: str | None


def parse(params: t.Mapping[str, t.Any]) -> Request:
    """A request from the module's parameters.

    :raises InvalidInput: a value cannot be meant; the message says which, what is allowed and what to do.
    """
    meant = filters.parse(params["filter"])
    fields = "family, protocol, source, destination, port, state, status, zone or mark"
    if params["all"] and params["filter"] is not None:
        raise InvalidInput(
            "all is true and filter is given, which cannot be used together. Leave out all to delete what matches the"
            " filter, or leave out filter to delete every entry"
        )
    if not params["all"] and meant.is_empty:
        given = "filter is not given" if params["filter"] is None else "filter is empty"
        raise InvalidInput(
            f"{given} and all is not true. Give at least one of {fields} in filter, or all: true to delete every entry"
        )
    return Request(
        meant=meant,
        limit=_within(
            "limit", params["limit"], _MOST_DELETED, "the largest number of entries to delete, 0 for no limit"
        )
        or None,
        entries=_within("entries", params["entries"], _MOST_RETURNED, "how many deleted entries to return"),
        namespace=params["namespace"],
    )


def _within(option: str, value: int, maximum: int, what: str) -> int:
    if not 0 <= value <= maximum:
        raise InvalidInput(f"{option} is {value}, but must be a whole number from 0 to {maximum}: {what}")
    return value


class Plan:
    """Which entries of a stream go, and what became of them. Pure.

    :ivar matched: entries that are meant.
    :ivar deleted: those of them that are gone by this run, or would be.
    :ivar kept: how many were not deleted, by the reason.
    :ivar examples: the first that were deleted.
    """

    def __init__(self, request: Request, own: sessions.Sessions) -> None:
        """Start from nothing; ``own`` may get more while the stream goes on."""
        self.matched = self.deleted = 0
        self.kept = {SSH: 0, LIMIT: 0, GONE: 0, BUSY: 0}
        self.examples: list[dump.Entry] = []
        self._request = request
        self._chooser = Chooser(request.meant)
        self._own = own

    def choose(self, datagram: bytes) -> list[dump.Entry]:
        """The entries of a datagram that are meant and are not of an ssh session.

        :raises HostError: a message is not whole, or an entry has no id to delete it by.
        """
        chosen = []
        # Kernels pass over the parts of a filter that they do not know, so all of it is asked again.
        for entry in self._chooser.choose(datagram):
            self.matched += 1
            if self._own.hold(entry):
                self.kept[SSH] += 1
            elif entry.id is None:
                raise HostError("delete an entry of", netlink.NAME, "this kernel shows no id for it")
            else:
                chosen.append(entry)
        return chosen

    def within_limit(self, chosen: list[dump.Entry]) -> tuple[list[dump.Entry], list[dump.Entry]]:
        """Of entries that were chosen those that may go now, and those to ask for again.

        The latter when it is known what became of the first.
        """
        if self._request.limit is None:
            return chosen, []
        room = self._request.limit - self.deleted
        if not room:
            self.kept[LIMIT] += len(chosen)
            return [], []
        return chosen[:room], chosen[room:]

    def record(self, entries: t.Sequence[dump.Entry], codes: t.Sequence[int]) -> None:
        """Take what the kernel answered to the request to delete each.

        :raises HostError: it refused one for no reason that is known.
        """
        failed = 0
        for entry, code in zip(entries, codes):
            if not code:
                self.deleted += 1
                if len(self.examples) < self._request.entries:
                    self.examples.append(entry)
            elif code in _KEPT:
                self.kept[_KEPT[code]] += 1
            else:
                failed = failed or code
        if failed:
            raise HostError("delete an entry of", netlink.NAME, os.strerror(failed), failed)

    def result(self) -> Result:
        """What the module returns of it."""
        return {
            "matched": self.matched,
            "deleted": self.deleted,
            "kept": dict(self.kept),
            "entries": [entry.as_result() for entry in self.examples],
        }


def run(host: Host, request: Request, check_mode: bool) -> Result:
    """Delete the entries that are meant, or in check mode count them; the module's result.

    :raises InvalidInput: there is no such namespace.
    :raises Refused: the process is not root, or may not read or change the table.
    :raises HostError: the kernel does not give the table, or not whole; nothing was deleted.
    :raises Interrupted: a signal asked the process to end before an entry was deleted.
    :raises ApplyError: it failed or was asked to end after entries had been deleted; ``details`` say how many.
    """
    if not host.is_root:
        raise Refused(
            "deleting entries needs root, also to find the ssh sessions that are kept. Run this with become: true"
        )
    with contextlib.ExitStack() as stack:
        stack.enter_context(host.heeding_signals())
        if not check_mode:
            # Also because an open socket is a reference to a module that another run may be about to unload.
            stack.enter_context(host.lock())
        # One to read by, and one to delete by, since a dump and answers would mix.
        opened = [tables.connect(host, request.namespace) for _unused in range(1 if check_mode else 2)]
        open_tables = [stack.enter_context(table.socket) for table in opened if table is not None]
        own = sessions.Sessions()
        plan = Plan(request, own)
        if len(open_tables) == len(opened):
            watch = _Watch(host, own)
            datagrams = reading.dump(open_tables[0], request.meant)
            _carry_out(host, plan, datagrams, watch, None if check_mode else open_tables[1])
    tracking = bool(open_tables)
    return dict(plan.result(), tracking=tracking, changed=plan.deleted > 0, advice=_advice(plan, tracking))


class _Watch:
    """Keeps the ssh sessions those of now."""

    def __init__(self, host: Host, own: sessions.Sessions) -> None:
        self._host, self._own = host, own
        self._next = 0.0

    def look(self) -> None:
        """Look them up, if that was not done just now.

        :raises Refused: this process may not.
        """
        began = self._host.clock()
        if began >= self._next:
            self._own.add(sessions.find(self._host))
            ended = self._host.clock()
            self._next = ended + max(_SECONDS, _TIMES * (ended - began))


def _carry_out(
    host: Host, plan: Plan, datagrams: t.Iterable[bytes], watch: _Watch, socket: netlink.Socket | None
) -> None:
    """Read the stream to its end and delete what is chosen; without a socket to delete by, count."""
    try:
        for datagram in datagrams:
            host.check_signals()
            watch.look()
            waiting = plan.choose(datagram)
            while waiting:
                now, waiting = plan.within_limit(waiting)
                plan.record(now, [0] * len(now) if socket is None else _delete(socket, now))
    except ConntrackError as error:
        if socket is None or not plan.deleted:
            if isinstance(error, Interrupted):
                raise Interrupted(error.message + ". Nothing was deleted") from error
            raise
        raise ApplyError(
            f"{error.message.rstrip('.')}. {plan.deleted} entries had been deleted, which cannot be undone; the others"
            " are as they were. Run this again when the reason is gone",
            **dict(error.details, **plan.result()),
        ) from error


def _delete(socket: netlink.Socket, entries: t.Sequence[dump.Entry]) -> list[int]:
    return socket.requests(netlink.DELETE, ((entry.original.family, dump.encode_deletion(entry)) for entry in entries))


def _advice(plan: Plan, tracking: bool) -> list[str]:
    if not tracking:
        return [advice.NO_TRACKING]
    told = []
    if plan.kept[SSH]:
        told.append(f"Kept as ssh sessions of this host: {plan.kept[SSH]}.")
    if plan.kept[LIMIT]:
        told.append(f"Left because of limit: {plan.kept[LIMIT]}. Another run, or a larger limit, deletes them.")
    if plan.kept[BUSY]:
        told.append(
            f"Left because a flow table forwards them, and this kernel does not delete such entries: {plan.kept[BUSY]}."
        )
    return told
