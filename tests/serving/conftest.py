"""The tiny model, exported and loaded once for these tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.model import ServedModel


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the SavedModel; not to be written to."""
    from tests import tiny_model

    return tiny_model.export(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def served(exported: Path) -> ServedModel:
    """The model, loaded."""
    return ServedModel.load(exported)
