# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""tuned, which sets what its active profile says, and by default applies sysctl files again after that.

Read in tuned 2.20.0 (Debian 12) and 2.28.0-rc.1: profiles/loader.py and profiles/merger.py (includes first, later ones
win), profiles/locator.py (later directories win; a profile that includes its own name means that of an earlier one),
plugins/plugin_sysctl.py (``reapply_sysctl``: /run/sysctl.d and /etc/sysctl.d, then /etc/sysctl.conf, and neither
/usr/lib nor what ``reapply_sysctl_exclude`` names), plugins/plugin_net.py. 2.23 has profiles in directories of their
own.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.netops.conntrack.plugins.module_utils import _kernel
from ansible_collections.netops.conntrack.plugins.module_utils._config import wildcards
from ansible_collections.netops.conntrack.plugins.module_utils._keys import BUCKETS
from ansible_collections.netops.conntrack.plugins.module_utils._record import Record
from ansible_collections.netops.conntrack.plugins.module_utils._writers.sysctl_lines import Line
from ansible_collections.netops.conntrack.plugins.module_utils._writers.writer import (
    Writer,
    is_taken,
    key_of,
    number_for,
)

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._writers.files import Files

UNIT = "tuned.service"

_ACTIVE = "/etc/tuned/active_profile"
_MAIN = "/etc/tuned/tuned-main.conf"
_DIRECTORIES = ("/usr/lib/tuned", "/usr/lib/tuned/profiles", "/etc/tuned", "/etc/tuned/profiles")
_SYSCTL_DIRECTORIES = ("/etc/sysctl.d", "/run/sysctl.d")
_SYSCTL_CONF = "/etc/sysctl.conf"

_SECTION = re.compile(r"\[(?P<name>[^]]+)\]")
_COMMENT = re.compile(r"(?:\A|\s)#.*")
_LIST = re.compile(r"\s*[,;]\s*")
_FALSE = ("0", "false", "no", "off")
_TRUE = ("1", "true", "True")
#: What makes a section count on some machines alone.
_CONDITIONS = ("cpuinfo_regex", "uname_regex")
_NAME = re.compile(r"[a-zA-Z0-9_.-]+")

#: Profiles that include one another are not followed further.
_MOST_PROFILES = 50


class Option(Record):
    """An option of a profile."""

    path: str
    line: int
    value: str


#: Options by name, by section.
Profile = t.Dict[str, t.Dict[str, Option]]


def parse(path: str, text: str) -> Profile:
    """The sections of a profile; of an option that stands twice, the last one."""
    found: Profile = {}
    section: dict[str, Option] = {}
    for number, raw in enumerate(text.split("\n"), 1):
        line = _COMMENT.sub("", raw).strip()
        match = _SECTION.match(line)
        if line[:1] in ("#", ";") or not line:
            continue
        if match is not None:
            section = found.setdefault(match.group("name").strip(), {})
            continue
        name, equals, value = line.partition("=")
        if equals:
            section[name.strip()] = Option(path, number, value.strip())
    return found


def find(files: Files, is_started: t.Callable[[str], bool | None]) -> t.Iterator[Writer]:
    """What tuned sets.

    :param is_started: whether the boot starts a unit; None where that is not known.
    """
    active = files.text(_ACTIVE)
    names = active.text.split() if active is not None else []
    if not names:
        return
    settings = _main(files)
    profiles = _load(files, names, _directories(settings), set())
    if profiles is None:
        return
    merged: Profile = {}
    for profile in profiles:
        _merge(merged, profile)
    writers = list(_profile_writers(files, merged, "tuned profile " + " ".join(names), settings))
    if writers and is_started(UNIT) is False:
        when = "when somebody starts tuned, which the boot does not"
        writers = [writer._replace(when=when, by_itself=False) for writer in writers]
    yield from writers


def _main(files: Files) -> dict[str, Option]:
    """The options of tuned itself."""
    main = files.text(_MAIN)
    return parse(_MAIN, "[main]\n" + main.text)["main"] if main is not None else {}


def _directories(settings: t.Mapping[str, Option]) -> t.Sequence[str]:
    """Where profiles are looked for; a later directory wins."""
    given = settings.get("profile_dirs")
    return _LIST.split(given.value) if given is not None else _DIRECTORIES


def _load(
    files: Files, names: t.Iterable[str], directories: t.Sequence[str], processed: set[str]
) -> list[Profile] | None:
    """The profiles with all that they include, in the order in which they are merged.

    None where one is not there that has to be: tuned refuses them all then.
    """
    found: list[Profile] = []
    for name in names:
        paths = _paths(files, name, directories)
        path = next((path for path in paths if path not in processed), None)
        if path is None or len(processed) >= _MOST_PROFILES:
            # What a function names, as ${f:virt_check:virtual-guest:balanced}, is there and not known here.
            if not paths and _NAME.fullmatch(name) and not name.startswith("-"):
                return None
            continue
        processed.add(path)
        file = files.text(path)
        profile = parse(path, file.text) if file is not None else {}
        include = profile.get("main", {}).pop("include", None)
        included = [] if include is None else _load(files, _LIST.split(include.value), directories, processed)
        if included is None:
            return None
        found += [*included, profile]
    return found


