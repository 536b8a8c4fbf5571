"""The page in a real browser: whoever walks it sees what the API answers, without a network."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reelflow.registry.push import push
from reelflow.serving.app import PAGE
from reelflow.serving.limits import Limits
from tests import tiny_model
from tests.reelflow.serving.live import live

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
CHROMEDRIVER = shutil.which("chromedriver")
needs_a_browser = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER),
    reason="needs chromium and chromedriver (Debian: apt-get install chromium chromium-driver)",
)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --disable-dev-shm-usage"
).split()


def test_the_page_names_nothing_elsewhere() -> None:
    for file in PAGE.iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text, file.name
        assert "https://" not in text, file.name


def test_the_page_takes_the_word_for_an_item_from_the_server() -> None:
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    for said in re.findall(r"data-say='([^']*)'", html):
        for text in json.loads(said).values():
            assert re.search(r"\{(item|items|Items|a_item)\}", text)
    # Everything else that is seen, and no name of the wire format or of an element.
    seen = re.sub(r"data-say='[^']*'", "", html)
    assert not re.search("movie|film", seen, re.IGNORECASE)
    for name in ("page.js", "parts.js", "search.js"):
        script = (PAGE / name).read_text(encoding="utf-8")
        code = re.sub(r"^const noun = .*$|//.*$", "", script, flags=re.MULTILINE)
        sentences = re.findall(r"\"([A-Z][^\"\n]* [^\"\n]*)\"", code)
        assert not [text for text in sentences if re.search(r"\bmovies?\b|\bfilms?\b", text)]


@pytest.fixture(scope="module")
def folder(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A serving folder with version 7, to be pushed to."""
    base = tmp_path_factory.mktemp("pushed")
    push(exported, base, keep=2, now=7)
    return base


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """A server on a port of its own."""
    with live(folder, limits=Limits(batch=2), reload_seconds=0.2) as address:
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(str(CHROMEDRIVER)))
    yield driver
    driver.quit()


class Page:
    """The page, as its user sees it."""

    def __init__(self, browser: Any, address: str) -> None:
        self.browser = browser
        browser.get("about:blank")
        browser.get(address)
        self.until(lambda: self.movies())

    def until(self, happened: Callable[[], Any]) -> Any:
        """Wait for something to become true, through elements being exchanged."""
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.wait import WebDriverWait

        wait = WebDriverWait(
            self.browser, 20, 0.05, ignored_exceptions=[StaleElementReferenceException]
        )
        return wait.until(lambda _: happened())

    def all(self, selector: str) -> list[Any]:
        found: list[Any] = self.browser.find_elements("css selector", selector)
        return found

    def one(self, selector: str) -> Any:
        return self.until(lambda: [e for e in self.all(selector) if e.is_displayed()])[0]

    def text(self, selector: str) -> str:
        script = "return document.querySelector(arguments[0]).innerText"
        return str(self.browser.execute_script(script, selector))

    def movies(self, selector: str = "#cards > li") -> list[str]:
        """Ids in one go: element by element, they could be exchanged meanwhile."""
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.dataset.movie)"
        found: list[str] = self.browser.execute_script(script, selector)
        return found

    def like(self, text: str) -> None:
        """Types a movie and takes the first suggestion, by keyboard alone."""
        from selenium.webdriver.common.keys import Keys

        before = len(self.all("#liked li"))
        self.one("#search").send_keys(text)
        self.one("#suggestions li[aria-selected=true]")
        self.one("#search").send_keys(Keys.ENTER)
        self.until(lambda: len(self.all("#liked li")) == before + 1)


