"""Accuracy on the test split: ranking under three protocols, predicted stars, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reelflow.base.columns import RATING_TASK
from reelflow.base.metrics import METRICS, Scope, label_at, metric_at
from reelflow.base.nouns import MOVIE, Noun
from reelflow.evaluation.results import Bin, Intervals, Results
from reelflow.report.blocks import Block, Cell, Figure, Section, Table, Text
from reelflow.report.charts.bars import Bars, Range, Ranges
from reelflow.report.charts.lines import Line, Lines
from reelflow.report.words import (
    ALL,
    BASELINES,
    NO_STARS,
    contestants,
    count,
    counted,
    format_metric,
    format_stars,
    listed_paths,
    percent,
    protocol_words,
    unit_of,
)

DRAWN = (METRICS["top_10"], METRICS["top_100"])
FEW = 30
"""Rows below which a bin says little and is left out of the calibration curve."""
_LIKED_WORDS = "Liked is unseen, of the test ratings alone that count as a like."


def ranking_section(results: Results, scope: Scope = ALL, noun: Noun = MOVIE) -> Section:
    """Show ranking metrics under all protocols, over ratings and over users, with intervals."""
    drawn = [metric.path(protocol) for protocol in scope.protocols for metric in DRAWN]
    blocks: list[Block] = [
        model_ranges(results, path) for path in drawn if results.metrics.value(path) is not None
    ]
    for protocol in scope.protocols:
        paths = [metric.path(protocol) for metric in METRICS.values() if metric.ranked]
        if any(results.metrics.value(path) is not None for path in paths):
            caption = f"{protocol.capitalize()}: {protocol_words(noun)[protocol]}"
            blocks.append(model_table(results, caption, paths))
    if results.metrics.over_users:
        blocks.append(_over_users(results, scope))
    blocks.append(_sizes(results, scope, noun))
    if results.chosen:
        blocks += _baselines(results)
    lead = [
        f"For each test rating: at which place of the list does the model put the {noun.one} that "
        "the user turned to, asked as a server asks it, with the test ratings hidden? Top-k "
        f"accuracy is the share of test ratings whose {noun.one} is among the first k. Unseen "
        f"leaves out {noun.many} that the user had rated before, as what users get does; raw "
        "leaves them in.",
        *([_LIKED_WORDS] if scope.likes else []),
    ]
    lead.append("Whiskers hold 95 % of a bootstrap over users.")
    return Section("ranking", f"Finding {noun.many}", " ".join(lead), blocks)


def rating_section(results: Results, scope: Scope = ALL) -> Section:
    """Show the errors of predicted ratings, with intervals; a sentence where there are none."""
    if not scope.stars:
        return Section("rating", "Predicting stars", "", [Text(NO_STARS)])
    paths = [metric.key for metric in METRICS.values() if metric.task == RATING_TASK]
    lead = (
        "How far predicted stars are from the stars that users gave in the test split, asked as a "
        "server asks. RMSE punishes large errors more, MAE is the mean error. Lower is better."
    )
    figures = [model_ranges(results, path) for path in paths]
    table = model_table(results, "Errors of predicted ratings", paths)
    return Section("rating", "Predicting stars", lead, [*figures, table])


def model_ranges(results: Results, path: str) -> Figure:
    """Draw one metric of all models."""
    rows, words = [], []
    models = contestants(results)
    for model in models:
        value = model.value(path)
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


def model_table(results: Results, caption: str, paths: Sequence[str]) -> Table:
    """List the metrics of all models, without those that this model lacks."""
    models = [
        model
        for model in contestants(results)
        if any(model.value(path) is not None for path in paths)
    ]
    rows = [
        [
            metric_at(path).label,
            *(format_metric(path, model.value(path)) for model in models),
        ]
        for path in paths
        if models[0].value(path) is not None
    ]
    return Table(caption, ["Metric", *(model.label for model in models)], rows)


def _over_users(results: Results, scope: Scope) -> Table:
    """List means over users beside this model's mean over ratings."""
    models = contestants(results)
    rows = [
        [
            label_at(path),
            format_metric(path, models[0].value(path)),
            *(format_metric(path, model.over_users(path)) for model in models),
        ]
        for path in listed_paths(scope)
        if path in models[0].metrics.over_users
    ]
    header = ["Metric", "This model, over ratings", *(model.label for model in models)]
    caption = "Means over users: each user counts the same, however many test ratings there are"
    return Table(caption, header, rows)


