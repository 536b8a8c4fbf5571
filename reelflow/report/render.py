"""HTML and Markdown from pages and cards: the only module that knows markup.

It needs neither TFX nor TensorFlow.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

import jinja2
from markupsafe import Markup

from reelflow.base.untrusted import printable
from reelflow.report.blocks import Figure, Page, Section
from reelflow.report.charts.lines import Scatter

MARK = "<!-- the run -->"
"""The place of sections that `complete` adds."""
LINK_MARK = "<!-- the run's link -->"
"""The place of their links in the navigation."""


def page(content: Page) -> str:
    """Return a page as one self-contained HTML file, which loads nothing from a network."""
    return render("page.html.j2", page=content)


def complete(html: str, section: Section) -> str:
    """Add a section, and its link in the navigation, to a finished page.

    Args:
        html: from `page`.
        section: for instance `lineage.run_section`.
    """
    parts = _environment().get_template("parts.html.j2").module
    link = parts.link(section)  # type: ignore[attr-defined]
    body = parts.section(section)  # type: ignore[attr-defined]
    return html.replace(LINK_MARK, printable(link), 1).replace(MARK, printable(body), 1)


def render(template: str, **values: object) -> str:
    """Return a filled template of this package, printable.

    HTML is escaped, Markdown by its own filter.
    """
    return printable(_environment().get_template(template).render(**values))


def picture(figure: Figure) -> Markup:
    """Return the figure's SVG, or the JSON from which the page's script draws a map."""
    if isinstance(figure.chart, Scatter):
        # `<` would end the script element inside a title.
        text = json.dumps(figure.chart.as_json(), ensure_ascii=False, separators=(",", ":"))
        return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028"))
    return figure.chart.draw(figure.alt)


def is_number(cell: object) -> bool:
    """Return True if a cell is aligned to the right: a number, or a text that begins with one.

    Sentences are not.
    """
    if isinstance(cell, (int, float)):
        return True
    text = str(cell or "–").lstrip("+-−≥≤ ")
    return cell is None or text == "–" or (text[:1].isdigit() and not text.endswith("."))


def shown(cell: object) -> str:
    """Return a cell's text."""
    if cell is None:
        return "–"
    return f"{cell:,}" if isinstance(cell, (int, float)) else str(cell)


def markdown(text: object) -> str:
    """Return text escaped for Markdown: no markup, no new table cell, one line."""
    line = " ".join(str(text).split())
    for mark in "\\`*_[]<>|#":
        line = line.replace(mark, "\\" + mark)
    return line


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reelflow.report", "templates"),
        autoescape=lambda name: name is None or not name.endswith(".md.j2"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"kind": lambda block: type(block).__name__, "picture": picture}
    environment.globals |= {"style": _asset("page.css"), "script": _asset("page.js")}
    environment.globals |= {"mark": Markup(MARK), "link_mark": Markup(LINK_MARK)}
    environment.filters |= {"shown": shown, "markdown": markdown}
    environment.tests |= {"numeric": is_number, "scatter": lambda c: isinstance(c, Scatter)}
    return environment


def _asset(name: str) -> Markup:
    folder = resources.files("reelflow.report") / "templates"
    return Markup((folder / name).read_text(encoding="utf-8"))
