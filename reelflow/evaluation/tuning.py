"""The search for better hyperparameters: KerasTuner chooses, Reelflow trains and measures.

A trial's objective comes from validation ratings alone.
"""

from __future__ import annotations

import math
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

from reelflow.base.columns import TEST, VALIDATION
from reelflow.base.common import send_notice
from reelflow.base.errors import BadInput, ReelflowError
from reelflow.base.metrics import GATE_METRICS, LIKED, METRICS
from reelflow.config import ModelConfig, TrainConfig, TunerConfig, Value
from reelflow.config.tuning_space import EPOCHS, HYPERBAND_EPOCHS, hyperparameters
from reelflow.encoding.encoded import EncodedData, EncodedRatings
from reelflow.evaluation.knowledge import is_by_time, live_histories
from reelflow.evaluation.metrics import Predictions, row_columns, summarise
from reelflow.evaluation.predictions import TestRows, model_predictions
from reelflow.evaluation.results import Summary
from reelflow.evaluation.trials import Trial
from reelflow.model.histories import Histories
from reelflow.model.mixing import choose
from reelflow.model.signatures import ServingModel
from reelflow.model.stars import like_threshold
from reelflow.model.tasks import JointModel
from reelflow.model.timelines import Timelines, sample_rows
from reelflow.saved_model.client import Signatures

Metrics = dict[str, float]
"""`top_10`, `ndcg_10` and so on under the unseen protocol, `liked/top_10` and so on, `rmse`; with
live histories `live/top_10` and so on."""

JOINT: Final = "joint"
"""The objective of lists and stars."""
LISTS: Final = "lists"
"""The objective of lists: what is liked at the top, and what is found at all."""
ALONE: Final = {"liked_ndcg_10": f"{LIKED}/ndcg_10"}
"""Objective to the key of the metric that it is, where they differ."""
LIVE: Final = "live"
LIVE_ROWS: Final = 10_000
"""Validation rows that live histories are measured on, at most, drawn by seed."""
OBJECTIVE: Final = "objective"
"""The objective's name within KerasTuner."""


def validation_rows(data: EncodedData, train: TrainConfig) -> EncodedRatings:
    """A sample of the validation ratings of known users and movies: every trial is measured on it.

    Args:
        data: the encoded ratings.
        train: for the size of the sample and its seed.

    Raises:
        BadInput: there are no such ratings.
    """
    rows = data.validation.only_known(data.sizes)
    if len(rows) == 0:
        raise BadInput(
            "The tuner needs validation ratings of known users and movies, and there are none.",
            "Give split.validation more ratings, or set tuner.trials to 0.",
        )
    return sample_rows(rows, train.validation_rows, train.seed)


def measure(
    joint: JointModel,
    data: EncodedData,
    rows: EncodedRatings,
    model: ModelConfig,
    train: TrainConfig,
) -> Metrics:
    """Measure a trained model by the signature that would be exported.

    A validation loss would not do: it says little about ranks, and how it compares depends on
    regularisation, dropout and temperature.

    Args:
        joint: a trained model.
        data: what it was trained on.
        rows: held-out ratings of known users and movies.
        model: the section `model`, as it was trained with.
        train: the section `train`, likewise.

    Returns:
        Metrics of exact ranks over the whole catalogue under the unseen protocol (`top_10`,
        `ndcg_10` and so on), over liked rows alone (`liked/ndcg_10`), where the split is by time
        the same with live histories (`live/ndcg_10`), and those of the gate's metrics that are not
        ranked: `rmse`, in stars.
    """
    users = np.arange(data.sizes.users).astype(str).tolist()
    asked = _as_rows(rows, data)
    threshold = like_threshold(data.train.rating, model)
    mixture = choose(joint, data, users, model, train, threshold).mixture
    timelines = Timelines(Histories.of_all(data, (VALIDATION, TEST)))
    serving = ServingModel(joint, data, users, mixture, model, timelines)
    signatures, movies = Signatures(serving.signatures()), len(data.catalogue)
    summary = _summary(model_predictions(signatures, asked, movies), rows, threshold)
    others = [gated.metric.key for gated in GATE_METRICS.values() if not gated.metric.ranked]
    metrics = {**_ranked(summary), **{key: getattr(summary, key) for key in others}}
    everything = _as_rows(data.validation.only_known(data.sizes), data)
    if is_by_time(everything.encoded, data):
        drawn = everything.drawn(LIVE_ROWS, train.seed)
        histories = live_histories(everything, drawn)
        if histories is not None:
            some = everything.take(drawn)
            predictions = model_predictions(signatures, some, movies, live=histories)
            live = _ranked(_summary(predictions, some.encoded, threshold))
            metrics |= {f"{LIVE}/{key}": value for key, value in live.items()}
    return metrics


