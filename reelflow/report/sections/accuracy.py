"""How well movies are found: exact ranks over the whole catalogue, under both protocols."""

from __future__ import annotations

from reelflow.report.blocks import Block, Figure, Section, Table, Text
from reelflow.report.charts.bars import Bars, Range, Ranges
from reelflow.report.charts.lines import Line, Lines
from reelflow.report.inputs import Json
from reelflow.report.words import (
    CONTESTANTS,
    METRICS,
    PROTOCOLS,
    contestants,
    count,
    figure,
    look_up,
    percent,
)

DRAWN = ("top_10", "top_100")


def ranking_section(evaluation: Json) -> Section:
    """Figures with intervals, and tables of every metric.

    Args:
        evaluation: `metrics.json`.
    """
    blocks: list[Block] = []
    for protocol in PROTOCOLS:
        blocks += [
            plot(evaluation, f"{protocol}/{name}", f"{METRICS[name]}, {protocol}") for name in DRAWN
        ]
    blocks += [_table(evaluation, protocol) for protocol in PROTOCOLS]
    blocks.append(_sizes(evaluation))
    lead = (
        "For each test rating: at which place of the whole catalogue does the model put the movie "
        "that the user turned to? Top-k accuracy is the share of test ratings whose movie is among "
        "the first k. Unseen leaves out movies that the user had rated before, as serving does; "
        "raw leaves them in. Whiskers hold 95 % of a bootstrap over users."
    )
    return Section("ranking", "Finding movies", lead, blocks)


def plot(evaluation: Json, metric: str, title: str) -> Figure:
    """Everybody's value of a metric with its interval."""
    share = metric.rpartition("/")[2].startswith("top_")
    scale, unit = (100.0, "%") if share else (1.0, "stars")
    rows, words = [], []
    for name, (metrics, intervals) in contestants(evaluation).items():
        value = look_up(metrics, metric)
        if value is None:
            continue
        low, high = (intervals or {}).get(metric, (value, value))
        strong = name == CONTESTANTS["model"]
        rows.append(Range(name, scale * value, scale * low, scale * high, strong=strong))
        words.append(f"{name} {figure(metric, value)}")
    return Figure(title, Ranges(rows, unit), ", ".join(words) + ".")


def _table(evaluation: Json, protocol: str) -> Table:
    everybody = contestants(evaluation)
    rows = []
    for name, title in METRICS.items():
        values = [look_up(metrics, f"{protocol}/{name}") for metrics, _ in everybody.values()]
        if values[0] is not None:
            rows.append([title, *(figure(name, value) for value in values)])
    caption = f"{protocol.capitalize()}: {PROTOCOLS[protocol]}"
    return Table(caption, ["Metric", *everybody], rows)


def _sizes(evaluation: Json) -> Text:
    rows, everything = evaluation["rows"], evaluation.get("all_rows", evaluation["rows"])
    words = f"Measured on {count(rows)} test ratings"
    words += f", drawn from {count(everything)}" if rows < everything else ""
    unknown = evaluation.get("out_of_vocabulary") or {}
    shares = [f"{percent(unknown[k], 2)} of the {k}" for k in ("users", "movies") if k in unknown]
    tail = f" Training did not know {' and '.join(shares)} of these." if shares else ""
    return Text(f"{words}. Ties count against the model.{tail}".replace("movies", "movies"))


# How well stars are predicted.


ERRORS = ("rmse", "mae")


def rating_section(evaluation: Json) -> Section:
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


# Is a predicted 4 worth a 4?


FEW = 30
"""Rows below which a bin says little and is left out of the curve."""


def calibration_section(evaluation: Json) -> Section:
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
