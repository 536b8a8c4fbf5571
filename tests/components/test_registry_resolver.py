"""RegistryResolver: asks every time, brings in the champion, and says which one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tfx.orchestration.portable import data_types
from tfx.types import standard_artifacts

from components import registry_resolver
from components.registry_resolver import RegistryResolver
from reelflow.base.common import content_hash
from reelflow.config import RegistryConfig
from reelflow.registry.store import Registry
from tests import registries


@pytest.fixture
def registrar(tmp_path: Path) -> Registry:
    return registries.registrar(tmp_path / "registry")


def _saved_model(folder: Path, content: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_text(content)
    return folder


def _node(registrar: Registry) -> RegistryResolver:
    return RegistryResolver(RegistryConfig(uri=registrar.uri, name=registrar.name), file="unused")


def _found(registrar: Registry) -> dict[str, Any]:
    """What the driver adds to the node's properties, and so to the cache's key."""
    info = data_types.ExecutionInfo(exec_properties=dict(_node(registrar).exec_properties))
    answer = registry_resolver.Driver(None).run(info)
    return {
        key: getattr(value, value.WhichOneof("value"))
        for key, value in answer.exec_properties.items()
    }


def _brought_in(registrar: Registry, folder: Path) -> list[Any]:
    artifact = standard_artifacts.Model()
    artifact.uri = str(folder)
    outputs = {registry_resolver.MODEL: [artifact]}
    properties = {**_node(registrar).exec_properties, **_found(registrar)}
    registry_resolver.Executor().Do({}, outputs, properties)
    return outputs[registry_resolver.MODEL]


def test_without_a_champion_there_is_no_artifact(registrar: Registry, tmp_path: Path) -> None:
    assert _found(registrar) == {"registry_version": 0, "registry_created": "", "model_hash": ""}
    assert _brought_in(registrar, tmp_path / "model") == []


def test_the_champion_is_brought_in_with_its_number_and_hash(
    registrar: Registry, tmp_path: Path
) -> None:
    for content in ("first", "second"):
        model = _saved_model(tmp_path / content, content)
        registries.register(registrar, model, content_hash(model))
    registrar.promote(1)
    registrar.promote(2)
    [model] = _brought_in(registrar, tmp_path / "model")
    folder = tmp_path / "model" / "Format-Serving"
    assert (folder / "saved_model.pb").read_text() == "second"
    assert model.get_int_custom_property(registry_resolver.VERSION) == 2
    assert model.get_string_custom_property(registry_resolver.HASH) == content_hash(folder)


def test_numbers_fit_into_the_integers_of_mysql(registrar: Registry, tmp_path: Path) -> None:
    registries.register(registrar, _saved_model(tmp_path / "one", "one"), "one")
    registrar.promote(1)
    numbers = [value for value in _found(registrar).values() if isinstance(value, int)]
    assert numbers == [1]
    assert all(number < 2**31 for number in numbers)


def test_the_cache_depends_on_the_champion_alone(registrar: Registry, tmp_path: Path) -> None:
    for content in ("first", "second"):
        registries.register(registrar, _saved_model(tmp_path / content, content), content)
    registrar.promote(1)
    before = _found(registrar)
    registrar.set_alias("challenger", 2)
    assert _found(registrar) == before
    registrar.promote(2)
    assert _found(registrar) != before
    registrar.step_back()
    assert _found(registrar) == before


def test_a_registry_file_is_not_made_by_looking(tmp_path: Path) -> None:
    missing = Registry(f"sqlite:///{tmp_path}/registry/mlflow.db", "movies")
    assert _brought_in(missing, tmp_path / "model") == []
    assert list(tmp_path.iterdir()) == []


def test_the_driver_is_told_to_tfx(registrar: Registry) -> None:
    assert _node(registrar).driver_class is registry_resolver.Driver
