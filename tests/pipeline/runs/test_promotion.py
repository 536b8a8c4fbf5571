"""The moment before a push: one at a time, against the champion of now, never against a pin."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from pipeline import REGISTRY_RESOLVER
from pipeline.runs import promotion
from pipeline.runs.lineage import NodeRun, Output, PipelineRun
from pipeline.runs.promotion import ChampionMoved, as_pinned, check_champion, push_lock
from reelflow.base.errors import ReelflowError
from reelflow.config import Config
from reelflow.config.layout import PIPELINE_NAME, Layout
from reelflow.registry.pins import pin, pinned
from reelflow.registry.store import Registry
from tests import registries


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Layout.of(tmp_path / "out")


@pytest.fixture
def registry(layout: Layout, tmp_path: Path) -> Registry:
    """Two versions, of which the second is champion."""
    registrar = registries.registrar(layout.registry.parent, PIPELINE_NAME)
    (tmp_path / "model").mkdir()
    (tmp_path / "model/MLmodel").touch()
    for number in (1, 2):
        registries.register(registrar, tmp_path / "model", f"hash-{number}")
        registrar.promote(number)
    return registrar


def _held_against(monkeypatch: pytest.MonkeyPatch, model_hash: str | None) -> None:
    outputs = []
    if model_hash is not None:
        outputs = [Output("Model", Path("/m"), {"model_hash": model_hash}, "model")]
    run = PipelineRun("r1", [NodeRun(REGISTRY_RESOLVER, "done", 1.0, outputs)])
    monkeypatch.setattr(promotion, "read_run", lambda *_: run)


def test_two_pushes_take_turns(layout: Layout) -> None:
    order: list[str] = []

    def second() -> None:
        with push_lock(layout):
            order.append("second")

    layout.output.mkdir()
    with push_lock(layout):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_lock_that_stays_is_said(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotion, "WAIT_SECONDS", 0.1)
    layout.output.mkdir()

    def second() -> None:
        with push_lock(layout):
            pass

    with push_lock(layout), pytest.raises(ReelflowError, match="has not ended for"):
        second()


def test_the_champion_is_the_one_of_before(
    layout: Layout, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    _held_against(monkeypatch, "hash-2")
    check_champion(Config(), layout, "r1")
    registry.step_back()
    with pytest.raises(ChampionMoved):
        check_champion(Config(), layout, "r1")


def test_a_first_champion_meanwhile_is_noticed(
    layout: Layout, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    _held_against(monkeypatch, None)
    with pytest.raises(ChampionMoved):
        check_champion(Config(), layout, "r1")


def test_without_a_registry_there_is_nothing_to_notice(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    _held_against(monkeypatch, None)
    check_champion(Config(), layout, "r1")
    assert as_pinned(Config(), layout) == (Config(), None)


def test_a_pin_keeps_runs_from_pushing(
    layout: Layout, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    _held_against(monkeypatch, "hash-2")
    assert pinned(registry) is None
    pin(registry, 2)
    changed, number = as_pinned(Config(), layout)
    assert number == 2
    assert not changed.registry.promote
    with pytest.raises(ChampionMoved):  # pinned while the run was at work
        check_champion(Config(), layout, "r1")
    check_champion(changed, layout, "r1")
    pin(registry, None)
    assert as_pinned(Config(), layout) == (Config(), None)
