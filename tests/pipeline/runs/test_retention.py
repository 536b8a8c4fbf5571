"""Retention: bounded, and nothing goes that is still needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelflow.config import Config
from reelflow.config.layout import PIPELINE_NAME, Layout
from reelflow.config.loading import load
from reelflow.registry.pins import pin
from reelflow.registry.store import Registry

launcher = pytest.importorskip("pipeline.runs.launcher")  # imports TFX

from pipeline.runs import retention  # noqa: E402
from pipeline.runs.finish import finish_run  # noqa: E402
from pipeline.runs.lineage import read_run  # noqa: E402
from tests import registries  # noqa: E402
from tests.pipeline import standin  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    layout = Layout.of(tmp_path / "out")
    layout.output.mkdir()
    return layout


def _config(tmp_path: Path, *changes: str) -> Config:
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    return load(None, [f"data.path={data}", *changes])


def _run(layout: Layout, config: Config, run_id: str) -> list[str]:
    """Run the stand-in, and return the states of its nodes that may be cached."""
    graph = standin.create_pipeline(config, str(layout.output))
    list(launcher.run(launcher.compile_pipeline(graph, run_id)))
    finish_run(layout, config, run_id)
    nodes = read_run(layout.metadata, run_id).nodes
    return [node.state for node in nodes if node.node != "ChampionResolver"]


def _clean(layout: Layout, config: Config) -> list[retention.Removal]:
    removals = retention.plan(layout, config)
    retention.carry_out(removals, layout, config)
    return removals


def _folders(layout: Layout) -> set[str]:
    return {str(path.relative_to(layout.artifacts)) for path in layout.artifacts.glob("*/*/*")}


def test_old_runs_go_and_the_cache_of_the_kept_ones_stays(layout: Layout, tmp_path: Path) -> None:
    keep = ("keep.runs=2", "keep.artifacts=1")
    first = _config(tmp_path, "gate.rmse_max=1.1", *keep)
    second = _config(tmp_path, "gate.rmse_max=1.2", *keep)
    _run(layout, first, "r1")
    _run(layout, second, "r2")
    # The reader's output is older than the second run, which has read it from the cache.
    removals = _clean(layout, second)
    kinds = {removal.kind for removal in removals}
    assert kinds == {"artifact"}
    left = _folders(layout)
    assert {folder.split("/")[0] for folder in left} == {"Reader", "Evaluator", "Pusher"}
    assert len([folder for folder in left if folder.startswith("Evaluator/evaluation")]) == 1
    assert _run(layout, second, "r3") == ["cached", "cached", "cached"]
    assert _run(layout, first, "r4") == ["cached", "done", "done"]
    _clean(layout, second)
    assert sorted(path.name for path in layout.runs.iterdir()) == ["r3", "r4"]
    assert layout.latest.resolve().name == "r4"
    assert _clean(layout, second) == []


def test_growth_ends(layout: Layout, tmp_path: Path) -> None:
    sizes = []
    for number in range(8):
        bound = f"gate.rmse_max={1 + number / 10}"
        config = _config(tmp_path, bound, "keep.runs=2", "keep.artifacts=2")
        _run(layout, config, f"r{number}")
        _clean(layout, config)
        sizes.append((len(_folders(layout)), len(list(layout.runs.iterdir()))))
    assert len(set(sizes[2:])) == 1


def test_what_failed_executions_left_goes(layout: Layout, tmp_path: Path) -> None:
    config = _config(tmp_path)
    _run(layout, config, "r1")
    left = layout.artifacts / "Trainer" / "model" / "77"
    left.mkdir(parents=True)
    (left / "part").write_bytes(bytes(1000))
    [removal] = _clean(layout, config)
    assert (removal.name, removal.bytes, removal.number) == ("Trainer/model/77", 1000, 0)
    assert not left.exists()


@pytest.fixture
def registry(layout: Layout, tmp_path: Path) -> Registry:
    """Six versions; the champions were 1, 2, 3 and 6, 4 is challenger, and 5 is canary."""
    registrar = registries.registrar(layout.registry.parent, PIPELINE_NAME)
    (tmp_path / "model").mkdir()
    (tmp_path / "model/MLmodel").write_bytes(bytes(100))
    for number in range(1, 7):
        registries.register(registrar, tmp_path / "model", f"hash-{number}")
    for number in (1, 2, 3, 6):
        registrar.promote(number)
    registrar.set_alias("challenger", 4)
    registrar.set_alias("canary", 5)
    registrar.set_alias("shadow", 5)
    return registrar


def test_versions_that_are_needed_stay(layout: Layout, tmp_path: Path, registry: Registry) -> None:
    pin(registry, 1)
    config = _config(tmp_path, "keep.versions=1", "keep.champions=2")
    removals = retention.plan(layout, config)
    # 6 serves, 3 was champion before, 4 is challenger, 5 on trial, 1 is pinned.
    assert [removal.name for removal in removals] == ["version 2"]
    assert all(removal.bytes == 100 for removal in removals)
    folders = [removal.path for removal in removals]
    assert all(folder is not None and folder.is_dir() for folder in folders)
    retention.carry_out(removals, layout, config)
    assert [version.number for version in registry.versions()] == [1, 3, 4, 5, 6]
    assert not any(folder is not None and folder.exists() for folder in folders)
    registry.step_back()
    assert registry.aliases()["champion"] == 3
    # What was rolled back is no champion any more, and with a newer one not the newest.
    assert retention.plan(layout, config) == []
    registries.register(registry, tmp_path / "model", "hash-7")
    assert [removal.name for removal in retention.plan(layout, config)] == ["version 6"]


def test_what_a_registration_that_was_cut_off_has_left_goes(
    layout: Layout, tmp_path: Path, registry: Registry
) -> None:
    experiment = registry.client.get_experiment_by_name(registry.name)
    tags = {"reelflow.model_hash": "hash"}
    cut = registry.client.create_run(experiment.experiment_id, tags=tags)
    registry.client.log_text(cut.info.run_id, "half a model", "model/part")
    own = registry.client.create_run(experiment.experiment_id)  # somebody's own notes
    config = _config(tmp_path)
    [removal] = retention.plan(layout, config)
    assert (removal.kind, removal.name) == ("registration", cut.info.run_id)
    retention.carry_out([removal], layout, config)
    assert removal.path is not None
    assert not removal.path.exists()
    assert registry.client.get_run(own.info.run_id).info.lifecycle_stage == "active"
    assert retention.plan(layout, config) == []
    assert len(registry.versions()) == 6


def test_the_run_of_a_kept_version_stays(
    layout: Layout, tmp_path: Path, registry: Registry
) -> None:
    registry.tag(6, {"reelflow.run_id": "r1"})
    config = _config(tmp_path, "keep.runs=1", "keep.artifacts=1")
    for number in (1, 2, 3):
        _run(layout, config, f"r{number}")
    _clean(layout, config)
    assert sorted(path.name for path in layout.runs.iterdir()) == ["r1", "r3"]
