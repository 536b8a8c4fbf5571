"""`/api/v1` against what the model itself answers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from reelflow.base.columns import LIKE, RATING
from reelflow.saved_model.client import ServedModel
from reelflow.saved_model.files import ModelInfo
from reelflow.saved_model.manifest import write_manifest
from reelflow.serving.app import create_app
from reelflow.serving.engine import Engine
from reelflow.serving.limits import Limits
from reelflow.serving.messages import PredictedRating, RatingRequest, RecommendRequest
from reelflow.serving.middleware import Metrics
from reelflow.serving.versions import Versions
from tests import tiny_model

API = "/api/v1"


def _ids(answer: Any) -> list[str]:
    return [item["movie_id"] for item in answer["items"]]


@pytest.fixture
def recommend(client: TestClient) -> Any:
    """Ask for recommendations and gives the JSON."""

    def ask(**body: Any) -> Any:
        answer = client.post(f"{API}/recommendations", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return ask


@pytest.mark.parametrize("user", [*tiny_model.USERS, "nobody"])
def test_without_filters_it_is_the_models_own_answer(
    recommend: Any, served: ServedModel, user: str
) -> None:
    requests: list[dict[str, Any]] = [
        {},
        {"exclusions": ["1", "9"]},
        {"liked": ["4", "2"]},
        {"liked": ["4"], "disliked": ["3", "2"]},
        {"order": "stars"},
        {"order": "retrieval", "min_rating": 3},
    ]
    for inputs in requests:
        answer = recommend(user_id=user, k=8, **inputs)
        own = served.recommend(user, k=8, **inputs)
        assert answer["source"] == own.source
        assert _ids(answer) == [item.movie_id for item in own.items]
        assert [i["score"] for i in answer["items"]] == pytest.approx(
            [item.score for item in own.items]
        )
        for item in answer["items"]:
            stars = served.rate(user, item["movie_id"]).rating
            assert item["predicted_rating"] == pytest.approx(stars)
            assert item["predicted_rating"] >= inputs.get("min_rating", 0)


def test_an_item_is_ready_to_be_shown(recommend: Any) -> None:
    answer = recommend(liked=["4"], k=1)
    assert answer["model_version"] == 7
    item = answer["items"][0]
    assert item["title"] == tiny_model.TITLES[int(item["movie_id"]) - 1]
    assert item["because"] is None
    assert not item["seen"]


def test_explanations_are_the_models(recommend: Any, served: ServedModel) -> None:
    liked = ["4", "2", "8"]
    item = recommend(liked=liked, k=1, explain=True)["items"][0]
    inputs = {"user_id": [""], "movie_id": [item["movie_id"]], "history": [liked]}
    own = served.signatures.call("explain", inputs)
    weights = dict(zip(own["movie_id"][0], own["weight"][0], strict=True))
    assert item["because"]
    assert (item["because_kind"], item["because_genre"]) == ("movies", None)
    for reason in item["because"]:
        assert reason["weight"] == pytest.approx(weights[reason["movie_id"].encode()])
        assert reason["rating"] == 1 + (int(reason["movie_id"]) - 1) % 5
        assert reason["movie_id"] in liked
        assert reason["weight"] > 0


def test_without_a_movie_a_genre_explains_and_else_popularity(recommend: Any) -> None:
    """The tiny model explains nothing of known users; every second movie is a comedy."""
    answer = recommend(user_id="5", k=12, explain=True)
    assert {item["because_kind"] for item in answer["items"]} == {"genre", "popularity"}
    for item in answer["items"]:
        assert item["because"] == []
        assert item["because_genre"] == (item["genres"] or [None])[0]
        assert item["because_kind"] == ("genre" if item["genres"] else "popularity")
    badly = recommend(user_id="3", k=12, explain=True)["items"]  # the only comedies got 2 and 3
    assert {item["because_kind"] for item in badly} == {"popularity"}
    popular = recommend(user_id="nobody", explain=True)["items"]
    assert {(item["because_kind"], item["because_genre"]) for item in popular} == {
        ("popularity", None)
    }


def test_disliked_movies_and_stars_count(recommend: Any, served: ServedModel) -> None:
    """Named movies are asked as history with the stars that they stand for, the liked last."""
    answer = recommend(liked=["4"], disliked=["3"], ratings={"2": 4.5, "9": 1}, k=12)
    inputs = {
        "user_id": [""],
        "history": [["2", "9", "3", "4"]],
        "stars": [[4.5, 1, tiny_model.STARS.disliked, tiny_model.STARS.liked]],
        "k": 12,
    }
    own = served.signatures.ask("serving_default", inputs)
    assert _ids(answer) == [movie for movie in own["movie_id"][0] if movie]
    assert not {"2", "9", "3", "4"} & set(_ids(answer))


def test_different_requests_in_one_call(served: ServedModel) -> None:
    """Each row has its own k, history, conditions and order, as if asked alone."""
    engine = Engine(served)
    requests = [
        RecommendRequest(user_id="1", k=3),
        RecommendRequest(user_id="2", k=12, order="stars", include_seen=True),
        RecommendRequest(liked=["4", "2"], disliked=["6"], k=2, explain=True),
        RecommendRequest(user_id="3", genres=["Comedy"], exclusions=["4"], min_rating=2, k=5),
        RecommendRequest(ratings={"1": 1.5}, year_to=1990),
    ]
    for alone, together in zip(requests, engine.recommend(requests), strict=True):
        (own,) = engine.recommend([alone])
        assert [item.movie_id for item in own.items] == [i.movie_id for i in together.items]
        assert own.source == together.source
        assert [i.because for i in own.items] == [i.because for i in together.items]
        for one, other in zip(own.items, together.items, strict=True):
            assert one.score == pytest.approx(other.score)


@pytest.fixture
def without_stars(exported: Path, tmp_path: Path) -> Iterator[TestClient]:
    """A server of a model that was trained without ratings."""
    folder = shutil.copytree(exported, tmp_path / "7")
    ModelInfo(movies=12, users=5).write(folder)
    write_manifest(folder)
    with TestClient(create_app(Versions(tmp_path, Limits(batch=2), Metrics()))) as client:
        yield client


def test_a_model_without_ratings_tells_none(without_stars: TestClient) -> None:
    body = {"liked": ["4"], "disliked": ["2"], "explain": True}
    items = without_stars.post(f"{API}/recommendations", json=body).json()["items"]
    assert {item["predicted_rating"] for item in items} == {None}
    assert {reason["rating"] for item in items for reason in item["because"]} <= {None}
    assert without_stars.get(f"{API}/version").json()["stars"] is None
    rating = without_stars.get(f"{API}/rating?user_id=1&movie_id=2").json()
    assert rating["rating"] is None
    for name, more in {
        "order": {"order": "stars"},
        "min_rating": {"min_rating": 3},
        "ratings": {"ratings": {"4": 3}},
    }.items():
        refused = without_stars.post(f"{API}/recommendations", json=more)
        assert refused.status_code == 422
        assert refused.json()["error"].startswith(f"{name}: ")
        assert "without ratings" in refused.json()["error"]


def test_the_word_for_an_item_is_that_of_the_model(exported: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(exported, tmp_path / "7")
    ModelInfo(movies=12, users=5, item="artist", items="artists").write(folder)
    write_manifest(folder)
    with TestClient(create_app(Versions(tmp_path, Limits(batch=2), Metrics()))) as client:
        word = {"one": "artist", "many": "artists", "with_article": "an artist"}
        assert client.get(f"{API}/version").json()["item"] == word
        refused = client.get(f"{API}/films/nothing").json()["error"]
        assert refused == "There is no artist with the id 'nothing'."


@pytest.mark.parametrize(
    ("filters", "fitting"),
    [
        ({"genres": ["comedy"]}, ["2", "4", "6", "8", "10", "12"]),
        ({"year_from": 1990}, ["1", "2"]),
        ({"year_to": 1988}, ["3", "4"]),
        ({"genres": ["Comedy"], "year_from": 1988, "year_to": 1988}, ["4"]),
    ],
)
def test_filters(
    client: TestClient, recommend: Any, filters: dict[str, Any], fitting: list[str]
) -> None:
    everything = _ids(recommend(user_id="5", k=12))
    wanted = [movie for movie in everything if movie in fitting]
    assert _ids(recommend(user_id="5", k=12, **filters)) == wanted
    assert _ids(recommend(user_id="5", k=1, **filters)) == wanted[:1]
    near = client.get(f"{API}/films/5/similar", params={"k": 12, **filters}).json()
    assert set(_ids(near)) == {*fitting} - {"5"}


def test_seen_movies_come_back_on_request(recommend: Any) -> None:
    answer = recommend(user_id="2", k=12, include_seen=True)
    assert set(_ids(answer)) == set(tiny_model.MOVIES)
    seen = {item["movie_id"] for item in answer["items"] if item["seen"]}
    assert seen == set(tiny_model.SEEN["2"])
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)


def test_everything_can_be_in_the_url(client: TestClient, recommend: Any) -> None:
    url = f"{API}/recommendations?liked=4&liked=2&k=3&exclusions=5&genres=Comedy&explain=true"
    url += "&disliked=9&ratings=7:4.5&ratings=1:1&order=retrieval&min_rating=1.5"
    body = {"liked": ["4", "2"], "k": 3, "exclusions": ["5"], "genres": ["Comedy"], "explain": True}
    body |= {"disliked": ["9"], "ratings": {"7": 4.5, "1": 1}}
    body |= {"order": "retrieval", "min_rating": 1.5}
    assert client.get(url).json() == recommend(**body)


def test_rating(client: TestClient, served: ServedModel) -> None:
    answer = client.get(f"{API}/rating", params={"user_id": "1", "movie_id": "2"}).json()
    assert answer["rating"] == pytest.approx(served.rate("1", "2").rating)
    assert answer["known_user"]
    assert answer["like"] is None
    stranger = client.get(f"{API}/rating", params={"user_id": "nobody", "movie_id": "2"}).json()
    assert not stranger["known_user"]


def test_a_rating_has_the_probability_of_a_like_where_the_model_has_one() -> None:
    columns = {RATING: [4.5], "known_user": [True], "known_movie": [True], LIKE: [0.75]}
    answer = {name: np.array(values) for name, values in columns.items()}
    engine: Any = SimpleNamespace(ask=lambda *_: answer, version=7, stars_or_none=float)
    assert Engine.rate(engine, [RatingRequest(user_id="1", movie_id="2")]) == [
        PredictedRating(
            model_version=7, user_id="1", movie_id="2", rating=4.5, known_user=True, like=0.75
        )
    ]


def test_similar(client: TestClient, served: ServedModel) -> None:
    answer = client.get(f"{API}/films/1/similar", params={"k": 3}).json()
    assert answer["film"]["title"] == "Toy Story (1995)"
    assert _ids(answer) == [item.movie_id for item in served.similar("1", 3)]


def test_profile(client: TestClient) -> None:
    answer = client.get(f"{API}/profile", params={"user_id": "3", "liked": ["4"], "k": 3}).json()
    assert (answer["known"], answer["count"]) == (True, 3)
    assert [movie["movie_id"] for movie in answer["films"]] == ["4", "2", "8"]
    assert [movie["rating"] for movie in answer["films"]] == [tiny_model.STARS.liked, 2, 3]
    assert answer["genres"] == [{"name": "Comedy", "films": 3}]
    assert answer["decades"] == [{"name": "1980s", "films": 1}, {"name": "1990s", "films": 1}]
    nobody = client.get(f"{API}/profile", params={"user_id": "nobody"}).json()
    assert (nobody["known"], nobody["count"], nobody["films"]) == (False, 0, [])


def test_version_health_readiness_and_metrics(client: TestClient) -> None:
    version = client.get(f"{API}/version").json()
    assert (version["model_version"], version["films"], version["users"]) == (7, 12, 5)
    assert version["genres"] == ["Comedy"]
    assert version["years"] == {"oldest": 1988, "newest": 1995}
    assert version["stars"] == tiny_model.STARS.model_dump(exclude={"deviation"})
    assert client.get(f"{API}/health").json() == {"status": "ok", "problems": []}
    assert client.get(f"{API}/ready").json() == {"status": "ready", "problems": []}
    text = client.get("/metrics").text
    assert "reelflow_model_version 7.0" in text
    assert 'reelflow_requests_total{method="GET",route="/api/v1/version",status="200"}' in text
    assert "reelflow_batch_size_count" in text


def test_json_sent_as_something_else(client: TestClient) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = client.post(f"{API}/recommendations", content='{"k": 3}', headers=form)
    assert answer.status_code == 422
    assert "with Content-Type: application/json" in answer.json()["error"]


def test_users_to_try_are_known(client: TestClient) -> None:
    assert client.get(f"{API}/users").json()["user_ids"] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", "/recommendations", {"k": 0}, 422, "k: "),
        ("POST", "/recommendations", {"k": 10**30}, 422, "k: "),
        ("POST", "/recommendations", {"k": "many"}, 422, "k: "),
        ("POST", "/recommendations", {"ratings": {"1": 7}}, 422, "ratings: 7 is not on the scale"),
        ("POST", "/recommendations", {"ratings": {"1": "x"}}, 422, "ratings.1: "),
        ("POST", "/recommendations", {"min_rating": 0.5}, 422, "which is 1 to 5"),
        ("POST", "/recommendations", {"order": "random"}, 422, "order: "),
        ("POST", "/recommendations", {"liked": ["1"], "disliked": ["1"]}, 422, "in liked as well"),
        ("GET", "/recommendations?ratings=1", None, 422, "ratings.0: "),
        ("GET", "/recommendations?ratings=1:x", None, 422, "ratings.0: "),
        ("POST", "/recommendations", {"liked": ["1"] * 501}, 422, "liked: "),
        ("POST", "/recommendations", {"user_id": "x" * 257}, 422, "user_id: "),
        ("POST", "/recommendations", {"user_id": 1}, 422, "user_id: "),
        ("POST", "/recommendations", {"genres": ["Noir"]}, 422, "Genres are: Comedy"),
        ("POST", "/recommendations", {"year_from": 2000, "year_to": 1990}, 422, "later"),
        ("POST", "/recommendations", {"user": "1"}, 422, "user: "),
        ("POST", "/recommendations", [], 422, "body"),
        ("GET", "/films/99", None, 404, "no movie with the id '99'"),
        ("GET", "/films/99/similar", None, 404, "no movie with the id '99'"),
        ("GET", "/films/1/similar?k=0", None, 422, "k: "),
        ("GET", "/rating?user_id=1&movie_id=99", None, 404, "no movie"),
        ("GET", "/rating?user_id=1", None, 422, "movie_id: "),
        ("GET", "/films?limit=51", None, 422, "limit: "),
        ("GET", "/films?cursor=x", None, 422, "cursor: "),
        ("GET", "/recommendations?cursor=Ny4xMjM0NTY3ODk", None, 422, "cursor: "),
        ("GET", "/recommendations?cursor=Ni4x", None, 409, "first page"),
        ("POST", "/recommendations", {"rules": {"hide": [{}]}}, 422, "rules.hide.0: "),
        ("POST", "/recommendations", {"rules": {"hide": [{"genres": ["Noir"]}]}}, 422, "Genres"),
        ("POST", "/recommendations", {"rules": {"min_rating": 9}}, 422, "which is 1 to 5"),
        ("POST", "/recommendations/users", {"user_ids": []}, 422, "user_ids: "),
        ("GET", "/nothing", None, 404, "Not Found"),
        ("PUT", "/recommendations", {}, 405, "Method Not Allowed"),
    ],
)
def test_mistakes_are_told(
    client: TestClient, method: str, path: str, body: Any, status: int, words: str
) -> None:
    answer = client.request(method, f"{API}{path}", json=body)
    assert answer.status_code == status
    assert words in answer.json()["error"]


def test_movies_that_are_not_known_do_not_count_and_are_told(client: TestClient) -> None:
    known = {"liked": ["4"], "disliked": ["5"], "ratings": {"6": 3}, "exclusions": ["7"]}
    strange = {
        "liked": ["a", "4"],
        "disliked": ["5", "b"],
        "ratings": {"c": 3, "6": 3},
        "exclusions": ["7", "a"],
        "rules": {"pin": ["d"]},
    }
    expected = client.post(f"{API}/recommendations", json=known).json()
    answer = client.post(f"{API}/recommendations", json=strange).json()
    assert answer.pop("unknown_ids") == ["a", "b", "c", "d"]
    assert expected.pop("unknown_ids") == []
    assert answer == expected
    profile = client.get(f"{API}/profile?liked=a&liked=4&ratings=b:3").json()
    assert profile["unknown_ids"] == ["a", "b"]
    assert [film["movie_id"] for film in profile["films"]] == ["4"]


def test_pages_are_the_list_in_parts(client: TestClient) -> None:
    body = {"user_id": "1", "k": 12}
    whole = client.post(f"{API}/recommendations", json=body).json()
    assert (len(whole["items"]), whole["next"]) == (10, None)
    pages, cursor = [], None
    while len(pages) < 5:
        page = client.post(
            f"{API}/recommendations", json={"user_id": "1", "k": 4, "cursor": cursor}
        ).json()
        pages.append(page["items"])
        cursor = page["next"]
        if cursor is None:
            break
    assert [len(page) for page in pages] == [4, 4, 2]
    assert [item for page in pages for item in page] == whole["items"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sort=popular", ["5", "1", "2", "3", "4", "6", "7", "8", "9", "10", "11", "12"]),
        ("sort=new", ["1", "2", "3", "4"]),
        ("genres=comedy", ["2", "4", "6", "8", "10", "12"]),
        ("search=twins&genres=comedy", ["4"]),
    ],
)
def test_movies_are_listed_in_pages(client: TestClient, query: str, expected: list[str]) -> None:
    found, cursor = [], ""
    while True:
        answer = client.get(f"{API}/films?{query}&limit=5{cursor}").json()
        found += [item["movie_id"] for item in answer["items"]]
        if answer["next"] is None:
            break
        cursor = f"&cursor={answer['next']}"
    assert found == expected


def test_many_users_get_each_their_list(client: TestClient) -> None:
    body = {"k": 3, "exclusions": ["9"], "rules": {"pin": ["11"]}}
    users = ["1", "nobody", "2", "1"]
    answer = client.post(f"{API}/recommendations/users", json={**body, "user_ids": users}).json()
    assert [item["user_id"] for item in answer["items"]] == users
    for item in answer["items"]:
        user = item.pop("user_id")
        single = client.post(f"{API}/recommendations", json={**body, "user_id": user}).json()
        ids = [[movie["movie_id"] for movie in one.pop("items")] for one in (item, single)]
        assert ids[0] == ids[1]
        assert item == single
