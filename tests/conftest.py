"""Fixtures that all tests share; each is made once a session, and only if a test asks for it."""

from __future__ import annotations

import functools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline import fixed_costs
from reelflow.base.environment import prepare_program
from reelflow.config import BeamConfig

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from reelflow.saved_model.client import ServedModel
    from tests.reelflow.small_runs import SmallRun
    from tests.reelflow.trained import Trained

prepare_program()  # Keras 2, quiet: TensorFlow reads it when it is imported
fixed_costs.import_lightly(BeamConfig())  # as a run does
os.environ.pop("COLUMNS", None)  # of a worker of xdist; a console keeps what it finds when made


WORKER_BYTES = 3 << 30
"""Memory of a worker with TFX, models, and a run of the command in a process of its own."""

LONG = [
    "test_any_ratings.py",
    "test_retraining.py",
    "test_chaos.py",
    "test_end_to_end.py",
    "test_nothing_rated.py",
    "pipeline/cli/test_compare.py",
    "reelflow/model/test_warm_start.py",
    "reelflow/model/test_fit.py",
    "components/test_tuner.py",
    "reelflow/serving/test_versions.py",
    "pipeline/test_tfx_cli.py",
    "reelflow/config/test_presets.py",
]
"""Files that take longest. They begin, so that no worker has one left when the others are done."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: a worker for each core that has the memory."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(len(os.sched_getaffinity(0)), memory // WORKER_BYTES))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {Path(__file__).parent / name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


@pytest.fixture(scope="session", autouse=True)
def _one_step_at_a_time() -> None:
    """Keras traces a step twice to put several into a loop; test_fit has the loop's own test."""
    if fit := sys.modules.get("reelflow.model.fit"):
        fit.STEPS = 1


@pytest.fixture(scope="session")
def model() -> Trained:
    """Model trained on the checkerboard; not to be changed."""
    from tests.reelflow.trained import trained

    return trained()


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the same model, exported; not to be written to."""
    from tests.reelflow.trained import export_to

    return export_to(tmp_path_factory.mktemp("checkerboard") / "model")


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], SmallRun]:
    """Gives the small run of a kind of split, made when first asked for; not to be changed."""
    from tests.reelflow.small_runs import make

    folder = tmp_path_factory.mktemp("small-runs")
    return functools.cache(lambda kind: make(kind, folder / kind))


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the tiny model's SavedModel; not to be written to."""
    from tests import tiny_model

    return tiny_model.export(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def better(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of another tiny model, which answers differently; not to be written to."""
    from tests import tiny_model

    folder = tmp_path_factory.mktemp("better") / "model"
    return tiny_model.export(folder, tiny_model.TinyModel(seed=1))


@pytest.fixture(scope="session")
def served(exported: Path) -> ServedModel:
    """The tiny model, loaded."""
    from reelflow.saved_model.client import ServedModel

    return ServedModel.load(exported)


@pytest.fixture(scope="session")
def pushed(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A serving folder with version 7; not to be written to."""
    base = tmp_path_factory.mktemp("serving")
    shutil.copytree(exported, base / "7")
    return base


@pytest.fixture(scope="session")
def client(pushed: Path) -> Iterator[TestClient]:
    """A server of version 7, with small limits."""
    from fastapi.testclient import TestClient

    from reelflow.serving.app import create_app
    from reelflow.serving.limits import Limits
    from reelflow.serving.middleware import Metrics
    from reelflow.serving.versions import Versions

    limits, metrics = Limits(body_bytes=20_000, rows=8, cells=500), Metrics()
    app = create_app(Versions(pushed, limits, metrics), limits=limits, metrics=metrics)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client
