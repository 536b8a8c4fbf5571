"""The report of a run, a table of its sections and the page that they make; a page of ratings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from reelflow.base.nouns import Noun
from reelflow.data.exploration import Exploration
from reelflow.data.ingest.results import IngestSummary
from reelflow.report.blocks import Page, Section
from reelflow.report.card import HTML_FILE
from reelflow.report.inputs import Inputs
from reelflow.report.sections.accuracy import calibration_section, ranking_section, rating_section
from reelflow.report.sections.data import data_section, drift_section
from reelflow.report.sections.embedding_map import map_section
from reelflow.report.sections.examples import examples_section
from reelflow.report.sections.exploration import exploration_section, run_section
from reelflow.report.sections.gate import gate_section, overview_section, verdict
from reelflow.report.sections.knowledge import knowledge_section
from reelflow.report.sections.lineage import lineage_section
from reelflow.report.sections.order import order_section
from reelflow.report.sections.slices import slices_section
from reelflow.report.sections.training import training_section, tuning_section
from reelflow.report.words import count, counted

REPORT_FILE: Final = "report.html"

SECTIONS: Final[Mapping[str, Callable[[Inputs], Section | None]]] = {
    "overview": lambda i: overview_section(
        i.results, i.serving_check, i.quarantine.split, i.scope, i.noun
    ),
    "gate": lambda i: gate_section(i.results, i.serving_check, i.outcome, i.noun),
    "ranking": lambda i: ranking_section(i.results, i.scope, i.noun),
    "order": lambda i: order_section(i.results, i.info, i.scope, i.noun),
    "knowledge": lambda i: knowledge_section(i.results, i.scope, i.noun),
    "rating": lambda i: rating_section(i.results, i.scope),
    "calibration": lambda i: calibration_section(i.results, i.scale) if i.scope.stars else None,
    "slices": lambda i: slices_section(i.results, i.scope, i.noun),
    "examples": lambda i: examples_section(i.data, i.users, i.recommend, i.scale, i.scope, i.noun),
    "map": lambda i: map_section(i.directions, i.data, i.noun),
    "data": lambda i: data_section(i.data, i.quarantine, i.anomalies, i.sample_rates, i.noun),
    "exploration": lambda i: run_section(i.data, i.noun) if i.scope.likes else None,
    "drift": lambda i: None if i.drift is None else drift_section(i.drift),
    "training": lambda i: training_section(i.info),
    "tuning": lambda i: None if i.trials is None else tuning_section(i.trials),
    "lineage": lambda i: lineage_section(i.quarantine, i.info, i.artifacts),
}
"""Key of each section in the page's order, its function, and what it needs of a run.

A section is left out, as None, where the run has no such artifact.
"""


def build(inputs: Inputs) -> Page:
    """Return the report of a run."""
    quarantine, outcome = inputs.quarantine, inputs.outcome
    subtitle = (
        f"{counted(quarantine.rows.kept, 'rating')} of "
        f"{counted(quarantine.users, 'user')} and {inputs.noun.counted(quarantine.movies)}"
    )
    made = [make(inputs) for make in SECTIONS.values()]
    return Page(
        title="Reelflow report",
        subtitle=subtitle + (", synthetic" if quarantine.synthetic else ""),
        verdict=verdict(outcome, inputs.serving_check),
        tone="good" if outcome.passed(inputs.serving_check) else "bad",
        sections=[section for section in made if section is not None],
        links=[("Model card", HTML_FILE)],
    )


def data_page(
    found: Exploration, summary: IngestSummary, titles: Mapping[str, str], noun: Noun
) -> Page:
    """Return the page about ratings alone, without a run.

    Args:
        found: the figures.
        summary: of what was read.
        titles: of the movies, by id.
        noun: the word for an item.
    """
    kept = counted(summary.rows.kept, "rating")
    users, movies = counted(summary.users, "user"), noun.counted(summary.movies)
    return Page(
        title="Reelflow: the ratings",
        subtitle=f"{kept} of {users} and {movies}",
        verdict=f"{counted(summary.refused, 'row')} of {count(summary.rows.read)} refused",
        tone="plain" if summary.refused else "good",
        sections=[exploration_section(found, titles, noun)],
    )
