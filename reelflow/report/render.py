"""From sections to HTML: the only place that knows markup. Needs neither TFX nor TensorFlow."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Final

import jinja2
from markupsafe import Markup

from reelflow.report.blocks import Block, Figure, Page, Section
from reelflow.report.charts import bars, lines, parallel
from reelflow.report.charts import bars as ranges
from reelflow.report.charts.lines import Scatter
from reelflow.report.inputs import Answers, Inputs
from reelflow.report.sections import (
    accuracy,
    data,
    embedding_map,
    examples,
    gate,
    lineage,
    slices,
    training,
)
from reelflow.report.sections import data as drift
from reelflow.report.sections import gate as overview
from reelflow.report.sections import training as tuning
from reelflow.report.words import counted

MARK = "<!-- the run -->"
"""Where `complete` puts what only the end of a run knows."""
LINK_MARK = "<!-- the run's link -->"


def page(content: Page) -> str:
    """One self-contained HTML file: no address in it leads to a network."""
    return _template("page.html.j2").render(
        page=content,
        style=_asset("page.css"),
        script=_asset("page.js"),
        mark=Markup(MARK),
        link_mark=Markup(LINK_MARK),
    )


def complete(html: str, section: Section) -> str:
    """Add a section to a finished page, and its link to the page's navigation.

    Args:
        html: what `page` made.
        section: for instance `lineage.run_section`.
    """
    parts = _template("parts.html.j2").module
    link = parts.link(section)  # type: ignore[attr-defined]
    body = parts.section(section)  # type: ignore[attr-defined]
    return html.replace(LINK_MARK, link, 1).replace(MARK, body, 1)


def kind(block: Block) -> str:
    """What the template chooses by."""
    return type(block).__name__


def picture(figure: Figure) -> Markup:
    """The figure's SVG, or the data that the page's script draws from."""
    chart = figure.chart
    if isinstance(chart, Scatter):
        # `<` would end the script element inside a title.
        text = json.dumps(chart.as_json(), ensure_ascii=False, separators=(",", ":"))
        return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028"))
    if isinstance(chart, bars.Bars):
        return bars.draw_bars(chart, figure.alt)
    if isinstance(chart, lines.Lines):
        return lines.draw_lines(chart, figure.alt)
    if isinstance(chart, ranges.Ranges):
        return ranges.draw_ranges(chart, figure.alt)
    return parallel.draw(chart, figure.alt)


def is_number(cell: object) -> bool:
    """Whether a cell stands on the right: numbers, and texts that begin with one."""
    if isinstance(cell, (int, float)):
        return True
    text = str(cell or "–").lstrip("+-−≥≤ ")
    return cell is None or text == "–" or text[:1].isdigit()


def shown(cell: object) -> str:
    """A cell's text."""
    if cell is None:
        return "–"
    return f"{cell:,}" if isinstance(cell, (int, float)) else str(cell)


def markdown(text: object) -> str:
    """Text in Markdown that stays text: no markup, no new table cell."""
    plain = " ".join(str(text).split())
    for mark in "\\`*_[]<>|#":
        plain = plain.replace(mark, "\\" + mark)
    return plain


def render(template: str, **values: object) -> str:
    """Any template of this folder; HTML is escaped, Markdown by its own filter."""
    return _template(template).render(**values)


def stylesheet() -> Markup:
    """The pages' own style."""
    return _asset("page.css")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reelflow.report", "templates"),
        autoescape=lambda name: name is None or not name.endswith(".md.j2"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"kind": kind, "picture": picture}
    environment.filters |= {"shown": shown, "markdown": markdown}
    environment.tests |= {"figure": is_number, "scatter": lambda c: isinstance(c, Scatter)}
    return environment


def _template(name: str) -> jinja2.Template:
    return _environment().get_template(name)


def _asset(name: str) -> Markup:
    folder = resources.files("reelflow.report") / "templates"
    return Markup((folder / name).read_text(encoding="utf-8"))


# The whole report as data: sections in the order in which one wants to know.


REPORT_FILE: Final = "report.html"
LINKS = (("Model card", "model_card.html"),)


def build(inputs: Inputs, model: Answers) -> Page:
    """Every section of the page."""
    tuned = [tuning.tuning_section(inputs.trials)] if inputs.trials else []
    drifted = [drift.drift_section(inputs.drift)] if inputs.drift else []
    ingested = inputs.quarantine
    sections = [
        overview.overview_section(inputs),
        gate.gate_section(inputs),
        accuracy.ranking_section(inputs.evaluation),
        accuracy.rating_section(inputs.evaluation),
        accuracy.calibration_section(inputs.evaluation),
        slices.section(inputs.evaluation),
        examples.section(inputs.data, inputs.users, model.recommend),
        embedding_map.section(model.directions, inputs.data),
        data.data_section(inputs),
        *drifted,
        training.training_section(inputs.info),
        *tuned,
        lineage.section(inputs),
    ]
    about = (
        f"{counted(ingested.rows.kept, 'rating')} of {counted(ingested.users, 'user')} and "
        f"{counted(ingested.movies, 'movie')}"
    )
    return Page(
        title="Reelflow report",
        subtitle=about + (", synthetic" if ingested.synthetic else ""),
        verdict=gate.verdict(inputs),
        tone="good" if gate.passed(inputs) else "bad",
        sections=sections,
        links=LINKS,
    )
