"""The k-core is the largest one, whatever the partitions."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.config import DataConfig
from reelflow.data.ingest import core
from reelflow.data.ingest.arrange import arrange
from reelflow.data.ingest.partition import Ratings, partition_by_user
from tests.reelflow.data.ingest.tables import Row, parsed, random_rows
from tests.reelflow.data.ingest.test_partition import rows_of


def kept(rows: list[Row], data: DataConfig, partitions: int) -> tuple[list[Row], dict[str, int]]:
    """Rows in the core, sorted, and those left out by reason."""
    parts = [
        arrange([part]).ratings for part in partition_by_user(parsed(rows), partitions).values()
    ]
    content = {str(at): core.pairs_to_bytes(part) for at, part in enumerate(parts)}
    gone = core.find_core(content, content.__getitem__, data)
    left: list[Row] = []
    counts: dict[str, int] = {}
    for part in parts:
        mask, filtered = core.in_core(part, gone, data)
        left += rows_of(part.take(np.flatnonzero(mask)))
        counts = {
            name: counts.get(name, 0) + filtered.get(name, 0) for name in {*counts, *filtered}
        }
    return sorted(left), counts


def plainly(rows: list[Row], users: int, movies: int) -> list[Row]:
    """The same by sets, again and again."""
    while True:
        of_user: dict[str, set[str]] = {}
        of_movie: dict[str, set[str]] = {}
        for user, movie, *_ in rows:
            of_user.setdefault(user, set()).add(movie)
            of_movie.setdefault(movie, set()).add(user)
        left = [r for r in rows if len(of_user[r[0]]) >= users and len(of_movie[r[1]]) >= movies]
        if len(left) == len(rows):
            return sorted(left)
        rows = left


@pytest.mark.parametrize("partitions", [1, 4])
@pytest.mark.parametrize(("users", "movies"), [(5, 4), (4, 5), (1, 6), (6, 1), (40, 40)])
def test_it_is_what_plain_counting_gives(users: int, movies: int, partitions: int) -> None:
    rows = random_rows(400, seed=users, users=60)
    data = DataConfig(min_user_ratings=users, min_movie_ratings=movies)
    expected = plainly(rows, users, movies)
    left, counts = kept(rows, data, partitions)
    assert left == expected
    assert sum(counts.values()) == len(rows) - len(expected)


def test_a_chain_falls_to_its_last_link() -> None:
    """Each user who leaves takes the next movie along: as many rounds as there are links."""
    chain: list[Row] = []
    for i in range(50):
        chain += [(f"u{i}", f"m{i}", 1, 1), (f"u{i}", f"m{i + 1}", 1, 1)]
    data = DataConfig(min_user_ratings=2, min_movie_ratings=2)
    assert kept(chain, data, 3)[0] == []
    ring: list[Row] = [*chain, ("u50", "m50", 1, 1), ("u50", "m0", 1, 1)]
    assert len(kept(ring, data, 3)[0]) == len(ring)


def test_no_ratings() -> None:
    assert kept([], DataConfig(min_user_ratings=2), 2) == ([], {})
    assert not core.wanted(DataConfig())
    empty = arrange([]).ratings
    assert isinstance(empty, Ratings)
    content = core.pairs_to_bytes(empty)
    assert len(core.find_core(["0"], lambda _: content, DataConfig(min_movie_ratings=2))) == 0
