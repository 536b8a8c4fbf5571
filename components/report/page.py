"""The whole report as data: sections in the order in which one wants to know."""

from __future__ import annotations

from typing import Final

from components.report.answers import Answers
from components.report.blocks import Page
from components.report.inputs import Inputs
from components.report.sections import (
    calibration,
    data,
    drift,
    embedding_map,
    examples,
    gate,
    lineage,
    overview,
    ranking,
    rating,
    slices,
    training,
    tuning,
)
from components.report.words import counted

REPORT_FILE: Final = "report.html"
LINKS = (("Model card", "model_card.html"),)


def build(inputs: Inputs, model: Answers) -> Page:
    """Every section of the page."""
    tuned = [tuning.section(inputs.trials)] if inputs.trials else []
    drifted = [drift.section(inputs.drift)] if inputs.drift else []
    report = inputs.quarantine
    sections = [
        overview.section(inputs),
        gate.section(inputs),
        ranking.section(inputs.evaluation),
        rating.section(inputs.evaluation),
        calibration.section(inputs.evaluation),
        slices.section(inputs.evaluation),
        examples.section(inputs.data, inputs.users, model.recommend),
        embedding_map.section(model.directions, inputs.data),
        data.section(inputs),
        *drifted,
        training.section(inputs.about),
        *tuned,
        lineage.section(inputs),
    ]
    about = (
        f"{counted(report['rows']['kept'], 'rating')} of {counted(report['users'], 'user')} and "
        f"{counted(report['movies'], 'film')}"
    )
    return Page(
        title="Reelflow report",
        subtitle=about + (", synthetic" if report.get("synthetic") else ""),
        verdict=gate.verdict(inputs),
        tone="good" if gate.passed(inputs) else "bad",
        sections=sections,
        links=LINKS,
    )
