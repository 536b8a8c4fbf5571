"""Whatever way is asked: none of k = all recommendations is a movie that the user has rated.

In any split, with any order, for users of train and for those that only validation or test have.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from pipeline.cli import recommend
from pipeline.cli.app import app
from reelflow.base.columns import TEST, TRAIN, VALIDATION
from reelflow.saved_model.client import ServedModel
from reelflow.saved_model.contract import ORDERS
from reelflow.serving.app import create_app
from reelflow.serving.limits import Limits
from reelflow.serving.middleware import Metrics
from reelflow.serving.versions import Versions
from tests.reelflow.small_runs import MOVIES, SPLITS, SmallRun

Lists = dict[str, list[str]]
"""User to the ids of all movies that may be recommended."""


@pytest.fixture(scope="module", params=SPLITS)
def run(request: pytest.FixtureRequest, small_run: Callable[[str], SmallRun]) -> SmallRun:
    """A run of each kind of split."""
    return small_run(request.param)


@pytest.fixture(scope="module")
def served(run: SmallRun) -> ServedModel:
    """Its model, loaded."""
    return ServedModel.load(run.saved_model)


@pytest.fixture(scope="module")
def client(run: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A server of its model."""
    folder = tmp_path_factory.mktemp("serving")
    shutil.copytree(run.saved_model, folder / "7")
    with TestClient(create_app(Versions(folder, Limits(batch=2), Metrics()))) as client:
        yield client


def check(run: SmallRun, lists: Lists) -> None:
    """Each user's list has all movies that the user has not rated, and no other."""
    everything = {f"m{movie:03d}" for movie in range(MOVIES)}
    assert {*lists} == {*run.users}
    for user, movies in lists.items():
        assert len({*movies}) == len(movies), user
        assert {*movies} == everything - run.rated(user), user


def test_the_runs_have_what_makes_it_hard(run: SmallRun) -> None:
    assert all(run.rows[split] for split in (TRAIN, VALIDATION, TEST))
    known = {*run.users} - run.new_users
    assert any(run.rated(user, [TEST]) - run.rated(user, [TRAIN, VALIDATION]) for user in known)


def test_new_users_occur(small_run: Callable[[str], SmallRun]) -> None:
    assert small_run("temporal").new_users
    assert small_run("predefined").new_users


@pytest.mark.parametrize("order", ORDERS)
def test_by_signature(run: SmallRun, served: ServedModel, order: str) -> None:
    inputs = {"user_id": run.users, "k": MOVIES, "order": order}
    answer = served.signatures.ask("serving_default", inputs)
    pairs = zip(run.users, answer["movie_id"], strict=True)
    check(run, {user: [movie for movie in movies if movie] for user, movies in pairs})


def test_as_judged_only_the_test_ratings_come_back(run: SmallRun, served: ServedModel) -> None:
    inputs = {"user_id": run.users, "k": MOVIES, "as_judged": True}
    answer = served.signatures.ask("serving_default", inputs)
    for user, movies in zip(run.users, answer["movie_id"], strict=True):
        assert {*movies} & run.rated(user) == run.rated(user, [TEST]) - run.rated(
            user, [TRAIN, VALIDATION]
        )


def test_by_the_api(run: SmallRun, client: TestClient) -> None:
    lists: Lists = {}
    for user in run.users:
        found = client.get("/api/v1/recommendations", params={"user_id": user, "k": MOVIES})
        lists[user] = [item["movie_id"] for item in found.json()["items"]]
    check(run, lists)


def test_by_tensorflow_servings_path(run: SmallRun, client: TestClient) -> None:
    rows = [{"user_id": user, "k": MOVIES} for user in run.users]
    found: list[dict[str, Any]] = client.post(
        "/v1/models/reelflow:predict", json={"instances": rows}
    ).json()["predictions"]
    pairs = zip(run.users, found, strict=True)
    check(run, {user: [movie for movie in one["movie_id"] if movie] for user, one in pairs})


def test_by_the_command(
    run: SmallRun, served: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommend, "_load", lambda *_: served)  # once, not for each user
    lists: Lists = {}
    for user in run.users:
        arguments = ["recommend", "--user", user, "--k", str(MOVIES), "--json"]
        answer = json.loads(CliRunner().invoke(app, arguments, catch_exceptions=False).output)
        lists[user] = [item["movie_id"] for item in answer["items"]]
    check(run, lists)


def test_reasons_are_never_movies_rated_below_the_users_mean(
    run: SmallRun, client: TestClient
) -> None:
    stars = {(user, movie): rating for part in run.rows.values() for user, movie, rating, _ in part}
    given = 0
    for user in run.users:
        own = [stars[user, movie] for movie in run.rated(user)]
        query = {"user_id": user, "k": 20, "explain": True}
        items = client.get("/api/v1/recommendations", params=query).json()["items"]
        for reason in (reason for item in items for reason in item["because"]):
            assert reason["rating"] == stars[user, reason["movie_id"]]
            assert reason["rating"] >= sum(own) / len(own) - 1e-4
            given += 1
    assert given
