"""MLflow finds a model that it can load, with its signature and an input example."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reelflow.base.common import content_hash
from reelflow.registry.registration import FOLDER, package
from reelflow.saved_model.contract import RECOMMEND, SIGNATURES

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def packaged(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("packaged")
    package(exported, folder / "model")
    return exported, folder / "model"


def test_the_signature_is_that_of_recommendations(packaged: tuple[Path, Path]) -> None:
    from mlflow.models import Model

    signature = Model.load(str(packaged[1])).signature
    inputs = {spec.name: (spec.type, spec.shape) for spec in signature.inputs.inputs}
    assert inputs == {
        name: (np.dtype(one.dtype), (-1,) * (one.rank or 1))
        for name, one in SIGNATURES[RECOMMEND].inputs.items()
    }
    outputs = {spec.name: spec.type for spec in signature.outputs.inputs}
    strings = dict.fromkeys(("movie_id", "title", "source"), np.dtype("O"))
    numbers = dict.fromkeys(("score", "rating"), np.dtype("float32"))
    assert outputs == {**strings, **numbers, "seen": np.dtype("bool")}


def test_the_input_example_is_a_question_that_the_model_answers(
    packaged: tuple[Path, Path],
) -> None:
    import mlflow
    import tensorflow as tf
    from mlflow.models import Model

    example = Model.load(str(packaged[1])).load_input_example(str(packaged[1]))
    assert example["user_id"].tolist() == ["1", "2", "nobody"]
    loaded = mlflow.tensorflow.load_model(str(packaged[1]))
    inputs = {
        name: tf.constant(example[name].tolist(), tf.as_dtype(one.dtype))
        for name, one in SIGNATURES[RECOMMEND].inputs.items()
    }
    answer = loaded.signatures["serving_default"](**inputs)
    assert answer["movie_id"].shape == (3, 10)


def test_the_saved_model_stays_as_it_is(packaged: tuple[Path, Path]) -> None:
    saved_model, folder = packaged
    assert content_hash(folder / FOLDER) == content_hash(saved_model)
    assert (folder / "requirements.txt").read_text().startswith("tensorflow==")
