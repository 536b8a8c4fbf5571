"""The server follows an alias of the model registry."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest

from ratings.errors import BadInput
from serving.limits import Limits
from serving.metrics import Metrics
from serving.registry import Alias
from serving.versions import Versions
from tests import tiny_model

NAME = "films"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> mlflow.MlflowClient:
    """A registry of its own, in a file, with a model that has no versions."""
    uri = f"sqlite:///{tmp_path}/registry.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient()
    client.create_registered_model(NAME)
    return client


def test_the_alias_decides_and_may_move(
    client: mlflow.MlflowClient, exported: Path, tmp_path: Path
) -> None:
    other = tiny_model.export(tmp_path / "other", tiny_model.TinyModel(seed=1))
    for model in (exported, other):
        client.create_model_version(NAME, str(model))
    client.set_registered_model_alias(NAME, "champion", "1")
    versions = Versions(
        Alias(f"models:/{NAME}@champion", tmp_path / "cache"), Limits(batch=4), Metrics()
    )
    assert versions.engine.version == 1
    assert not versions.refresh()
    client.set_registered_model_alias(NAME, "champion", "2")
    assert versions.refresh()
    assert versions.engine.version == 2
    client.delete_registered_model_alias(NAME, "champion")
    assert not versions.refresh()  # nobody to follow: what is served goes on
    client.set_registered_model_alias(NAME, "champion", "1")
    assert versions.refresh()
    assert versions.engine.version == 1


@pytest.mark.parametrize("uri", ["models:/films", "models:/films/1", "models:/@champion"])
def test_what_names_no_alias_is_refused(uri: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="alias"):
        Alias(uri, tmp_path)


def test_what_is_not_registered_is_refused(client: mlflow.MlflowClient, tmp_path: Path) -> None:
    for uri in ("models:/nothing@champion", f"models:/{NAME}@champion"):
        with pytest.raises(BadInput, match=r"models:/"):
            Alias(uri, tmp_path).wanted()


def test_what_is_no_model_of_ours_is_refused(client: mlflow.MlflowClient, tmp_path: Path) -> None:
    folder = tmp_path / "something"
    folder.mkdir()
    (folder / "notes.txt").write_text("no model")
    client.create_model_version(NAME, str(folder))
    client.set_registered_model_alias(NAME, "champion", "1")
    with pytest.raises(BadInput, match=r"saved_model\.pb"):
        Alias(f"models:/{NAME}@champion", tmp_path / "cache").wanted()
    assert list((tmp_path / "cache" / NAME).iterdir()) == []
