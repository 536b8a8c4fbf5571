"""The page: self-contained, escaped, complete; the model card in both forms."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from reelflow.evaluation.results import Results
from reelflow.report import card, render
from reelflow.report.blocks import Figure, Page, Section, Table
from reelflow.report.charts.bars import Bars, Range, Ranges
from reelflow.report.charts.lines import Line, Lines
from reelflow.report.charts.parallel import Axis, Parallel
from reelflow.report.charts.svg import COLOURS, Scale, ticks
from reelflow.report.inputs import Outcome
from reelflow.report.page import SECTIONS, build
from reelflow.report.sections.lineage import RunFacts, run_section
from reelflow.saved_model.files import Kept, ModelInfo, WarmStart
from tests.reelflow.report import world

TEMPLATES = Path(render.__file__).parent / "templates"
VOID = {"meta", "link", "input", "br", "img", "hr"}


class _Outline(HTMLParser):
    """Open elements, ids, and the addresses that a browser would load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.open += [] if tag in VOID else [tag]
        self.ids += [found["id"] or ""] if "id" in found else []
        if "src" in found or tag == "link":
            self.loaded.append(found.get("src") or found.get("href") or "")
        if tag == "a":
            self.links.append(found["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def html() -> str:
    return render.page(build(world.inputs(trials=world.TRIALS)))


def test_nothing_is_called_a_movie_where_it_is_an_artist() -> None:
    info = world.inputs().info.model_copy(
        update={
            "item": "artist",
            "items": "artists",
            "warm_start": WarmStart(warm=True, movies=Kept(kept=1, new=2)),
        }
    )
    named = world.inputs(
        trials=world.TRIALS, info=info, quarantine=world.ingest_summary(synthetic=True)
    )
    for text in (
        render.page(build(named)),
        card.as_markdown(card.build(named)),
        card.as_html(card.build(named)),
    ):
        # Without the page's own script, and the titles of this world.
        found = re.sub(r"<script.*?</script>|alert\(.*?\)", "", text, flags=re.DOTALL)
        assert not re.search(r"\bmovies?\b", found, re.IGNORECASE)
        assert "artists" in found
        assert "A artist" not in found
        assert "a artist" not in found


def test_the_page_is_whole_and_loads_nothing(html: str) -> None:
    outline = _Outline(html)
    assert outline.open == []
    assert outline.loaded == ["data:,"]
    assert not re.search(r"https?://", html)
    assert "@import" not in html
    assert "url(" not in html
    assert len(set(outline.ids)) == len(outline.ids)
    anchors = {link[1:] for link in outline.links if link.startswith("#")}
    assert anchors <= set(outline.ids)


def test_every_section_has_its_place_and_its_link(html: str) -> None:
    keys = "gate ranking order knowledge rating calibration slices examples map data training"
    for key in (*keys.split(), "tuning", "lineage"):
        assert f'<section id="{key}"' in html
        assert f'href="#{key}"' in html


def test_the_table_of_sections_has_their_keys() -> None:
    inputs = world.inputs(trials=world.TRIALS, drift=world.DRIFT)
    keys = {name: make(inputs) for name, make in SECTIONS.items()}
    assert all(section is not None and section.key == name for name, section in keys.items())


def test_hostile_titles_and_genres_stay_text(html: str) -> None:
    assert world.EVIL not in html
    assert "&lt;script&gt;alert" in html
    # Inside the map's data, where only `<` could end the element.
    assert "\\u003cscript>alert" in html
    assert html.count("<script") == 2  # the map's data and the page's own


def test_pictures_are_named_and_tables_have_captions(html: str) -> None:
    pictures = re.findall(r"<svg[^>]*>", html)
    assert pictures
    assert all('role="img"' in picture and 'aria-label="' in picture for picture in pictures)
    assert html.count("<table>") == html.count("<caption>")


def test_the_end_of_the_run_is_added_once(html: str) -> None:
    facts = RunFacts("r1", "now", {"Trainer": 1.0}, [], {}, "c", "key = '<b>'")
    section = run_section(facts)
    whole = render.complete(html, section)
    assert whole.count('<section id="run"') == whole.count('href="#run"') == 1
    assert "key = &#39;&lt;b&gt;&#39;" in whole
    assert _Outline(whole).open == []
    assert render.complete(whole, section) == whole


def test_a_diverged_model_can_be_drawn() -> None:
    nan = float("nan")
    broken = world.metrics_json(
        metrics=world.metrics(0.0, nan),
        intervals={"model": {"rmse": [float("inf"), float("inf")]}},
        calibration=[],
    )
    broken["slices"][0]["rmse"] = float("inf")
    inputs = world.inputs(
        results=Results.of(broken),
        info=ModelInfo(history={"rating_loss": [nan, nan], "val_rating_loss": [nan, nan]}),
        outcome=Outcome(blessed=False, pushed=False),
    )
    assert "not a number" in render.page(build(inputs))


@pytest.mark.parametrize(
    "chart",
    [
        Bars([], []),
        Bars(["<&>", "b"], [0.0, 0.0]),
        Bars(["a"], [3.0], "x", vertical=True, x_title="t"),
        Lines([], "x", "y"),
        Lines([Line("a", [1, 2], [3, 3], [0.1, 0])], "x", "y", marks=[(2, "here")]),
        Lines([Line("a", [1, 10, 100], [100, 10, 1])], "x", "y", log=True),
        Ranges([], "%"),
        Ranges([Range("<b>", 1, 0, 2), Range("c", float("inf"), float("inf"), float("inf"))], "%"),
        Parallel([Axis("a"), Axis("b", ["x"])], [(1.0, 0.0)], 0),
    ],
    ids=lambda chart: type(chart).__name__,
)
def test_every_chart_is_well_formed(chart: Bars | Lines | Ranges | Parallel) -> None:
    picture = ElementTree.fromstring(str(render.picture(Figure("t", chart, 'al"t <'))))
    assert picture.get("aria-label") == 'al"t <'
    assert "nan" not in str(picture.attrib)


def test_ticks_are_round_and_scales_keep_order() -> None:
    assert ticks(0, 10) == [0, 2, 4, 6, 8, 10]
    assert ticks(0.13, 0.31) == [0.15, 0.2, 0.25, 0.3]
    assert ticks(1, 1) == [1]
    scale = Scale(1, 1000, 0, 30, log=True)
    assert [scale(v) for v in (1, 10, 1000)] == pytest.approx([0, 10, 30])
    assert scale.ticks() == [1, 10, 100, 1000]


def test_numbers_stand_on_the_right() -> None:
    cells = (1, None, "≥ 5 %", "-0.1", "better", "x1", "49 tables.")
    assert [render.is_number(cell) for cell in cells] == [
        True, True, True, True, False, False, False,
    ]  # fmt: skip
    page = Page(
        "T", "", "V", "plain", [Section("s", "S", "", [Table("c", ("a", "b"), [("x", 1)])])]
    )
    assert '<td class="number">1</td>' in render.page(page)


def test_the_card_says_what_belongs_in_it() -> None:
    text = card.as_markdown(card.build(world.inputs()))
    for heading in ("Intended use", "Data", "Metrics", "Metrics by group", "Limits and bias"):
        assert f"\n## {heading}\n" in text
    row = (
        "| Top-100 accuracy, unseen | 50.0 % | 48.0 to 52.0 % | 55.0 % | 51.0 % | 48.0 % | 25.0 % |"
    )
    assert row in text
    assert "| Top-100 accuracy, liked | 52.0 % |" in text
    assert "asked as a server asks it with the test ratings hidden" in text
    assert "with live ones 60.0 % instead of 50.0 % of 900 test ratings" in text
    assert "Split random: ratings are held out by chance, as split.kind says." in text
    assert "0.5 of what is rated by the same users" in text
    assert "### By what training knows" in text
    assert "### By ratings of the user in training" in text
    assert "No attributes of users" in text
    gendered = world.results(slices=[world.a_slice("gender", "F", 5, 0.4, 1.0)])
    text = card.as_markdown(card.build(world.inputs(results=gendered)))
    assert "Gender and age were used" in text


def test_page_and_card_of_a_model_without_stars_show_none() -> None:
    inputs = world.without_stars()
    page = build(inputs)
    keys = [section.key for section in page.sections]
    assert "calibration" not in keys
    html = render.page(page)
    assert "was not trained to predict stars" in html
    text = card.as_markdown(card.build(inputs))
    for content in (html, text):
        assert not re.search(r"RMSE|\bliked\b|[0-9] stars", content)
    assert _Outline(html).open == []


def test_the_card_keeps_texts_of_the_data_as_texts() -> None:
    inputs = world.inputs()
    evil = inputs.quarantine.model_copy(update={"format": "a|b\n# c", "data_hash": "<b>"})
    found = card.build(world.inputs(quarantine=evil))
    assert "a\\|b \\# c" in card.as_markdown(found)
    assert "\\<b\\>" in card.as_markdown(found)
    html = card.as_html(found)
    assert "&lt;b&gt;" in html
    assert world.EVIL not in html
    assert _Outline(html).open == []
    assert _Outline(html).loaded == ["data:,"]


def test_colours_of_the_map_can_be_told_apart() -> None:
    found = re.findall(r"--c\d: (#\w{6})", (TEMPLATES / "page.css").read_text(encoding="utf-8"))
    for theme in (found[:COLOURS], found[COLOURS:]):
        assert len(theme) == COLOURS
        for one, other in itertools.combinations(map(_lab, theme), 2):
            assert np.linalg.norm(one - other) > 25


def _lab(colour: str) -> npt.NDArray[np.float64]:
    """Return a colour's CIELAB coordinates, between which distances are seen differences."""
    levels = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    light = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(to_xyz @ light / [0.95047, 1.0, 1.08883])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])
