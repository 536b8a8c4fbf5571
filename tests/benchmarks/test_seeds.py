"""The table of seeds: what is the same, and what is inside the intervals."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.models import PATHS
from benchmarks.seeds import table
from tests.benchmarks.test_models import measured


def test_the_same_seed_is_compared_by_equality_and_the_next_by_intervals() -> None:
    first, following = measured("best", 0.3), measured("best", 0.305)
    again = replace(first, metrics={**first.metrics, "rmse": first.metrics["rmse"] + 1e-6})
    far = replace(following, metrics={**following.metrics, PATHS[0]: 0.32})
    rows = {row["metric"]: row for row in table({"first": first, "again": again, "next": far})}
    assert list(rows) == list(PATHS)
    assert rows["rmse"]["again"] == "differs"
    assert all(row["again"] == "the same" for path, row in rows.items() if path != "rmse")
    assert [path for path, row in rows.items() if row["inside"] == "no"] == [PATHS[0]]
    assert rows[PATHS[0]]["95 % interval"] == "0.2900 to 0.3100"
