"""Accuracy on the test split: ranking, predicted ratings, and their calibration."""

from __future__ import annotations

from dataclasses import replace

from reelflow.base.columns import RATING_TASK
from reelflow.base.metrics import METRICS, label_at, metric_at
from reelflow.evaluation.results import Bin, Intervals, Results
from reelflow.report.blocks import Block, Figure, Section, Table, Text
from reelflow.report.charts.bars import Bars, Range, Ranges
from reelflow.report.charts.lines import Line, Lines
from reelflow.report.words import PROTOCOLS, contestants, count, format_metric, percent, unit_of

DRAWN = (METRICS["top_10"], METRICS["top_100"])
FEW = 30
"""Rows below which a bin says little and is left out of the calibration curve."""


def ranking_section(results: Results) -> Section:
    """Show ranking metrics under both protocols, with intervals."""
    blocks: list[Block] = [
        _ranges(results, metric.path(protocol)) for protocol in PROTOCOLS for metric in DRAWN
    ]
    for protocol, description in PROTOCOLS.items():
        paths = [metric.path(protocol) for metric in METRICS.values() if metric.ranked]
        blocks.append(_table(results, f"{protocol.capitalize()}: {description}", paths))
    blocks.append(_sizes(results))
    lead = (
        "For each test rating: at which place of the whole catalogue does the model put the movie "
        "that the user turned to? Top-k accuracy is the share of test ratings whose movie is among "
        "the first k. Unseen leaves out movies that the user had rated before, as serving does; "
        "raw leaves them in. Whiskers hold 95 % of a bootstrap over users."
    )
    return Section("ranking", "Finding movies", lead, blocks)


def rating_section(results: Results) -> Section:
    """Show the errors of predicted ratings, with intervals."""
    paths = [metric.key for metric in METRICS.values() if metric.task == RATING_TASK]
    lead = (
        "How far predicted stars are from the stars that users gave in the test split. RMSE "
        "punishes large errors more, MAE is the mean error. Lower is better."
    )
    figures = [_ranges(results, path) for path in paths]
    table = _table(results, "Errors of predicted ratings", paths)
    return Section("rating", "Predicting stars", lead, [*figures, table])


def _ranges(results: Results, path: str) -> Figure:
    """Draw one metric of all models."""
    rows, words = [], []
    models = contestants(results)
    for model in models:
        value = model.metrics.value(path)
        if value is not None:
            row = metric_range(path, model.label, value, model.intervals)
            rows.append(replace(row, strong=model is models[0]))
            words.append(f"{model.label} {format_metric(path, value)}")
    return Figure(label_at(path), Ranges(rows, unit_of(path).symbol), ", ".join(words) + ".")


def metric_range(path: str, label: str, value: float, intervals: Intervals) -> Range:
    """Return the row of a chart with a metric in the unit that is shown, and its interval."""
    scale = unit_of(path).scale
    low, high = intervals.get(path, (value, value))
    return Range(label, scale * value, scale * low, scale * high)


def _table(results: Results, caption: str, paths: list[str]) -> Table:
    """List the metrics of all models, without those that this model lacks."""
    models = contestants(results)
    rows = [
        [
            metric_at(path).label,
            *(format_metric(path, model.metrics.value(path)) for model in models),
        ]
        for path in paths
        if models[0].metrics.value(path) is not None
    ]
    return Table(caption, ["Metric", *(model.label for model in models)], rows)


def _sizes(results: Results) -> Text:
    words = f"Measured on {count(results.rows)} test ratings"
    words += f", drawn from {count(results.all_rows)}" if results.rows < results.all_rows else ""
    shares = [f"{percent(v, 2)} of the {k}" for k, v in results.out_of_vocabulary.items()]
    tail = f" Training did not know {' and '.join(shares)} of these." if shares else ""
    return Text(f"{words}. Ties count against the model.{tail}")


def calibration_section(results: Results) -> Section:
    """Compare predicted with given ratings, bin by bin.

    Args:
        results: `metrics.json`; an older one has no `calibration`.
    """
    lead = (
        "Test ratings grouped by what the model predicted, against what users gave on average. On "
        "the dashed line predictions can be taken at their word; above it the model is too modest, "
        "below it too generous. Whiskers are two standard errors."
    )
    bins = results.calibration
    blocks = (
        _calibration(bins) if bins else [Text("There are no finite predictions to group.", "bad")]
    )
    return Section("calibration", "Calibration", lead, blocks)


def _calibration(bins: list[Bin]) -> list[Block]:
    rows = sum(part.rows for part in bins)
    error = sum(part.rows * abs(part.actual - part.predicted) for part in bins) / rows
    drawn = [part for part in bins if part.rows >= FEW] or bins
    predicted, actual = [part.predicted for part in drawn], [part.actual for part in drawn]
    ends = [min(predicted + actual), max(predicted + actual)]
    lines = [
        Line("model", predicted, actual, [2 * part.error for part in drawn]),
        Line("perfectly calibrated", ends, ends, dashed=True),
    ]
    return [
        Figure(
            f"On average {error:.2f} stars off",
            Lines(lines, "predicted stars", "given stars"),
            f"Predictions of {predicted[0]:.1f} stars were given {actual[0]:.1f} on average, "
            f"predictions of {predicted[-1]:.1f} were given {actual[-1]:.1f}.",
        ),
        Figure(
            "How often the model predicts what",
            Bars(
                [f"{part.predicted:.1f}" for part in bins],
                [part.rows for part in bins],
                "ratings",
                True,
                "predicted stars",
            ),
            f"Predictions lie between {bins[0].predicted:.1f} and {bins[-1].predicted:.1f} stars.",
        ),
        Table(
            "Predicted and given stars by bin",
            ("Predicted", "Given", "Ratings"),
            [(f"{p.predicted:.2f}", f"{p.actual:.2f}", p.rows) for p in bins],
            folded=True,
        ),
    ]
