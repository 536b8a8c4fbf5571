"""The page in a real browser: whoever walks it sees what the API answers, without a network."""

from __future__ import annotations

import base64
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
from reelflow.serving.posters import Posters
from tests import tiny_model
from tests.reelflow.serving.live import live

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
CHROMEDRIVER = shutil.which("chromedriver")
needs_a_browser = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER),
    reason="needs chromium and chromedriver (Debian: apt-get install chromium chromium-driver)",
)
YEARS = {"3": 1988, "4": 1988}
"""Release years of the tiny model's movies that the walk leaves unmarked."""
FLAGS = (
    "--headless --window-size=1280,900 --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-sync --disable-background-networking --disable-component-update "
    "--disable-dev-shm-usage"
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
    for file in PAGE.glob("*.js"):
        script = file.read_text(encoding="utf-8")
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
        self.until(lambda: self.movies("#picks > li") or self.movies())

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

    def click(self, selector: str) -> None:
        """Clicks by script, as elements may move, or be exchanged, below a pointer."""
        script = "document.querySelector(arguments[0]).click()"
        self.until(lambda: self.all(selector))
        self.browser.execute_script(script, selector)

    def text(self, selector: str) -> str:
        script = "return document.querySelector(arguments[0]).innerText"
        return str(self.browser.execute_script(script, selector))

    def movies(self, selector: str = "#cards > li") -> list[str]:
        """Ids in one go: element by element, they could be exchanged meanwhile."""
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.dataset.movie)"
        found: list[str] = self.browser.execute_script(script, selector)
        return found

    def press(self, *keys: str) -> Any:
        """Press keys; returns what has the focus then."""
        from selenium.webdriver.common.action_chains import ActionChains

        for key in keys:
            ActionChains(self.browser).send_keys(key).perform()
        return self.browser.switch_to.active_element


