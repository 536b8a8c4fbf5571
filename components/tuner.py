"""Tuner: trains models with other hyperparameters and hands on the best ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner import component
from tfx.components.tuner import executor as tfx_tuner
from tfx.components.tuner.component import TunerFnResult
from tfx.dsl.components.base import executor_spec
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.types.standard_component_specs import CUSTOM_CONFIG_KEY, TUNER_RESULTS_KEY
from tfx.utils import json_utils

from components.trainer import artifact_folder
from reelflow.config import ModelConfig, TrainConfig, TunerConfig, Value
from reelflow.config.tuning_space import MODEL, TRAIN, merged
from reelflow.encoding.encoded import EncodedData
from reelflow.evaluation.trials import Trials
from reelflow.evaluation.tuning import (
    Outcome,
    Search,
    lower_is_better,
    measure,
    oracle,
    score,
    validation_rows,
)
from reelflow.model.fit import fit
from reelflow.model.rating import bayesian_ratings, draws
from reelflow.model.training import with_stars
from reelflow.report.blocks import Page
from reelflow.report.render import page
from reelflow.report.sections.training import tuning_section

TUNER: Final = "tuner"
PLOT_FILE: Final = "parallel_coordinates.html"


class Executor(tfx_tuner.Executor):
    """Searches as TFX's own does, and keeps every trial and a plot beside the results."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Search for the best hyperparameters."""
        search = tfx_tuner.search(input_dict, exec_properties, self._get_tmp_dir())
        assert isinstance(search, Search)
        best = search.best  # raises if every trial failed
        tfx_tuner.write_best_hyperparameters(search, output_dict)
        tuner = TunerConfig.model_validate(
            json_utils.loads(exec_properties[CUSTOM_CONFIG_KEY])[TUNER]
        )
        trials = Trials(
            objective=tuner.objective,
            lower_is_better=search.oracle.objective.direction == "min",
            algorithm=tuner.algorithm,
            best=best.number,
            trials=search.results,
        )
        folder = Path(artifact_utils.get_single_uri(output_dict[TUNER_RESULTS_KEY]))
        folder.mkdir(parents=True, exist_ok=True)
        trials.write(folder)
        (folder / PLOT_FILE).write_text(plot(trials), encoding="utf-8")


def plot(trials: Trials) -> str:
    """The trials as parallel coordinates and as a table: one self-contained HTML page."""
    successful = len(trials.best_first)
    content = Page(
        title=f"{successful} trials by {trials.objective} on validation",
        subtitle="",
        verdict=f"Trial {trials.best} is the best.",
        tone="plain",
        sections=[tuning_section(trials)],
    )
    return page(content)


class Tuner(component.Tuner):
    """TFX's Tuner with an executor that keeps all trials.

    Outputs: `best_hyperparameters` (KerasTuner's, for the Trainer) and `tuner_results` (TFX's own
    file, `trials.json` and `parallel_coordinates.html`).
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)


def tuner_fn(args: FnArgs) -> TunerFnResult:
    """Make the search; TFX's Tuner calls this function by its name.

    Args:
        args: TFX's; `custom_config` has the sections `model`, `train` and `tuner`.
    """
    config: dict[str, Any] = args.custom_config
    search = make_search(
        EncodedData.load(artifact_folder(args.train_files[0])),
        ModelConfig.model_validate(config[MODEL]),
        TrainConfig.model_validate(config[TRAIN]),
        TunerConfig.model_validate(config[TUNER]),
        Path(args.working_dir),
    )
    return TunerFnResult(tuner=search, fit_kwargs={})


def make_search(
    data: EncodedData, model: ModelConfig, train: TrainConfig, tuner: TunerConfig, folder: Path
) -> Search:
    """A search that trains on train and measures on validation; the test split is not looked at.

    Args:
        data: the encoded ratings.
        model: the section `model`, changed by each trial.
        train: the section `train`, changed by each trial.
        tuner: the search space, the number of trials and the objective.
        folder: for state and logs.

    Raises:
        BadInput: there are no validation ratings, or there is nothing to try.
    """
    rows = validation_rows(data, train)
    model, _ = with_stars(model, train, data.train.rating)
    deviation = float(data.train.rating.std(dtype=np.float64)) or 1.0

    def evaluate(values: Mapping[str, Value]) -> Outcome:
        # One seed tells trials apart as well as an average does, at a fraction of the time.
        quick = {"train.seeds": 1, "model.rating_draws": 0}
        trial_model, trial_train = merged({**quick, **values}, model, train)
        joint, _ = fit(data, trial_model, trial_train, folder / "logs")
        if count := draws(trial_model, len(data.train)):
            joint.bayesian_ratings = bayesian_ratings(data, trial_model, count, trial_train.seed)
        metrics = measure(joint, data, rows, trial_model, trial_train)
        return Outcome(score(metrics, tuner, model, deviation), metrics)

    return Search(oracle(tuner, model, train, lower_is_better(tuner, model)), evaluate, folder)