def _sizes(results: Results, scope: Scope, noun: Noun) -> Text:
    words = f"Measured on {count(results.rows)} test ratings"
    words += f", drawn from {count(results.all_rows)}" if results.rows < results.all_rows else ""
    words += ". Ties count against the model."
    if scope.likes and results.like_threshold is not None:
        share = percent(results.metrics.liked_rows / max(results.rows, 1))
        words += f" A like is a rating of {results.like_threshold:g} stars or more: {share} of them"
        words += "." if results.metrics.liked_rows else ", so that there is no metric of likes."
    shares = [
        f"{percent(share, 2)} are of {noun.many if key == 'movies' else key}"
        for key, share in results.out_of_vocabulary.items()
    ]
    if shares:
        words += f" Of all test ratings {' and '.join(shares)} without a rating in training."
    if results.omitted and results.movies is not None:
        cutoffs = " and ".join(f"top-{k}" for k in results.omitted)
        words += f" Of {noun.counted(results.movies)}, {cutoffs} accuracy says nothing."
    return Text(words)


def _baselines(results: Results) -> list[Block]:
    """Show the settings that each baseline was given, and what they were chosen by."""
    rows: list[list[Cell]] = []
    for name, chosen in results.chosen.items():
        settings = ", ".join(f"{key} {value:g}" for key, value in chosen.settings.items())
        by = None
        if chosen.value is not None:
            figure = format_metric(chosen.metric, chosen.value)
            by = f"{label_at(chosen.metric)} {figure} on {counted(chosen.rows, 'rating')}"
        rows.append([BASELINES.get(name, name), settings or "none", chosen.tried, by])
    words = (
        "Baselines know the same ratings as the model and are asked for the same test ratings. "
        "Where a baseline has settings, those below were tried on validation ratings after "
        "fitting on train alone, and the best ones kept."
    )
    header = ("Baseline", "Settings", "Tried", "Chosen by, on validation")
    return [Text(words), Table("Settings of the baselines", header, rows, folded=True)]


def calibration_section(results: Results, scale: tuple[float, float]) -> Section:
    """Compare predicted with given ratings, bin by bin.

    Args:
        results: `metrics.json`; an older one has no `calibration`.
        scale: lowest and highest rating of the data.
    """
    lead = (
        "Test ratings grouped by what the model predicted, against what users gave on average. On "
        "the dashed line predictions can be taken at their word; above it the model is too modest, "
        "below it too generous. Whiskers are two standard errors."
    )
    bins = results.calibration
    blocks = (
        _calibration(bins, scale)
        if bins
        else [Text("There are no finite predictions to group.", "bad")]
    )
    return Section("calibration", "Calibration", lead, blocks)


def _calibration(bins: list[Bin], scale: tuple[float, float]) -> list[Block]:
    def stars(value: float) -> str:
        return format_stars(value, scale)

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
            f"On average {error:.3g} stars off",
            Lines(lines, "predicted stars", "given stars"),
            f"Predictions of {stars(predicted[0])} stars were given {stars(actual[0])} on average, "
            f"predictions of {stars(predicted[-1])} were given {stars(actual[-1])}.",
        ),
        Figure(
            "How often the model predicts what",
            Bars(
                [stars(part.predicted) for part in bins],
                [part.rows for part in bins],
                "ratings",
                True,
                "predicted stars",
            ),
            f"Predictions lie between {stars(bins[0].predicted)} and "
            f"{stars(bins[-1].predicted)} stars.",
        ),
        Table(
            "Predicted and given stars by bin",
            ("Predicted", "Given", "Ratings"),
            [(f"{p.predicted:.4g}", f"{p.actual:.4g}", p.rows) for p in bins],
            folded=True,
        ),
    ]
