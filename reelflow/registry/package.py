"""The SavedModel as MLflow keeps models: with `MLmodel`, a signature and an input example."""

from __future__ import annotations

import json
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from reelflow.base.columns import USER_ID
from reelflow.registry.store import set_up_mlflow
from reelflow.saved_model import golden
from reelflow.saved_model.contract import RECOMMEND, SIGNATURES, Definitions
from reelflow.saved_model.files import GOLDEN

FOLDER: Final = "saved_model"
_EXAMPLE: Final = "input_example.json"
_ANY: Final = -1


def package(saved_model: Path, folder: Path) -> None:
    """Write the folder that is registered.

    MLflow's flavour `tensorflow` loads it: `mlflow.tensorflow.load_model` gives the SavedModel with
    all its signatures. The signature that MLflow shows is that of `serving_default`.

    Args:
        saved_model: folder of the SavedModel.
        folder: to be made.
    """
    set_up_mlflow()
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema

    shutil.copytree(saved_model, folder / FOLDER)
    definitions = Definitions.read(saved_model)
    inputs = [
        _tensor(name, one.dtype, one.rank)
        for name, one in definitions.signatures[RECOMMEND].inputs.items()
    ]
    outputs = [
        _tensor(name, *_described(tensor))
        for name, tensor in definitions.metadata[RECOMMEND]["outputs"].items()
    ]
    model = Model(signature=ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs)))
    example = _example(saved_model)
    if example is not None:
        text = json.dumps(example, ensure_ascii=False)
        (folder / _EXAMPLE).write_text(text, encoding="utf-8")
        model.saved_input_example_info = {"artifact_path": _EXAMPLE, "type": "ndarray"}
    model.add_flavor("tensorflow", saved_model_dir=FOLDER, model_type="tf2-module", code=None)
    model.model_size_bytes = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    requirement = f"tensorflow=={metadata.version('tensorflow')}\n"
    (folder / "requirements.txt").write_text(requirement, encoding="utf-8")
    model.save(str(folder / "MLmodel"))


def _tensor(name: str, dtype: Any, rank: int | None) -> Any:
    """A tensor of MLflow's; sizes are free, and one of any rank is shown as a vector."""
    import numpy as np
    from mlflow.types import TensorSpec

    return TensorSpec(np.dtype(dtype), (_ANY,) * (1 if rank is None else max(rank, 1)), name)


def _described(tensor: dict[str, Any]) -> tuple[Any, int | None]:
    """Dtype and rank, from what TensorFlow Serving's metadata have of a tensor."""
    import tensorflow as tf
    from tensorflow.core.framework import types_pb2

    dtype = tf.as_dtype(types_pb2.DataType.Value(tensor["dtype"])).as_numpy_dtype
    shape = tensor["tensor_shape"]
    return dtype, None if shape.get("unknown_rank") else len(shape.get("dim", []))


def _example(saved_model: Path) -> dict[str, Any] | None:
    """The inputs of the first golden request for recommendations, none left out."""
    file = saved_model / GOLDEN
    if not file.is_file():
        return None
    for one in golden.read(file):
        if one.signature == RECOMMEND:
            rows = len(one.inputs[USER_ID])
            rest = {
                name: _per_row(expected.default, rows)
                for name, expected in SIGNATURES[RECOMMEND].inputs.items()
                if expected.default is not None
            }
            return {**rest, **one.inputs}
    return None


def _per_row(value: Any, rows: int) -> Any:
    """A default as a tensor with a row for each user, as MLflow's schema wants it."""
    return value * rows if isinstance(value, list) else [value] * rows
