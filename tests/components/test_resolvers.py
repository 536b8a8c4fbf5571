"""The model that a candidate is compared with, and the one that a warm start begins with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from components.registry_resolver import HASH
from components.resolvers import ChampionStrategy, WarmStartStrategy
from reelflow.base.common import content_hash


def _model(folder: Path, number: int, content: str) -> Artifact:
    """A model artifact; its content stands for its weights."""
    model = standard_artifacts.Model()
    model.id, model.uri = number, str(folder / str(number))
    file = Path(model.uri, "Format-Serving", "saved_model.pb")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return model


def _brought_in(folder: Path, number: int, content: str) -> Artifact:
    """The same as RegistryResolver leaves it."""
    model = _model(folder, number, content)
    model.set_string_custom_property(HASH, content_hash(Path(model.uri, "Format-Serving")))
    return model


def _blessing(number: int, of: int, baseline: int | None = None) -> Artifact:
    blessing = standard_artifacts.ModelBlessing()
    blessing.id = number
    blessing.set_int_custom_property("blessed", 1)
    blessing.set_int_custom_property("current_model_id", of)
    if baseline is not None:
        blessing.set_int_custom_property("baseline_model_id", baseline)
    return blessing


def _resolve(
    registered: list[Artifact],
    candidate: Artifact,
    models: list[Artifact] = [],  # noqa: B006
    blessings: list[Artifact] = [],  # noqa: B006
) -> list[int]:
    found = ChampionStrategy().resolve_artifacts(
        None,
        {
            "registered": registered,
            "candidate": [candidate],
            "model": models,
            "model_blessing": blessings,
        },
    )
    # TFX wants every input back, and only the result is to be seen in the lineage.
    assert {key: len(value) for key, value in found.items() if key != "model"} == {
        "registered": 0,
        "candidate": 0,
        "model_blessing": 0,
    }
    return [model.id for model in found["model"]]


def test_an_empty_registry_has_no_champion(tmp_path: Path) -> None:
    assert _resolve([], _model(tmp_path, 1, "a")) == []


def test_the_registrys_champion(tmp_path: Path) -> None:
    assert _resolve([_brought_in(tmp_path, 5, "a")], _model(tmp_path, 6, "b")) == [5]


@pytest.mark.parametrize(
    ("blessings", "held_against"),
    [
        ([_blessing(10, of=1)], []),  # it was the first model
        ([_blessing(10, of=1, baseline=3)], [3]),
        ([_blessing(11, of=1, baseline=4), _blessing(10, of=1, baseline=3)], [4]),
        ([_blessing(12, of=2, baseline=3)], []),  # another model's
        ([], []),  # the registry knows it, this MLMD does not
    ],
)
def test_the_champion_itself_meets_whom_it_met_before(
    tmp_path: Path, blessings: list[Artifact], held_against: list[int]
) -> None:
    candidate = _model(tmp_path, 1, "a")
    others = [_model(tmp_path, 3, "c"), _model(tmp_path, 4, "d")]
    champion = _brought_in(tmp_path, 5, "a")
    models = [candidate, champion, *others]
    assert _resolve([champion], candidate, models, blessings) == held_against


def test_a_champion_that_somebody_else_registered_is_another_model(tmp_path: Path) -> None:
    assert _resolve([_model(tmp_path, 5, "a")], _model(tmp_path, 6, "a")) == [5]


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


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Model 1 of ratings 10; model 2 of ratings 20, begun with model 1 as the registry had it."""
    models = {1: _brought_in(tmp_path, 1, "first"), 2: _brought_in(tmp_path, 2, "second")}
    models[11] = _brought_in(tmp_path, 11, "first")  # what RegistryResolver brought in
    store = Store(models)
    store.trained(100, encoded=10, base=[], model=1)
    store.trained(200, encoded=20, base=[11], model=2)
    return store


def _resolve_start(store: Store, registered: list[Artifact], ratings: int) -> list[int]:
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
    champion = _brought_in(tmp_path, 12, "second")
    assert _resolve_start(store, [champion], ratings=30) == [12]
    assert _resolve_start(store, [], ratings=30) == []


def test_the_same_ratings_begin_with_what_the_champion_began_with(
    store: Store, tmp_path: Path
) -> None:
    assert _resolve_start(store, [_brought_in(tmp_path, 12, "second")], ratings=20) == [11]
    assert _resolve_start(store, [_brought_in(tmp_path, 13, "first")], ratings=10) == []


def test_a_champion_from_elsewhere_is_begun_with(store: Store, tmp_path: Path) -> None:
    assert _resolve_start(store, [_brought_in(tmp_path, 14, "another machine's")], ratings=20) == [
        14
    ]
