"""`reelflow compare` and `reelflow sweep`: refusals, output, files, and the cache."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.cli.compare import baseline_names, compared_configs, weighed, weights_of
from reelflow.base.errors import BadInput
from reelflow.config import BASELINES, Config
from reelflow.config.layout import Layout
from reelflow.data.sample import write_sample
from tests.command import reelflow


def test_baselines_by_name() -> None:
    assert baseline_names(None) == list(BASELINES)
    assert baseline_names("ease, ials,ease") == ["ease", "ials"]
    assert baseline_names("none") == []


def test_an_unknown_baseline_is_refused_with_the_nearest() -> None:
    with pytest.raises(BadInput, match="'esae'; the nearest is ease"):
        baseline_names("popularity,esae")


def test_two_configurations_of_one_name(tmp_path: Path) -> None:
    options = ["--config", "sample", "--config", str(tmp_path / "sample.toml")]
    result = CliRunner().invoke(app, ["compare", *options, "--output", str(tmp_path)])
    assert result.exit_code == 2


def test_configurations_are_called_by_preset_and_share_data_and_split(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[split]\nseed = 7\n")
    source = str(tmp_path / "mine.toml")
    found = compared_configs(Layout.of(tmp_path), [source], ["best", "best"], None, None, [])
    assert list(found) == ["mine", "best"]
    assert {config.split.seed for config in found.values()} == {7}


def test_columns_that_one_asks_for_are_read_for_all(tmp_path: Path) -> None:
    found = compared_configs(Layout.of(tmp_path), [], ["best", "features"], None, None, [])
    assert {config.data.movie_features for config in found.values()} == {("director", "star")}
    assert all(config.data.use_users for config in found.values())
    assert [config.model.user_features for config in found.values()] == [False, True]


def test_without_configurations_the_default_preset_is_compared(tmp_path: Path) -> None:
    assert list(compared_configs(Layout.of(tmp_path), [], [], None, None, [])) == ["best"]


def test_an_unknown_preset_is_refused(tmp_path: Path) -> None:
    options = ["--preset", "bst", "--output", str(tmp_path)]
    result = CliRunner().invoke(app, ["compare", *options])
    assert result.exit_code == 2


@pytest.mark.slow
def test_models_and_baselines_on_one_split(tmp_path: Path) -> None:
    data = write_sample(tmp_path / "data", users=60, movies=80, ratings=1600)
    small = tmp_path / "small.toml"
    small.write_text(
        "[train]\nepochs = 1\nseeds = 1\nrefit = false\n"
        "[model]\nembedding_size = 4\nrating_embedding_size = 4\n"
    )
    options = ["--data", data, "--output", tmp_path / "out", "--config", small]
    ended = reelflow("compare", *options, "--baselines", "popularity,ease")
    assert ended.code == 0, ended.output
    assert "top-100, unseen" in ended.stdout
    assert "\x1b" not in ended.stdout

    [page] = (tmp_path / "out" / "compare").glob("*.md")
    assert "| metric | popularity | ease | small |" in page.read_text()
    report = json.loads(page.with_suffix(".json").read_text())
    for entry in report["entries"]:
        assert 0 <= entry["metrics"]["unseen/top_10"] <= 1
        assert entry["parameters"] > 0
        assert entry["fit_seconds"] is not None

    # Each value alone would do, both together do not: every trial fails.
    bad = tmp_path / "bad.toml"
    bad.write_text(
        "[tuner]\ntrials = 1\n[tuner.space.train]\n"
        "[tuner.space.model]\nretrieval_weight = [0.0]\nrating_weight = [0.0]\n"
    )
    more = ["--baselines", "none", "--config", bad, "--seeds", "2"]
    ended = reelflow("compare", *options, *more)
    assert ended.code == 1, ended.output
    assert "small                  cached" in ended.stdout
    assert "bad failed: None of the tuner's 1 trials succeeded." in ended.stderr
    page = max((tmp_path / "out" / "compare").glob("*.md"))
    assert "| metric | small | small-seed43 |" in page.read_text()
    assert "bad-seed43 failed: " in page.read_text()
    again = json.loads(page.with_suffix(".json").read_text())
    assert again["entries"][0] == report["entries"][2]
    assert set(again["failures"]) == {"bad", "bad-seed43"}
    assert again["seeds"][0].startswith("small: ")


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
    quick = ["--set", "train.epochs=1", "--set", "train.refit=false"]
    result = CliRunner().invoke(app, ["sweep", *options, *quick])
    assert result.exit_code == 0, result.output
    [kept] = (tmp_path / "out" / "compare").glob("sweep-*.json")
    entries = json.loads(kept.read_text(encoding="utf-8"))["entries"]
    assert [e["name"] for e in entries] == ["retrieval-0", "retrieval-0.5", "retrieval-1"]
    assert all(0.5 < e["metrics"]["rmse"] < 3 for e in entries)
