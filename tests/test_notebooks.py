"""The notebooks of the documents, cell by cell, in the order of their numbers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
def test_the_notebooks_run(tmp_path: Path) -> None:
    copies = [Path(shutil.copy(file, tmp_path)) for file in NOTEBOOKS]
    assert len(copies) == 3
    for copy in copies:  # later ones read what the first one made
        ended = subprocess.run(
            [Path(sys.executable).with_name("jupyter-execute"), "--inplace", copy],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.getcwd()},
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, ended.stderr[-2000:]
    cells = [cell for copy in copies for cell in json.loads(copy.read_text("utf-8"))["cells"]]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    assert sum("text/html" in output.get("data", {}) for output in outputs) >= 12
