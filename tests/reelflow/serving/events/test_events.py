"""Events over the API: users' lists know of them from the next request on."""

from __future__ import annotations

import csv
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from reelflow.data.event_log import EventLog
from reelflow.saved_model.files import SAVED_MODEL, StarScale
from reelflow.serving.app import create_app
from reelflow.serving.events.journal import Journal
from reelflow.serving.events.live import stars_of
from reelflow.serving.events.memory import Memory
from reelflow.serving.limits import Limits
from reelflow.serving.middleware import Metrics
from reelflow.serving.versions import Versions
from tests.reelflow.data.test_event_log import event
from tests.tiny_model import STARS

Server = Callable[..., AbstractContextManager[TestClient]]


@pytest.fixture(scope="module")
def versions(pushed: Path) -> Versions:
    return Versions(pushed, Limits(batch=2), Metrics())


@pytest.fixture
def server(versions: Versions, tmp_path: Path) -> Server:
    """Makes servers that take events in one folder."""

    @contextmanager
    def make(folder: Path = tmp_path, **options: Any) -> Iterator[TestClient]:
        metrics = Metrics()
        journal = Journal(folder, metrics.registry)
        app = create_app(versions, metrics=metrics, journal=journal, **options)
        with TestClient(app) as client:
            yield client

    return make


@pytest.fixture
def client(server: Server) -> Iterator[TestClient]:
    with server() as client:
        yield client


