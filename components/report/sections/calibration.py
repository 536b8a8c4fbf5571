"""Is a predicted 4 worth a 4?"""

from __future__ import annotations

from components.report.blocks import Block, Figure, Section, Table, Text
from components.report.charts.bars import Bars
from components.report.charts.lines import Line, Lines
from components.report.inputs import Json

FEW = 30
"""Rows below which a bin says little and is left out of the curve."""


def section(evaluation: Json) -> Section:
    """Predicted against given stars by bin.

    Args:
        evaluation: `metrics.json`; an older one has no `calibration`.
    """
    lead = (
        "Test ratings grouped by what the model predicted, against what users gave on average. On "
        "the dashed line predictions can be taken at their word; above it the model is too modest, "
        "below it too generous. Whiskers are two standard errors."
    )
    bins = evaluation.get("calibration") or []
    return Section("calibration", "Calibration", lead, _blocks(bins))


def _blocks(bins: list[dict[str, float]]) -> list[Block]:
    if not bins:
        return [Text("There are no finite predictions to group.", "bad")]
    rows = sum(part["rows"] for part in bins)
    off = sum(part["rows"] * abs(part["actual"] - part["predicted"]) for part in bins) / rows
    drawn = [part for part in bins if part["rows"] >= FEW] or bins
    predicted, actual = ([part[key] for part in drawn] for key in ("predicted", "actual"))
    ends = [min(predicted + actual), max(predicted + actual)]
    lines = [
        Line("model", predicted, actual, [2 * part["error"] for part in drawn]),
        Line("perfectly calibrated", ends, ends, dashed=True),
    ]
    return [
        Figure(
            f"On average {off:.2f} stars off",
            Lines(lines, "predicted stars", "given stars"),
            f"Predictions of {predicted[0]:.1f} stars were given {actual[0]:.1f} on average, "
            f"predictions of {predicted[-1]:.1f} were given {actual[-1]:.1f}.",
        ),
        Figure(
            "How often the model predicts what",
            Bars(
                [f"{part['predicted']:.1f}" for part in bins],
                [part["rows"] for part in bins],
                "ratings",
                True,
                "predicted stars",
            ),
            f"Predictions lie between {bins[0]['predicted']:.1f} and "
            f"{bins[-1]['predicted']:.1f} stars.",
        ),
        Table(
            "Predicted and given stars by bin",
            ("Predicted", "Given", "Ratings"),
            [(f"{p['predicted']:.2f}", f"{p['actual']:.2f}", int(p["rows"])) for p in bins],
            folded=True,
        ),
    ]
