"""The tiny model, exported and loaded once for these tests, and a server of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.limits import Limits
from serving.metrics import Metrics
from serving.model import ServedModel
from serving.versions import Versions


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the SavedModel; not to be written to."""
    from tests import tiny_model

    return tiny_model.export(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def served(exported: Path) -> ServedModel:
    """The model, loaded."""
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
    limits, metrics = Limits(body_bytes=20_000, rows=8, cells=500), Metrics()
    app = create_app(Versions(pushed, limits, metrics), limits=limits, metrics=metrics)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client
