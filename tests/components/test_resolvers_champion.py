"""Whom a candidate is held against: the registry's champion, or whoever it beat before."""

from __future__ import annotations

from pathlib import Path

import pytest
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from components.registry_resolver import HASH
from components.resolvers import ChampionStrategy
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
