"""Paths in the output folder, and the hash of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelflow.config.layout import Layout, code_hash


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


def test_only_code_of_the_nodes_counts(tmp_path: Path) -> None:
    """The cache's key changes with the code that the nodes run, and with nothing else."""
    node = tmp_path / "components" / "trainer" / "fit.py"
    node.parent.mkdir(parents=True)
    node.write_text("epochs = 1")
    before = code_hash(tmp_path)
    (tmp_path / "README.md").write_text("words")
    assert code_hash(tmp_path) == before
    node.write_text("epochs = 2")
    assert code_hash(tmp_path) != before


def test_our_own_code_is_found() -> None:
    assert code_hash() != code_hash(Path("/nowhere"))
