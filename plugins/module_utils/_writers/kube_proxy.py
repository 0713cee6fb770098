# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""kube-proxy, which sizes the table by the number of processors, and sets timeouts, whenever it starts.

cmd/kube-proxy/app/server_linux.go (getConntrackMax(), setupConntrack()) and conntrack.go of Kubernetes; defaults in
pkg/proxy/apis/config/v1alpha1/defaults.go. All versions raise what is smaller. A larger value is left as it is by 1.22
to 1.28 (pull requests 103174 and 120448) and, as for max, by those with 142035; else it is lowered. Since 1.36 what is
computed is at most 1048576 (137002, as 142035 tells).
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS, MAX
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record
from ansible_collections.netops.conntrack.plugins.module_utils._writers.writer import Writer

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._writers.files import Files

_NAME = "kube-proxy"
_WHEN = "when kube-proxy starts"
_MOST_SHOWN = 100
_THEN = "; some of its versions lower a larger value too"

_MANIFESTS = "/etc/kubernetes/manifests"
_PROCESSES = "/proc"
_PROCESSORS = "/sys/devices/system/cpu/online"

#: From 1.36 on what is computed from the processors is at most this.
_LARGEST_SCALED = 1048576

#: What has kube-proxy in its own process: the name, files, and directories of files, that end in a slash.
_EMBEDDING = (
    ("k3s", ("/etc/rancher/k3s/config.yaml", "/etc/rancher/k3s/config.yaml.d/")),
    ("k3s", ("/etc/systemd/system/k3s.service", "/etc/systemd/system/k3s-agent.service")),
    ("rke2", ("/etc/rancher/rke2/config.yaml", "/etc/rancher/rke2/config.yaml.d/")),
    ("kubelite", ("/var/snap/microk8s/current/args/kube-proxy",)),
)

_FLAG = re.compile(r"--(?P<name>conntrack-[a-z-]+|config)(?:[=\0 \t]+|[\"'], *[\"'])(?P<value>[^\s\0\"',\]]+)")
_EMBEDDED = re.compile(r"(?<![\w-])(?:--)?(?P<name>conntrack-[a-z-]+)[= ]")
_CONFIG = re.compile(r"(?P<indent> *)(?P<name>\w+):(?: +(?P<value>[^#]*?))? *(?: #.*)?\r?")
_DURATION = re.compile(r"(?P<number>[0-9]{1,19}(?:\.[0-9]{1,19})?)(?P<unit>ms|h|m|s)")
_NUMBER = re.compile(r"[0-9]{1,19}")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

#: Options of the configuration file by those of the command line.
_OPTIONS = {
    "conntrack-max-per-core": "maxPerCore",
    "conntrack-min": "min",
    "conntrack-tcp-timeout-established": "tcpEstablishedTimeout",
    "conntrack-tcp-timeout-close-wait": "tcpCloseWaitTimeout",
    "conntrack-udp-timeout": "udpTimeout",
    "conntrack-udp-timeout-stream": "udpStreamTimeout",
}
_DEFAULTS = {"maxPerCore": "32768", "min": "131072", "tcpEstablishedTimeout": "24h", "tcpCloseWaitTimeout": "1h"}
_TIMEOUTS = {
    "tcpEstablishedTimeout": "nf_conntrack_tcp_timeout_established",
    "tcpCloseWaitTimeout": "nf_conntrack_tcp_timeout_close_wait",
    "udpTimeout": "nf_conntrack_udp_timeout",
    "udpStreamTimeout": "nf_conntrack_udp_timeout_stream",
}


class Given(Record):
    """An option that is given.

    :ivar path: the file.
    :ivar line: its line, from 1; None for a command line.
    :ivar value: as it stands there.
    """

    path: str
    line: int | None
    value: str


def find(files: Files) -> t.Iterator[Writer]:
    """What kube-proxy sets, by its process, or else by the manifest that has the kubelet start it."""
    for path, text, root in _commands(files):
        flags = parse_flags(path, text)
        config = flags.get("config")
        if config is None:
            given = {_OPTIONS[name]: option for name, option in flags.items() if name in _OPTIONS}
        else:
            places = [place for place in (root + config.value, config.value) if place.startswith("/")]
            found = next((text for text in map(files.text, dict.fromkeys(places)) if text is not None), None)
            if found is None:
                then = f": {path} names that file, and it is not there or cannot be read"
                yield Writer(_NAME, config.value, None, MAX, None, _WHEN, then=then, only_raises=True)
                return
            given = parse_config(found.path, found.text)
        yield from _writers(path if config is None else config.value, given, _processors(files))
        return
    yield from _embedded(files)


