# SPDX-License-Identifier: GPL-3.0-or-later
"""How long each part of a test run took.

parts.py clear                 forgets all parts
parts.py run PART COMMAND...   runs a command, and remembers it as this part
parts.py show                  prints a table of all that is remembered
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

_PARTS = Path(__file__).resolve().parents[1] / ".build" / "parts"


def clear() -> None:
    """Forget all parts, and let time begin."""
    _PARTS.mkdir(parents=True, exist_ok=True)
    for path in _PARTS.iterdir():
        path.unlink()
    (_PARTS / "began").touch()


def record(part: str, began: float, *, passed: bool) -> None:
    """Remember a part that ends now.

    :param part: what the table calls it.
    :param began: its beginning, in seconds as of time.time().
    """
    _PARTS.mkdir(parents=True, exist_ok=True)
    known = {"part": part, "began": began, "ended": time.time(), "passed": passed}
    (_PARTS / (part.replace("/", "-") + ".json")).write_text(json.dumps(known), encoding="utf-8")


def show() -> None:
    """Print all parts in the order in which they began; some of them ran side by side."""
    parts = sorted((json.loads(path.read_text(encoding="utf-8")) for path in _PARTS.glob("*.json")), key=_beginning)
    if not parts:
        return
    clock = _PARTS / "began"
    zero = clock.stat().st_mtime if clock.exists() else _beginning(parts[0])
    width = max(len(part["part"]) for part in parts)
    print(f"\n{'part':{width}}   began    took")
    for part in parts:
        outcome = "" if part["passed"] else "   FAILED"
        took = part["ended"] - part["began"]
        print(f"{part['part']:{width}}  {_minutes(part['began'] - zero)}  {_minutes(took)}{outcome}")
    print(f"{'all':{width}}          {_minutes(max(part['ended'] for part in parts) - zero)}")


def _beginning(part: dict[str, float]) -> float:
    return part["began"]


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60:3}:{int(seconds) % 60:02}"


def _run(part: str, command: list[str]) -> int:
    began = time.time()
    status = 1
    try:
        with subprocess.Popen(command) as process:
            status = process.wait()
    except KeyboardInterrupt:
        status = 130
    finally:
        record(part, began, passed=status == 0)
    return status


def main() -> int:
    """Do what the command line says."""
    verb, *rest = sys.argv[1:] or [""]
    if verb == "run" and len(rest) > 1:
        return _run(rest[0], rest[1:])
    if verb in ("clear", "show") and not rest:
        {"clear": clear, "show": show}[verb]()
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
