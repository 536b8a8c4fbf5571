"""One comparison on the same rows: the model, its champion, the baselines."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from reelflow.base.errors import BadInput
from reelflow.config import GateConfig
from reelflow.encoding.encode import with_validation
from reelflow.evaluation import comparison
from reelflow.evaluation.comparison import compare
from reelflow.evaluation.predictions import TestRows
from reelflow.evaluation.results import METRICS_FILE, OVERALL, Chosen, Results
from reelflow.evaluation.slices import CHAMPIONS_USERS
from reelflow.saved_model.files import ModelInfo
from tests.encoded_data import Checkerboard, encoded

if TYPE_CHECKING:
    from tests.reelflow.trained import Trained

GATE = GateConfig(baselines=("popularity",))


def _rows(model: Trained) -> TestRows:
    ids = np.array([row[:2] for row in model.board.test], object)
    return TestRows(ids[:, 0], ids[:, 1], model.data.test)


@pytest.fixture(scope="module")
def results(model: Trained, saved_model: Path) -> Results:
    return compare(saved_model, saved_model, _rows(model), model.data, GATE, seed=0).results


def test_the_checkerboard_is_solved_and_popularity_is_not(results: Results) -> None:
    assert results.rows == results.all_rows == 24
    # Three movies are left of each colour, and nothing tells them apart.
    assert results.metrics.unseen["top_5"] == 1
    assert results.metrics.rmse < 1
    assert results.baselines["popularity"].unseen["top_5"] < 1


def test_baselines_know_train_and_validation_whatever_the_model_was_trained_on(
    model: Trained, saved_model: Path, tmp_path: Path
) -> None:
    """The model knows both as well, by its timelines; it is the same all the while."""
    refit = shutil.copytree(saved_model, tmp_path / "refit")
    ModelInfo.read(saved_model).model_copy(update={"train": {"refit": True}}).write(refit)
    together = with_validation(model.data)
    refitted, joined, without = (
        compare(folder, None, _rows(model), data, GATE, seed=0).results
        for folder, data in (
            (refit, model.data),
            (saved_model, together),
            (saved_model, model.data),
        )
    )
    assert refitted.metrics == joined.metrics == without.metrics
    assert refitted.baselines == joined.baselines == without.baselines


def test_settings_and_budget_of_baselines_are_told(model: Trained, saved_model: Path) -> None:
    gate = GATE.model_copy(update={"baselines": ("popularity", "ease")})
    chosen = compare(saved_model, None, _rows(model), model.data, gate, seed=0).results.chosen
    assert chosen["popularity"] == Chosen({}, tried=1)
    assert (chosen["ease"].tried, chosen["ease"].rows) == (5, 24)
    assert set(chosen["ease"].settings) == {"ridge"}


def test_the_same_model_has_the_same_figures(results: Results) -> None:
    assert results.champion == results.metrics


def test_slices_add_up(results: Results) -> None:
    for key in ("user_activity", "movie_popularity", "knowledge"):
        parts = [part for part in results.slices if part.key == key]
        assert sum(part.rows for part in parts) == results.rows
        total = sum(part.rows * part.unseen["mrr"] for part in parts)
        assert total / results.rows == pytest.approx(results.metrics.unseen["mrr"])
        squares = sum(part.rows * part.rmse**2 for part in parts)
        assert squares / results.rows == pytest.approx(results.metrics.rmse**2)
    assert {"user_activity": "1-19"} in [part.slice for part in results.slices]


def test_every_slice_has_intervals_around_its_figures(results: Results) -> None:
    last = results.slices[-1]
    assert (last.key, last.label, last.rows) == ("genre", "(none)", 24)
    for part in results.slices:
        low, high = part.intervals["unseen/top_10"]
        assert low <= part.value("unseen/top_10") <= high


def test_bounds_are_those_of_champion_and_baselines(results: Results) -> None:
    bounds = {bound.name: bound for bound in results.gate.bounds}
    # Of twenty movies all are among the first hundred.
    assert set(bounds) == {"rmse_against_champion", "rmse_against_biases"}
    assert results.omitted == [50, 100]
    assert results.gate.not_gated == [
        "Top-100 accuracy (unseen) is not gated: the catalogue has 20 movies, so that any of them "
        "is there."
    ]
    itself = bounds["rmse_against_champion"]
    assert (itself.difference, itself.interval, itself.kept) == (0.0, (0.0, 0.0), True)
    biases = bounds["rmse_against_biases"]
    assert biases.threshold == pytest.approx(0.05 * biases.reference)
    assert biases.value == results.metrics.rmse


def test_three_protocols_means_over_users_and_the_stars_of_hits(results: Results) -> None:
    summary = results.metrics
    assert results.like_threshold == pytest.approx(2 + 0.7 * 3)
    assert 0 < summary.liked_rows < 24
    assert summary.liked["top_5"] == summary.unseen["top_5"] == 1
    # One test row a user: both means are the same.
    assert summary.over_users["unseen/mrr"] == pytest.approx(summary.unseen["mrr"])
    assert 2 < summary.stars_of_hits_10 < 5
    assert {"liked/top_10", "stars_of_hits_10"} < set(results.intervals.model)


def test_one_test_row_a_user_has_no_live_history(results: Results) -> None:
    assert results.live is None


def test_the_file_has_the_documented_keys_and_is_read_as_it_was_written(
    results: Results, tmp_path: Path
) -> None:
    results.write(tmp_path)
    content = json.loads((tmp_path / METRICS_FILE).read_text())
    documented = {"rows", "metrics", "baselines", "champion", "slices", "gate", "out_of_vocabulary"}
    assert documented | {"intervals", "calibration"} <= set(content)
    low, high = content["intervals"]["model"]["unseen/top_10"]
    assert low <= content["metrics"]["unseen"]["top_10"] <= high
    assert content["intervals"]["champion"] == content["intervals"]["model"]
    assert set(content["intervals"]["baselines"]) == {"popularity"}
    assert sum(part["rows"] for part in content["calibration"]) == content["rows"]
    assert {"raw", "unseen", "liked", "over_users", "rmse", "mae"} <= set(content["metrics"])
    assert set(content["baselines"]["popularity"]) == set(content["metrics"])
    assert content["out_of_vocabulary"] == {"users": 0, "movies": 0}
    assert content["gate"]["blessed"] is True
    assert Results.read(tmp_path) == results


def test_a_file_of_an_older_version_is_read(results: Results, tmp_path: Path) -> None:
    results.write(tmp_path)
    content = json.loads((tmp_path / METRICS_FILE).read_text())
    for key in ("retrieval", "live", "like_threshold", "movies", "omitted", "chosen"):
        del content[key]
    for summary in (content["metrics"], *content["baselines"].values(), *content["slices"]):
        for key in ("liked", "liked_rows", "stars_of_hits_10", "over_users"):
            del summary[key]
    known = ("name", "metric", "lower", "upper", "reason")
    content["gate"]["bounds"] = [
        {key: bound[key] for key in known} for bound in content["gate"]["bounds"]
    ]
    found = Results.of(content)
    assert found.metrics.unseen == results.metrics.unseen
    assert found.metrics.value("liked/top_10") is None
    assert [bound.kept for bound in found.gate.bounds] == [None, None]


def test_live_histories_are_measured_where_the_split_is_by_time(
    model: Trained, saved_model: Path
) -> None:
    """A second test rating of each user, later than the first, which it then knows."""
    board = model.board
    later = [(user, _other(board, user), 5.0, 900) for user in board.users]
    test = [*board.test, *later]
    data = encoded(board.train, board.validation, test, board.movies)
    ids = np.array([row[:2] for row in test], object)
    rows = TestRows(ids[:, 0], ids[:, 1], data.test)
    live = compare(saved_model, None, rows, data, GATE, seed=0).results.live
    assert live is not None
    assert live.rows == 48
    assert live.nightly.unseen["mrr"] < live.metrics.unseen["mrr"]
    low, high = live.intervals["unseen/mrr"]
    assert low <= live.metrics.unseen["mrr"] <= high


def _other(board: Checkerboard, user: str) -> str:
    """The last movie of the user's colour that it has not rated anywhere."""
    rated = {row[1] for row in [*board.train, *board.validation, *board.test] if row[0] == user}
    [movie] = board.right_answers(user) - rated
    return movie


