"""What TFX's Tuner calls: encoded ratings in, a search out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from components.trainer.fit import fit
from components.trainer.run import artifact_folder
from components.transform.encoded import EncodedData
from components.tuner.objective import lower_is_better, measure, score, validation_rows
from components.tuner.search import Outcome, Search, oracle
from components.tuner.space import MODEL, TRAIN, merged
from pipeline.config import ModelConfig, TrainConfig, TunerConfig, Value

TUNER: Final = "tuner"


def tuner_fn(args: FnArgs) -> TunerFnResult:
    """Makes the search.

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
        tuner: what to try, how often and to what end.
        folder: for state and logs.

    Raises:
        BadInput: there are no validation ratings, or there is nothing to try.
    """
    rows = validation_rows(data, train)

    def evaluate(values: Mapping[str, Value]) -> Outcome:
        # One seed tells trials apart as well as their average does, at a fraction of the time.
        trial_model, trial_train = merged({"train.seeds": 1, **values}, model, train)
        joint, _ = fit(data, trial_model, trial_train, folder / "logs")
        metrics = measure(joint, data, rows)
        return Outcome(score(metrics, tuner, model), metrics)

    return Search(oracle(tuner, model, train, lower_is_better(tuner, model)), evaluate, folder)
