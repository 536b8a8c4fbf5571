"""What a trial is worth, on validation ratings alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras_tuner
import numpy as np
import tensorflow as tf
from keras_tuner.engine import base_tuner
from pydantic import ValidationError

from reelflow.base.errors import BadInput, ReelflowError
from reelflow.base.notices import send_notice
from reelflow.config import ModelConfig, TrainConfig, TunerConfig, Value
from reelflow.config.tuning_space import EPOCHS, HYPERBAND_EPOCHS, hyperparameters
from reelflow.encoding.encoded import EncodedData, EncodedRatings
from reelflow.evaluation.metrics import row_columns, summarise
from reelflow.evaluation.predictions import TestRows, ask
from reelflow.model.signatures import ServingModel
from reelflow.model.tasks import JointModel
from reelflow.model.timelines import sample_rows
from reelflow.saved_model.client import Signatures

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
        BadInput: there is none whose user and movie are known.
    """
    rows = data.validation.only_known(data.sizes)
    if len(rows) == 0:
        raise BadInput(
            "The tuner needs validation ratings of known users and movies, and there are none.",
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
        rows: held-out ratings of known users and movies.

    Returns:
        `top_10`, `top_100`, `ndcg_10` and so on in the unseen protocol, and `rmse` in stars.
    """
    users = np.arange(data.sizes.users).astype(str).tolist()
    movies = np.array(data.catalogue.movie_id, object)
    asked = TestRows(
        user_id=rows.user_index.astype(str).astype(object),
        movie_id=movies[rows.movie_index],
        encoded=rows,
    )
    signatures = Signatures(ServingModel(joint, data, users).signatures())
    summary = summarise(row_columns(ask(signatures, asked, len(movies)), rows.rating))
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


# The search itself: KerasTuner chooses, we train and measure.


OBJECTIVE = "objective"


@dataclass(frozen=True)
class Trial:
    """One model that was trained, or could not be."""

    number: int
    """From 1, in order of time."""
    hyperparameters: dict[str, Value]
    """Dotted key of the configuration to value."""
    objective: float | None
    """None if the trial failed."""
    metrics: Metrics
    seconds: float
    failure: str | None


@dataclass(frozen=True)
class Outcome:
    """What `evaluate` has to say of a model."""

    objective: float
    metrics: Metrics


Evaluate = Callable[[Mapping[str, Value]], Outcome]


class Search(base_tuner.BaseTuner):
    """KerasTuner's tuner for a function from hyperparameters to metrics.

    A trial that fails is noted with its reason, and the search goes on.
    """

    def __init__(self, oracle: keras_tuner.Oracle, evaluate: Evaluate, folder: Path) -> None:
        """Prepares; nothing is run.

        Args:
            oracle: chooses the trials.
            evaluate: trains and measures one.
            folder: where KerasTuner keeps its state.
        """
        super().__init__(oracle, directory=str(folder), project_name="search", overwrite=True)
        self.found: list[Trial] = []
        self._evaluate = evaluate

    @property
    def best(self) -> Trial:
        """The best trial.

        Raises:
            ReelflowError: every trial failed.
        """
        done = [trial for trial in self.found if trial.objective is not None]
        if not done:
            why = self.found[-1].failure if self.found else "there was none"
            raise ReelflowError(
                f"None of the tuner's {len(self.found)} trials succeeded. The last one: {why}",
                "Narrow tuner.space, or set tuner.trials to 0.",
            )
        sign = 1 if self.oracle.objective.direction == "max" else -1
        return max(done, key=lambda trial: sign * (trial.objective or 0.0))

    def run_trial(self, trial: Any, *_: object, **__: object) -> Metrics:
        """Train and measures; KerasTuner calls it."""
        values = dict(trial.hyperparameters.values)
        shown = {key: value for key, value in values.items() if "/" not in key}
        if HYPERBAND_EPOCHS in values:
            shown[EPOCHS] = values[HYPERBAND_EPOCHS]
        began = time.monotonic()
        outcome, failure = None, None
        try:
            outcome = self._evaluate(shown)
        except ValidationError as error:
            failure = error.errors()[0]["msg"].removeprefix("Value error, ")
        except (ReelflowError, ValueError, tf.errors.OpError) as error:
            failure = " ".join(str(error).split())
        except Exception as error:  # KerasTuner would go on as if nothing had happened
            raise keras_tuner.errors.FatalError(f"Trial {len(self.found) + 1}: {error}") from error
        objective = None if outcome is None else outcome.objective
        if objective is not None and objective != objective:
            objective, failure = None, "The objective is not a number: training has diverged."
        metrics = {} if outcome is None else outcome.metrics
        seconds = round(time.monotonic() - began, 1)
        found = Trial(len(self.found) + 1, shown, objective, metrics, seconds, failure)
        self.found.append(found)
        send_notice(self._news(found))
        if failure is not None:
            raise keras_tuner.errors.FailedTrialError(failure)
        return {OBJECTIVE: float(objective or 0.0)}

    def _news(self, trial: Trial) -> str:
        which = f"trial {trial.number} of {self.oracle.max_trials}"
        if trial.objective is None:
            return f"{which}: failed"
        best = self.best
        so_far = f"best {best.objective:.4f} (trial {best.number})"
        return f"{which}: {trial.objective:.4f}, {so_far}"


def oracle(
    tuner: TunerConfig, model: ModelConfig, train: TrainConfig, lower_is_better: bool
) -> keras_tuner.Oracle:
    """What chooses the trials.

    Where the space has the configuration that is in place, it is the first trial, so that the
    search cannot end below it; not with Hyperband, which has an order of its own.

    Raises:
        BadInput: the space is empty.
    """
    hyperband = tuner.algorithm == "hyperband"
    space = hyperparameters(tuner.space, model, train, without=EPOCHS if hyperband else None)
    if not space.space:
        raise BadInput("The tuner has nothing to try.", "Name keys and values in tuner.space.")
    common = {
        "objective": keras_tuner.Objective(OBJECTIVE, "min" if lower_is_better else "max"),
        "hyperparameters": space,
        "seed": tuner.seed,
        "max_consecutive_failed_trials": tuner.trials + 1,
    }
    if hyperband:
        found = keras_tuner.oracles.HyperbandOracle(
            max_epochs=train.epochs, hyperband_iterations=None, **common
        )
        found.max_trials = tuner.trials
        return found
    configured = {**model.model_dump(), **train.model_dump()}
    first = {hp.name: configured[hp.name.partition(".")[2]] for hp in space.space}
    in_space = all(hp.default == first[hp.name] for hp in space.space)
    kind = _Random if tuner.algorithm == "random" else _Bayesian
    return kind(max_trials=tuner.trials, first=first if in_space else None, **common)


class _ConfiguredFirst:
    """Begins with given values."""

    def __init__(self, first: dict[str, Value] | None, **options: Any) -> None:
        super().__init__(**options)
        self._first = first

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        if self._first is not None and not self.trials:  # type: ignore[attr-defined]
            return {"status": "RUNNING", "values": dict(self._first)}
        return super().populate_space(trial_id)  # type: ignore[misc]


class _Random(_ConfiguredFirst, keras_tuner.oracles.RandomSearchOracle):
    pass


class _Bayesian(_ConfiguredFirst, keras_tuner.oracles.BayesianOptimizationOracle):
    pass