def test_too_many_rows_are_sampled_by_seed(model: Trained, saved_model: Path) -> None:
    gate = GATE.model_copy(update={"max_test_rows": 10, "baselines": ()})
    whole = _rows(model)
    half = np.array(["first", "second"]).repeat(12)
    one, again, other = (
        compare(saved_model, None, whole, model.data, gate, seed, {"half": half}).results
        for seed in (1, 1, 2)
    )
    assert sum(part.rows for part in one.slices if part.key == "half") == 10
    assert (one.rows, one.all_rows) == (10, 24)
    assert one.champion is None
    assert one.metrics == again.metrics != other.metrics


def test_the_champions_users_have_bounds_of_their_own(
    model: Trained, saved_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = GATE.model_copy(update={"baselines": ()})
    rows = _rows(model)
    some = sorted(set(rows.user_id))[:10]
    monkeypatch.setattr(comparison, "FEWEST_ROWS", 10)
    monkeypatch.setattr(comparison, "users_of", lambda _folder: some)
    found = compare(saved_model, saved_model, rows, model.data, gate, seed=0)
    [own] = [part for part in found.results.slices if part.label == CHAMPIONS_USERS]
    assert own.rows == int(np.isin(rows.user_id.astype(str), some).sum())
    [bound] = [bound for bound in found.results.gate.bounds if not bound.over_all]
    assert bound.name == "rmse_against_champion_for_its_users"
    assert bound.value == bound.reference == own.rmse
    assert all(result.slice == OVERALL for result in found.bounds)  # as TFMA has them
    monkeypatch.setattr(comparison, "FEWEST_ROWS", 1000)
    alone = compare(saved_model, saved_model, rows, model.data, gate, seed=0).results
    assert all(bound.over_all for bound in alone.gate.bounds)


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
    found = compare(saved_model, None, lost, model.data, GATE, seed=0).results
    [cold] = [part for part in found.slices if part.slice == {"movie_popularity": "0"}]
    [new] = [part for part in found.slices if part.slice == {"knowledge": "new movies"}]
    assert cold.rows == new.rows == 23
    assert found.out_of_vocabulary == {"users": 0, "movies": 23 / 24}
    assert cold.unseen["mrr"] == cold.raw["mrr"] == pytest.approx(1 / 21)
    # At best the only known movie is the first.
    assert found.baselines["popularity"].unseen["mrr"] <= (1 + 23 / 21) / 24 + 1e-9
