"""Paths in the output folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelflow.config.layout import Layout


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    layout = Layout.of("out")
    assert layout.metadata == tmp_path / "out" / "metadata.db"
    assert layout.serving == tmp_path / "out" / "serving" / "reelflow"
    assert layout.run("r1").summary == tmp_path / "out" / "runs" / "r1" / "summary.json"


def test_latest_moves_and_survives_a_move_of_the_folder(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path / "out")
    for run in ("r1", "r2"):
        layout.run(run).path.mkdir(parents=True)
        layout.run(run).summary.write_text(run)
        layout.point_latest_to(run)
    assert (layout.latest / "summary.json").read_text() == "r2"
    layout.output.rename(tmp_path / "moved")
    assert (tmp_path / "moved" / "latest" / "summary.json").read_text() == "r2"
    assert sorted(path.name for path in (tmp_path / "moved").iterdir()) == ["latest", "runs"]
