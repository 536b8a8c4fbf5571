"""Pusher on artifacts: both blessings, and TFX's own properties."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


def _pusher(base: Path, await_promotion: bool = False) -> Any:
    from tfx.types import channel, standard_artifacts

    from components.pusher import Pusher

    return Pusher(
        model=channel.Channel(type=standard_artifacts.Model),
        model_blessing=channel.Channel(type=standard_artifacts.ModelBlessing),
        infra_blessing=channel.Channel(type=standard_artifacts.InfraBlessing),
        directory=str(base),
        keep=2,
        await_promotion=await_promotion,
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
    _refused(tmp_path, _inputs(tmp_path, 1, 1), await_promotion=True)


def _refused(folder: Path, inputs: dict[str, list[Any]], await_promotion: bool = False) -> None:
    pusher = _pusher(folder / "serving", await_promotion)
    outputs = {"pushed_model": _artifact("PushedModel", folder / "pushed")}
    pusher.executor_spec.executor_class().Do(inputs, outputs, pusher.exec_properties)
    assert outputs["pushed_model"][0].get_int_custom_property("pushed") == 0
    assert not (folder / "serving").exists()