def _as_rows(rows: EncodedRatings, data: EncodedData) -> TestRows:
    """Name users by their numbers."""
    movies = np.array(data.catalogue.movie_id, object)
    users = rows.user_index.astype(str).astype(object)
    return TestRows(user_id=users, movie_id=movies[rows.movie_index], encoded=rows)


def _summary(predictions: Predictions, rows: EncodedRatings, threshold: float) -> Summary:
    return summarise(row_columns(predictions, rows.rating, threshold))


def _ranked(summary: Summary) -> Metrics:
    return {**summary.unseen, **{f"{LIKED}/{key}": value for key, value in summary.liked.items()}}


def lower_is_better(tuner: TunerConfig, model: ModelConfig) -> bool:
    """Return True if the objective is an error."""
    if tuner.objective == JOINT:
        return not model.retrieval_weight
    metric = METRICS.get(tuner.objective)
    return metric is not None and not metric.higher_is_better


def score(
    metrics: Metrics, tuner: TunerConfig, model: ModelConfig, deviation: float = 1.0
) -> float:
    """The objective's value; not a number if the model is broken.

    `lists` is the geometric mean of liked NDCG@10 and unseen top-100 accuracy, so that a percent of
    either weighs alike; `joint` takes from it the errors of the stars in standard deviations of the
    ratings, whatever their scale. Figures of lists are means of those with nightly and with live
    histories, where these were measured. A metric alone is in its own unit.

    Args:
        metrics: by `measure`.
        tuner: for the objective.
        model: for the tasks that are on.
        deviation: standard deviation of the ratings, in stars, above 0.
    """
    objective = tuner.objective
    if objective == LISTS:
        value = _lists(metrics)
    elif objective == JOINT:
        errors = [
            metrics[gated.metric.key]
            for gated in GATE_METRICS.values()
            if not gated.metric.ranked and model.rating_weight
        ]
        value = sum(errors)
        if model.retrieval_weight:
            value = _lists(metrics) - value / deviation
    else:
        value = _served(metrics, ALONE.get(objective, objective))
    return value if math.isfinite(value) else math.nan


def _lists(metrics: Metrics) -> float:
    """Return the objective `lists`; without a liked rating by all of them."""
    liked = f"{LIKED}/ndcg_10"
    gains = _served(metrics, liked if liked in metrics else "ndcg_10")
    return math.sqrt(gains * _served(metrics, "top_100"))


def _served(metrics: Metrics, key: str) -> float:
    """Return the mean of a metric with nightly and live histories, of those that there are."""
    values = [metrics[path] for path in (key, f"{LIVE}/{key}") if path in metrics]
    return sum(values) / len(values) if values else math.nan


@dataclass(frozen=True)
class Outcome:
    """A trained model's objective and metrics."""

    objective: float
    metrics: Metrics


Evaluate = Callable[[Mapping[str, Value]], Outcome]
"""Trains and measures a model with given hyperparameters."""