def _embedded(files: Files) -> t.Iterator[Writer]:
    """Options for a kube-proxy in another program, which may have defaults of its own: they are named, and no more."""
    for program, places in _EMBEDDING:
        for place in places:
            names = files.names(place[:-1]) if place.endswith("/") else [""]
            for path in [place + name for name in names if not name or name.endswith((".yaml", ".yml"))]:
                file = files.text(path)
                for number, raw in enumerate(file.text.split("\n") if file is not None else (), 1):
                    line = raw.strip()
                    matches = [] if line[:1] == "#" else list(_EMBEDDED.finditer(line))
                    options = [_OPTIONS[match.group("name")] for match in matches if match.group("name") in _OPTIONS]
                    for key in dict.fromkeys(_TIMEOUTS.get(option, MAX) for option in options):
                        when = f"when {program} starts kube-proxy"
                        yield Writer(program, path, number, key, None, when, text=line[:_MOST_SHOWN])


def _commands(files: Files) -> t.Iterator[tuple[str, str, str]]:
    """Command lines of kube-proxy: the file, its text, and the directory that is its root."""
    for name in files.names(_PROCESSES):
        if _NUMBER.fullmatch(name):
            process = files.command_line(name)
            program = process.partition("\0")[0].rpartition("/")[2]
            if program == _NAME:
                yield f"/proc/{name}/cmdline", process, f"/proc/{name}/root"
    for name in files.names(_MANIFESTS):
        manifest = (
            files.text(f"{_MANIFESTS}/{name}") if name.endswith((".yaml", ".yml", ".json", ".manifest")) else None
        )
        if manifest is not None and re.search(rf"[/\s\"'\[]{_NAME}[\s\"',]", manifest.text):
            yield manifest.path, manifest.text, ""


def parse_flags(path: str, text: str) -> dict[str, Given]:
    """The options in question of a command line or a manifest, by name; the last of each."""
    found: dict[str, Given] = {}
    for number, line in enumerate(text.split("\n"), 1):
        for match in _FLAG.finditer(line):
            is_line = "\0" not in text
            found[match.group("name")] = Given(path, number if is_line else None, match.group("value"))
    return found


def parse_config(path: str, text: str) -> dict[str, Given]:
    """What a configuration file says below ``conntrack:``, by name. What is null is as if it were not there."""
    found: dict[str, Given] = {}
    inside: int | None = None
    for number, line in enumerate(text.split("\n"), 1):
        match = _CONFIG.fullmatch(line)
        if match is None:
            continue
        indent, value = len(match.group("indent")), (match.group("value") or "").strip("\"' \t")
        if inside is not None and indent <= inside:
            inside = None
        if inside is not None:
            if value not in ("", "null", "~"):
                found[match.group("name")] = Given(path, number, value)
        elif match.group("name") == "conntrack" and not value:
            inside = indent
    return found


def _processors(files: Files) -> int | None:
    """How many processors are online; None where that cannot be told."""
    online = files.text(_PROCESSORS)
    if online is None:
        return None
    total = 0
    for part in online.text.strip().split(","):
        first, _dash, last = part.partition("-")
        if not _NUMBER.fullmatch(first) or (last and not _NUMBER.fullmatch(last)):
            return None
        total += int(last or first) - int(first) + 1
    return total


def seconds(duration: str) -> int | None:
    """Whole seconds of a duration as Go writes it (``1h30m``); None where it is none."""
    if _DURATION.sub("", duration):
        return 0 if duration == "0" else None
    return int(
        sum(float(match.group("number")) * _SECONDS[match.group("unit")] for match in _DURATION.finditer(duration))
    )


def _writers(path: str, given: t.Mapping[str, Given], processors: int | None) -> t.Iterator[Writer]:
    options = {name: Given(path, None, value) for name, value in _DEFAULTS.items()}
    options.update(given)
    yield from _sizes(options, processors)
    for name, key in _TIMEOUTS.items():
        timeout = seconds(options[name].value) if name in options else 0
        if timeout:
            option = options[name]
            yield _certain(option, key, timeout)


def _sizes(options: t.Mapping[str, Given], processors: int | None) -> t.Iterator[Writer]:
    per_core, floor = options["maxPerCore"], options["min"]
    if not _NUMBER.fullmatch(per_core.value) or not _NUMBER.fullmatch(floor.value):
        return
    if int(per_core.value) == 0:
        return  # it leaves max as it is, whatever min says
    scaled = None if processors is None else int(per_core.value) * processors
    option = floor if scaled is not None and scaled <= int(floor.value) else per_core
    if scaled is None or _LARGEST_SCALED < scaled > int(floor.value):
        then = (
            f", by maxPerCore {per_core.value} and min {floor.value}: to what depends on the processors and, where that"
            f" is more than {_LARGEST_SCALED}, on its version"
        )
        yield Writer(_NAME, option.path, option.line, MAX, None, _WHEN, then=then, only_raises=True)
        return
    entries = max(scaled, int(floor.value))
    yield _certain(option, MAX, entries)
    yield _certain(option, BUCKETS, entries // 4)._replace(then="")


def _certain(option: Given, key: str, value: int) -> Writer:
    return Writer(_NAME, option.path, option.line, key, value, _WHEN, certain=True, then=_THEN, only_raises=True)
