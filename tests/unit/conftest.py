# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every unit test can ask for: a recorded host to read and change, and a whole module run against it."""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import json
import os
import sys
import typing as t
from pathlib import Path

import hypothesis
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import collection_path

collection_path.make_importable()

from ansible.module_utils import basic
from ansible.module_utils.common import warnings

from ansible_collections.netops.conntrack.plugins.module_utils._errors import HostError
from ansible_collections.netops.conntrack.plugins.module_utils._host import KERNEL_LOG, LOCK_FILE, Host, Look
from ansible_collections.netops.conntrack.plugins.module_utils._writers.files import Files, Limits

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._writers.writer import Writer

# Time limits on single examples fail on a machine that is busy with something else. `make fuzz` looks at more examples.
hypothesis.settings.register_profile("unit", deadline=None, max_examples=20)
hypothesis.settings.register_profile("fuzz", deadline=None, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unit"))

RECORDED = Path(__file__).resolve().parent / "fixtures" / "hosts"

#: Every recorded host by name.
HOST_NAMES = sorted(path.stem for path in RECORDED.glob("*.json"))

#: A file's content, or a mapping as in ``fixtures/record_host.py``, or None for a path that is not there.
Entry = t.Union[str, t.Dict[str, t.Any], None]


class RecordedHost(Host):
    """A recorded tree below a temporary directory.

    :ivar root: the directory that stands for ``/``.
    :ivar about: what the recorded host was, in words.
    :ivar denied: paths that answer "Permission denied", which modes cannot do where tests run as root.
    :ivar ran: the commands that were run; none has an effect, see ``answers``.
    :ivar answers: what a command prints, or the error it raises, by its words joined with spaces.
    """

    def __init__(self, root: Path, about: str, page_size: int, pointer_bytes: int) -> None:
        super().__init__(str(root), page_size=page_size, pointer_bytes=pointer_bytes)
        self.root = root
        self.about = about
        self.denied: set[str] = set()
        self.ran: list[str] = []
        self.answers: dict[str, str | HostError] = {}

    def _check(self, path: str) -> None:
        if path in self.denied:
            raise HostError("read", path, os.strerror(errno.EACCES), errno.EACCES)

    def read(self, path: str) -> bytes | None:
        self._check(path)
        return super().read(path)

    def look(self, path: str, most: int) -> Look | None:
        self._check(path)
        return super().look(path, most)

    def lines(self, path: str) -> t.Iterator[bytes]:
        self._check(path)
        return super().lines(path)

    def names(self, path: str) -> list[str]:
        self._check(path)
        return super().names(path)

    def kernel_log(self, wanted: bytes) -> list[bytes] | None:
        self._check(KERNEL_LOG)
        return super().kernel_log(wanted)

    def link(self, path: str) -> str | None:
        self._check(path)
        return super().link(path)

    def run(self, command: t.Sequence[str], seconds: float | None = None) -> str:
        words = " ".join(command)
        self.ran.append(words)
        answer = self.answers.get(words, "")
        if isinstance(answer, HostError):
            raise answer
        return answer

    def put(self, path: str, entry: Entry) -> None:
        """Make a path be what an entry says, whatever it was."""
        place = self.root / path.lstrip("/")
        if place.is_symlink() or place.is_file():
            place.unlink()
        if entry is None:
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(entry, str):
            entry = {"content": entry}
        if "link" in entry:
            place.symlink_to(entry["link"])
        elif entry.get("directory"):
            place.mkdir(exist_ok=True)
        else:
            place.write_bytes(entry["content"].encode("utf-8", "surrogateescape"))
        if "mode" in entry:
            place.chmod(int(entry["mode"], 8))

    def snapshot(self) -> dict[str, tuple[int, bytes]]:
        """Every path with its mode and content (or link target), to compare.

        Not the lock, which is of no lasting use.
        """
        found = {}
        for directory, folders, files in os.walk(str(self.root)):
            for name in folders + files:
                place = Path(directory) / name
                if place.is_symlink():
                    content = os.fsencode(os.readlink(str(place)))
                else:
                    content = b"" if place.is_dir() else place.read_bytes()
                found["/" + str(place.relative_to(self.root))] = (place.lstat().st_mode, content)
        found.pop(LOCK_FILE, None)
        return found


@pytest.fixture
def recorded_host(tmp_path: Path) -> t.Callable[..., RecordedHost]:
    """``recorded_host(name, changes)``: a fresh copy of a recorded host, with paths changed as ``RecordedHost.put``."""
    made: list[Path] = []

    def make(name: str, changes: t.Mapping[str, Entry] | None = None) -> RecordedHost:
        recorded = json.loads((RECORDED / (name + ".json")).read_text(encoding="utf-8"))
        root = tmp_path / f"host{len(made)}"
        root.mkdir()
        made.append(root)
        host = RecordedHost(root, recorded["about"], recorded["page_size"], recorded["pointer_bytes"])
        # Links first, so that nothing is recorded through one that is not there yet.
        tree = recorded["tree"].items()
        for path, entry in sorted(tree, key=lambda item: not (isinstance(item[1], dict) and "link" in item[1])):
            host.put(path, entry)
        for path, entry in {"/run": {"directory": True}, **(changes or {})}.items():
            host.put(path, entry)
        return host

    return make


@pytest.fixture
def tree(tmp_path: Path) -> t.Callable[[t.Mapping[str, Entry]], Host]:
    """``tree(entries)``: a host that has these paths and no other; here None stands for a directory."""

    def make(entries: t.Mapping[str, Entry]) -> Host:
        for path, entry in entries.items():
            place = tmp_path / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            if entry is None:
                place.mkdir()
            elif isinstance(entry, str):
                place.write_bytes(entry.encode("utf-8", "surrogateescape"))
            else:
                place.symlink_to(entry["link"])
        return Host(str(tmp_path))

    return make


@contextlib.contextmanager
def _module_arguments(arguments: dict[str, t.Any]) -> t.Iterator[None]:
    try:
        from ansible.module_utils.testing import patch_module_args
    except ImportError:  # an early ansible-core 2.17 or 2.18
        before = basic._ANSIBLE_ARGS
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
        try:
            yield
        finally:
            basic._ANSIBLE_ARGS = before
    else:
        with patch_module_args(arguments):
            yield


@pytest.fixture
def run_module(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., dict[str, t.Any]]:
    """``run_module(name, host, arguments, check=False, diff=False)``: the result as the controller would get it.

    A failure is a result with ``failed: True``. The module's ``main()`` calls ``Host()``; here that gives ``host``.
    """

    def run(
        name: str,
        host: Host,
        arguments: t.Mapping[str, t.Any] | None = None,
        check: bool = False,
        diff: bool = False,
    ) -> dict[str, t.Any]:
        module = importlib.import_module(f"{collection_path.NAME}.plugins.modules.{name}")
        monkeypatch.setattr(module, "Host", lambda: host)
        given = dict(arguments or {}, _ansible_check_mode=check, _ansible_diff=diff, _ansible_remote_tmp="/nonexistent")
        # A run is a process of its own, which starts without those of the run before.
        warnings._global_warnings.clear()
        # Nor is it the controller, whose code the test of a playbook has in this process. ansible-core has it from 2.19
        # on.
        if hasattr(warnings, "_internal"):
            monkeypatch.setattr(warnings._internal, "is_controller", False)
        printed = io.StringIO()
        with _module_arguments(given), contextlib.redirect_stdout(printed), pytest.raises(SystemExit) as ended:
            module.main()
        result: dict[str, t.Any] = json.loads(printed.getvalue())
        assert bool(result.get("failed")) == bool(ended.value.code)
        return result

    return run


@pytest.fixture
def files_of(tmp_path: Path) -> t.Callable[..., Files]:
    """``files_of({path: text})``: a host of these files alone, as writers are searched for.

    A tuple's second member makes a file executable.
    """

    def make(
        tree: t.Mapping[str, str | tuple[str, bool]], limits: Limits | None = None, **more: t.Callable[[], float]
    ) -> Files:
        for path, entry in tree.items():
            text, is_executable = (entry, False) if isinstance(entry, str) else entry
            place = tmp_path / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text.encode("utf-8", "surrogateescape"))
            place.chmod(0o755 if is_executable else 0o644)
        return Files(Host(str(tmp_path)), limits, **more)

    return make


@pytest.fixture
def told() -> t.Callable[..., list[tuple[t.Any, ...]]]:
    """``told(writers)``: key, value, file, line and certainty of each."""

    def tell(writers: t.Iterable[Writer]) -> list[tuple[t.Any, ...]]:
        return [(found.key, found.value, found.path, found.line, found.certain) for found in writers]

    return tell
