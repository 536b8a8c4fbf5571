"""A pipeline is run node by node, and says what happens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reelflow.base.errors import BadInput, ReelflowError
from reelflow.config import Config
from reelflow.config.layout import Layout
from reelflow.config.loading import load

launcher = pytest.importorskip("pipeline.runs.launcher")  # imports TFX

from ml_metadata.metadata_store import metadata_store  # noqa: E402
from ml_metadata.proto import metadata_store_pb2  # noqa: E402

from pipeline.runs.finish import summarize  # noqa: E402
from pipeline.runs.lineage import Output, newest_run_id, read_run  # noqa: E402
from reelflow.registry.registration import Registration  # noqa: E402
from reelflow.registry.store import Registry  # noqa: E402
from reelflow.registry.variants import drop, place  # noqa: E402
from tests.pipeline import standin  # noqa: E402
from tests.registries import register, registrar  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A configuration whose data folder is there."""
    (tmp_path / "data").mkdir()
    return load(None, [f"data.path={tmp_path / 'data'}"])


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """An output folder."""
    layout = Layout.of(tmp_path / "out")
    layout.output.mkdir()
    return layout


def _ir(config: Config, layout: Layout, run_id: str):  # type: ignore[no-untyped-def]
    pipeline = standin.create_pipeline(config, str(layout.output))
    return launcher.compile_pipeline(pipeline, run_id)


def _states(config: Config, layout: Layout, run_id: str) -> dict[str, str]:
    events = list(launcher.run(_ir(config, layout, run_id)))
    started = [event.node for event in events if isinstance(event, launcher.NodeStarted)]
    finished = [event for event in events if isinstance(event, launcher.NodeFinished)]
    assert started == [event.node for event in finished]
    return {event.node: event.state for event in finished}


def test_nodes_run_in_order_and_then_come_from_the_cache(config: Config, layout: Layout) -> None:
    done = dict.fromkeys(["ChampionResolver", "Reader", "Evaluator", "Pusher"], "done")
    assert _states(config, layout, "r1") == done
    # A resolver looks things up: it never comes from the cache.
    cached = dict.fromkeys(done, "cached") | {"ChampionResolver": "done"}
    assert _states(config, layout, "r2") == cached

    assert newest_run_id(layout.metadata) == "r2"
    summary = summarize(read_run(layout.metadata, "r2"), config)
    assert summary.cached == ["Reader", "Evaluator", "Pusher"]
    assert summary.data is not None
    assert summary.data.quarantined == {"rating": 1}
    assert summary.model_dump()["gate"] == {
        "blessed": True,
        "reasons": ["RMSE 0.9 keeps the bound 1.2"],
        "not_gated": [],
    }
    assert summary.pushed == str(layout.serving / "1")


def test_nodes_in_their_order(config: Config, layout: Layout) -> None:
    ir = _ir(config, layout, "r1")
    assert launcher.node_ids(ir) == ["ChampionResolver", "Reader", "Evaluator", "Pusher"]


def test_rows_of_a_node_are_those_kept() -> None:
    kept = Output("Examples", Path("examples"), {"rows": 100})
    refused = Output("ReelflowQuarantine", Path("quarantine"), {"rows": 5_000})
    assert launcher.rows_of([kept, refused, Output("Catalogue", Path("c"), {})]) == 100
    assert launcher.rows_of([refused]) is None


def test_a_node_whose_inputs_are_missing_fails(config: Config, layout: Layout) -> None:
    ir = _ir(config, layout, "r1")
    with pytest.raises(ReelflowError, match="Evaluator could not get its inputs"):
        launcher.launch_node(ir, "Evaluator")


def test_our_error_is_surfaced_and_ends_the_run(config: Config, layout: Layout) -> None:
    Path(config.data.path or "", "raise").write_text("bad")
    with pytest.raises(BadInput, match="no ratings") as caught:
        list(launcher.run(_ir(config, layout, "r1")))
    assert caught.value.remedy == "Give some."
    run = read_run(layout.metadata)
    assert [(node.node, node.state) for node in run.nodes] == [
        ("ChampionResolver", "done"),
        ("Reader", "failed"),
    ]


def test_other_errors_stay_as_they_are(config: Config, layout: Layout) -> None:
    Path(config.data.path or "", "raise").write_text("boom")
    run = launcher.run(_ir(config, layout, "r1"))
    events = [next(run) for _ in range(4)]
    assert events[-1].node == "Reader"
    assert events[-1].state == "failed"
    with pytest.raises(ValueError, match="boom"):
        next(run)


def test_a_killed_run_holds_nothing_up(config: Config, layout: Layout) -> None:
    _states(config, layout, "r1")
    store_config = metadata_store_pb2.ConnectionConfig()
    store_config.sqlite.filename_uri = str(layout.metadata)
    store = metadata_store.MetadataStore(store_config)
    executions = store.get_executions()
    for execution in executions:  # as if the process had died in every node
        execution.last_known_state = metadata_store_pb2.Execution.RUNNING
    store.put_executions(executions)
    assert set(_states(config, layout, "r2").values()) <= {"done", "cached"}


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        (lambda registry: None, False),
        (lambda registry: registry.client.delete_model_version(registry.name, "1"), True),
        (
            lambda registry: registry.client.delete_registered_model_alias(
                registry.name, "champion"
            ),
            True,
        ),
    ],
)
def test_a_registration_is_held_against_the_registry(
    tmp_path: Path, change: Callable[[Registry], None], lost: bool
) -> None:
    registry = registrar(tmp_path / "registry")
    (tmp_path / "model").mkdir()
    (tmp_path / "model/MLmodel").touch()
    register(registry, tmp_path / "model", "abc")
    registry.promote(1)
    record = Registration(registry="", name="movies", alias="champion", version=1, model_hash="abc")
    assert launcher._has_lost(registry, None) is False
    change(registry)
    assert launcher._has_lost(registry, record) is lost
    another = Registry(f"sqlite:///{tmp_path}/none.db", "movies")
    assert launcher._has_lost(another, record) is True


def test_a_canary_whose_folder_is_lost_is_brought_back(tmp_path: Path) -> None:
    registry = registrar(tmp_path / "registry")
    (tmp_path / "model").mkdir()
    (tmp_path / "model/saved_model.pb").touch()
    register(registry, tmp_path / "model", "abc")
    registry.set_alias("canary", 1)
    record = Registration(registry="", name="movies", alias="canary", version=1, model_hash="abc")
    assert launcher._has_gone(record, tmp_path / "serving", registry)
    place(tmp_path / "model", tmp_path / "serving", "canary", 0.1)
    assert not launcher._has_gone(record, tmp_path / "serving", registry)
    drop(registry, tmp_path / "serving", "canary")  # by a user
    assert not launcher._has_gone(record, tmp_path / "serving", registry)
    assert launcher._has_lost(registry, record) is False


def test_an_unknown_run_is_an_error(layout: Layout) -> None:
    assert newest_run_id(layout.metadata) is None
    with pytest.raises(ReelflowError, match="knows no run"):
        read_run(layout.metadata)