class Search(base_tuner.BaseTuner):
    """KerasTuner's tuner for a function from hyperparameters to metrics.

    A trial that fails is noted with its reason, and the search goes on.
    """

    def __init__(self, oracle: keras_tuner.Oracle, evaluate: Evaluate, folder: Path) -> None:
        """Prepare the search.

        Args:
            oracle: chooses the trials.
            evaluate: trains and measures one.
            folder: where KerasTuner keeps its state.
        """
        super().__init__(oracle, directory=str(folder), project_name="search", overwrite=True)
        self.results: list[Trial] = []
        self._evaluate = evaluate

    @property
    def best(self) -> Trial:
        """The best trial.

        Raises:
            ReelflowError: every trial failed.
        """
        successful = [trial for trial in self.results if trial.objective is not None]
        if not successful:
            why = self.results[-1].failure if self.results else "there was none"
            raise ReelflowError(
                f"None of the tuner's {len(self.results)} trials succeeded. The last one: {why}",
                "Narrow tuner.space, or set tuner.trials to 0.",
            )
        sign = 1 if self.oracle.objective.direction == "max" else -1
        return max(successful, key=lambda trial: sign * (trial.objective or 0.0))

    def run_trial(self, trial: Any, *_: object, **__: object) -> Metrics:
        """Train and measure one model; KerasTuner calls it."""
        values = dict(trial.hyperparameters.values)
        settings = {key: value for key, value in values.items() if "/" not in key}
        if HYPERBAND_EPOCHS in values:
            settings[EPOCHS] = values[HYPERBAND_EPOCHS]
        began = time.monotonic()
        outcome, failure = None, None
        try:
            outcome = self._evaluate(settings)
        except ValidationError as error:
            failure = error.errors()[0]["msg"].removeprefix("Value error, ")
        except (ReelflowError, ValueError, tf.errors.OpError) as error:
            failure = " ".join(str(error).split())
        except Exception as error:  # KerasTuner would go on as if nothing had happened
            raise keras_tuner.errors.FatalError(
                f"Trial {len(self.results) + 1}: {error}"
            ) from error
        objective = None if outcome is None else outcome.objective
        if objective is not None and math.isnan(objective):
            objective, failure = None, "The objective is not a number: training has diverged."
        metrics = {} if outcome is None else outcome.metrics
        seconds = round(time.monotonic() - began, 1)
        result = Trial(len(self.results) + 1, settings, objective, metrics, seconds, failure)
        self.results.append(result)
        send_notice(self._progress(result))
        if failure is not None:
            raise keras_tuner.errors.FailedTrialError(failure)
        return {OBJECTIVE: float(objective or 0.0)}

    def _progress(self, trial: Trial) -> str:
        name = f"trial {trial.number} of {self.oracle.max_trials}"
        if trial.objective is None:
            return f"{name}: failed"
        best = self.best
        return f"{name}: {trial.objective:.4f}, best {best.objective:.4f} (trial {best.number})"


def oracle(
    tuner: TunerConfig, model: ModelConfig, train: TrainConfig, lower_is_better: bool
) -> keras_tuner.Oracle:
    """KerasTuner's oracle, which chooses the trials.

    If the configuration is in the space, it is the first trial, so that the search cannot end below
    it; not with Hyperband, which has an order of its own.

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
        oracle = keras_tuner.oracles.HyperbandOracle(
            max_epochs=train.most_epochs(in_a_cycle=False), hyperband_iterations=None, **common
        )
        oracle.max_trials = tuner.trials
        return oracle
    configured = {**model.model_dump(), **train.model_dump()}
    first = {hp.name: configured[hp.name.partition(".")[2]] for hp in space.space}
    in_space = all(hp.default == first[hp.name] for hp in space.space)
    kind = _Random if tuner.algorithm == "random" else _Bayesian
    return kind(max_trials=tuner.trials, first=first if in_space else None, **common)


class _ConfiguredFirst:
    """Makes an oracle begin with the configuration's values."""

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
