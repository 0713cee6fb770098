# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The changes a plan is made of, and the one flow that carries a plan out.

observe -> plan -> apply -> observe again. A change knows what was there before, so it can be shown, applied and
reverted; the plan made from the second observation must be empty.
"""

from __future__ import annotations

import contextlib
import posixpath
import types
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel, _kmod, _modules_dep, _udev
from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError, Interrupted, Refused
from ansible_collections.netops.conntrack.plugins.module_utils._host import Host, encode
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record

RUNTIME = "runtime"
BOOT = "boot"


class Change:
    """One step of a plan.

    :ivar subject: what is changed: a key, a file, a module.
    :ivar layer: ``runtime`` or ``boot``.
    :ivar before: what was observed.
    :ivar after: what is wanted.
    """

    def __init__(self, subject: str, layer: str, before: t.Any, after: t.Any) -> None:
        self.subject = subject
        self.layer = layer
        self.before = before
        self.after = after

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # what is changed is no key

    def __repr__(self) -> str:
        return f"{type(self).__name__}({vars(self)})"

    def apply(self, host: Host) -> None:
        """Make it so.

        :raises HostError: it did not work; :meth:`revert` brings back what was there.
        """
        raise NotImplementedError

    def revert(self, host: Host) -> None:
        """Bring back what was there before, from whatever state a failed :meth:`apply` left."""
        raise NotImplementedError

    def result(self, with_contents: bool) -> dict[str, t.Any]:  # noqa: ARG002
        """The change as users see it in ``changes``; the content of a file only where that is asked for."""
        return {
            "subject": self.subject,
            "layer": self.layer,
            "before": self.before,
            "after": self.after,
        }


class RuntimeValue(Change):
    """A number in a file below /proc/sys or /sys.

    :ivar before: the live value; None when the module that has it is loaded by an earlier change of the plan.
    """

    def __init__(self, subject: str, path: str, before: int | None, after: int) -> None:
        super().__init__(subject, RUNTIME, before, after)
        self.path = path

    def apply(self, host: Host) -> None:
        live = host.read_value(self.path)
        if live is None and self.before is None:
            return  # the module is loaded and has no such key: for the next plan to say what follows
        if live != str(self.after):
            host.write_value(self.path, str(self.after))

    def revert(self, host: Host) -> None:
        # Without a value of before, reverting the load takes the whole key away.
        if self.before is not None and host.read_value(self.path) != str(self.before):
            host.write_value(self.path, str(self.before))


class FileContent(Change):
    """The whole content of a file; None where there is none.

    :ivar reload: command that makes a running service read the file; empty when none does.
    """

    def __init__(self, subject: str, before: str | None, after: str | None, reload: t.Sequence[str] = ()) -> None:
        super().__init__(subject, BOOT, before, after)
        self.reload = reload
        self._made: list[str] = []

    def apply(self, host: Host) -> None:
        self._made += host.make_directory(posixpath.dirname(host.resolve(self.subject)))
        self._put(host, self.after)
        self._tell(host)

    def revert(self, host: Host) -> None:
        differs = host.read_text(self.subject) != self.before
        if differs:
            self._put(host, self.before)
        try:
            while self._made:
                host.remove_directory(self._made.pop())
        finally:
            if differs:
                self._tell(host)

    def result(self, with_contents: bool) -> dict[str, t.Any]:
        sizes = {"before_bytes": _bytes(self.before), "after_bytes": _bytes(self.after)}
        contents = {"before": self.before, "after": self.after} if with_contents else {}
        return {"subject": self.subject, "layer": self.layer, **sizes, **contents}

    def _put(self, host: Host, text: str | None) -> None:
        if text is None:
            host.remove(self.subject)
        else:
            host.replace(self.subject, encode(text))

    def _tell(self, host: Host) -> None:
        if self.reload:
            host.run(self.reload)


def _bytes(text: str | None) -> int | None:
    return None if text is None else len(encode(text))


def removals(leftovers: t.Mapping[str, str]) -> list[FileContent]:
    """Remove what stopped runs left, the content by path. Before other changes, which use the same names."""
    return [FileContent(path, text, None) for path, text in sorted(leftovers.items())]


class ModuleLoaded(Change):
    """A kernel module that gets loaded, with what it depends on."""

    def __init__(self, subject: str) -> None:
        super().__init__(subject, RUNTIME, "not loaded", "loaded")
        self._brings: frozenset[str] = frozenset()

    def apply(self, host: Host) -> None:
        self._brings = _missing(host, self.subject)
        _load(host, self.subject)
        _udev.settle(host, self.subject)

    def revert(self, host: Host) -> None:
        # kmod loads what a module depends on first, so that may be there though the module is not.
        loaded = _loaded(host)
        for name in _kmod.unload_order(loaded, self._brings.intersection(loaded)):
            host.run(["rmmod", name])


class ModuleUnloaded(Change):
    """A kernel module that gets unloaded, alone: what holds it was unloaded by earlier changes of the plan."""

    def __init__(self, subject: str) -> None:
        super().__init__(subject, RUNTIME, "loaded", "not loaded")

    def apply(self, host: Host) -> None:
        if host.exists("/sys/module/" + self.subject):
            host.run(["rmmod", self.subject])

    def revert(self, host: Host) -> None:
        # Whatever a later load is told to do instead: what this module depends on is back already, since changes are
        # reverted last first, and the file that keeps it out may still be there.
        if not host.exists("/sys/module/" + self.subject):
            _load(host, self.subject, "--ignore-install")


def _loaded(host: Host) -> dict[str, _kmod.Module]:
    return _kmod.parse_modules(host.lines(_kmod.PATH))


def _missing(host: Host, name: str) -> frozenset[str]:
    """The module and what it depends on, without what is loaded already."""
    modules_dep = host.lines(_modules_dep.path(_kernel.release(host)))
    return _modules_dep.brought(modules_dep, [name])[name].difference(_loaded(host))


def _load(host: Host, name: str, *options: str) -> None:
    """Load a module, and see that it is there: for ``alias NAME off`` kmod 30 does nothing and calls it a success."""
    host.run(["modprobe", *options, name])
    if not host.exists("/sys/module/" + name):
        raise HostError(
            "load",
            name,
            "modprobe loads nothing: look for an alias or install command of that name in modprobe.d, with modprobe"
            " --showconfig",
        )


class Plan(Record):
    """What has to be changed, in order, and what else the module returns.

    :ivar results: keys of the module's result that describe the state this plan leads to.
    :ivar notes: keys of the module's result that describe what this plan does, and that a later one cannot tell.
    """

    changes: list[Change]
    results: dict[str, t.Any]
    notes: t.Mapping[str, t.Any] = types.MappingProxyType({})


def check_writable(changes: t.Sequence[Change], unwritable: t.Container[str], advice: str = "") -> None:
    """Refuse what would fail in the middle.

    :raises Refused: a change is of a file that this process cannot write.
    """
    for change in changes:
        if change.subject in unwritable:
            raise Refused(
                f"{change.subject} must be changed but cannot be written: its file system is read-only, it or its"
                " directory is immutable (lsattr), or it is not a regular file (a directory, or a link to"
                f" /dev/null). Nothing was changed{advice}"
            )


def carry_out(host: Host, make_plan: t.Callable[[], Plan], check_mode: bool, diff: bool) -> dict[str, t.Any]:
    """The one flow of every change; the module's result.

    :param make_plan: observes the host and plans; called again after the changes.
    :param diff: whether the result shall have the contents of files, which can be large.
    :raises ConntrackError: refused before the first write, or :class:`ApplyError` with everything reverted.
    """
    # Check mode leaves no trace, and who is not root can change nothing; so neither has anybody wait.
    with host.heeding_signals(), contextlib.nullcontext() if check_mode or not host.is_root else host.lock():
        try:
            plan = make_plan()
            host.check_signals()
        except Interrupted as error:
            raise Interrupted(error.message + ". Nothing was changed") from error
        changes, last = plan.changes, plan
        if changes and not check_mode:
            from ansible_collections.netops.conntrack.plugins.module_utils import _apply

            changes, last = _apply.apply(host, changes, make_plan)
    result = dict(
        last.results, **plan.notes, changed=bool(changes), changes=[change.result(diff) for change in changes]
    )
    if diff:
        result["diff"] = _diff(changes)
    return result


def _diff(changes: t.Sequence[Change]) -> list[dict[str, str]]:
    """What ``--diff`` prints: one block for all that is live, then one for each file."""
    live = [change for change in changes if not isinstance(change, FileContent)]
    blocks = []
    if live:
        blocks.append(
            {
                "before_header": "live kernel",
                "after_header": "live kernel",
                "before": "".join(f"{change.subject} = {_word(change.before)}\n" for change in live),
                "after": "".join(f"{change.subject} = {_word(change.after)}\n" for change in live),
            }
        )
    blocks += [
        {
            "before_header": change.subject,
            "after_header": change.subject,
            "before": change.before or "",
            "after": change.after or "",
        }
        for change in changes
        if isinstance(change, FileContent)
    ]
    return blocks


def _word(value: t.Any) -> str:
    return "(not loaded)" if value is None else str(value)