@pytest.mark.slow
@needs_a_browser
def test_a_walk_through_the_page(browser: Any, address: str, folder: Path, better: Path) -> None:
    page = Page(browser, address)
    assert "Popular movies" in page.text("#source")
    assert page.movies()[:3] == ["5", "1", "2"]

    page.like("jumanji")
    page.like("toy")
    page.until(lambda: "From the movies you marked" in page.text("#source"))
    page.until(lambda: not {"1", "2"} & set(page.movies()))
    assert "Because you like" in page.text("#cards")
    assert "The 2 movies you marked" in page.text("#profile")
    assert "of 5, predicted for an average user" in page.text("#cards")

    unwanted = page.movies()[-1]
    page.all("#cards .marks button[aria-label^='I do not like it']")[-1].click()
    page.until(lambda: len(page.all("#disliked li")) == 1)
    page.until(lambda: unwanted not in page.movies())
    assert f"disliked={unwanted}" in browser.current_url
    page.one("#disliked button").click()
    page.until(lambda: unwanted in page.movies())

    page.one("#filters summary").click()
    page.one("#genres label").click()
    page.until(lambda: set(page.movies()) <= {"4", "6", "8", "10", "12"})
    page.one("#clear").click()
    page.until(lambda: "3" in page.movies())
    page.one("#year-to").send_keys("1990\t")
    page.until(lambda: sorted(page.movies()) == ["3", "4"])
    page.one("#clear").click()
    page.until(lambda: len(page.movies()) > 2)
    blend = page.movies()
    page.one("#order option[value=stars]").click()
    page.until(lambda: page.movies() != blend)
    page.one("#least").send_keys("3\t")
    page.until(lambda: 0 < len(page.movies()) < len(blend))
    page.one("#clear").click()
    page.until(lambda: page.movies() == blend)

    first = page.movies()[0]
    page.one("#cards h3 button").click()
    near = page.until(lambda: page.movies("#similar .near li"))
    assert first not in near
    page.one("#similar .near button").click()  # similar movies of a similar movie
    page.until(lambda: page.movies("#similar .near li") not in ([], near))
    page.one("#close").click()

    page.one("input[value=user] + span").click()
    page.one("#user").send_keys("2\n")
    page.until(lambda: "knows of user 2" in page.text("#source"))
    assert set(page.movies()) == set(tiny_model.MOVIES) - set(tiny_model.SEEN["2"])
    assert "3 ratings" in page.text("#profile")
    assert browser.current_url.endswith("#user=2")

    before = page.movies()
    push(better, folder, keep=2, now=8)
    page.until(lambda: "version 8" in page.text("#toast"))
    page.until(lambda: page.movies() != before)
    assert page.text("#about").split()[:2] == ["model", "8"]
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.slow
@needs_a_browser
def test_by_keyboard_alone(browser: Any, address: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(*keys: str) -> Any:
        for key in keys:
            ActionChains(browser).send_keys(key).perform()
        return browser.switch_to.active_element

    page = Page(browser, f"{address}#user=1")
    assert press(Keys.TAB).text == "Skip to the movies"
    first = press(Keys.ENTER, Keys.TAB)  # the filters above are passed over
    assert browser.current_url.endswith("#user=1")
    name = first.text
    assert name in page.text("#cards > li h3")
    press(Keys.ENTER)
    page.until(lambda: page.movies("#similar .near li"))
    assert page.text("#similar-title") == f"Like {name}"
    near = press(*[Keys.TAB] * 4)  # past "close", "I like this movie" and "Not for me"
    title = near.text
    assert near.find_element("xpath", "ancestor::li").get_attribute("data-movie")
    press(Keys.ENTER)
    page.until(lambda: page.text("#similar-title") == f"Like {title}")
    page.until(lambda: page.movies("#similar .near li"))
    assert press(Keys.TAB).get_attribute("id") == "close"
    assert press(Keys.ESCAPE) == first


@pytest.mark.slow
@needs_a_browser
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window(browser: Any, address: str, width: int) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    for path in ("#user=1", "#liked=1&liked=4&genre=Comedy", "docs"):
        browser.get("about:blank")
        browser.get(address + path)
        browser.implicitly_wait(10)
        assert browser.find_elements("css selector", "#cards > li, details.operation")
        browser.execute_script(
            "for (const d of document.querySelectorAll('details')) d.open = true"
        )
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    browser.implicitly_wait(0)
