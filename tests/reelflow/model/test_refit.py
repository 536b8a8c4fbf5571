"""The second training: on all that is not test, for as long as the first one found best."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reelflow.config import TrainConfig
from reelflow.encoding.encode import with_validation
from reelflow.model.fit import FitResult, fit, fit_and_refit
from reelflow.model.tasks import RATING_LOSS, RETRIEVAL_LOSS
from reelflow.model.warm_start import own_weights
from tests.encoded_data import checkerboard
from tests.reelflow.trained import MODEL

TRAIN = TrainConfig(
    seeds=1,
    epochs=6,
    learning_rate=0.02,
    rating_learning_rate=1e-12,
    batch_size=64,
    patience=2,
    refit=True,
    refit_epochs=None,
)
"""The rating task's steps change nothing: it is best at once, and each task has its own number."""


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> FitResult:
    return fit_and_refit(checkerboard().data, MODEL, TRAIN, tmp_path_factory.mktemp("logs"))


def test_it_is_a_training_on_both_for_the_best_number_of_epochs(
    fitted: FitResult, tmp_path: Path
) -> None:
    data = checkerboard().data
    best = fitted.before_refit.best_epochs
    assert best[RATING_LOSS] < len(fitted.history[RATING_LOSS]) < best[RETRIEVAL_LOSS]
    assert len(fitted.data.train) == len(data.train) + len(data.validation)
    plain, history = fit(with_validation(data), MODEL, TRAIN, tmp_path / "plain", epochs=best)
    assert {name: len(losses) for name, losses in history.items()} == best
    for one, other in zip(plain.trainable_weights, fitted.joint.trainable_weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_it_goes_on_from_the_first_one_s_weights(fitted: FitResult, tmp_path: Path) -> None:
    data, first = checkerboard().data, fitted.before_refit
    everything, train = with_validation(data), TRAIN.model_copy(update={"refit_epochs": 2})
    weights = own_weights(first, data, everything)
    best = first.best_epochs
    joint, history = fit(everything, MODEL, train, tmp_path, epochs=best, first=weights)
    assert {name: len(losses) for name, losses in history.items()} == {
        RETRIEVAL_LOSS: 2,
        RATING_LOSS: min(2, best[RATING_LOSS]),
    }
    # The rating task's steps change nothing.
    named, before = joint.named_weights(), first.named_weights()
    for name in ("head/user", "head/movie_bias"):
        one, other = (weights["rating"][name].variable for weights in (named, before))
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert history[RETRIEVAL_LOSS][-1] < fitted.history[RETRIEVAL_LOSS][1]


def test_without_refit_validation_stays_out(tmp_path: Path) -> None:
    data = checkerboard(8, 12).data
    rating_only = MODEL.model_copy(update={"retrieval_weight": 0.0})
    train = TrainConfig(seeds=1, epochs=1, refit=False)
    assert fit_and_refit(data, rating_only, train, tmp_path).data is data


def test_further_seeds_are_trained_on_both_alone(tmp_path: Path) -> None:
    data = checkerboard(8, 12).data
    rating_only = MODEL.model_copy(update={"retrieval_weight": 0.0})
    train = TRAIN.model_copy(update={"seeds": 2, "epochs": 2})
    fitted = fit_and_refit(data, rating_only, train, tmp_path)
    assert len(fitted.joint.further_rating_models) == 1
    assert not (tmp_path / "seed-2").exists()
    assert (tmp_path / "refit" / "seed-2").is_dir()


def test_what_a_next_run_may_begin_with_knows_nothing_of_validation(
    fitted: FitResult, tmp_path: Path
) -> None:
    data = checkerboard().data
    alone, _ = fit(data, MODEL, TRAIN, tmp_path / "alone")
    for one, other in zip(
        fitted.before_refit.trainable_weights, alone.trainable_weights, strict=True
    ):
        np.testing.assert_array_equal(one, other)
