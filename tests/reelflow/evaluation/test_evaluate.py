"""One comparison on the same rows: the model, its champion, the baselines."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from reelflow.base.errors import BadInput
from reelflow.config import GateConfig
from reelflow.encoding.encode import with_validation
from reelflow.evaluation.comparison import Comparison, compare
from reelflow.evaluation.predictions import TestRows
from reelflow.saved_model.files import ModelInfo

if TYPE_CHECKING:
    from tests.reelflow.trained import Trained

GATE = GateConfig(baselines=("popularity",))


def _rows(model: Trained) -> TestRows:
    ids = np.array([row[:2] for row in model.board.test], object)
    return TestRows(ids[:, 0], ids[:, 1], model.data.test)


@pytest.fixture(scope="module")
def comparison(model: Trained, saved_model: Path) -> Comparison:
    return compare(saved_model, saved_model, _rows(model), model.data, GATE, seed=0)


def test_the_checkerboard_is_solved_and_popularity_is_not(comparison: Comparison) -> None:
    assert comparison.rows == comparison.all_rows == 24
    # Three movies are left of each colour, and nothing tells them apart.
    assert comparison.model.unseen["top_5"] == 1
    assert comparison.model.rmse < 1
    assert comparison.baselines["popularity"].unseen["top_5"] < 1


def test_baselines_learn_from_what_the_model_has_learned_from(
    model: Trained, saved_model: Path, tmp_path: Path
) -> None:
    """Of a model that knows validation too, they do; the model is the same all the while."""
    refit = shutil.copytree(saved_model, tmp_path / "refit")
    ModelInfo.read(saved_model).model_copy(update={"train": {"refit": True}}).write(refit)
    found = compare(refit, None, _rows(model), model.data, GATE, seed=0)
    together = with_validation(model.data)
    told = compare(saved_model, None, _rows(model), together, GATE, seed=0)
    without = compare(saved_model, None, _rows(model), model.data, GATE, seed=0)
    assert found.model == told.model == without.model
    assert found.baselines == told.baselines != without.baselines


def test_the_same_model_has_the_same_figures(comparison: Comparison) -> None:
    assert comparison.champion == comparison.model


def test_slices_add_up(comparison: Comparison) -> None:
    for key in ("user_activity", "movie_popularity"):
        parts = [part for part in comparison.slices if key in part["slice"]]
        assert sum(part["rows"] for part in parts) == comparison.rows
        total = sum(part["rows"] * part["unseen"]["mrr"] for part in parts)
        assert total / comparison.rows == pytest.approx(comparison.model.unseen["mrr"])
        squares = sum(part["rows"] * part["rmse"] ** 2 for part in parts)
        assert squares / comparison.rows == pytest.approx(comparison.model.rmse**2)
    assert {"user_activity": "1-19"} in [part["slice"] for part in comparison.slices]


def test_every_slice_has_intervals_around_its_figures(comparison: Comparison) -> None:
    assert {key: comparison.slices[-1][key] for key in ("slice", "rows")} == {
        "slice": {"genre": "(none)"},
        "rows": 24,
    }
    for part in comparison.slices:
        low, high = part["intervals"]["unseen/top_10"]
        assert low <= part["unseen"]["top_10"] <= high


def test_bounds_are_those_of_champion_and_baselines(comparison: Comparison) -> None:
    names = {bound.name for bound in comparison.bounds}
    assert {"rmse_against_champion", "top_100_accuracy_against_popularity"} <= names


def test_the_report_has_the_documented_keys(comparison: Comparison) -> None:
    report = comparison.report(["a reason"], ["rmse"], {"users": 0.0, "movies": 0.5})
    documented = {"rows", "metrics", "baselines", "champion", "slices", "gate", "out_of_vocabulary"}
    assert documented | {"intervals", "calibration"} <= set(report)
    low, high = report["intervals"]["model"]["unseen/top_10"]
    assert low <= report["metrics"]["unseen"]["top_10"] <= high
    assert report["intervals"]["champion"] == report["intervals"]["model"]
    assert set(report["intervals"]["baselines"]) == {"popularity"}
    assert sum(part["rows"] for part in report["calibration"]) == report["rows"]
    assert {"raw", "unseen", "rmse", "mae"} <= set(report["metrics"])
    assert set(report["baselines"]["popularity"]) == set(report["metrics"])
    assert report["gate"]["blessed"] is False
    assert report["gate"]["reasons"] == ["a reason"]
    assert comparison.report([], [], {})["gate"]["blessed"] is True


def test_too_many_rows_are_sampled_by_seed(model: Trained, saved_model: Path) -> None:
    gate = GATE.model_copy(update={"max_test_rows": 10, "baselines": ()})
    whole = _rows(model)
    half = np.array(["first", "second"]).repeat(12)
    one, again, other = (
        compare(saved_model, None, whole, model.data, gate, seed, {"half": half})
        for seed in (1, 1, 2)
    )
    assert sum(part["rows"] for part in one.slices if "half" in part["slice"]) == 10
    assert (one.rows, one.all_rows) == (10, 24)
    assert one.champion is None
    assert one.model == again.model != other.model


def test_an_empty_test_split_is_bad_input(model: Trained, saved_model: Path) -> None:
    nothing = _rows(model).take(np.zeros(0, np.int64))
    with pytest.raises(BadInput, match=r"empty.*split\.test"):
        compare(saved_model, None, nothing, model.data, GATE, seed=0)


def test_strangers_and_unknown_movies_count_against_the_model(
    model: Trained, saved_model: Path
) -> None:
    rows = _rows(model)
    ids, movies = rows.movie_id.copy(), rows.encoded.movie_index.copy()
    ids[1:], movies[1:] = "lost", 20  # all but one: a test split that is all lost is an error
    lost = dataclasses.replace(
        rows, movie_id=ids, encoded=dataclasses.replace(rows.encoded, movie_index=movies)
    )
    found = compare(saved_model, None, lost, model.data, GATE, seed=0)
    [cold] = [p for p in found.slices if p["slice"] == {"movie_popularity": "0"}]
    assert cold["rows"] == 23
    assert cold["unseen"]["mrr"] == cold["raw"]["mrr"] == pytest.approx(1 / 21)
    # At best the only known movie is the first.
    assert found.baselines["popularity"].unseen["mrr"] <= (1 + 23 / 21) / 24 + 1e-9
