"""Cuts by time: exact, the same however the rows are distributed, never between equal times."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.data.ingest.split import count_times, find_cuts, merge_counts


@pytest.mark.parametrize("limit", [4, 16, 1000])
@pytest.mark.parametrize("parts", [1, 2, 7])
def test_merged_counts_do_not_depend_on_the_parts(limit: int, parts: int) -> None:
    rng = np.random.default_rng(3)
    times = rng.integers(-5_000, 10**6, 2_000)
    whole = count_times(times, limit)
    counts = [count_times(part, limit) for part in np.array_split(rng.permutation(times), parts)]
    # Also in two steps, as Beam combines.
    merged = merge_counts([merge_counts(counts[:1], limit), merge_counts(counts[1:], limit)], limit)

    assert merged.shift == whole.shift
    assert merged.buckets.tolist() == whole.buckets.tolist()
    assert merged.rows.tolist() == whole.rows.tolist()
    assert len(whole.buckets) <= limit
    assert whole.rows.sum() == 2_000


def test_cuts_are_the_quantiles() -> None:
    times = np.random.default_rng(0).permutation(1_000)
    cuts = find_cuts(count_times(times), (0.8, 0.9))

    assert cuts == [800, 900]


def test_the_nearest_bound_between_ties_is_taken() -> None:
    # 6 rows at time 1, 4 at time 2: no cut has 8 before it; 6 and 10 are as near, 6 is earlier.
    counts = count_times(np.repeat([1, 2], [6, 4]))
    assert find_cuts(counts, [0.8]) == [2]
    assert find_cuts(counts, [0.1]) == [1]


def test_coarse_buckets_cut_close_to_the_share() -> None:
    times = np.random.default_rng(1).integers(0, 10**9, 20_000)
    cut = find_cuts(count_times(times, limit=512), [0.8])[0]

    assert abs((times < cut).mean() - 0.8) < 1 / 256


def test_no_rows() -> None:
    assert find_cuts(
        merge_counts([count_times(np.zeros(0, np.int64)), merge_counts([])]), [0.5]
    ) == [0]