@pytest.mark.slow
@needs_a_browser
def test_a_walk_through_the_page(browser: Any, address: str, folder: Path, better: Path) -> None:
    page = Page(browser, address)
    assert page.text("#start-title") == "Click a few movies that you like"
    assert page.movies("#picks > li")[:3] == ["5", "1", "2"]
    for picked in ("1", "2", "5"):
        page.click(f"#picks > [data-movie='{picked}'] button")
        page.until(lambda: page.all(f"#picks > [data-movie='{picked}'] [aria-pressed=true]"))  # noqa: B023
    page.until(lambda: "From the movies you marked" in page.text("#source"))
    page.until(lambda: page.movies() and not {"1", "2", "5"} & set(page.movies()))
    page.click("#done")
    page.until(lambda: not page.one("#marks").get_attribute("hidden"))
    assert "Because you like" in page.text("#cards")
    assert "3 movies that you marked, kept in this page's address" in page.text("#profile")
    assert "of 5, predicted for an average user" in page.text("#cards")

    unwanted = page.movies()[-1]
    page.click("#cards > li:last-child [data-list=disliked]")
    page.until(lambda: page.movies() and unwanted not in page.movies())
    assert f"disliked={unwanted}" in browser.current_url
    page.click("#disliked button")
    page.until(lambda: unwanted in page.movies())

    page.click(f"#cards > [data-movie='{unwanted}'] .face")
    page.click("#detail .rate button:nth-child(5)")
    page.until(lambda: "You: ★ 5" in page.text("#detail"))
    page.until(lambda: page.movies() and unwanted not in page.movies())
    assert f"rated={unwanted}%3A5" in browser.current_url
    page.click("#detail .rate button:nth-child(5)")  # the same again takes it back
    page.until(lambda: unwanted in page.movies())
    page.click("#detail .close")
    page.until(lambda: "open=" not in browser.current_url)
    page.until(lambda: not page.one("#results").get_attribute("aria-busy"))

    everything = page.movies()
    page.click("#genres [data-genre=Comedy]")
    page.until(lambda: set(page.movies()) < set(everything))
    assert set(page.movies()) <= {"4", "6", "8", "10", "12"}
    assert page.text("#end").startswith("That is all: ")
    page.click("#cards .face")
    near = page.until(lambda: page.movies("#detail .near > li"))
    assert set(near) <= {"2", "4", "6", "8", "10", "12"}  # the filters hold for similar movies, too
    browser.back()
    page.until(lambda: "open=" not in browser.current_url and not page.all("#detail[open]"))
    page.click("#more-filters")
    page.one("#year-from").send_keys("1990\t")
    page.one("#year-to").send_keys("1980\t")
    assert page.one("#years-wrong").text == "The first year is later than the last."
    page.click("#clear")
    page.until(lambda: page.movies() == everything)
    page.one("#year-to").send_keys("1990\t")
    page.until(lambda: sorted(page.movies()) == ["3", "4"])
    page.click("#clear")
    page.until(lambda: page.movies() == everything)
    page.one("#least").send_keys("3\t")
    page.until(lambda: 0 < len(page.movies()) < len(everything))
    page.click("#clear")
    page.click("#filters .close")
    page.until(lambda: page.movies() == everything)
    page.one("#order option[value=new]").click()
    newest = sorted(everything, key=lambda movie: -YEARS.get(movie, 0))
    page.until(lambda: page.movies() == newest)

    page.click("input[value=user]")
    page.one("#user").send_keys("2\n")
    page.until(lambda: "knows of user 2" in page.text("#source"))
    page.until(lambda: set(page.movies()) == set(tiny_model.MOVIES) - set(tiny_model.SEEN["2"]))
    assert "3 ratings" in page.text("#profile")
    assert browser.current_url.endswith("#user=2&order=new")
    page.click("#some-users button")
    chosen = page.until(lambda: page.all("#some-users [aria-pressed=true]"))
    assert len(chosen) == 1
    page.one("#user").clear()
    page.one("#user").send_keys("stranger\n")
    page.until(lambda: "does not know user stranger" in page.text("#source"))
    assert "it has no ratings of this user" in page.text("#profile")

    page.click("input[value=own]")
    page.until(lambda: page.movies("#picks > li"))
    push(better, folder, keep=2, now=8)
    page.until(lambda: "version 8" in page.text("#toast"))
    assert page.text("#about").split()[:2] == ["model", "8"]
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.slow
@needs_a_browser
def test_marks_for_a_user_are_events(browser: Any, folder: Path, tmp_path: Path) -> None:
    with live(folder, limits=Limits(batch=2), events=tmp_path) as address:
        page = Page(browser, f"{address}#user=1")
        first, second, *_ = page.movies()
        page.click("#cards > li:first-child [data-list=liked]")
        page.until(lambda: page.movies() and first not in page.movies())
        assert "Noted for user 1" in page.text("#toast")
        page.one(f"#cards > [data-movie='{second}'] .face").send_keys("2")
        page.until(lambda: page.movies() and second not in page.movies())
        assert "★ 2" in page.text("#profile")
        page = Page(browser, f"{address}#user=1")  # the server remembers, not the page
        assert not {first, second} & {*page.movies()}


@pytest.mark.slow
@needs_a_browser
def test_back_leaves_one_movie_after_the_other(browser: Any, address: str) -> None:
    page = Page(browser, f"{address}#user=1")
    page.click("#cards .face")
    page.until(lambda: page.movies("#detail .near > li"))
    first = page.text("#detail-title")
    page.click("#detail .near .face")
    page.until(lambda: page.text("#detail-title") != first)
    page.until(lambda: page.movies("#detail .near > li"))
    browser.back()
    page.until(lambda: page.text("#detail-title") == first)
    browser.forward()
    shared = browser.current_url
    page.click("#detail .close")
    page.until(lambda: browser.current_url.endswith("#user=1"))
    page = Page(browser, shared)  # an open movie can be shared
    page.until(lambda: page.all("#detail[open] .near > li"))


@pytest.mark.slow
@needs_a_browser
def test_the_page_outlives_an_outage(browser: Any, folder: Path) -> None:
    with live(folder, limits=Limits(batch=2)) as address:
        page = Page(browser, f"{address}#user=1")
        cards = page.movies()
    page.click("#some-users button:nth-child(2)")  # asked while nothing answers
    page.until(lambda: page.one("#outage").is_displayed())
    assert page.movies() == cards
    port = int(address.rstrip("/").rpartition(":")[2])
    with live(folder, limits=Limits(batch=2), port=port):
        page.until(lambda: not page.all("#outage:not([hidden])"))
        page.until(lambda: page.movies() != cards)
        assert "user 2" in page.text("#results-title")


