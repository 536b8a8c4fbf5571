"""How well stars are predicted."""

from __future__ import annotations

from components.report.blocks import Section, Table
from components.report.inputs import Json
from components.report.sections.ranking import plot
from components.report.words import METRICS, contestants, figure, look_up

ERRORS = ("rmse", "mae")


def section(evaluation: Json) -> Section:
    """Both errors with intervals.

    Args:
        evaluation: `metrics.json`.
    """
    everybody = contestants(evaluation)
    table = Table(
        "Errors of predicted ratings",
        ["Metric", *everybody],
        [
            [METRICS[name], *(figure(name, look_up(m, name)) for m, _ in everybody.values())]
            for name in ERRORS
        ],
    )
    lead = (
        "How far predicted stars are from the stars that users gave in the test split. RMSE "
        "punishes large errors more, MAE is the mean error. Lower is better."
    )
    figures = [plot(evaluation, name, METRICS[name]) for name in ERRORS]
    return Section("rating", "Predicting stars", lead, [*figures, table])
