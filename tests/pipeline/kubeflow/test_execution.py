"""A node that is started again in the same run, after each result of an earlier execution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reelflow.config.loading import load

launcher = pytest.importorskip("pipeline.runs.launcher")  # imports TFX

from pipeline.kubeflow.task import prepare_execution  # noqa: E402
from pipeline.runs.lineage import read_run  # noqa: E402
from reelflow.config.layout import Layout  # noqa: E402
from tests.pipeline import standin  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.kubeflow]


class Killed(BaseException):
    """Ends an executor as a signal would: nobody records a failure or removes outputs."""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """An output folder, and data beside it."""
    (tmp_path / "data").mkdir()
    layout = Layout.of(tmp_path / "out")
    layout.output.mkdir()
    return layout


def _ir(layout: Layout) -> Any:
    config = load(None, [f"data.path={layout.output.parent / 'data'}"])
    return launcher.compile_pipeline(standin.create_pipeline(config, str(layout.output)), "r1")


def _attempt(layout: Layout, node: str) -> tuple[str, str | None]:
    """The earlier execution, and the state after launching the node; None if it was not."""
    ir = _ir(layout)
    before = prepare_execution(ir, node)
    return before, None if before == "finished" else launcher.launch_node(ir, node).state


def _executions(layout: Layout) -> list[tuple[str, str]]:
    return [(node.node, node.state) for node in read_run(layout.metadata).nodes]


def test_a_killed_attempt_is_taken_over_without_its_files(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    half: list[Path] = []
    write_text = Path.write_text

    def killed(self: Path, *args: Any, **kwargs: Any) -> int:
        half.append(self.with_name("half-of-it"))
        write_text(half[0], "x")
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", killed)
        with pytest.raises(Killed):
            _attempt(layout, "Reader")
    assert _executions(layout) == [("Reader", "running")]
    assert half[0].is_file()

    assert _attempt(layout, "Reader") == ("unfinished", "done")
    assert _executions(layout) == [("Reader", "done")]
    assert not half[0].exists()
    assert half[0].with_name("report.json").is_file()


def test_a_failed_attempt_is_taken_over(layout: Layout) -> None:
    fault = layout.output.parent / "data" / "raise"
    fault.write_text("boom")
    with pytest.raises(ValueError, match="boom"):
        _attempt(layout, "Reader")
    assert _executions(layout) == [("Reader", "failed")]
    fault.unlink()
    assert _attempt(layout, "Reader") == ("unfinished", "done")
    assert _executions(layout) == [("Reader", "done")]


def test_what_is_finished_stays_finished(layout: Layout) -> None:
    for node in ("ChampionResolver", "Reader"):
        assert _attempt(layout, node) == ("none", "done")
        assert _attempt(layout, node) == ("finished", None)
    assert _executions(layout) == [("ChampionResolver", "done"), ("Reader", "done")]
    assert _attempt(layout, "Evaluator") == ("none", "done")
