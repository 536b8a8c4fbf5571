"""Which model a warm start begins with: the champion, or what the champion began with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from components.registry_resolver import HASH
from components.resolvers import WarmStartStrategy
from reelflow.base.common import content_hash

Event = metadata_store_pb2.Event


class Store:
    """As much of MLMD as the strategy asks for: trainings of (ratings, base models, model)."""

    def __init__(self, models: dict[int, Artifact]) -> None:
        self.models = models
        self.events: list[Event] = []

    def trained(self, execution: int, encoded: int, base: list[int], model: int) -> None:
        sides = [(Event.INPUT, "examples", [encoded]), (Event.INPUT, "base_model", base)]
        for kind, name, artifacts in [*sides, (Event.OUTPUT, "model", [model])]:
            for artifact in artifacts:
                event = Event(artifact_id=artifact, execution_id=execution, type=kind)
                event.path.steps.add().key = name
                self.events.append(event)

    def get_events_by_artifact_ids(self, ids: list[int]) -> list[Event]:
        return [event for event in self.events if event.artifact_id in ids]

    def get_events_by_execution_ids(self, ids: list[int]) -> list[Event]:
        return [event for event in self.events if event.execution_id in ids]

    def get_artifacts_by_id(self, ids: list[int]) -> list[Any]:
        return [self.models[i] for i in ids]


def model(folder: Path, number: int, content: str) -> Artifact:
    found = standard_artifacts.Model()
    found.id, found.uri = number, str(folder / str(number))
    file = Path(found.uri, "Format-Serving", "saved_model.pb")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    found.set_string_custom_property(HASH, content_hash(file.parent))
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Model 1 of ratings 10; model 2 of ratings 20, begun with model 1 as the registry had it."""
    models = {1: model(tmp_path, 1, "first"), 2: model(tmp_path, 2, "second")}
    models[11] = model(tmp_path, 11, "first")  # what RegistryResolver brought in
    store = Store(models)
    store.trained(100, encoded=10, base=[], model=1)
    store.trained(200, encoded=20, base=[11], model=2)
    return store


def resolve(store: Store, registered: list[Artifact], ratings: int) -> list[int]:
    encoded = standard_artifacts.Examples()
    encoded.id = ratings
    inputs = {
        "registered": registered,
        "encoded": [encoded],
        "model": [*store.models.values(), *registered],
    }
    found = WarmStartStrategy().resolve_artifacts(store, inputs)
    assert found.keys() == inputs.keys()
    assert not found["registered"]
    assert not found["encoded"]
    return [artifact.id for artifact in found["model"]]


def test_new_ratings_begin_with_the_champion(store: Store, tmp_path: Path) -> None:
    champion = model(tmp_path, 12, "second")
    assert resolve(store, [champion], ratings=30) == [12]
    assert resolve(store, [], ratings=30) == []


def test_the_same_ratings_begin_with_what_the_champion_began_with(
    store: Store, tmp_path: Path
) -> None:
    assert resolve(store, [model(tmp_path, 12, "second")], ratings=20) == [11]
    assert resolve(store, [model(tmp_path, 13, "first")], ratings=10) == []


def test_a_champion_from_elsewhere_is_begun_with(store: Store, tmp_path: Path) -> None:
    assert resolve(store, [model(tmp_path, 14, "another machine's")], ratings=20) == [14]
