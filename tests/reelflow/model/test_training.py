"""A training run on scales that are not stars, and on ratings that say nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from reelflow.base.common import notices_to
from reelflow.base.errors import BadInput
from reelflow.config import ModelConfig, TrainConfig
from reelflow.model.fit import fit
from reelflow.model.tasks import RETRIEVAL_LOSS
from reelflow.model.training import train_and_export, with_precision, with_stars
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.files import ModelInfo
from reelflow.saved_model.probe import probe
from tests.encoded_data import Row, encoded, random_rows, user_vocabulary

MODEL = ModelConfig(embedding_size=4, rating_embedding_size=3)
TRAIN = TrainConfig(seeds=1, epochs=1, batch_size=32)
ROWS = random_rows(90, 0, times=30)
MOVIES = [f"m{i:02d}" for i in range(14)]


def _run(
    folder: Path, lowest: float, highest: float, model: ModelConfig = MODEL
) -> tuple[list[Row], Signatures]:
    """Train on the same rows with their 0.5 to 5 stars stretched to another range."""
    scale = (highest - lowest) / 4.5
    rows: list[Row] = [(u, m, lowest + scale * (s - 0.5), t) for u, m, s, t in ROWS]
    train, held_out, test = rows[:70], rows[70:80], rows[80:]
    data, users = encoded(train, held_out, test, MOVIES), user_vocabulary(train)
    train_and_export(data, users, model, TRAIN, None, folder / "model", log_dir=folder / "logs")
    return train, Signatures.load(folder / "model")


@pytest.mark.slow
@pytest.mark.parametrize(("lowest", "highest"), [(-10, 10), (0, 100)])
def test_any_scale_is_learned(lowest: float, highest: float, tmp_path: Path) -> None:
    train, signatures = _run(tmp_path, lowest, highest)
    info = ModelInfo.read(tmp_path / "model")
    given = np.array([row[2] for row in train])
    assert info.stars is not None
    assert info.stars.lowest == pytest.approx(given.min())
    assert info.stars.highest == pytest.approx(given.max())
    assert info.stars.like_threshold == pytest.approx(given.min() + 0.7 * np.ptp(given))
    assert info.tasks == ["retrieval", "rating"]
    for chosen in (info.mix, info.blend):
        assert chosen is not None
        assert chosen.trials
    found = signatures.ask("serving_default", {"user_id": ["u0", "new"], "include_seen": True})
    stars = np.array(found["rating"])
    assert (stars >= given.min() - 1e-3).all()
    assert (stars <= given.max() + 1e-3).all()
    assert np.ptp(stars) > 0
    assert probe(tmp_path / "model").reasons == ()


@pytest.mark.slow
def test_ratings_that_do_not_vary_make_a_retrieval_model(tmp_path: Path) -> None:
    notices: list[str] = []
    with notices_to(notices.append):
        _, signatures = _run(tmp_path, 1.0, 1.0)
    assert any("retrieval alone" in notice for notice in notices)
    info = ModelInfo.read(tmp_path / "model")
    assert info.tasks == ["retrieval"]
    assert info.blend is None
    assert info.model is not None
    assert info.model["rating_weight"] == 0.0
    assert info.stars is not None
    assert info.stars.deviation == 0.0
    found = signatures.ask("serving_default", {"user_id": ["u0"], "order": "blend"})
    plain = signatures.ask("serving_default", {"user_id": ["u0"], "order": "retrieval"})
    assert found == plain
    assert probe(tmp_path / "model").reasons == ()


ONES, SOME = np.ones(5, np.float32), np.array([1, 4], np.float32)


def test_stars_that_vary_leave_the_configuration_as_it_is() -> None:
    model, scale = with_stars(MODEL, TRAIN, SOME)
    assert model is MODEL
    assert (scale.lowest, scale.highest) == (1, 4)


def test_constant_ratings_and_counts_switch_the_rating_task_off() -> None:
    counts = TRAIN.model_copy(update={"by_counts": True})
    for ratings, train in ((ONES, TRAIN), (SOME, counts)):
        assert with_stars(MODEL, train, ratings)[0].rating_weight == 0.0
    retrieval = MODEL.model_copy(update={"rating_weight": 0.0})
    assert with_stars(retrieval, TRAIN, ONES)[0] is retrieval


def test_a_rating_model_alone_needs_stars() -> None:
    rating = MODEL.model_copy(update={"retrieval_weight": 0.0})
    with pytest.raises(BadInput, match="All ratings are 1: there are no stars to learn") as caught:
        with_stars(rating, TRAIN, ONES)
    assert "retrieval_weight above 0" in caught.value.remedy
    with pytest.raises(BadInput, match="count events"):
        with_stars(rating, TRAIN.model_copy(update={"by_counts": True}), SOME)


def test_without_ratings_there_is_nothing_to_learn() -> None:
    with pytest.raises(BadInput, match="nothing to learn from"):
        with_stars(MODEL, TRAIN, np.zeros(0, np.float32))


def test_mixed_products_are_for_a_gpu_and_train_alike(tmp_path: Path) -> None:
    mixed = TRAIN.model_copy(update={"precision": "mixed", "epochs": 3})
    notices: list[str] = []
    with notices_to(notices.append):
        plain = with_precision(mixed)
    if tf.config.list_physical_devices("GPU"):
        assert plain is mixed
    else:
        assert plain.precision == "float32"
        assert any("precision" in notice for notice in notices)
    data, model = encoded(ROWS), MODEL.model_copy(update={"rating_weight": 0.0})
    losses = [
        fit(data, model, train, tmp_path / train.precision)[1][RETRIEVAL_LOSS]
        for train in (TRAIN.model_copy(update={"epochs": 3}), mixed)
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.02)
    assert losses[0] != losses[1]
