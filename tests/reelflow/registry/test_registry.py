"""The server follows an alias of the model registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelflow.base.errors import BadInput
from reelflow.registry.alias import Alias
from reelflow.registry.store import NoAnswer, Registry, address, shown
from reelflow.serving.limits import Limits
from reelflow.serving.middleware import Metrics
from reelflow.serving.versions import Versions
from tests import registries

NAME = registries.NAME


@pytest.fixture
def registrar(tmp_path: Path) -> Registry:
    """A registry with a model that has no versions."""
    found = registries.registrar(tmp_path / "registry")
    found.client.create_registered_model(NAME)
    return found


def _alias(registrar: Registry, cache: Path) -> Alias:
    return Alias(f"models:/{NAME}@champion", cache, registrar.uri)


def test_the_alias_decides_and_may_move(
    registrar: Registry, exported: Path, better: Path, tmp_path: Path
) -> None:
    client = registrar.client
    for model in (exported, better):
        client.create_model_version(NAME, str(model))
    client.set_registered_model_alias(NAME, "champion", "1")
    versions = Versions(_alias(registrar, tmp_path / "cache"), Limits(batch=4), Metrics())
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


def test_another_registry_with_the_same_numbers_is_another_model(
    registrar: Registry, exported: Path, better: Path, tmp_path: Path
) -> None:
    registries.register(registrar, exported, "a")
    registrar.promote(1)
    first = _alias(registrar, tmp_path / "cache").folder()
    begun_again = registries.registrar(tmp_path / "again")
    registries.register(begun_again, better, "b")
    begun_again.promote(1)
    second = _alias(begun_again, tmp_path / "cache").folder()
    assert first.name == second.name == "1"
    weights = "variables/variables.data-00000-of-00001"
    assert (first / weights).read_bytes() != (second / weights).read_bytes()


@pytest.mark.parametrize("uri", ["models:/films", "models:/films/1", "models:/@champion"])
def test_what_names_no_alias_is_refused(uri: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="alias"):
        Alias(uri, tmp_path, "sqlite:///nothing.db")


def test_what_is_not_registered_is_refused(registrar: Registry, tmp_path: Path) -> None:
    for uri in ("models:/nothing@champion", f"models:/{NAME}@champion"):
        with pytest.raises(BadInput, match=r"models:/"):
            Alias(uri, tmp_path, registrar.uri).folder()


def test_what_is_no_model_of_ours_is_refused(registrar: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "something"
    folder.mkdir()
    (folder / "notes.txt").write_text("no model")
    registrar.client.create_model_version(NAME, str(folder))
    registrar.client.set_registered_model_alias(NAME, "champion", "1")
    with pytest.raises(BadInput, match=r"saved_model\.pb"):
        _alias(registrar, tmp_path / "cache").folder()
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_file_that_nobody_wrote_holds_nothing_and_stays_away(tmp_path: Path) -> None:
    registry = Registry(f"sqlite:///{tmp_path}/registry/mlflow.db", NAME)
    assert registry.untouched
    assert registry.aliases() == {}
    assert registry.by_alias("champion") is None
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    registry = Registry("http://me:secret@127.0.0.1:9", NAME)
    with pytest.raises(NoAnswer, match=r"me:\*\*\*@127\.0\.0\.1:9") as caught:
        registry.aliases()
    assert "secret" not in str(caught.value)
    assert "MLFLOW_TRACKING_URI" in caught.value.remedy


def test_where_the_registry_is(monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path("/out/registry/mlflow.db")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert address(None, file) == "sqlite:////out/registry/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server")
    assert address(None, file) == "http://server"
    assert address("http://configured", file) == "http://configured"
    assert shown("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"
