"""The trained checkerboard model, made only for the tests that ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.components.trained import Trained


@pytest.fixture(scope="session")
def model() -> Trained:
    """Trained on the checkerboard; not to be changed."""
    from tests.components.trained import trained

    return trained()


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the same model, exported; not to be written to."""
    from tests.components.trained import export_to

    return export_to(tmp_path_factory.mktemp("checkerboard") / "model")
