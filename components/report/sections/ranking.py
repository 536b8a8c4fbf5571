"""How well films are found: exact ranks over the whole catalogue, under both protocols."""

from __future__ import annotations

from components.report.blocks import Block, Figure, Section, Table, Text
from components.report.charts.ranges import Range, Ranges
from components.report.inputs import Json
from components.report.words import (
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


def section(evaluation: Json) -> Section:
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
        "For each test rating: at which place of the whole catalogue does the model put the film "
        "that the user turned to? Top-k accuracy is the share of test ratings whose film is among "
        "the first k. Unseen leaves out films that the user had rated before, as serving does; raw "
        "leaves them in. Whiskers hold 95 % of a bootstrap over users."
    )
    return Section("ranking", "Finding films", lead, blocks)


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
    return Text(f"{words}. Ties count against the model.{tail}".replace("movies", "films"))
