"""The gate's figures against an independent reader of the model that is pushed.

The reader knows the public signatures of the SavedModel and the files of the split, and nothing
else: it asks for lists as any caller does, with the test ratings hidden, and counts by itself.
"""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from reelflow.config import GateConfig
from reelflow.evaluation.comparison import compare
from reelflow.evaluation.predictions import TestRows
from reelflow.evaluation.results import METRICS_FILE
from reelflow.saved_model.files import ModelInfo
from tests.reelflow.small_runs import SPLITS, SmallRun

TOP = (1, 5, 10, 50, 100)
NEWEST = 50
"""Ratings since the cut that a live history has, at most."""


class Rated(NamedTuple):
    """A row of a split's file."""

    user: str
    movie: str
    stars: float
    time: int


class Asked(NamedTuple):
    """A test row with the reader's findings."""

    row: Rated
    raw: int
    unseen: int
    stars: float


class Reader:
    """Asks a SavedModel; knows nothing of Reelflow but the names of signatures and columns."""

    def __init__(self, saved_model: Path) -> None:
        self._model = tf.saved_model.load(str(saved_model))
        self._recommend = self._model.signatures["serving_default"]
        self._rate = self._model.signatures["rate"]
        self._defaults = {
            "history": tf.constant([[""]]),
            "stars": tf.constant([[math.nan]]),
            "exclusions": tf.constant([[""]]),
            "k": tf.constant(1_000_000),
            "order": tf.constant("blend"),
            "min_rating": tf.constant(-math.inf),
            "include_seen": tf.constant(False),
            "allowed": tf.constant([[True]]),
            "as_judged": tf.constant(True),
        }

    def listed(self, user: str, **inputs: Any) -> dict[str, float]:
        """All movies that a user may get, with their scores, best first."""
        given = {name: tf.constant(value) for name, value in inputs.items()}
        found = self._recommend(user_id=tf.constant([user]), **{**self._defaults, **given})
        movies, scores = found["movie_id"][0].numpy(), found["score"][0].numpy()
        pairs = zip(movies.tolist(), scores.tolist(), strict=True)
        return {movie.decode(): score for movie, score in pairs if movie}

    def read(self, rows: Sequence[Rated], since: Callable[[Rated], list[Rated]]) -> list[Asked]:
        """Find the ranks of test rows, and their stars.

        Args:
            rows: the test rows.
            since: what a row's user has done since the cut, the newest last.
        """
        found = []
        for row in rows:
            past = since(row)
            own: dict[str, Any] = {}
            if past:
                own["history"] = [[one.movie for one in past]]
                own["stars"] = [[one.stars for one in past]]
            ranks = [
                _rank(self.listed(row.user, **own, include_seen=with_seen), row.movie)
                for with_seen in (True, False)
            ]
            ids = tf.constant([row.user]), tf.constant([row.movie])
            stars = float(self._rate(user_id=ids[0], movie_id=ids[1])["rating"][0])
            found.append(Asked(row, *ranks, stars))
        return found


def _rank(listed: dict[str, float], movie: str) -> int:
    """The place of a movie; among movies of one score the last."""
    assert [*listed.values()] == sorted(listed.values(), reverse=True)
    return sum(score >= listed[movie] for score in listed.values())


def _figures(asked: list[Asked], liked_from: float) -> dict[str, float]:
    """Metrics by path."""
    figures = {}
    liked = [one for one in asked if one.row.stars >= liked_from]
    for protocol, ranks in (
        ("raw", [one.raw for one in asked]),
        ("unseen", [one.unseen for one in asked]),
        ("liked", [one.unseen for one in liked]),
    ):
        for k in TOP:
            figures[f"{protocol}/top_{k}"] = sum(rank <= k for rank in ranks) / len(ranks)
        gains = [1 / math.log2(1 + rank) if rank <= 10 else 0.0 for rank in ranks]
        figures[f"{protocol}/ndcg_10"] = sum(gains) / len(ranks)
        figures[f"{protocol}/mrr"] = sum(1 / rank for rank in ranks) / len(ranks)
    errors = [one.stars - one.row.stars for one in asked]
    figures["rmse"] = math.sqrt(sum(error**2 for error in errors) / len(errors))
    figures["mae"] = sum(abs(error) for error in errors) / len(errors)
    hits = [one.row.stars for one in asked if one.unseen <= 10]
    figures["stars_of_hits_10"] = sum(hits) / len(hits)
    return figures


