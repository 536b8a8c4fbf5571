"""`reelflow sweep`: one model, several weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.cli.compare import weighed, weights_of
from reelflow.base.errors import BadInput
from reelflow.config import Config
from reelflow.data.sample import write_sample


def test_weights_are_ascending_and_each_once() -> None:
    assert weights_of("1, 0,.5,1,") == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("text", ["a,b", "", "0.5,1.5", "-1", "nan"])
def test_what_is_no_weight_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="--weights"):
        weights_of(text)


def test_what_one_task_gets_the_other_loses() -> None:
    found = weighed(Config(), [0.0, 0.25, 1.0])
    assert list(found) == ["retrieval-0", "retrieval-0.25", "retrieval-1"]
    weights = [(c.model.retrieval_weight, c.model.rating_weight) for c in found.values()]
    assert weights == [(0.0, 1.0), (0.25, 0.75), (1.0, 0.0)]


@pytest.mark.slow
def test_the_whole_sweep_is_one_table(tmp_path: Path) -> None:
    """Shared embeddings, from rating alone to retrieval alone."""
    data = write_sample(tmp_path / "data", users=60, movies=80, ratings=1600)
    options = ["--weights", "0,0.5,1", "--data", str(data), "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(app, ["sweep", *options, "--set", "train.epochs=1"])
    assert result.exit_code == 0, result.output
    [kept] = (tmp_path / "out" / "compare").glob("sweep-*.json")
    entries = json.loads(kept.read_text(encoding="utf-8"))["entries"]
    assert [e["name"] for e in entries] == ["retrieval-0", "retrieval-0.5", "retrieval-1"]
    assert all(0.5 < e["metrics"]["rmse"] < 3 for e in entries)