def _paths(files: Files, name: str, directories: t.Sequence[str]) -> list[str]:
    """The files that a profile's name stands for, the one that wins first."""
    base = name.lstrip("-").rpartition("/")[2]
    paths = [f"{directory}/{base}/tuned.conf" for directory in reversed(directories)]
    return [path for path in paths if files.text(path) is not None] if _NAME.fullmatch(base) else []


def _merge(merged: Profile, newer: Profile) -> None:
    """Lay a profile over those before it, as _merge_two() in profiles/merger.py."""
    for name, section in newer.items():
        replacing = section.pop("replace", None)
        drop = section.pop("drop", None)
        if replacing is not None and replacing.value in _TRUE:
            merged[name] = {}
        options = merged.setdefault(name, {})
        for option in _LIST.split(drop.value) if drop is not None else ():
            options.pop(option, None)
        options.pop("enabled", None)
        options.update(section)


def _of_type(merged: Profile, kind: str) -> t.Iterator[dict[str, Option]]:
    """The sections that a plugin takes: of its name, or with its name as their type."""
    for name, section in merged.items():
        plugin = section["type"].value if "type" in section else name
        enabled = section.get("enabled")
        if plugin == kind and (enabled is None or enabled.value in _TRUE):
            yield section


def _profile_writers(
    files: Files, merged: Profile, writer: str, settings: t.Mapping[str, Option]
) -> t.Iterator[Writer]:
    when = "when tuned starts"
    sections = list(_of_type(merged, "sysctl"))
    reapplies = settings["reapply_sysctl"].value.lower() not in _FALSE if "reapply_sysctl" in settings else True
    again = _reapplied(files, settings) if sections and reapplies else {}
    named: set[str] = set()
    for section in sections:
        for name, option in section.items():
            key = key_of(name.replace(".", "/"))
            if key is None:
                continue
            named.add(key)
            is_sure = not any(condition in section for condition in _CONDITIONS)
            # Lines that tuned leaves out do not win, and a hashsize stands in modprobe.d.
            yields = reapplies and key != BUCKETS and not _is_excluded(f"net.netfilter.{key}", settings)
            yield from _option(writer, key, option, when, again.get(key), yields=yields, is_sure=is_sure)
    for key, line in again.items():
        # What is below /etc/sysctl.d the boot applies itself.
        if key not in named and line.path == _SYSCTL_CONF:
            then = ", because reapply_sysctl makes it apply that file again"
            found = Writer(writer, line.path, line.number, key, line.value, when, certain=True, then=then)
            yield found._replace(yields=key != BUCKETS)
    for section in _of_type(merged, "net"):
        if "nf_conntrack_hashsize" in section:
            is_sure = not any(condition in section for condition in _CONDITIONS)
            option = section["nf_conntrack_hashsize"]
            yield from _option(writer, BUCKETS, option, when, None, yields=False, is_sure=is_sure)


def _option(
    writer: str, key: str, option: Option, when: str, again: Line | None, *, yields: bool, is_sure: bool
) -> t.Iterator[Writer]:
    text = option.value.strip("\"'")
    value = _hashsize(text) if key == BUCKETS else number_for(key, text.lstrip(">"))
    found = Writer(writer, option.path, option.line, key, value, when, yields=yields)
    if again is not None:
        then = f", because it then applies {again.path}:{again.number} again"
        yield found._replace(value=again.value, certain=True, then=then)
    elif value is not None:
        yield found._replace(certain=is_sure, only_raises=text.startswith(">"))
    else:
        yield found._replace(text=option.value)


def _hashsize(text: str) -> int | None:
    value = _kernel.parse_number(text.lstrip(">"))
    return value if value is not None and is_taken(BUCKETS, value) else None


def _is_excluded(name: str, settings: t.Mapping[str, Option]) -> bool:
    excluding = settings.get("reapply_sysctl_exclude")
    excluded = _LIST.split(excluding.value) if excluding is not None else []
    return any(wildcards.matches(pattern, name) for pattern in excluded)


def _reapplied(files: Files, settings: t.Mapping[str, Option]) -> dict[str, Line]:
    """The lines that tuned applies again after those of its profile, by key; the last one for each is in force."""
    paths: dict[str, str] = {}
    for directory in reversed(_SYSCTL_DIRECTORIES):
        for name in files.names(directory):
            if name.endswith(".conf"):
                paths.setdefault(name, f"{directory}/{name}")
    found: dict[str, Line] = {}
    for path in [paths[name] for name in sorted(paths)] + [_SYSCTL_CONF]:
        text = files.text(path)
        for number, raw in enumerate(text.text.split("\n"), 1) if text is not None and "nf_" in text.text else ():
            line = raw.strip()
            option, equals, value = (part.strip() for part in line.partition("="))
            key = key_of(option.replace(".", "/"))
            if not equals or line[:1] in ("#", ";") or key is None:
                continue
            taken = number_for(key, value)
            if taken is not None and not _is_excluded(option, settings):
                found.pop(key, None)
                found[key] = Line(path, number, taken)
    return found