def _over_users(asked: list[Asked]) -> float:
    """The mean over users of their own unseen top-10 accuracy."""
    by_user = defaultdict(list)
    for one in asked:
        by_user[one.row.user].append(one.unseen <= 10)
    return sum(sum(hits) / len(hits) for hits in by_user.values()) / len(by_user)


@dataclass(frozen=True)
class Judged:
    """A run's files: the split, the model, and what the gate says of it."""

    files: dict[str, list[Rated]]
    saved_model: Path
    report: dict[str, Any]

    @property
    def liked_from(self) -> float:
        """70 % of the way from the lowest to the highest rating of train."""
        stars = [row.stars for row in self.files["train"]]
        return min(stars) + 0.7 * (max(stars) - min(stars))


def _judged(run: SmallRun, saved_model: Path, folder: Path) -> Judged:
    """Evaluate as the Evaluator does, and read all files back."""
    files = {}
    for split, rows in run.rows.items():
        with (folder / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
        with (folder / f"{split}.csv").open(newline="", encoding="utf-8") as file:
            files[split] = [Rated(u, m, float(s), int(t)) for u, m, s, t in csv.reader(file)]
    users, movies = (np.array([row[i] for row in run.rows["test"]], object) for i in (0, 1))
    rows = TestRows(users, movies, run.data.test)
    compare(saved_model, None, rows, run.data, GateConfig(baselines=()), 1).results.write(folder)
    return Judged(files, saved_model, json.loads((folder / METRICS_FILE).read_text()))


@pytest.fixture(scope="module", params=SPLITS)
def judged(
    request: pytest.FixtureRequest,
    small_run: Callable[[str], SmallRun],
    tmp_path_factory: pytest.TempPathFactory,
) -> Judged:
    run = small_run(request.param)
    return _judged(run, run.saved_model, tmp_path_factory.mktemp("judged"))


def _assert_same(figures: dict[str, float], summary: dict[str, Any]) -> None:
    for path, value in figures.items():
        protocol, _, key = path.rpartition("/")
        gate = summary[protocol][key] if protocol else summary[key]
        assert gate == pytest.approx(value, abs=1e-6), path


def test_the_gates_figures_are_those_of_what_is_served(judged: Judged) -> None:
    rows = judged.files["test"]
    asked = Reader(judged.saved_model).read(rows, since=lambda row: [])
    assert judged.report["rows"] == len(rows)
    assert judged.report["like_threshold"] == pytest.approx(judged.liked_from)
    _assert_same(_figures(asked, judged.liked_from), judged.report["metrics"])
    over_users = judged.report["metrics"]["over_users"]["unseen/top_10"]
    assert over_users == pytest.approx(_over_users(asked), abs=1e-6)


def test_live_figures_are_those_of_requests_with_what_has_been_done_since(judged: Judged) -> None:
    """Only where the split is by time: the history is what was rated strictly earlier."""
    known = [*judged.files["train"], *judged.files["validation"]]
    newest: dict[str, int] = defaultdict(int)
    for row in known:
        newest[row.user] = max(newest[row.user], row.time)
    test = judged.files["test"]
    by_time = all(row.time >= newest[row.user] for row in test)
    assert (judged.report["live"] is not None) is by_time
    if not by_time:
        return

    def since(row: Rated) -> list[Rated]:
        past = [one for one in test if one.user == row.user and one.time < row.time]
        return sorted(past, key=lambda one: one.time)[-NEWEST:]

    asked = Reader(judged.saved_model).read(test, since)
    assert judged.report["live"]["rows"] == len(test)
    _assert_same(_figures(asked, judged.liked_from), judged.report["live"]["metrics"])


def test_a_movie_of_test_may_be_recommended_only_where_a_model_is_judged(judged: Judged) -> None:
    reader = Reader(judged.saved_model)
    for row in judged.files["test"][:10]:
        assert row.movie in reader.listed(row.user)
        assert row.movie not in reader.listed(row.user, as_judged=False)


def test_the_threshold_of_a_like_is_in_the_models_own_description(judged: Judged) -> None:
    stars = ModelInfo.read(judged.saved_model).stars
    assert stars is not None
    assert stars.like_threshold == pytest.approx(judged.liked_from)
