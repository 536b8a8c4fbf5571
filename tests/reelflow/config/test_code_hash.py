"""The cache's key changes with the code that the nodes run, and with nothing else."""

from __future__ import annotations

from pathlib import Path

from reelflow.config.layout import code_hash


def test_only_code_of_the_nodes_counts(tmp_path: Path) -> None:
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
