# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report's page, as its readers use it."""

from __future__ import annotations

import copy

import fleets
import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from ansible_collections.netops.conntrack.plugins.plugin_utils._report.changes import compare
from ansible_collections.netops.conntrack.plugins.plugin_utils._report.page import page

FLEET = fleets.fleet(200)
NAMES = [host["name"] for host in FLEET["hosts"]]
TROUBLE = NAMES[:5]


def written(tmp_path_factory, document, earlier=None):
    path = tmp_path_factory.mktemp("pages") / "report.html"
    path.write_text(page(document, earlier and compare(earlier, document)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report of 200 hosts, compared with an earlier one."""
    earlier = copy.deepcopy(FLEET)
    del earlier["hosts"][7]
    earlier["hosts"][1]["facts"].update(max=131072, usage_percent=20.0)
    earlier["hosts"][1]["facts"]["health"]["status"] = "ok"
    return written(tmp_path_factory, FLEET, earlier)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A report of few hosts, because what looks for barriers takes minutes for 200."""
    return written(tmp_path_factory, fleets.fleet(8), fleets.fleet(7))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A report in which every text of a host tries to run a script, and is long."""
    attack = "\"'--></title></style></script><script>document.title='taken'</script><img src=x onerror=alert(1)>"
    return written(tmp_path_factory, fleets.replaced(fleets.fleet(8), lambda text: f"{attack}{'x' * 80}{text}"))


def test_the_hosts_in_trouble_are_seen_without_scrolling(browser, report):
    browser.open(report)
    for name in TROUBLE:
        assert browser.find(f'.trouble a[href="#host-{name}"]').location["y"] < 900


def test_hosts_are_sorted_by_a_click_and_back(browser, report):
    browser.open(report)
    heads = browser.find_all("#fleet thead th")
    assert [head.get_attribute("aria-sort") for head in heads[:3]] == [None, "descending", None]
    heads[0].find_element("css selector", "button").click()
    assert browser.names() == sorted(NAMES)
    assert [head.get_attribute("aria-sort") for head in heads[:3]] == ["ascending", None, None]
    heads[0].find_element("css selector", "button").click()
    assert browser.names() == sorted(NAMES, reverse=True)
    heads[1].find_element("css selector", "button").click()
    assert browser.names() == NAMES, "by health, the worst first, and then as it was"


def test_hosts_are_sorted_by_numbers_with_the_keyboard_and_those_without_are_last(browser, report):
    browser.open(report)
    button = browser.find("#fleet thead th:nth-child(4) button")
    for descending in (True, False):
        button.send_keys(Keys.ENTER if descending else Keys.SPACE)
        known = {host["name"]: host["facts"]["entries"] for host in FLEET["hosts"] if host["facts"]}
        shown = browser.names()
        numbers = [known.get(name) for name in shown]
        assert numbers[:-2] == sorted(known.values(), reverse=descending)
        assert numbers[-2:] == [None, None]


def test_the_soonest_full_is_first(browser, report):
    browser.open(report)
    browser.find("#fleet thead th:nth-child(6) button").click()
    assert browser.names()[:2] == [fleets.FULL, fleets.FILLING]


def test_hosts_are_filtered_by_words_anywhere_and_by_health(browser, report):
    browser.open(report)
    words, shown = browser.find("#words"), browser.find("#shown")
    assert shown.text == "200 hosts"
    words.send_keys("BERLIN gw-")
    assert set(browser.names()) == {name for name in NAMES if name.startswith("gw-berlin-")}
    assert shown.text == f"{len(browser.names())} of 200 hosts"
    words.clear()
    words.send_keys("10.20.0.17")
    assert browser.names() == [fleets.FULL], "by a busiest source in its details"
    words.clear()
    words.send_keys(Keys.SPACE)
    health = Select(browser.find("#health"))
    health.select_by_visible_text("critical")
    assert browser.names() == [fleets.FULL, fleets.FILLING]
    health.select_by_visible_text("no answer")
    assert browser.names() == [fleets.SILENT, fleets.BROKEN]
    assert len([one for one in browser.find_all("details") if one.is_displayed()]) == 2


def test_a_link_opens_the_details_of_a_host(browser, report):
    browser.open(report)
    for table, name in ((".trouble", fleets.DRIFTING), ("#fleet", NAMES[0])):
        browser.find(f'{table} a[href="#host-{name}"]').send_keys(Keys.ENTER)
        place = browser.find(f'[id="host-{name}"]')
        assert place.is_displayed() and "Busiest sources" in place.text
    browser.open(report, f"#host-{fleets.FILLING}")
    assert browser.find("details[open] h3").text == fleets.FILLING


def test_all_details_are_opened_and_closed_at_once(browser, report):
    browser.open(report)
    button = browser.find("#all")
    button.click()
    assert len(browser.find_all("details[open]")) == 200
    button.click()
    assert browser.find_all("details[open]") == []


def test_the_page_is_read_without_scripts(browser, report):
    browser.screen(1400, scripts=False)
    browser.open(report)
    assert not browser.find("form").is_displayed() and browser.find_all("thead button") == []
    details = browser.find("details")
    details.find_element("css selector", "summary").click()
    assert "The table is full" in details.text
    browser.screen(1400)


def test_hostile_names_do_nothing(browser, hostile):
    browser.open(hostile)
    assert browser.driver.title.startswith("Connection tracking of 8 hosts")
    assert browser.find_all("img, script + script, [onerror]") == []
    browser.find("#all").click()
    assert "<script>document.title='taken'</script>" in browser.find("#fleet tbody").text


@pytest.mark.parametrize("width", [360, 800, 1400])
@pytest.mark.parametrize("which", ["few", "hostile"])
def test_nothing_has_to_be_scrolled_sideways(browser, request, which, width):
    browser.screen(width)
    browser.open(request.getfixturevalue(which))
    browser.find("#all").click()
    assert browser.overflow() <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_there_are_no_barriers_for_readers(browser, few, width, scheme):
    browser.screen(width, scheme)
    browser.open(few)
    browser.find("#all").click()
    assert browser.violations() == []


def test_the_focus_is_seen(browser, report):
    browser.open(report)
    browser.driver.switch_to.active_element.send_keys(Keys.TAB)
    skip = browser.driver.switch_to.active_element
    assert skip.text == "Skip to the list of hosts" and skip.location["x"] >= 0
    skip.send_keys(Keys.TAB)
    style = browser.driver.switch_to.active_element.value_of_css_property("outline-style")
    assert style != "none"
