"""An attack on a server with `--no-histories`: what a patient caller learns of a user's history."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from reelflow.saved_model.client import ServedModel
from reelflow.saved_model.contract import ORDERS
from reelflow.serving.app import create_app
from reelflow.serving.engine import Engine
from reelflow.serving.limits import Limits, Problem
from reelflow.serving.middleware import Metrics
from reelflow.serving.privacy import MOST, check_inputs, movies_for_a_user
from reelflow.serving.rules.messages import PINS
from reelflow.serving.tf_serving import PredictBatch
from reelflow.serving.versions import Versions
from tests.reelflow.small_runs import GENRES, MOVIES, SmallRun, catalogue

API = "/api/v1/recommendations"
PREDICT = "/v1/models/reelflow:predict"
CATALOGUE = [movie.movie_id for movie in catalogue()]
YEARS = sorted({movie.year for movie in catalogue()})


@pytest.fixture(scope="module")
def run(small_run: Callable[[str], SmallRun]) -> SmallRun:
    """A run whose test split has new users."""
    return small_run("temporal")


def _server(run: SmallRun, folder: Path, histories: bool) -> TestClient:
    shutil.copytree(run.saved_model, folder / "7")
    versions = Versions(folder, Limits(batch=2), Metrics())
    return TestClient(create_app(versions, histories=histories))


@pytest.fixture(scope="module")
def discreet(run: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A server with histories switched off."""
    with _server(run, tmp_path_factory.mktemp("discreet"), histories=False) as client:
        yield client


@pytest.fixture(scope="module")
def open_server(run: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A server that may tell histories."""
    with _server(run, tmp_path_factory.mktemp("open"), histories=True) as client:
        yield client


class Attack:
    """Asks for one user whatever a server answers, and keeps the movies that it shows."""

    def __init__(self, client: TestClient, user: str) -> None:
        self.client, self.user = client, user
        self.shown: set[str] = set()

    def ask(self, **body: Any) -> set[str]:
        """Ask the API for as many movies as there are."""
        body = {"user_id": self.user, "k": MOVIES, **body}
        answer = self.client.post(API, json=body)
        assert answer.status_code == 200, answer.text
        found = {item["movie_id"] for item in answer.json()["items"]}
        self.shown |= found
        return found

    def predict(self, rows: list[dict[str, Any]]) -> set[str]:
        """Ask TensorFlow Serving's path."""
        rows = [{"user_id": self.user, **row} for row in rows]
        answer = self.client.post(PREDICT, json={"instances": rows})
        assert answer.status_code == 200, answer.text
        lists = (row["movie_id"] for row in answer.json()["predictions"])
        found = {movie for movie in itertools.chain(*lists) if movie}
        self.shown |= found
        return found

    def pages(self, k: int) -> None:
        """Turn the pages of the list, by URL."""
        query: dict[str, Any] = {"user_id": self.user, "k": k}
        while True:
            answer = self.client.get(API, params=query).json()
            self.shown |= {item["movie_id"] for item in answer["items"]}
            if answer["next"] is None:
                return
            query["cursor"] = answer["next"]

    def together(self) -> None:
        """Ask for the list beside a stranger's."""
        body = {"user_ids": ["a stranger", self.user], "k": MOVIES}
        answer = self.client.post(f"{API}/users", json=body)
        self.shown |= {item["movie_id"] for item in answer.json()["items"][1]["items"]}

    def in_rounds(self, ask: Callable[[list[str]], set[str]]) -> None:
        """Exclude what was shown until nothing new comes."""
        gone: set[str] = set()
        while found := ask(sorted(gone)) - gone:
            gone |= found

    def everything(self) -> set[str]:
        """Try all ways; return the movies that no answer has shown."""
        for order in ORDERS:
            self.ask(order=order)
            self.in_rounds(lambda gone, order=order: self.ask(order=order, k=5, exclusions=gone))
            self.predict([{"k": MOVIES, "order": order}])
        for first in GENRES:
            self.ask(genres=[first])
            for year in YEARS:
                self.ask(genres=[first], year_from=year, year_to=year)
        for year in YEARS:
            self.ask(year_from=year, year_to=year)
            self.in_rounds(lambda gone, year=year: self.ask(year_from=year, exclusions=gone, k=3))
        for least in range(11):
            self.ask(min_rating=least)
        for k in (1, 5, MOVIES):
            self.pages(k)
        self.together()
        for first in range(0, MOVIES, PINS):
            some = CATALOGUE[first : first + PINS]
            self.ask(rules={"pin": some})
            self.ask(rules={"boost": [{"ids": some, "weight": 10}]}, k=5)
            self.ask(rules={"hide": [{"ids": some}]})
        self.ask(rules={"per_genre": 1, "diversity": 1, "new_for_strangers": PINS})
        self.in_rounds(lambda gone: self.predict([{"k": 7, "exclusions": [*gone, ""]}]))
        single = np.eye(MOVIES, dtype=bool).tolist()
        self.predict([{"allowed": allowed, "k": 1} for allowed in single])
        self.predict(
            [{"allowed": [not one for one in allowed], "k": 60} for allowed in single[:40]]
        )
        return {*CATALOGUE} - self.shown


def _victims(run: SmallRun) -> list[str]:
    """Two users of train, and one whom only the test split has."""
    known = sorted({*run.users} - run.new_users)
    return [known[0], known[-1], sorted(run.new_users)[0]]


def test_a_server_that_may_tell_gives_the_whole_history(
    run: SmallRun, open_server: TestClient
) -> None:
    """The attack works where nothing prevents it, by a single request."""
    for user in _victims(run):
        attack = Attack(open_server, user)
        attack.ask()
        assert {*CATALOGUE} - attack.shown == run.rated(user)


def test_nothing_but_one_short_list_comes_to_light(run: SmallRun, discreet: TestClient) -> None:
    """Chance is the share of the catalogue that the user has rated.

    Whoever takes the movies that never come for rated ones is right in that share, raised by at
    most one ninth: the shown tenth of the catalogue is known not to be rated. Nothing tells the
    movies that never come from each other, since no answer depends on more than the list.
    """
    for user in _victims(run):
        attack = Attack(discreet, user)
        first = attack.ask()
        never = attack.everything()
        rated = run.rated(user)
        assert attack.shown == first
        assert len(first) == movies_for_a_user(MOVIES) == 12
        assert rated <= never
        chance = len(rated) / MOVIES
        assert len(rated) / len(never) <= chance * 10 / 9 + 1e-9


@pytest.mark.parametrize(
    "more",
    [
        {"include_seen": True},
        {"explain": True},
        {"liked": ["m001"]},
        {"disliked": ["m001"]},
        {"ratings": {"m001": 7}},
    ],
)
def test_what_would_tell_rated_movies_from_others_is_refused(
    discreet: TestClient, open_server: TestClient, more: dict[str, Any]
) -> None:
    """A list that changes with a movie in the history tells whether it was there already."""
    body = {"user_id": "u00", **more}
    assert open_server.post(API, json=body).status_code == 200
    refused = discreet.post(API, json=body)
    assert refused.status_code == 403
    (name,) = more
    assert f"{name} together with user_id" in refused.json()["error"]
    assert "Leave one of the two out." in refused.json()["error"]
    assert discreet.post(API, json=more).status_code == 200
    query = {"ratings": "m001:7"} if name == "ratings" else more
    assert discreet.get(API, params={"user_id": "u00", **query}).status_code == 403


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("score", {}),
        ("explain", {"movie_id": "m001"}),
        ("timeline", {}),
        ("evaluate", {"movie_id": "m001"}),
        ("serving_default", {"include_seen": True}),
        ("serving_default", {"as_judged": True}),
        ("serving_default", {"history": ["m001"], "stars": [9]}),
    ],
)
def test_inputs_and_signatures_that_would_tell_are_refused(
    discreet: TestClient, open_server: TestClient, name: str, inputs: dict[str, Any]
) -> None:
    body = {"signature_name": name, "instances": [{"user_id": "u00", **inputs}]}
    assert open_server.post(PREDICT, json=body).status_code == 200
    refused = discreet.post(PREDICT, json=body)
    assert refused.status_code == 403
    assert "rated" in refused.json()["error"]