@pytest.mark.slow
@needs_a_browser
def test_by_keyboard_alone(browser: Any, address: str) -> None:
    from selenium.webdriver.common.keys import Keys

    page = Page(browser, f"{address}#user=1")
    press = page.press
    assert press(Keys.TAB).text == "Skip to the movies"
    assert press(Keys.ENTER).get_attribute("id") == "results"
    assert browser.current_url.endswith("#user=1")
    press(*[Keys.TAB] * (len(page.all("#genres button")) + 1), Keys.ARROW_DOWN)
    page.until(lambda: "order=retrieval" in browser.current_url)
    press(Keys.ARROW_UP)
    page.until(lambda: "order" not in browser.current_url)
    filters = press(Keys.TAB)
    press(Keys.ENTER, Keys.TAB, Keys.TAB, Keys.TAB, *"1990")
    assert press(Keys.TAB, Keys.ESCAPE) == filters
    page.until(lambda: "from=1990" in browser.current_url)
    press(Keys.ENTER, *[Keys.TAB] * 6)
    assert press(Keys.ENTER).get_attribute("id") == "clear"
    page.until(lambda: browser.current_url.endswith("#user=1"))
    press(Keys.ESCAPE)
    page.until(lambda: len(page.movies()) == 10)
    face = press(Keys.TAB)
    movie = face.find_element("xpath", "ancestor::li").get_attribute("data-movie")
    assert movie == page.movies()[0]
    press(Keys.ENTER)
    near = page.until(lambda: page.movies("#detail .near > li"))
    assert browser.switch_to.active_element.get_attribute("id") == "detail-title"
    inside = press(*[Keys.TAB] * 9)  # past five stars and three opinions
    assert inside.find_element("xpath", "ancestor::li").get_attribute("data-movie") == near[0]
    assert press(Keys.ESCAPE) == face
    page.until(lambda: browser.current_url.endswith("#user=1"))
    press("4")  # four stars of five
    page.until(lambda: "★ 4" in page.text("#rated"))
    page.until(lambda: movie not in page.movies())

    page = Page(browser, address)
    page.press("/", *"jumanji")
    page.one("#suggestions li[aria-selected=true]")
    page.press(Keys.ENTER)
    page.until(lambda: page.text("#detail-title") == "Jumanji")
    page.press("l")
    page.until(lambda: "liked=2" in browser.current_url)
    page.press(Keys.ESCAPE)
    page.until(lambda: browser.current_url.endswith("#liked=2"))  # closing takes no mark back
    page.until(lambda: page.one("#cards").is_displayed())
    assert "Because you like Jumanji" in page.text("#cards")

    page = Page(browser, address)
    first = page.press(Keys.TAB, Keys.ENTER)
    assert first.find_element("xpath", "ancestor::ul").get_attribute("id") == "picks"
    page.press(Keys.ENTER)
    page.until(lambda: browser.current_url.endswith("#liked=5"))
    page.press(Keys.TAB, Keys.SPACE)  # the focus has stayed where it was
    page.until(lambda: browser.current_url.endswith("#liked=5&liked=1"))


ROWS = """
const done = arguments[arguments.length - 1];
const { rows } = await import("/page/rows.js");
const { asked } = await import("/page/state.js");
const place = document.createElement("div");
Object.assign(asked, { liked: ["1"] });
const liked = { movie_id: "1", title: "Toy Story (1995)", year: 1995 };
const profile = { films: [liked], genres: [{ name: "Comedy" }] };
const how = { marked: () => null, rating: () => null };
await rows(place, { question: { liked: ["1"] }, profile, shown: ["2", "3"], how });
const movies = (row) => [...row.querySelectorAll("li")].map((one) => one.dataset.movie);
done([...place.children].map((row) => [row.querySelector("h2").textContent, ...movies(row)]));
"""


@pytest.mark.slow
@needs_a_browser
def test_rows_repeat_nothing(browser: Any, address: str) -> None:
    Page(browser, address)
    rows = browser.execute_async_script(f"(async function () {{ {ROWS} }}).apply(null, arguments)")
    assert rows[0][0] == "Because you liked Toy Story"
    shown = [movie for _, *movies in rows for movie in movies]
    assert sorted(shown) == sorted(set(tiny_model.MOVIES) - {"1", "2", "3"})


PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)


@pytest.mark.slow
@needs_a_browser
def test_own_pictures_and_drawn_ones_where_these_fail(
    browser: Any, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "1.png").write_bytes(base64.b64decode(PIXEL))
    (tmp_path / "2.png").write_bytes(b"no picture")
    table = tmp_path / "posters.csv"
    table.write_text("movie_id,poster\n1,1.png\n2,2.png\n")
    with live(folder, limits=Limits(batch=2), posters=Posters(table)) as address:
        page = Page(browser, f"{address}#user=1")
        shown = "[...document.querySelectorAll('#cards img')].map(e => [e.naturalWidth, e.src])"
        wanted = [[1, f"{address}posters/1"]]
        page.until(lambda: browser.execute_script(f"return {shown}") == wanted)
        assert page.text("#cards > [data-movie='2'] .name") == "Jumanji"
        assert page.text("#cards > [data-movie='1'] .caption") == "Toy Story"
    browser.get_log("browser")  # says that a picture could not be read


LONG = """
const done = arguments[arguments.length - 1];
const { poster } = await import("/page/posters.js");
const titles = ["Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb (1964)",
  "Raiders of the Lost Ark and the Kingdom of the Crystal Skull: The Story, Told Twice (1981)",
  "Supercalifragilisticexpialidocious (1964)", "M (1931)"];
const place = document.createElement("div");
place.style.width = "88px";
const movie = (title) => ({ movie_id: "1", title, year: Number(title.slice(-5, -1)), genres: [] });
place.append(...titles.map((title) => poster(movie(title))));
document.body.append(place);
done([...place.children].map((one) => {
  const [whole, title, year] = [one, one.querySelector(".name"), one.querySelector(".year")];
  const bottom = (node) => node.getBoundingClientRect().bottom;
  const above = bottom(title) <= year.getBoundingClientRect().top + 1;
  const fits = above && bottom(year) <= bottom(whole) && title.scrollWidth <= title.offsetWidth + 1;
  return [title.textContent, fits];
}));
"""


@pytest.mark.slow
@needs_a_browser
def test_no_title_is_cut_on_the_smallest_poster(browser: Any, address: str) -> None:
    Page(browser, address)
    found = browser.execute_async_script(f"(async function () {{ {LONG} }}).apply(null, arguments)")
    assert [name for name, fits in found if not fits] == []
    assert found[0][0].endswith("Love the Bomb")


VIEWS = {
    "start": ("", "#picks > li"),
    "user": ("#user=1", "#cards > li"),
    "marked": ("#liked=1&liked=4&rated=5:4&genre=Comedy", "#cards > li"),
    "movie": ("#user=1&open=2", "#detail .near > li"),
    "API": ("docs", "#about ~ details.operation"),
}


@pytest.mark.slow
@needs_a_browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_can_be_read(browser: Any, address: str, width: int, theme: str) -> None:
    from axe_core_python.selenium import Axe

    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    for name, (path, ready) in VIEWS.items():
        browser.get("about:blank")
        browser.get(address + path)
        browser.implicitly_wait(10)
        assert browser.find_elements("css selector", ready)
        browser.implicitly_wait(0)
        if name in ("start", "user"):  # nothing pushes what is asked for off the screen
            top = "return document.querySelector(arguments[0]).getBoundingClientRect().top"
            assert browser.execute_script(top, ready) < 500, name
        browser.execute_script(
            "for (const d of document.querySelectorAll('details')) d.open = true"
        )
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width, name
        found = Axe().run(browser)["violations"]
        serious = [
            f"{one['id']}: {one['nodes'][0]['html'][:200]}"
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == [], name


@pytest.mark.slow
@needs_a_browser
def test_the_first_view_is_light_and_asks_nobody_else(browser: Any, address: str) -> None:
    Page(browser, address)
    loaded = browser.execute_script(
        "return performance.getEntriesByType('resource').map(e => [e.name, e.decodedBodySize])"
    )
    assert all(name.startswith(address) for name, _ in loaded)
    assert sum(size for _, size in loaded) < 150_000
