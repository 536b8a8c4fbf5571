"""Train and validation as one: the same as if they had never been apart."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from reelflow.encoding.encode import training_data, with_validation
from reelflow.encoding.encoded import EncodedRatings
from tests.encoded_data import Row, encoded, random_rows


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_encoding_them_together_gives(seed: int) -> None:
    rows = random_rows(100, seed)
    movies = sorted({row[1] for row in rows})
    train, validation, test = rows[:70], rows[70:85], rows[85:]
    found = with_validation(encoded(train, validation, test, movies))
    together = encoded([*train, *validation], [], test, movies)
    for split in ("train", "validation", "test"):
        for column in fields(EncodedRatings):
            one, other = (getattr(getattr(d, split), column.name) for d in (found, together))
            np.testing.assert_array_equal(one, other, err_msg=f"{split}.{column.name}")
            assert one.dtype == other.dtype


def test_who_is_in_validation_alone_stays_unknown() -> None:
    train: list[Row] = [("a", "m0", 3.0, 1), ("b", "m1", 4.0, 1)]
    stranger: list[Row] = [("x", "m0", 3.0, 2), ("a", "lost", 3.0, 2), ("a", "m1", 5.0, 2)]
    found = with_validation(encoded(train, stranger))
    assert found.train.rating.tolist() == [3.0, 5.0, 4.0]
    assert len(found.offsets) == found.sizes.users + 2


def test_only_a_refit_model_has_learned_from_validation() -> None:
    data = encoded(random_rows(30, 0), random_rows(5, 1))
    assert training_data(data, {"refit": False}) is data
    assert training_data(data, {}) is data
    assert len(training_data(data, {"refit": True}).train) > len(data.train)
    without = encoded(random_rows(30, 0))
    assert training_data(without, {"refit": True}) is without
