"""Drive the web page in a real browser: Debian's chromium through its own driver, nothing fetched."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1000,800",
)  # fmt: skip
_PATIENCE_S = 120.0


@contextmanager
def browsing(profile: Path) -> Iterator[webdriver.Chrome]:
    """A browser with a new profile; the test is skipped where none is installed."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("no chromium with its driver here (Debian: apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    found.set_page_load_timeout(_PATIENCE_S)
    found.set_script_timeout(_PATIENCE_S)
    try:
        yield found
    finally:
        found.quit()


@contextmanager
def watching(browser: webdriver.Chrome, address: str) -> Iterator["Page"]:
    """A fresh page. While it was used nothing outside was asked, and at its end no complaint is left unread."""
    page = Page(browser, address)
    page.open()
    yield page
    assert {url for url in page.requests() if not url.startswith((address, "blob:", "data:", "chrome:"))} == set()
    assert page.complaints() == []


class Page:
    """The page as a user has it before them."""

    def __init__(self, browser: webdriver.Chrome, address: str) -> None:
        self.browser, self.address = browser, address

    def open(self) -> None:
        """As if for the first time."""
        self.browser.get(self.address)
        self.run("sessionStorage.clear(); localStorage.clear()")
        self.reload()

    def reload(self) -> None:
        """Again, with what the tab keeps."""
        self.browser.get(self.address)
        self.wait(lambda: self.run("return document.body.dataset.ready === 'yes'"))

    def run(self, script: str, *given: Any) -> Any:
        """The value of a script."""
        return self.browser.execute_script(script, *given)

    def imported(self, script: str) -> Any:
        """The value of a script that may use `await`."""
        wrapped = f"const done = arguments[0]; (async () => {{ {script} }})().then(done, (e) => done(String(e)))"
        return self.browser.execute_async_script(wrapped)

    def wait(self, is_so: Callable[[], Any]) -> None:
        """Until something is so."""
        deadline = time.monotonic() + _PATIENCE_S
        while not is_so():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def id(self, name: str) -> WebElement:
        """An element by its id."""
        return self.browser.find_element(By.ID, name)

    def all(self, selector: str) -> list[WebElement]:
        """Elements of the conversation."""
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """Their texts, folded ones too; read at once, since the page may replace an element meanwhile."""
        script = "return [...document.querySelectorAll(arguments[0])].map((found) => found.textContent)"
        return [str(text) for text in self.run(script, selector)]

    def press(self, *keys: str) -> None:
        """Keys where the focus is."""
        webdriver.ActionChains(self.browser).send_keys(*keys).perform()

    def ask(self, words: str, task: str = "") -> None:
        """Send a message and wait for the end of its answer."""
        self.run("document.getElementById('task').value = arguments[0]", task)
        self.id("message").send_keys(words, Keys.ENTER)
        self.wait(lambda: self.id("send").is_displayed())

    def complaints(self) -> list[str]:
        """What the browser told its console as wrong since the last call; a refused request is such a thing."""
        return [entry["message"] for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"]

    def requests(self) -> list[str]:
        """Addresses asked for since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
