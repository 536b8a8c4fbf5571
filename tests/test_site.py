"""The documents as a site: it is whole, and asks no other host for anything."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.reelflow.serving.test_page import CHROMEDRIVER, CHROMIUM, FLAGS, needs_a_browser

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("kubeflow/*.md")]
LOADING = {"src", "srcset", "poster", "data", "action", "href"}

pytestmark = pytest.mark.skipif(not find_spec("material"), reason="mkdocs-material is missing")


class Links(HTMLParser):
    """What a page loads, where it leads, and the places in it that others may lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("id", "name") and value:
                self.places.add(value)
            if name in LOADING and value:
                (self.leads if tag == "a" else self.loads).append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages made in strict mode: a warning, as of a dead link, is an error."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Links]:
    """All pages but the one for errors of a server, whose links are absolute."""
    paths = (path for path in site.rglob("*.html") if path.name != "404.html")
    return {path: Links(path.read_text(encoding="utf-8")) for path in paths}


@pytest.mark.slow
def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Links]) -> None:
    elsewhere = [
        (path.name, one)
        for path, links in pages.items()
        for one in links.loads
        if urlsplit(one).netloc
    ]
    assert elsewhere == []
    for path in [*site.rglob("*.css"), *site.rglob("*.svg")]:
        text = path.read_text(encoding="utf-8")
        assert re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)]*", text) == [], path


@pytest.mark.slow
def test_every_link_arrives(pages: dict[Path, Links]) -> None:
    dead = []
    for path, links in pages.items():
        for link in [*links.loads, *links.leads]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            place = unquote(parts.fragment)
            known = pages[target].places if place and target in pages else {place}
            if not target.is_file() or place not in known:
                dead.append((path.name, link))
    assert dead == []


@pytest.mark.slow
def test_every_document_is_there_and_found(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    searched = {entry["location"].partition("#")[0] for entry in index["docs"]}
    wanted = {
        re.sub(r"(^|/)README\.md$", r"\1index.md", path.relative_to(ROOT).as_posix())
        for path in DOCUMENTS
    }
    made = {"docs/api", "docs/python", "docs/presets", "docs/notebooks/2-reading-a-run"}
    assert {name.removesuffix(".md") for name in wanted} | made <= {
        name.removesuffix(".html") for name in searched
    }


@pytest.mark.slow
def test_lists_and_tables_are_such(pages: dict[Path, Links]) -> None:
    """Markdown is read a little differently here: a list needs an empty line before it."""
    wrong = [
        (path.name, found[0])
        for path in pages
        for found in re.findall(
            r"<p>(?:(?!</p>).)*?\n((?:- |\d\. |\|).*)", path.read_text("utf-8"), re.DOTALL
        )
    ]
    assert wrong == []


@pytest.mark.slow
@needs_a_browser
def test_the_search_works_from_a_disk_and_without_a_network(site: Path) -> None:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    for flag in FLAGS:
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=Service(str(CHROMEDRIVER)))
    try:
        browser.get((site / "docs" / "how-to" / "gate.html").as_uri())
        browser.implicitly_wait(30)
        field = browser.find_element("css selector", "input[name=query]")
        field.click()
        field.send_keys("min_rating")
        found = browser.find_elements("css selector", ".md-search-result__link")
        assert any("api.html" in str(one.get_attribute("href")) for one in found)
        events = [
            json.loads(entry["message"])["message"] for entry in browser.get_log("performance")
        ]
    finally:
        browser.quit()
    asked = {
        urlsplit(event["params"]["request"]["url"]).scheme
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert asked <= {"file", "data", "blob"}
