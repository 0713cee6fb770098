# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operator can do about what the entries show, in words. Pure."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.netops.conntrack.plugins.module_utils._entries.tables import Keys

NO_TRACKING = "Connection tracking is not loaded, so there are no entries. Nothing was loaded to find this out."

#: From these percents on something is worth a sentence.
_FULL, _ONE_OF_MANY, _NO_ANSWER, _FREED, _PORTS_USED = 75, 25, 40, 10, 80

#: A table that is smaller than this is nobody's incident.
_FEW = 100
#: Shares of fewer entries than this are off by more than three points.
_FEW_MEANT = 1000


def give(result: t.Mapping[str, t.Any], keys: Keys, resized: bool, filtered: bool = False) -> list[str]:
    """The sentences for a result of conntrack_entries_info.

    :param result: all but the advice.
    :param keys: what the keys said before the table was read.
    :param resized: whether the hash table has another size than before it was read.
    :param filtered: whether the kernel was asked for a part of the entries.
    """
    told = [*_usage(result, keys), *_nat(result)]
    if result["matched"] >= _FEW:
        told += [*_busiest(result), *_unanswered(result), *_timeouts(result)]
    if not result["complete"] and result["matched"] < min(_FEW_MEANT, result["read"]):
        told.append(
            f"Only {result['matched']} of the {result['read']} entries that were read match the filter. Read more of"
            " them with sample: all."
        )
    unlike = abs(result["read"] - keys.entries) > max(_FEW, keys.entries // 10)
    if result["complete"] and unlike and not filtered and not resized:
        told.append(
            f"The kernel counted {keys.entries} entries, but {result['read']} could be read: many had expired, the"
            " table changed much meanwhile, or it was resized. Read it again."
        )
    if resized:
        told.append(
            "The hash table was resized while it was read: entries may have been counted twice or not at all. Read it "
            "again."
        )
    return told


def _usage(result: t.Mapping[str, t.Any], keys: Keys) -> t.Iterator[str]:
    if not keys.limit or 100 * keys.entries / keys.limit < _FULL:
        return
    evicted = result["early_drop_percent"]
    yield (
        f"The table holds {keys.entries} of {keys.limit} entries ({100 * keys.entries // keys.limit} %). When it"
        f" is full, the kernel may evict entries that are not assured, and from 95 % on closing ones: {evicted} % of"
        " those counted. Packets of connections that do not fit are dropped."
    )


def _nat(result: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    for item in result["nat_ports"]:
        if item["used_percent"] < _PORTS_USED:
            continue
        port = "" if item["port"] is None else f" port {item['port']}"
        yield (
            f"NAT address {item['address']} has used {item['used_percent']} % of the"
            f" {item['last_port'] - item['first_port'] + 1} {item['protocol']} ports it has towards"
            f" {item['destination']}{port}. When all are used, new connections there are dropped, however large the"
            " table is: translate to more addresses, or shorten the timeouts of these entries."
        )


def _busiest(result: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    for name, verb in (("source", "come from"), ("destination", "go to")):
        for item in result[name + "s"][:1]:
            if item["share_percent"] >= _ONE_OF_MANY:
                yield (
                    f"{item['share_percent']} % of the entries {verb} {item[name]}"
                    f"{_give_or_take(item['margin_percent'])}. See what runs there before you make the table larger."
                )


def _unanswered(result: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    unreplied = result["counts"]["unreplied"]
    if unreplied["share_percent"] >= _NO_ANSWER:
        yield (
            f"{unreplied['share_percent']} % of the entries have seen no"
            f" answer{_give_or_take(unreplied['margin_percent'])}: a scan, a flood, a service that is down, or"
            " answers on another path. These are evicted first when the table is full."
        )


def _timeouts(result: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    for name, held in result["timeouts"].items():
        worth = [item for item in held["what_if"] if item["share_percent"] >= _FREED]
        if worth:
            # The longest of those that free much: it breaks the fewest connections that are only idle.
            best = max(
                worth, key=lambda item: (item["share_percent"] >= worth[0]["share_percent"] / 2, item["seconds"])
            )
            yield (
                f"{name} is {held['seconds']} s. With {best['seconds']} s, {best['share_percent']} % of the entries"
                f"{_give_or_take(best['margin_percent'])} would be gone: they have been idle for that long. Set it"
                f" with conntrack_settings, timeouts: {{{name}: {best['seconds']}}}. It applies to an entry from its"
                " next packet on."
            )


def _give_or_take(margin: float) -> str:
    return f" (± {margin})" if margin else ""