def test_requests_without_a_user_are_as_ever(discreet: TestClient, open_server: TestClient) -> None:
    rows = [{"user_id": "", "history": ["m001", "m004"], "stars": [9, 2], "k": 100}]
    answers = [client.post(PREDICT, json={"instances": rows}) for client in (discreet, open_server)]
    assert answers[0].json() == answers[1].json()
    body = {"liked": ["m001"], "disliked": ["m004"], "k": 100, "explain": True}
    answers = [client.post(API, json=body) for client in (discreet, open_server)]
    assert answers[0].json() == answers[1].json()
    assert len(answers[0].json()["items"]) == 100


def test_one_user_in_a_request_is_enough_to_refuse() -> None:
    users = np.array([b"", b"u00"], object)
    history = np.array([[b"m001"], [b""]], object)
    check_inputs("serving_default", {"user_id": users[:1], "history": history[:1]})
    with pytest.raises(Problem, match="history together with a user's id"):
        check_inputs("serving_default", {"user_id": users, "history": history})


def test_requests_answered_together_get_each_its_own_list(run: SmallRun) -> None:
    engine, limits = Engine(ServedModel.load(run.saved_model)), Limits()
    inputs = [{"user_id": np.array([user.encode()], object)} for user in _victims(run)]
    batch = [
        PredictBatch.of(engine, "serving_default", limits, one, histories=False) for one in inputs
    ]
    assert batch[0] == batch[1] == batch[2]
    open_batch = PredictBatch.of(engine, "serving_default", limits, inputs[0], histories=True)
    assert open_batch != batch[0]
    for one, answer in zip(inputs, batch[0](inputs), strict=True):
        (alone,) = batch[0]([one])
        assert answer["movie_id"].tolist() == alone["movie_id"].tolist()


@pytest.mark.parametrize(("catalogue", "count"), [(5, 1), (40, 4), (1_682, MOST), (60_000, MOST)])
def test_the_list_is_short(catalogue: int, count: int) -> None:
    assert movies_for_a_user(catalogue) == count


def test_the_page_is_told(discreet: TestClient, open_server: TestClient) -> None:
    assert discreet.get("/api/v1/version").json()["movies_for_a_user"] == 12
    assert open_server.get("/api/v1/version").json()["movies_for_a_user"] is None
