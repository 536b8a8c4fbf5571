"""Each of the Trainer's guards is tripped by its own mistake, and by nothing else."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from reelflow.base.errors import ReelflowError
from reelflow.config import ModelConfig, TrainConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.guards import (
    finite_weights,
    loss_below_chance,
    refuse,
    strictly_past_histories,
)
from reelflow.model.retrieval import RETRIEVAL_LOSSES
from tests.encoded_data import Row, encoded, random_rows

MODEL, TRAIN = ModelConfig(), TrainConfig()


def _data(seed: int = 0) -> EncodedData:
    rows = random_rows(60, seed)
    strangers: list[Row] = [("nobody", "m00", 3.0, 4), ("u1", "lost", 3.0, 2)]
    return encoded(rows[:40], rows[40:50], [*rows[50:], *strangers])


def _later(data: EncodedData, split: str, by: int) -> EncodedData:
    """One row of a split sees so many ratings more: in train of its own user, else of the next."""
    rows = getattr(data, split)
    ends = rows.history_end.copy()
    stops = data.offsets[rows.user_index + 1]
    [row, *_] = np.flatnonzero(ends < stops) if split == "train" else np.flatnonzero(ends >= stops)
    ends[row] += by
    return dataclasses.replace(data, **{split: dataclasses.replace(rows, history_end=ends)})


@pytest.mark.parametrize("seed", range(5))
def test_what_the_encoder_makes_is_strictly_past(seed: int) -> None:
    guard = strictly_past_histories(_data(seed))
    assert guard.passed, guard.detail
    refuse([guard])


def test_without_times_there_is_no_history_to_leak() -> None:
    rows: list[Row] = [(u, m, s, None) for u, m, s, _ in random_rows(40, 1)]
    assert strictly_past_histories(encoded(rows[:30], rows[30:])).passed


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_history_that_reaches_into_the_present_is_refused(split: str) -> None:
    guard = strictly_past_histories(_later(_data(), split, 1))
    assert not guard.passed
    assert f"1 rows of {split}" in guard.detail
    with pytest.raises(ReelflowError, match="present or the future"):
        refuse([guard])


def test_equal_timestamps_must_not_leak() -> None:
    """Two ratings of one second: neither may know of the other."""
    data = encoded([("a", "m1", 3.0, 5), ("a", "m2", 3.0, 5), ("a", "m3", 3.0, 9)])
    assert data.train.history_end.tolist() == [0, 0, 2]
    assert strictly_past_histories(data).passed
    leaky = dataclasses.replace(data.train, history_end=np.array([0, 1, 2]))
    assert not strictly_past_histories(dataclasses.replace(data, train=leaky)).passed


def test_a_history_of_somebody_else_is_refused() -> None:
    data = encoded([("a", "m1", 3.0, 5), ("b", "m2", 3.0, 9)])
    foreign = dataclasses.replace(data.train, history_end=np.array([0, 0]))
    assert not strictly_past_histories(dataclasses.replace(data, train=foreign)).passed


def test_a_timeline_out_of_order_is_refused() -> None:
    data = encoded([("a", "m1", 3.0, 5), ("a", "m2", 3.0, 9)])
    backwards = dataclasses.replace(data.train, timestamp=np.array([9, 5]))
    assert not strictly_past_histories(dataclasses.replace(data, train=backwards)).passed


def _chance(data: EncodedData, model: ModelConfig, train: TrainConfig) -> float:
    return RETRIEVAL_LOSSES[model.loss].chance(data, model, train)


def test_chance_is_the_logarithm_of_the_rivals() -> None:
    data = encoded([("a", f"m{i}", 3.0, i) for i in range(3)], movies=[f"m{i}" for i in range(10)])
    everything = MODEL.model_copy(update={"mask_seen": False})
    in_batch = MODEL.model_copy(update={"loss": "in_batch_softmax"})
    assert _chance(data, everything, TRAIN) == pytest.approx(math.log(10))
    # Of ten movies the user has rated three: the target competes with seven others.
    assert _chance(data, MODEL, TRAIN) == pytest.approx(math.log(8))
    assert _chance(data, in_batch, TRAIN.model_copy(update={"batch_size": 2})) == math.log(2)
    assert _chance(data, in_batch, TRAIN) == math.log(3)
    assert _chance(data, MODEL.model_copy(update={"loss": "bpr"}), TRAIN) == math.log(2)


@pytest.mark.parametrize(
    ("losses", "passed"),
    [([9.0, 2.0], True), ([9.0, 8.0], False), ([math.nan], False), ([], False), ([1, 99], True)],
)
def test_a_loss_that_is_not_below_chance_is_refused(losses: list[float], passed: bool) -> None:
    guard = loss_below_chance(losses, _data(), MODEL, TRAIN)
    assert guard.passed is passed
    assert "chance" in guard.detail


def test_weights_that_are_no_numbers_are_refused() -> None:
    good, bad = np.zeros(3, np.float32), np.array([0.0, np.nan], np.float32)
    assert finite_weights({"a": good}).passed
    guard = finite_weights({"a": good, "b": bad, "c": np.array([np.inf])})
    assert not guard.passed
    assert "b, c" in guard.detail
