"""Model registries for tests: MLflow's sqlite file takes seconds to set up, copying it does not."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

from reelflow.base.common import content_hash
from reelflow.config.layout import PIPELINE_NAME, Layout
from reelflow.registry.push import push
from reelflow.registry.store import Registry, Version

NAME = "movies"


@functools.cache
def _template() -> Path:
    file = Path(tempfile.mkdtemp(), "mlflow.db")
    with Registry(f"sqlite:///{file}", NAME).asking():
        Registry(f"sqlite:///{file}", NAME).client.search_registered_models()
    return file


def registrar(folder: Path, name: str = NAME) -> Registry:
    """An empty registry in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(_template(), folder / "mlflow.db")
    return Registry(f"sqlite:///{folder}/mlflow.db", name)


def register(
    registrar: Registry, model: Path, model_hash: str, blessed: bool = True, **tags: str
) -> Version:
    """Register a folder as RegistryPusher would, with invented metrics."""
    verdict = {"reelflow.blessed": "true" if blessed else "false"}
    if not blessed:
        verdict["reelflow.reasons"] = "RMSE is 1.0000, above the bound of 0.9000."
    return registrar.register(
        model,
        model_hash,
        run_name="run",
        description="a model",
        metrics={"unseen/top_100": 0.5, "rmse": 0.9 + len(registrar.versions()) / 100},
        params={"train.epochs": str(len(registrar.versions()))},
        tags={**verdict, "reelflow.data_hash": "d" * 8, "reelflow.train_rows": "80000", **tags},
    )


def two_versions(layout: Layout, folder: Path) -> None:
    """Register and push two models into an output folder; the second is champion and serves."""
    registry = registrar(layout.registry.parent, PIPELINE_NAME)
    for number in (1, 2):
        model = folder / str(number)
        model.mkdir()
        (model / "saved_model.pb").write_text(str(number))
        register(registry, model, content_hash(model))
        registry.promote(number)
        push(model, layout.serving, keep=9, now=100 + number)
