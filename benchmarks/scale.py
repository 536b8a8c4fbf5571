"""The whole pipeline on 1M, 5M and 25M synthetic ratings: wall time, memory, growth."""

from __future__ import annotations

import argparse
import math
from typing import Any

from benchmarks import common, data

SETTINGS: dict[str, dict[str, Any]] = {
    "data": {"partitions": 32, "statistics_rows": 200_000},
    "model": {"loss": "in_batch_softmax", "rating_bag": 100},
    "train": {"epochs": 1, "batch_size": 8192, "validation_rows": 20_000, "refit": False},
    "gate": {"max_test_rows": 100_000, "top_100_accuracy_min": 0.0, "rmse_max": 10.0},
}
"""Our defaults, but for what data of this size asks for."""


def growth(sizes: list[int], seconds: list[float]) -> float:
    """Slope of the least-squares line through log(size), log(seconds)."""
    x, y = [math.log(s) for s in sizes], [math.log(max(s, 1e-3)) for s in seconds]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return covariance / sum((a - mean_x) ** 2 for a in x)


def main() -> None:
    """Measure and reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="20,000 and 100,000 ratings only")
    parser.add_argument(
        "--ratings", type=int, nargs="*", default=[1_000_000, 5_000_000, 25_000_000]
    )
    chosen = parser.parse_args()
    sizes = [20_000, 100_000] if chosen.short else chosen.ratings
    for size in sizes:
        data.folder(size)
    runs = {
        size: common.fresh("pipeline:ours", ratings=size, settings=SETTINGS, preset="best")
        for size in sizes
    }
    rows = [
        {
            "component": node,
            **{f"{size:,}": runs[size]["nodes"][node] for size in sizes},
            "exponent": growth(sizes, [runs[size]["nodes"][node] for size in sizes]),
        }
        for node in runs[sizes[0]]["nodes"]
    ]
    for name, key in (("all", "seconds"), ("CPU", "cpu_seconds"), ("peak MB", "peak_mb")):
        values = [runs[size][key] for size in sizes]
        named = dict(zip((f"{size:,}" for size in sizes), values, strict=True))
        rows.append({"component": name, **named, "exponent": growth(sizes, values)})
    title = "Wall seconds by component; exponent of growth by log-log fit"
    common.report("scale", title, rows, short=chosen.short, details={"runs": runs})


if __name__ == "__main__":
    main()
