# SPDX-License-Identifier: GPL-3.0-or-later
"""Base images, one for each Debian release, kept in the user's cache until their recipe changes."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Sequence

from . import process
from .errors import TestHostError

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "netops-conntrack"
SUITES = ("bullseye", "bookworm", "trixie", "sid")
#: At the end of a suite's name: with User Mode Linux instead of a virtual machine.
UML = "-uml"
#: More packages, by what stands behind the suite's name: "trixie-neighbours".
FLAVOURS = {
    "neighbours": [
        "conntrackd",
        "docker.io",
        "dnsmasq-base",
        "fail2ban",
        "firewalld",
        "ipvsadm",
        "keepalived",
        "libvirt-daemon-system",
        "openvswitch-switch",
        "tuned",
        "ufw",
    ],
}

_RECIPE = Path(__file__).with_name("build-image")
_KEY = CACHE / "ssh_key"


@dataclass(frozen=True)
class Image:
    """What a machine boots: never written to, since each machine writes to an overlay of its own."""

    suite: str
    directory: Path

    @property
    def uml(self) -> bool:
        """Whether the machine's kernel is to be a process."""
        return self.suite.endswith(UML)

    @property
    def disk(self) -> Path:
        return self.directory / "disk.raw"

    @property
    def kernel(self) -> Path:
        return self.directory / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.directory / "initrd"

    @property
    def system(self) -> Path:
        """The directory of the User Mode Linux of the release, and of the C library that it needs."""
        return self.directory / "uml"


def ensure(suites: Sequence[str]) -> dict[str, Image]:
    """Return the images of these releases, having built side by side those that were missing."""
    for suite in suites:
        release, _dash, flavour = suite.removesuffix(UML).partition("-")
        if release not in SUITES or (flavour and flavour not in FLAVOURS):
            flavours = ", ".join(f"-{name}" for name in FLAVOURS)
            raise TestHostError(
                f"no such suite: {suite}; there are {', '.join(SUITES)}, behind one may stand {flavours}, and at the"
                f" end {UML}"
            )
    ssh_key()
    releases = list(dict.fromkeys(suite.removesuffix(UML) for suite in suites))
    with ThreadPoolExecutor(len(releases) or 1) as pool:
        built = dict(zip(releases, pool.map(_ensure_one, releases)))
    return {suite: Image(suite, built[suite.removesuffix(UML)].directory) for suite in suites}


def ssh_key() -> Path:
    """Return the private key that every image lets in as root, made at first use."""
    with locked("ssh_key"):
        if not _KEY.exists():
            _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "netops-conntrack test host", "-f", str(_KEY)])
    return _KEY


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Let one process at a time, of this user, do what the name says."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _ensure_one(suite: str) -> Image:
    image = Image(suite, CACHE / f"image-{suite}-{_recipe_hash(suite)}")
    if not image.directory.exists():
        with locked(f"image-{suite}"):
            # Whoever held the lock may have built it.
            if not image.directory.exists():
                _build(image)
    return image


def _recipe_hash(suite: str) -> str:
    """Name the contents of an image: the same recipe and key give a host that behaves the same."""
    recipe = hashlib.sha256(_RECIPE.read_bytes())
    recipe.update(suite.encode())
    recipe.update(" ".join(FLAVOURS.get(suite.partition("-")[2], [])).encode())
    recipe.update(_KEY.with_suffix(".pub").read_bytes())
    return recipe.hexdigest()[:12]


def _build(image: Image) -> None:
    print(f"image {image.suite}: building, about a minute", flush=True)
    began = time.monotonic()
    # A name that is never looked for, so that a build cut short is never booted; what such a one left goes first.
    unfinished = CACHE / f"unfinished-{image.suite}"
    _remove(unfinished)
    unfinished.mkdir()
    try:
        owner = f"{os.getuid()}:{os.getgid()}"
        public_key = str(_KEY.with_suffix(".pub"))
        release, _dash, flavour = image.suite.partition("-")
        packages = ",".join(FLAVOURS.get(flavour, []))
        _run([*_as_root(), str(_RECIPE), release, str(unfinished), public_key, owner, packages])
        os.rename(unfinished, image.directory)
    finally:
        _remove(unfinished)
    for old in CACHE.glob(f"image-{image.suite}-" + 12 * "[0-9a-f]"):
        # One that a machine of another work tree runs on stays until the next build.
        if old != image.directory and not process.using(old):
            shutil.rmtree(old)
    print(f"image {image.suite}: built in {time.monotonic() - began:.0f} s", flush=True)


def _remove(directory: Path) -> None:
    """Remove what a build left, whose files may belong to root."""
    if directory.exists():
        _run([*_as_root(), "rm", "-rf", str(directory)])


def _as_root() -> list[str]:
    """Say what to put before a command that has to be root's: a root file system has files of many owners."""
    return [] if os.getuid() == 0 else ["sudo"]


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        raise TestHostError(
            f"cannot run {command[0]}: {error.strerror}; tools/setup vm installs what is needed"
        ) from error
    except subprocess.CalledProcessError as error:
        output = error.stdout.decode(errors="replace").strip()
        raise TestHostError(f"{' '.join(command)} failed with status {error.returncode}:\n{output}") from error
