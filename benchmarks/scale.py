"""The whole pipeline on 1M, 5M and 25M synthetic ratings, or on a million movies.

Wall and processor seconds, memory and growth by component.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

from benchmarks import common, data

SETTINGS: dict[str, dict[str, Any]] = {
    "data": {"partitions": 32, "statistics_rows": 200_000},
    "model": {"rating_bag": 50, "rating_draws": 0, "ready_lists": 20_000},
    "train": {"epochs": 1, "validation_rows": 20_000, "refit": False},
    "gate": {"max_test_rows": 100_000, "top_100_accuracy_min": 0.0, "rmse_max": 10.0},
}
"""Our defaults, but for what data of this size asks for: an epoch of each task, no second training,
no Bayesian draws, which take half a minute each at 25 million ratings, and no ready lists of more
than 20,000 users, whose time goes with users times movies."""
MANY_MOVIES: dict[str, dict[str, Any]] = {
    **SETTINGS,
    "model": {**SETTINGS["model"], "ready_lists": 0, "approximate_from": 100_000},
    "train": {**SETTINGS["train"], "validation_rows": 2_000},
    "gate": {**SETTINGS["gate"], "max_test_rows": 2_000, "baselines": []},
    "push": {"recall_min": 0.0},
}
"""Likewise for a catalogue in which each exact list is a look at a million movies: fewer rows to
validate and to test by."""
RATINGS = 3_000_000
"""Ratings of a run on many movies."""


def growth(sizes: list[int], seconds: list[float]) -> float:
    """Slope of the least-squares line through log(size), log(seconds); nan for one size."""
    if len(sizes) == 1:
        return math.nan
    x, y = [math.log(s) for s in sizes], [math.log(max(s, 1e-3)) for s in seconds]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return covariance / sum((a - mean_x) ** 2 for a in x)


def main() -> None:
    """Measure and reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="20,000 and 100,000 ratings only")
    parser.add_argument("--ratings", type=int, nargs="*", help="1, 5 and 25 million")
    parser.add_argument("--movies", type=int, help="one run on a catalogue of this size")
    chosen = parser.parse_args()
    if chosen.movies is not None:
        [ratings] = chosen.ratings or [RATINGS]
        _report_movies(ratings, chosen.movies, chosen.short)
        return
    usual = [20_000, 100_000] if chosen.short else [1_000_000, 5_000_000, 25_000_000]
    _report_growth(chosen.ratings or usual, chosen.short)


def _report_growth(sizes: list[int], short: bool) -> None:
    for size in sizes:
        data.folder(size)
    runs = {
        size: common.fresh("pipeline:ours", ratings=size, settings=SETTINGS, preset="best")
        for size in sizes
    }
    named = {f"{size:,}": runs[size] for size in sizes}
    for title, key in (
        ("Wall seconds", "nodes"),
        ("Processor seconds", "node_cpu_seconds"),
        ("Peak MB", "node_peak_mb"),
    ):
        rows = [
            {
                "component": node,
                **{size: run[key][node] for size, run in named.items()},
                "exponent": growth(sizes, [run[key][node] for run in named.values()]),
            }
            for node in runs[sizes[0]]["nodes"]
        ]
        if key != "nodes":
            common.show(f"{title} by component", rows)
            continue
        for name, total in (("all", "seconds"), ("CPU", "cpu_seconds"), ("peak MB", "peak_mb")):
            values = {size: run[total] for size, run in named.items()}
            exponent = growth(sizes, list(values.values()))
            rows.append({"component": name, **values, "exponent": exponent})
        title = "Wall seconds by component; exponent of growth by log-log fit"
        common.report("scale", title, rows, short=short, details={"runs": runs})


def _report_movies(ratings: int, movies: int, short: bool) -> None:
    data.folder(ratings, movies)
    run = common.fresh(
        "pipeline:ours", ratings=ratings, settings=MANY_MOVIES, preset="best", movies=movies
    )
    rows = [
        {
            "component": node,
            "seconds": run["nodes"][node],
            "CPU s": run["node_cpu_seconds"][node],
            "peak MB": run["node_peak_mb"][node],
        }
        for node in run["nodes"]
    ]
    whole = {"seconds": run["seconds"], "CPU s": run["cpu_seconds"], "peak MB": run["peak_mb"]}
    rows.append({"component": "all", **whole})
    title = f"{ratings:,} ratings of {movies:,} movies"
    common.report("movies", title, rows, short=short, details={"run": run})
    common.show("Recall", [run["recall"]])


if __name__ == "__main__":
    main()
