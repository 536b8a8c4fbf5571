"""Parsed ratings for the tests of what comes after parsing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from reelflow.data import schema

Row = tuple[str, str, float, int | None]


def parsed(rows: Sequence[Row], file: int = 0, start: int = 0) -> pa.Table:
    """Rows of user, movie, rating and time as `schema.PARSED`, ten bytes apart."""
    users, movies, ratings, times = zip(*rows, strict=True) if rows else ((), (), (), ())
    return pa.table(
        [
            pa.array(users, pa.string()).dictionary_encode(),
            pa.array(movies, pa.string()).dictionary_encode(),
            pa.array(ratings, pa.float32()),
            pa.array(times, pa.int64()),
            pa.array(np.full(len(rows), file), pa.int32()),
            pa.array(start + 10 * np.arange(len(rows)), pa.int64()),
        ],
        schema=schema.PARSED,
    )


def random_rows(count: int, seed: int = 0, users: int = 50, times: int = 40) -> list[Row]:
    """Distinct pairs of user and movie, with many equal times."""
    rng = np.random.default_rng(seed)
    pairs = rng.choice(users * 100, count, replace=False)
    return [
        (f"u{pair // 100}", f"m{pair % 100}", float(rng.integers(1, 6)), int(rng.integers(times)))
        for pair in pairs.tolist()
    ]
