# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import html.parser
import json
import re
import typing as t

import fleets
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.netops.conntrack.plugins.plugin_utils._report.changes import compare
from ansible_collections.netops.conntrack.plugins.plugin_utils._report.page import page

#: Texts that end elements, attributes, scripts, styles, comments or templates, or are hard to write.
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style></script><svg onload=alert(1)>",
    "--><!--]]>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "&lt;b&gt;&#x3c;",
    "\u202e\u0000\ud800\U0001f600",
]
ELEMENTS = {"script", "style", "meta", "title", "a", "svg", "rect", "input", "select", "option"}


class Outline(html.parser.HTMLParser):
    """The elements of a page with their attributes' names, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        # As it is written to a file.
        self.feed(text.encode().decode())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, tuple(name for name, _value in attrs)))
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.texts.append(data)


def made(change: t.Callable[[str], str]) -> str:
    """A page in which each text that hosts wrote is changed."""
    document = fleets.replaced(fleets.fleet(8), change)
    earlier = copy.deepcopy(document)
    gone, worse = earlier["hosts"][:2]
    gone["name"] += change("gone")
    worse["facts"].update(usage_percent=1.0, max=1)
    return page(document, compare(earlier, document))


@given(st.text(max_size=30) | st.sampled_from(HOSTILE))
@example("".join(HOSTILE))
def test_no_text_of_a_host_is_ever_anything_but_text(hostile):
    numbers = iter(range(10**6))
    plain = Outline(made(lambda text: f"{text}{next(numbers)}x"))
    numbers = iter(range(10**6))
    odd = Outline(made(lambda text: f"{text}{next(numbers)}{hostile}x"))
    assert odd.elements == plain.elements
    for name, value in odd.attributes:
        assert not name.startswith("on")
        if name == "href":
            assert re.fullmatch(r"#[A-Za-z0-9.-]+", value)
        assert name not in ("src", "srcset", "style", "action", "formaction", "xlink:href")


def test_hostile_texts_are_shown_as_they_are():
    document = fleets.replaced(fleets.fleet(3), lambda text: HOSTILE[0] + text)
    assert any(HOSTILE[0] + fleets.FULL in text for text in Outline(page(document)).texts)


def test_a_host_in_trouble_without_a_reason_is_on_the_page():
    document = fleets.fleet(3)
    document["hosts"][0]["facts"]["health"]["reasons"] = []
    assert fleets.FULL in page(document)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
)


@given(st.data())
def test_facts_that_are_half_there_or_nonsense_still_make_a_page(data):
    document = fleets.fleet(3)
    for _unused in range(data.draw(st.integers(1, 4))):
        node: t.Any = data.draw(st.sampled_from(document["hosts"]))
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if isinstance(node[key], (dict, list)) and node[key] and data.draw(st.booleans()):
                node = node[key]
                continue
            node[key] = data.draw(JUNK)
            break
    assert page(document).endswith("</html>")


def test_a_page_of_200_hosts_is_below_a_megabyte():
    document = fleets.fleet(200)
    earlier = fleets.fleet(200)
    for host in earlier["hosts"][5:]:
        host["facts"].update(max=1, usage_percent=99.0)
    assert len(page(document, compare(earlier, document)).encode()) < 1_000_000


def test_nothing_is_loaded_and_only_the_pages_own_script_and_style_may_run():
    text = page(fleets.fleet(5))
    outline = Outline(text)
    names = [name for name, _attributes in outline.elements]
    assert names.count("script") == names.count("style") == names.count("h1") == 1
    assert not {"link", "img", "iframe", "object", "embed", "base"}.intersection(names)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text).group(1).replace("&#39;", "'")
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/]{43}='; script-src 'sha256-[\w+/]{43}=';"
        r" base-uri 'none'; form-action 'none'",
        policy,
    )
    assert not re.search(r"(?:https?:)?//(?! )\w", re.sub(r"<script>.*</script>", "", text, flags=re.DOTALL))


def test_the_summary_counts_every_host_and_those_in_trouble_are_named_at_the_top():
    text = page(fleets.fleet(200))
    tally = re.findall(r'number">([\d,]+)</span> <b class="state \w+">([\w ]+)<', text)
    assert tally == [("2", "critical"), ("1", "warning"), ("2", "no answer"), ("195", "ok")]
    trouble = text[text.index('id="trouble"') : text.index('id="hosts"')]
    for name in (fleets.FULL, fleets.FILLING, fleets.DRIFTING, fleets.SILENT, fleets.BROKEN):
        assert f">{name}</a>" in trouble
    assert trouble.count("<li>") == 5 and "full in 6 minutes" in trouble and "Connection timed out" in trouble


def test_every_table_has_real_headers():
    text = page(fleets.fleet(5))
    assert text.count("<table") == text.count("<thead>") > 20
    assert not re.search(r"<thead><tr>\s*(?:<td|<th(?! scope))", text)


def test_each_host_can_be_linked_to_and_the_link_is_the_same_tomorrow():
    document = fleets.fleet(5)
    names = ["gw1", "gw 1", "gw-1", "gw?1", "\u00e9"]
    for host, name in zip(document["hosts"], names):
        host["name"] = name
    ids = re.findall(r'class="host" id="([^"]*)"', page(document))
    assert len(set(ids)) == 5 and ids[0] == "host-gw1" and ids[2] == "host-gw-1"
    again = dict(document, hosts=document["hosts"][::-1])
    assert re.findall(r'class="host" id="([^"]*)"', page(again)) == ids[::-1]


@pytest.mark.parametrize("hosts", [[], [fleets.in_trouble()[3]]])
def test_a_fleet_of_which_nothing_is_known_is_a_page_too(hosts):
    text = page(fleets.document(hosts))
    assert f"Connection tracking of {len(hosts)} host" in text and "Hosts by usage" not in text


def test_what_changed_is_on_the_page_only_where_it_was_asked_for():
    document = fleets.fleet(5)
    assert 'id="changed"' not in page(document)
    assert "<p>Nothing.</p>" in page(document, compare(document, document))


def test_the_sources_of_all_hosts_are_added_up():
    text = page(fleets.fleet(3))
    assert re.search(r"10\.20\.0\.23</th><td>21,6\d\d</td><td>3</td>", text)


def test_a_document_read_back_from_json_makes_the_same_page():
    document = fleets.fleet(5)
    assert page(json.loads(json.dumps(document))) == page(document)
