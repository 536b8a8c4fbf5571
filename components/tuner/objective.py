"""What a trial is worth, on validation ratings alone."""

from __future__ import annotations

from typing import Final

import numpy as np

from components.evaluator.metrics import row_columns, summarise
from components.evaluator.predict import TestRows, ask
from components.trainer.batches import sample_rows
from components.trainer.signatures import ServingModel
from components.trainer.tasks import JointModel
from components.transform.encoded import EncodedData, EncodedRatings
from pipeline.config import ModelConfig, TrainConfig, TunerConfig
from ratings.errors import BadInput

Metrics = dict[str, float]

RMSE: Final = "rmse"
JOINT: Final = "joint"
TOP_100: Final = "top_100"


def validation_rows(data: EncodedData, train: TrainConfig) -> EncodedRatings:
    """The ratings that every trial is measured on.

    Args:
        data: the encoded ratings.
        train: for the size of the sample and its seed.

    Raises:
        BadInput: there is none whose user and film are known.
    """
    rows = data.validation.only_known(data.sizes.users, len(data.catalogue))
    if len(rows) == 0:
        raise BadInput(
            "The tuner needs validation ratings of known users and films, and there are none.",
            "Give split.validation more ratings, or set tuner.trials to 0.",
        )
    return sample_rows(rows, train.validation_rows, train.seed)


def measure(joint: JointModel, data: EncodedData, rows: EncodedRatings) -> Metrics:
    """Exact ranks over the whole catalogue and RMSE, by the signature that would be exported.

    A validation loss would not do: it says little about ranks, and how it compares depends on
    regularisation, dropout and temperature.

    Args:
        joint: a trained model.
        data: what it was trained on.
        rows: held-out ratings of known users and films.

    Returns:
        `top_10`, `top_100`, `ndcg_10` and so on in the unseen protocol, and `rmse` in stars.
    """
    users = np.arange(data.sizes.users).astype(str).tolist()
    films = np.array(data.catalogue.movie_id, object)
    asked = TestRows(
        user_id=rows.user_index.astype(str).astype(object),
        movie_id=films[rows.movie_index],
        encoded=rows,
    )
    evaluate = ServingModel(joint, data, users).signatures()["evaluate"]
    summary = summarise(row_columns(ask(evaluate, asked, len(films)), rows.rating))
    return {**summary.unseen, RMSE: summary.rmse}


def lower_is_better(tuner: TunerConfig, model: ModelConfig) -> bool:
    """Whether the objective is an error."""
    return _settled(tuner, model) == RMSE


def score(metrics: Metrics, tuner: TunerConfig, model: ModelConfig) -> float:
    """The objective's value; not a number if the model is broken.

    `joint` weighs a point of top-100 accuracy like a hundredth of a star of RMSE, as the gate's
    margins do.
    """
    objective = _settled(tuner, model)
    value = metrics[TOP_100] - metrics[RMSE] if objective == JOINT else metrics[objective]
    return value if np.isfinite(value) else float("nan")


def _settled(tuner: TunerConfig, model: ModelConfig) -> str:
    """The objective, `joint` being that of the only task if one is switched off."""
    if tuner.objective != JOINT or (model.retrieval_weight and model.rating_weight):
        return tuner.objective
    return TOP_100 if model.retrieval_weight else RMSE
