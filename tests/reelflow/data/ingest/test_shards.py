"""The even sample that statistics are computed from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reelflow.data.ingest.shards import count_rows, even_rows, shares, write_subset


@pytest.mark.parametrize(("total", "count"), [(10, 10), (10, 1), (1000, 7), (999, 998), (0, 0)])
@pytest.mark.parametrize("seed", [0, 1])
def test_rows_are_distinct_and_lie_at_equal_distances(total: int, count: int, seed: int) -> None:
    rows = even_rows(total, count, seed)
    assert len(rows) == count
    if count == total:
        assert rows.tolist() == list(range(total))
    if count > 1:
        assert set(np.diff(rows)) <= {total // count, -(-total // count)}
        assert 0 <= rows[0] <= rows[-1] < total


def test_splits_share_the_bound_in_proportion() -> None:
    assert shares({"train": 800, "test": 200}, 1000) == {"train": 800, "test": 200}
    assert shares({"train": 800, "test": 200, "none": 0}, 100) == {
        "train": 80,
        "test": 20,
        "none": 0,
    }
    assert shares({"train": 100_000, "test": 3}, 100) == {"train": 99, "test": 1}


def test_the_rows_asked_for_and_no_others_are_copied(tmp_path: Path) -> None:
    paths = []
    for start, stop in ((0, 7), (7, 7), (7, 20)):
        paths.append(str(tmp_path / f"{len(paths)}.parquet"))
        column = pa.array([[x] for x in range(start, stop)], pa.list_(pa.int64()))
        pq.write_table(pa.table({"x": column}), paths[-1], row_group_size=4)
    assert count_rows(paths) == 20
    positions = np.array([0, 6, 7, 12, 19])
    write_subset(paths, positions, str(tmp_path / "sample" / "sample.parquet"))
    found = pq.read_table(tmp_path / "sample" / "sample.parquet").to_pydict()["x"]
    assert found == [[x] for x in positions]
