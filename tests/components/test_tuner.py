"""Real trials on the checkerboard, and the component on artifacts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tfx.types import artifact_utils, standard_artifacts, standard_component_specs
from tfx.utils import json_utils

from components.tuner import PLOT_FILE, TUNER, Executor, make_search, plot
from reelflow.base import columns as f
from reelflow.base.errors import BadInput
from reelflow.config import Space, TrainConfig, TunerConfig
from reelflow.config.tuning_space import MODEL, TRAIN
from reelflow.evaluation.trials import Trial, Trials
from reelflow.evaluation.tuning import measure, validation_rows
from tests.encoded_data import checkerboard
from tests.reelflow import trained

if TYPE_CHECKING:
    from tests.reelflow.trained import Trained

SPACE = Space(model={}, train={"learning_rate": (1e-6, 0.02)})
QUICK = trained.TRAIN.model_copy(update={"epochs": 6})
TOWERS = trained.MODEL.model_copy(update={"item_movies": 0, "blend_weight": 0.0})
"""Without what solves the checkerboard however badly the towers are trained."""
SETTINGS = TunerConfig(trials=2, objective="mrr", space=SPACE)


def test_a_trained_model_is_measured_on_validation(model: Trained) -> None:
    rows = validation_rows(model.data, trained.TRAIN)
    assert len(rows) == 24
    metrics = measure(model.joint, model.data, rows, trained.MODEL, trained.TRAIN)
    # Three movies are left of each colour, and nothing tells them apart; one that the user gave two
    # stars may stand behind what is liked.
    assert metrics["top_5"] > 0.9
    assert metrics["mrr"] > 1 / 3 - 0.05
    assert metrics["liked/top_5"] == 1
    assert metrics["rmse"] < 1
    # Each user has one validation rating: nobody has done anything since the cut.
    assert not any(key.startswith("live/") for key in metrics)


def test_where_users_go_on_live_histories_are_measured_too(model: Trained) -> None:
    board = checkerboard()
    board.validation.extend(
        (user, movie, stars, time + 1) for user, movie, stars, time in board.test
    )
    board.test.clear()
    data = board.data
    rows = validation_rows(data, trained.TRAIN)
    metrics = measure(model.joint, data, rows, trained.MODEL, trained.TRAIN)
    # The final order has movies of the other colour's stars behind: what is liked comes first.
    assert metrics["live/liked/top_5"] == 1
    # Of the three that are left, one is known by then for half of the rows.
    assert metrics["live/mrr"] > metrics["mrr"]


def test_the_better_learning_rate_wins(tmp_path: Path) -> None:
    search = make_search(checkerboard().data, TOWERS, QUICK, SETTINGS, tmp_path)
    search.search()
    assert search.best.hyperparameters == {"train.learning_rate": 0.02}
    assert search.results[0].metrics.keys() >= {"top_100", "ndcg_10", "rmse"}


def test_without_validation_there_is_no_search(tmp_path: Path) -> None:
    board = checkerboard()
    board.validation.clear()
    with pytest.raises(BadInput, match=r"validation ratings.*split\.validation"):
        make_search(board.data, trained.MODEL, TrainConfig(), SETTINGS, tmp_path)


def test_the_plot_is_one_page_without_links() -> None:
    rates = (0.001, 0.1, 0.01)
    trials = [
        Trial(number, {"train.learning_rate": rate, "model.loss": "bpr"}, 1 - rate, {}, 1.0, None)
        for number, rate in enumerate(rates, start=1)
    ]
    failed = Trial(4, {"train.learning_rate": 1.0, "model.loss": "bpr"}, None, {}, 1.0, "boom")
    html = plot(Trials("ndcg_10", False, "random", 1, [*trials, failed]))
    assert "3 trials by ndcg_10" in html
    assert html.count("<polyline") == 3
    assert "learning rate" in html
    assert "src=" not in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.slow
def test_the_component_keeps_trials_plot_and_the_best(model: Trained, tmp_path: Path) -> None:
    model.data.save(tmp_path / "encoded")
    examples = standard_artifacts.Examples()
    examples.uri = str(tmp_path / "encoded")
    examples.split_names = artifact_utils.encode_split_names(list(f.RATING_SPLITS))
    outputs = {}
    for name, kind in (
        (standard_component_specs.BEST_HYPERPARAMETERS_KEY, standard_artifacts.HyperParameters),
        (standard_component_specs.TUNER_RESULTS_KEY, standard_artifacts.TunerResults),
    ):
        (tmp_path / name).mkdir()
        artifact = kind()
        artifact.uri = str(tmp_path / name)
        outputs[name] = [artifact]
    sections = {
        MODEL: TOWERS.model_dump(mode="json"),
        TRAIN: QUICK.model_dump(mode="json"),
        TUNER: SETTINGS.model_dump(mode="json"),
    }
    properties = {
        standard_component_specs.TUNER_FN_KEY: "components.tuner.tuner_fn",
        standard_component_specs.TRAIN_ARGS_KEY: json.dumps({"splits": [f.TRAIN]}),
        standard_component_specs.EVAL_ARGS_KEY: json.dumps({"splits": [f.VALIDATION]}),
        standard_component_specs.CUSTOM_CONFIG_KEY: json_utils.dumps(sections),
    }
    context = Executor.Context(tmp_dir=str(tmp_path / "tmp"), unique_id="1")
    Executor(context).Do({"examples": [examples]}, outputs, properties)
    folder = tmp_path / standard_component_specs.TUNER_RESULTS_KEY
    trials = Trials.read(folder)
    assert trials is not None
    best = trials.best_trial
    assert (trials.objective, len(trials.trials)) == ("mrr", 2)
    assert best.hyperparameters == {"train.learning_rate": 0.02}
    assert "2 trials by mrr" in (folder / PLOT_FILE).read_text()
    [file] = (tmp_path / standard_component_specs.BEST_HYPERPARAMETERS_KEY).iterdir()
    assert json.loads(file.read_text())["values"] == best.hyperparameters
