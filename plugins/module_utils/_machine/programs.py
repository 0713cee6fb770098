# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that are run, and ended where they take too long."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError

#: Seconds that a program may take. Listing 100,000 rules took nft 2.7 s, and a load or an unloading takes well below
#: one; so one that takes longer hangs, on any host that is of use.
SECONDS = 60

#: Seconds to wait for one that was killed: what the kernel is doing for it may have to come to an end first.
_END_SECONDS = 5

#: Seconds between looks at whether a signal came.
_LOOK_SECONDS = 0.2


def run(command: t.Sequence[str], seconds: float | None, check_signals: t.Callable[[], None]) -> str:
    """Run a program, without a shell, in the C locale; its standard output.

    :param seconds: how long it may take; by default SECONDS.
    :param check_signals: called while it runs; what it raises ends the program.
    :raises HostError: the program is missing, ended with an error, or took too long and was ended; the reason is
        what it said.
    """
    limit = SECONDS if seconds is None else seconds
    end = time.monotonic() + limit
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    try:
        # stdin is closed so that nothing can ask. A session of its own makes it and what it starts one group, and
        # keeps Ctrl-C in a terminal from it, which is for this process to act on.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise HostError("run", command[0], error.strerror, error.errno) from error
    try:
        while True:
            try:
                output, errors = process.communicate(timeout=_LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                check_signals()
                if time.monotonic() >= end:
                    reason = f"it did not end within {limit} s, and " + _end(process)
                    raise HostError("run", " ".join(command), reason) from None
    except BaseException as error:
        if not isinstance(error, HostError):
            _end(process)
        raise
    if process.returncode != 0:
        said = (errors or output).decode("utf-8", "replace").strip()
        raise HostError("run", " ".join(command), said or f"exit code {process.returncode}")
    return output.decode("utf-8", "replace")


def _end(process: subprocess.Popen[bytes]) -> str:
    """Kill a program and what it started, as far as that is of its group; what came of it, in words."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        return f"cannot be ended: process {process.pid} hangs in the kernel, perhaps until the next boot"
    finally:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    return "was ended"
