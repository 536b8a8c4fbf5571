"""Who the champion is: the last blessed model that is not the candidate."""

from __future__ import annotations

from pathlib import Path

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from components.evaluator.champion import ChampionStrategy


@pytest.fixture
def store(tmp_path: Path) -> metadata_store.MetadataStore:
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(tmp_path / "metadata.db")
    return metadata_store.MetadataStore(config)


def _model(number: int) -> Artifact:
    model = standard_artifacts.Model()
    model.id, model.uri = number, f"/models/{number}"
    return model


def _blessing(number: int, of: int, blessed: bool) -> Artifact:
    blessing = standard_artifacts.ModelBlessing()
    blessing.id = number
    blessing.set_int_custom_property("blessed", int(blessed))
    blessing.set_int_custom_property("current_model_id", of)
    return blessing


def _resolve(
    store: metadata_store.MetadataStore, models: list[int], blessed: dict[int, bool], candidate: int
) -> list[int] | None:
    blessings = [_blessing(100 + m, m, yes) for m, yes in blessed.items()]
    found = ChampionStrategy().resolve_artifacts(
        store,
        {
            "model": [_model(m) for m in models],
            "model_blessing": blessings,
            "candidate": [_model(candidate)],
        },
    )
    if found is None:
        return None
    assert [model.id for model in found["candidate"]] == [candidate]
    return [model.id for model in found["model"]]


def test_the_last_blessed_model(store: metadata_store.MetadataStore) -> None:
    assert _resolve(store, [1, 2, 3], {1: True, 2: True}, candidate=3) == [2]


def test_refused_models_are_no_champions(store: metadata_store.MetadataStore) -> None:
    assert _resolve(store, [1, 2, 3], {1: True, 2: False}, candidate=3) == [1]


def test_the_candidate_is_not_its_own_champion(store: metadata_store.MetadataStore) -> None:
    assert _resolve(store, [1, 2, 3], {1: True, 3: True}, candidate=3) == [1]


def test_at_first_there_is_none(store: metadata_store.MetadataStore) -> None:
    assert not _resolve(store, [1], {}, candidate=1)
    assert not _resolve(store, [1], {1: True}, candidate=1)
