"""The notebooks of the documents, cell by cell, in the order of their numbers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
def test_the_notebooks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    assert len(NOTEBOOKS) == 3
    tables = 0
    for file in NOTEBOOKS:  # later ones read what the first one made
        notebook = nbformat.read(file, as_version=4)
        NotebookClient(
            notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
        ).execute()
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
        tables += sum("text/html" in output.get("data", {}) for output in outputs)
    assert tables >= 12
