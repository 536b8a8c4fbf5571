"""Position kNN against a loop over users, places and distances."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.baselines.position_knn import WINDOW, PositionKNN
from tests.encoded_data import encoded, random_rows

DATA = encoded(
    random_rows(90, 2, users=8, movies=20, times=90), movies=[f"m{i:02d}" for i in range(21)]
)


def _own(user: int) -> list[int]:
    start, end = DATA.offsets[user : user + 2]
    return DATA.train.movie_index[start:end].tolist()


@pytest.mark.parametrize("power", [2.0, 3.0])
@pytest.mark.parametrize("half_life", [3.0, 6.0])
def test_scores_are_those_of_the_places(power: float, half_life: float) -> None:
    baseline = PositionKNN(power, half_life)
    baseline.fit(DATA)
    counts = DATA.rating_counts
    expected = np.zeros([3, 21])
    for user in range(3):
        weights = {
            movie: 2 ** (-age / half_life) / np.sqrt(counts[movie])
            for age, movie in enumerate(_own(user)[::-1])
        }
        for other in range(DATA.sizes.users):
            theirs = _own(other)
            for place, movie in enumerate(theirs):
                around = sum(
                    weights.get(one, 0.0) * 2 ** (-abs(at - place) / half_life)
                    for at, one in enumerate(theirs)
                    if abs(at - place) <= WINDOW
                )
                expected[user, movie] += around**power
    found = baseline.scores(np.arange(3, dtype=np.int32))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert baseline.parameters == len(DATA.train)
