"""Settings of baselines are chosen on validation, from train alone, with a stated budget."""

from __future__ import annotations

import numpy as np
import pytest

from reelflow.baselines import BASELINES
from reelflow.encoding.encoded import EncodedData
from reelflow.evaluation import selection
from reelflow.evaluation.knowledge import as_of_the_cut
from reelflow.evaluation.selection import choose, fitted
from tests.encoded_data import Row, checkerboard, encoded

DAY = 86_400
MOVIES = [f"m{i}" for i in range(12)]


def _fashion(late: list[str]) -> EncodedData:
    """Ten years ago m0 to m9 had nine ratings each, of late m10 two and m11 one.

    Each user of validation turns to the movies of `late`.
    """
    old = [(f"u{u}", f"m{m}", 4.0, m * DAY) for u in range(9) for m in range(10)]
    new = [("w0", "m10", 4.0, 3650 * DAY), ("w1", "m10", 4.0, 3649 * DAY)]
    new += [("w2", "m11", 4.0, 3640 * DAY)]
    validation: list[Row] = [(f"w{u}", m, 4.0, 3660 * DAY) for u in (0, 1, 2) for m in late]
    return encoded([*old, *new], validation, [], MOVIES)


def test_the_best_on_validation_is_chosen() -> None:
    chosen = choose("recent_popularity", _fashion(["m11"]), seed=0)
    assert chosen.settings["half_life"] < 365
    assert chosen.tried == len(BASELINES["recent_popularity"].candidates) == 5
    assert (chosen.rows, chosen.metric) == (3, "unseen/ndcg_10")
    baseline, again = fitted(
        "recent_popularity", _fashion(["m11"]), as_of_the_cut(_fashion(["m11"])), seed=0
    )
    assert again == chosen
    scores = baseline.scores(np.zeros(1, np.int32))[0]
    assert scores[11] > scores[10] > scores[0]  # validation is known, and late


def test_all_time_is_chosen_where_old_movies_come_back() -> None:
    chosen = choose("recent_popularity", _fashion([f"m{i}" for i in range(10)]), seed=0)
    assert chosen.settings["half_life"] == 1460.0


def test_a_single_setting_is_not_searched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "baseline_predictions", None)
    chosen = choose("popularity", _fashion(["m11"]), seed=0)
    assert (chosen.settings, chosen.tried, chosen.rows, chosen.value) == ({}, 1, 0, None)


def test_without_validation_ratings_the_first_settings_are_taken() -> None:
    chosen = choose("ease", encoded([("a", "m0", 4.0, 1), ("b", "m1", 4.0, 1)]), seed=0)
    assert chosen.settings == BASELINES["ease"].candidates[0]
    assert chosen.tried == 1


def test_the_number_of_validation_rows_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "VALIDATION_ROWS", 5)
    assert choose("ease", checkerboard().data, seed=0).rows == 5


@pytest.mark.parametrize("name", BASELINES)
def test_the_first_settings_are_the_defaults(name: str) -> None:
    board = checkerboard().data
    kind = BASELINES[name]
    default, first = kind(), kind(**kind.candidates[0])
    users = np.arange(board.sizes.users, dtype=np.int32)
    default.fit(board)
    first.fit(board)
    np.testing.assert_array_equal(default.scores(users), first.scores(users))
    assert len({tuple(c.items()) for c in kind.candidates}) == len(kind.candidates)
