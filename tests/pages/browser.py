# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chromium without a screen, as the tests of pages use it."""

from __future__ import annotations

import typing as t
from importlib import resources

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

if t.TYPE_CHECKING:
    from pathlib import Path

    from selenium.webdriver.remote.webelement import WebElement

#: Debian's, so that nothing is downloaded.
_CHROMIUM, _DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"

#: What root needs in a container, and no reason to wait for a screen.
_ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")

_AUDIT = """
const done = arguments[arguments.length - 1];
axe.run(document).then((found) => done(found.violations.map((one) => one.id + ": " + one.nodes.map(
    (node) => node.target + " " + node.failureSummary).join("; "))), (error) => done([String(error)]));
"""


class Browser:
    """A browser with one page."""

    def __init__(self) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = _CHROMIUM
        for argument in _ARGUMENTS:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(_DRIVER))

    def close(self) -> None:
        """End it."""
        self.driver.quit()

    def screen(self, width: int, scheme: str = "light", scripts: bool = True, height: int = 900) -> None:
        """Look at the next page on such a screen.

        :param scheme: ``light`` or ``dark``, as the reader prefers.
        :param scripts: whether pages may run scripts.
        """
        self._tell("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self._tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._tell("Emulation.setScriptExecutionDisabled", value=not scripts)

    def open(self, page: Path, anchor: str = "") -> None:
        """Open a file, or a place in it."""
        self.driver.get("about:blank")
        self.driver.get(page.as_uri() + anchor)

    def said(self) -> list[str]:
        """What the console said since this was asked last."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def find(self, selector: str) -> WebElement:
        """The first element that a selector finds."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector: str) -> list[WebElement]:
        """All elements that a selector finds."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def names(self) -> list[str]:
        """The hosts that the fleet's table shows, in its order."""
        script = "return [...document.querySelectorAll('#fleet tbody tr:not([hidden]) th')].map((one) => one.innerText)"
        return t.cast("list[str]", self.driver.execute_script(script))

    def violations(self) -> list[str]:
        """What axe-core finds wrong with the page."""
        source = resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
        self.driver.execute_script(source)
        return t.cast("list[str]", self.driver.execute_async_script(_AUDIT))

    def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return t.cast("int", self.driver.execute_script(script))

    def _tell(self, command: str, **parameters: t.Any) -> None:
        self.driver.execute_cdp_cmd(command, parameters)
