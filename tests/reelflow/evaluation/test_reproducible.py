"""The same seed gives the same metrics; another one stays inside the stated intervals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest

from reelflow.config import ModelConfig, TrainConfig
from reelflow.data.sample import write_sample
from reelflow.encoding.encoded import EncodedData
from reelflow.evaluation.contest import Entry, measure
from reelflow.evaluation.predictions import TestRows, model_predictions
from reelflow.model.fit import fit
from reelflow.model.mixing import choose
from reelflow.model.signatures import ServingModel
from reelflow.model.stars import like_threshold
from reelflow.saved_model.client import Signatures
from tests.encoded_data import Row, encoded, user_vocabulary

MODEL = ModelConfig(embedding_size=8, rating_embedding_size=4)


def _sample(folder: Path) -> tuple[EncodedData, TestRows, list[str]]:
    """The built-in sample, small, every tenth rating of which is held out."""
    [file] = write_sample(folder, users=80, movies=100, ratings=2500).glob("ratings*.csv")
    table = pyarrow.csv.read_csv(file)
    columns = [table.column(i).to_pylist() for i in range(4)]
    rows: list[Row] = [
        (str(user), str(movie), float(stars), int(time))
        for user, movie, stars, time in zip(*columns, strict=True)
    ]
    order = np.random.default_rng(0).permutation(len(rows))
    split = {k: [rows[i] for i in order if i % 10 == k] for k in (0, 1)}
    train = [rows[i] for i in order if i % 10 > 1]
    known = {row[1] for row in train}
    data = encoded(train, split[0], split[1], sorted(known))
    ids = np.array([row[:2] for row in split[1]], object)
    return data, TestRows(ids[:, 0], ids[:, 1], data.test), user_vocabulary(train)


@pytest.mark.slow
def test_seeds(tmp_path: Path) -> None:
    data, rows, users = _sample(tmp_path / "sample")

    def entry(seed: int) -> Entry:
        train = TrainConfig(
            seeds=1,
            epochs=6,
            learning_rate=0.01,
            rating_learning_rate=0.01,
            batch_size=256,
            seed=seed,
        )
        joint, _ = fit(data, MODEL, train, tmp_path)
        threshold = like_threshold(data.train.rating, MODEL)
        mixture = choose(joint, data, users, MODEL, train, threshold).mixture
        signatures = Signatures(ServingModel(joint, data, users, mixture, MODEL).signatures())
        predictions = model_predictions(signatures, rows, len(data.catalogue))
        nothing = np.full((1, 1), -1, np.int32)
        return measure("a", predictions, nothing, rows, data, 1, None, None, liked_from=3.5)

    first, again, other = (entry(seed) for seed in (1, 1, 2))
    assert first.metrics == again.metrics
    assert first.intervals == again.intervals
    assert other.metrics != first.metrics
    outside = {
        metric: (other.metrics[metric], bounds)
        for metric, bounds in first.intervals.items()
        if not bounds[0] <= other.metrics[metric] <= bounds[1]
    }
    # Of some twenty-five intervals of 95 % one is left by chance.
    assert len(outside) <= 1
