"""Pusher on artifacts: both blessings, and TFX's own properties."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reelflow.registry.push import versions

pytestmark = pytest.mark.slow


def _pusher(base: Path, promote: str = "champion") -> Any:
    from tfx.types import channel, standard_artifacts

    from components.pusher import Pusher

    return Pusher(
        model=channel.Channel(type=standard_artifacts.Model),
        model_blessing=channel.Channel(type=standard_artifacts.ModelBlessing),
        infra_blessing=channel.Channel(type=standard_artifacts.InfraBlessing),
        directory=str(base),
        keep=2,
        promote=promote,
        share=0.2,
    )


def _artifact(kind: str, uri: Path, blessed: int | None = None) -> list[Any]:
    from tfx.types import standard_artifacts

    artifact = getattr(standard_artifacts, kind)()
    artifact.uri = str(uri)
    if blessed is not None:
        artifact.set_int_custom_property("blessed", blessed)
    return [artifact]


def _inputs(folder: Path, model_blessed: int, infra_blessed: int) -> dict[str, list[Any]]:
    model = folder / "model"
    (model / "Format-Serving").mkdir(parents=True)
    (model / "Format-Serving/saved_model.pb").write_bytes(b"graph")
    return {
        "model": _artifact("Model", model),
        "model_blessing": _artifact("ModelBlessing", folder / "mb", model_blessed),
        "infra_blessing": _artifact("InfraBlessing", folder / "ib", infra_blessed),
    }


def test_push_with_both_blessings(tmp_path: Path) -> None:
    pusher = _pusher(tmp_path / "serving")
    executor = pusher.executor_spec.executor_class()
    outputs = {"pushed_model": _artifact("PushedModel", tmp_path / "pushed")}
    executor.Do(_inputs(tmp_path, 1, 1), outputs, pusher.exec_properties)
    (pushed,) = outputs["pushed_model"]
    (version,) = (tmp_path / "serving").iterdir()
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_destination") == str(version)
    assert pushed.get_string_custom_property("pushed_version") == version.name
    assert (version / "saved_model.pb").read_bytes() == b"graph"
    assert (tmp_path / "pushed/saved_model.pb").read_bytes() == b"graph"


@pytest.mark.parametrize(("model_blessed", "infra_blessed"), [(1, 0), (0, 1), (0, 0)])
def test_nothing_without_both(tmp_path: Path, model_blessed: int, infra_blessed: int) -> None:
    _refused(tmp_path, _inputs(tmp_path, model_blessed, infra_blessed))


@pytest.mark.parametrize("missing", ["model_blessing", "infra_blessing"])
def test_a_missing_blessing_is_no_blessing(tmp_path: Path, missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        _refused(tmp_path, {**_inputs(tmp_path, 1, 1), missing: []})
    assert not (tmp_path / "serving").exists()


def test_who_waits_to_be_promoted_is_not_pushed(tmp_path: Path) -> None:
    _refused(tmp_path, _inputs(tmp_path, 1, 1), promote="")


def _push(folder: Path, content: bytes, promote: str) -> dict[str, Any]:
    """Push a model of that content; gives the properties of the artifact."""
    inputs = _inputs(folder / content.decode(), 1, 1)
    (folder / content.decode() / "model/Format-Serving/saved_model.pb").write_bytes(content)
    pusher = _pusher(folder / "serving", promote)
    outputs = {"pushed_model": _artifact("PushedModel", folder / content.decode() / "pushed")}
    pusher.executor_spec.executor_class().Do(inputs, outputs, pusher.exec_properties)
    artifact = outputs["pushed_model"][0]
    return {
        "pushed": artifact.get_int_custom_property("pushed"),
        "variant": artifact.get_string_custom_property("variant"),
        "version": artifact.get_string_custom_property("pushed_version"),
    }


@pytest.mark.parametrize("promote", ["canary", "shadow"])
def test_a_model_on_trial_lies_beside_the_champion(tmp_path: Path, promote: str) -> None:
    base = tmp_path / "serving"
    first = _push(tmp_path, b"first", promote)  # nothing is served: somebody has to
    assert (first["pushed"], first["variant"]) == (1, "")
    second = _push(tmp_path, b"second", promote)
    assert (second["pushed"], second["variant"]) == (0, promote)
    assert versions(base) == [int(first["version"])]
    assert (base / promote / second["version"] / "saved_model.pb").read_bytes() == b"second"
    third = _push(tmp_path, b"third", promote)
    assert [path.name for path in (base / promote).iterdir() if path.is_dir()] == [third["version"]]


def test_the_champion_is_not_tried_against_itself(tmp_path: Path) -> None:
    _push(tmp_path, b"first", "champion")
    (tmp_path / "twice").mkdir()
    (tmp_path / "twice/serving").symlink_to(tmp_path / "serving", target_is_directory=True)
    assert _push(tmp_path / "twice", b"first", "canary")["variant"] == ""
    assert not (tmp_path / "serving/canary").exists()


def _refused(folder: Path, inputs: dict[str, list[Any]], promote: str = "champion") -> None:
    pusher = _pusher(folder / "serving", promote)
    outputs = {"pushed_model": _artifact("PushedModel", folder / "pushed")}
    pusher.executor_spec.executor_class().Do(inputs, outputs, pusher.exec_properties)
    assert outputs["pushed_model"][0].get_int_custom_property("pushed") == 0
    assert not (folder / "serving").exists()