def post(client: TestClient, user: str, movie: str, kind: str = "view", **more: Any) -> Any:
    body = {"user_id": user, "movie_id": movie, "kind": kind, **more}
    answer = client.post("/api/v1/events", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def listed(client: TestClient, user: str, **more: Any) -> list[str]:
    answer = client.post("/api/v1/recommendations", json={"user_id": user, "k": 12, **more}).json()
    return [item["movie_id"] for item in answer["items"]]


def profile(client: TestClient, user: str) -> dict[str, float | None]:
    answer = client.get("/api/v1/profile", params={"user_id": user, "k": 50}).json()
    return {film["movie_id"]: film["rating"] for film in answer["films"]}


def rows(folder: Path) -> list[list[str]]:
    found = []
    for path in sorted(folder.glob("span-*/ratings.csv")):
        with open(path, newline="") as file:
            found += list(csv.reader(file))[1:]
    return found


@pytest.mark.parametrize("kind", ["rating", "like", "dislike", "view", "skip"])
def test_every_kind_takes_the_movie_out_of_the_list(client: TestClient, kind: str) -> None:
    first = listed(client, "1")[0]
    more = {"rating": 3} if kind == "rating" else {}
    assert post(client, "1", first, kind, **more)["accepted"] == 1
    assert first not in listed(client, "1")
    assert (first in profile(client, "1")) == (kind != "skip")
    assert (first in listed(client, "1", include_seen=True)) == (kind != "skip")
    assert first in listed(client, "2")


def test_a_new_user_is_known_by_events(client: TestClient) -> None:
    before = client.get("/api/v1/recommendations?user_id=new&explain=true").json()
    assert before["source"] == "popularity"
    post(client, "new", "3", "like")
    post(client, "new", "4", "rating", rating=1)
    after = client.get("/api/v1/recommendations?user_id=new&explain=true").json()
    named = client.post(
        "/api/v1/recommendations", json={"ratings": {"3": 4, "4": 1}, "explain": True}
    )
    assert after == named.json()
    assert after["source"] == "history"
    because = [reason for item in after["items"] for reason in item["because"]]
    assert {"3"} < {reason["movie_id"] for reason in because}
    assert profile(client, "new") == {"3": 4.0, "4": 1.0}


def test_the_newest_opinion_of_a_movie_counts(client: TestClient) -> None:
    post(client, "new", "3", "rating", rating=2)
    post(client, "new", "3", "view")
    assert profile(client, "new") == {"3": 2.0}
    post(client, "new", "3", "rating", rating=5)
    post(client, "new", "5", "skip")
    post(client, "new", "5", "like")
    assert profile(client, "new") == {"3": 5.0, "5": 4.0}


def test_an_id_counts_once_in_all_processes(server: Server, tmp_path: Path) -> None:
    with server() as one, server() as other:
        assert post(one, "u", "3", "like", event_id="a")["duplicates"] == 0
        assert post(other, "u", "3", "like", event_id="a")["duplicates"] == 1
        first = {"user_id": "u", "movie_id": "4", "kind": "like", "event_id": "b"}
        batch = one.post("/api/v1/events", json={"events": [first, first]}).json()
        assert (batch["accepted"], batch["duplicates"]) == (2, 1)
        assert "3" not in listed(other, "u")
        assert 'events_total{kind="like",outcome="duplicate"} 1.0' in one.get("/metrics").text
        assert "reelflow_events_lost 0.0" in one.get("/metrics").text
    assert [row[:3] for row in rows(tmp_path)] == [["u", "3", "4"], ["u", "4", "4"]]


def test_a_server_that_starts_again_knows_and_forgets(server: Server, tmp_path: Path) -> None:
    with server() as client:
        for movie in ("3", "4"):
            post(client, "u", movie)
        post(client, "w", "4", "like")
    with server() as client, server() as other:
        assert [*profile(client, "u")] == ["4", "3"]
        answer = client.delete("/api/v1/users/u/events")
        assert answer.json() == {"removed": 2}
        assert profile(client, "u") == profile(other, "u") == {}
        assert [*profile(other, "w")] == ["4"]
    assert [row[0] for row in rows(tmp_path)] == ["w"]


def test_unknown_movies_are_taken_and_reported(client: TestClient) -> None:
    answer = post(client, "u", "nothing", "like")
    assert answer == {"accepted": 1, "duplicates": 0, "unknown_ids": ["nothing"]}
    assert profile(client, "u") == {}


@pytest.mark.parametrize(
    "body",
    [
        {"user_id": "u", "movie_id": "3", "kind": "rating"},
        {"user_id": "u", "movie_id": "3", "kind": "rating", "rating": 6},
        {"user_id": "u", "movie_id": "3", "kind": "like", "rating": 4},
        {"user_id": "u", "movie_id": "3", "kind": "love"},
        {"user_id": " ", "movie_id": "3", "kind": "like"},
        {"user_id": "u ", "movie_id": "3", "kind": "like"},
        {"user_id": "u", "movie_id": "3\0", "kind": "like"},
        {"user_id": "u", "movie_id": "3\n4", "kind": "like"},
        {"user_id": "\ud800", "movie_id": "3", "kind": "like"},
        {"events": []},
        {"events": [{"user_id": "u", "movie_id": "3", "kind": "like"}] * 501},
        [],
        None,
    ],
)
def test_what_is_no_event_is_refused_as_a_whole(client: TestClient, body: Any) -> None:
    def status(content: Any) -> int:
        headers = {"Content-Type": "application/json"}
        return client.post(
            "/api/v1/events", content=json.dumps(content), headers=headers
        ).status_code

    assert status(body) == 422
    if isinstance(body, dict) and "events" not in body:
        assert status({"events": [{"user_id": "u", "movie_id": "3", "kind": "like"}, body]}) == 422
        assert profile(client, "u") == {}


def test_a_server_without_a_folder_takes_none(versions: Versions) -> None:
    with TestClient(create_app(versions)) as client:
        body = {"user_id": "u", "movie_id": "3", "kind": "like"}
        refused = client.post("/api/v1/events", json=body)
        assert refused.status_code == client.delete("/api/v1/users/u/events").status_code == 404
        assert "--events" in refused.json()["error"]


def test_a_full_disk_refuses_and_the_next_try_succeeds(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    body = {"user_id": "u", "movie_id": "3", "kind": "like", "event_id": "a"}
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        refused = client.post("/api/v1/events", json=body)
    assert refused.status_code == 503
    assert refused.headers["Retry-After"]
    assert profile(client, "u") == {}
    assert post(client, user="u", movie="3", kind="like", event_id="a") == {
        "accepted": 1,
        "duplicates": 0,
        "unknown_ids": [],
    }


def test_what_a_later_version_knows_is_not_told_twice(exported: Path, tmp_path: Path) -> None:
    """User 1 has rated 5 (5 stars) and 6 (1 star) in the model's timeline."""
    folder = tmp_path / "serving"
    shutil.copytree(exported, folder / "7")
    metrics = Metrics()
    journal = Journal(tmp_path / "events", metrics.registry)
    versions = Versions(folder, Limits(batch=2), metrics)
    with TestClient(create_app(versions, metrics=metrics, journal=journal)) as client:
        post(client, "1", "6", "rating", rating=4)
        post(client, "1", "5", "rating", rating=5)
        post(client, "1", "9", "view")
        assert [*profile(client, "1").items()] == [("9", None), ("5", 5.0), ("6", 4.0)]
        later = folder / "8"
        shutil.copytree(exported, later)
        os.utime(later / SAVED_MODEL, (time.time() + 5, time.time() + 5))
        assert versions.refresh()
        # Movie 5 with 5 stars is as old as the model has it.
        assert [*profile(client, "1").items()] == [("9", None), ("6", 4.0), ("5", 5.0)]


def test_likes_and_dislikes_lie_on_the_users_own_sides() -> None:
    assert stars_of("like", STARS, {}) == 4.0  # 4.5 to even, still a like
    assert stars_of("like", STARS, {"1": 4.5}) == 5.0
    assert stars_of("dislike", STARS, {}) == 2.0
    assert stars_of("dislike", STARS, {"1": 1.5, "2": 1.5}) == 1.0
    assert stars_of("view", STARS, {}) is None
    narrow = StarScale(
        lowest=0.0,
        highest=1.0,
        mean=0.5,
        deviation=0.3,
        like_threshold=0.6,
        liked=0.8,
        disliked=0.2,
    )
    assert (stars_of("like", narrow, {}), stars_of("dislike", narrow, {})) == (1.0, 0.0)


def test_memory_is_bounded() -> None:
    memory = Memory(events=2, users=2, ids=3)
    memory.take([event(1, "a"), event(2, "a"), event(3, "a"), event(4, "b"), event(5, "c")])
    assert memory.of("a") == ()
    assert memory.of("b") == (event(4, "b"),)
    assert ["2" in memory, "5" in memory] == [False, True]
    memory.take([event(6, "c"), event(7, "c"), event(7, "c")])
    assert memory.of("c") == (event(6, "c"), event(7, "c"))


def test_without_histories_events_only_train(server: Server, tmp_path: Path) -> None:
    """An answer that changed with an event would tell what the user has rated, and when."""
    with server(histories=False) as client:
        before = {user: listed(client, user) for user in ("1", "u")}
        for user in before:
            for movie in ("2", "3", before[user][0]):
                answer = post(client, user, movie, "like", event_id=f"{user}-{movie}")
                again = post(client, user, movie, "like", event_id=f"{user}-{movie}")
                assert answer == again
        assert {user: listed(client, user) for user in before} == before
        assert client.delete("/api/v1/users/u/events").json() == {"removed": None}
    assert {row[0] for row in rows(tmp_path)} == {"1"}


def test_events_in_memory_are_those_of_the_log(tmp_path: Path) -> None:
    journal = Journal(tmp_path, Metrics().registry)
    other = EventLog(tmp_path)
    with other.locked():
        other.append([event(1), event(2)])
    assert journal.of("u") == (event(1), event(2))
