"""Rules about lists, of a request and of a file that changes while the server runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from reelflow.base.errors import BadInput
from reelflow.serving.app import create_app
from reelflow.serving.limits import Limits
from reelflow.serving.middleware import Metrics
from reelflow.serving.rules.file import RulesFile
from reelflow.serving.versions import Versions
from tests.tiny_model import SEEN

API = "/api/v1/recommendations"


@pytest.fixture(scope="module")
def versions(pushed: Path) -> Versions:
    return Versions(pushed, Limits(batch=2), Metrics())


@pytest.fixture(scope="module")
def client(versions: Versions) -> Iterator[TestClient]:
    with TestClient(create_app(versions)) as client:
        yield client


def listed(client: TestClient, user: str | None = "1", **body: Any) -> list[str]:
    answer = client.post(API, json={"user_id": user, "k": 12, **body})
    assert answer.status_code == 200, answer.text
    return [item["movie_id"] for item in answer.json()["items"]]


def with_rules(client: TestClient, user: str | None = "1", k: int = 12, **rules: Any) -> list[str]:
    return listed(client, user, k=k, rules=rules)


COMEDIES = {"2", "4", "6", "8", "10", "12"}


@pytest.mark.parametrize(
    ("choice", "hidden"),
    [
        ({"ids": ["2", "3", "99"]}, {"2", "3"}),
        ({"genres": ["comedy"]}, COMEDIES),
        ({"genres": ["Comedy"], "ids": ["2", "3"]}, {"2"}),
        ({"year_to": 1990}, {"3", "4"}),
        ({"max_ratings": 0}, {"12"}),
        ({"min_ratings": 2}, {"1", "2", "5"}),
    ],
)
def test_hidden_movies_are_in_no_list(
    client: TestClient, choice: dict[str, Any], hidden: set[str]
) -> None:
    plain = listed(client)
    assert with_rules(client, hide=[choice]) == [m for m in plain if m not in hidden]


def test_pins_stand_at_the_top_unless_seen_or_hidden(client: TestClient) -> None:
    plain = listed(client)
    seen = SEEN["1"][0]
    pins = [plain[-1], seen, plain[3], "99"]
    rest = [m for m in plain if m not in pins]
    assert with_rules(client, pin=pins) == [plain[-1], plain[3], *rest]
    assert with_rules(client, k=1, pin=pins) == [plain[-1]]
    hidden = with_rules(client, pin=pins, hide=[{"ids": [plain[-1]]}])
    assert hidden == [plain[3], *rest]
    assert with_rules(client, None, pin=["12", "5"])[:2] == ["12", "5"]


def test_boosted_movies_rise_and_buried_ones_sink(client: TestClient) -> None:
    plain = listed(client)
    last, first = plain[-1], plain[0]
    assert with_rules(client, boost=[{"ids": [last], "weight": 10}])[0] == last
    assert with_rules(client, boost=[{"ids": [first], "weight": -10}])[-1] == first
    buried = with_rules(client, boost=[{"genres": ["Comedy"], "weight": -10}])
    comedies = [m for m in plain if m in COMEDIES]
    assert buried == [m for m in plain if m not in COMEDIES] + comedies


def test_few_of_a_genre_and_a_least_rating(client: TestClient) -> None:
    assert len(COMEDIES & set(with_rules(client, per_genre=2))) == 2
    items = client.post(API, json={"user_id": "1", "k": 12}).json()["items"]
    good = [i["movie_id"] for i in items if i["predicted_rating"] >= 3]
    assert 0 < len(good) < len(items)
    assert with_rules(client, min_rating=3) == good


def test_a_diverse_list_has_the_same_movies_in_another_order(client: TestClient) -> None:
    plain, diverse = listed(client), with_rules(client, diversity=0.9)
    assert plain != diverse
    assert sorted(plain) == sorted(diverse)


def test_strangers_get_new_movies_between_the_popular_ones(client: TestClient) -> None:
    popular = listed(client, "nobody")
    mixed = with_rules(client, "nobody", new_for_strangers=2, hide=[{"ids": ["1"]}])
    assert mixed[:4] == [popular[0], "2", popular[4], "3"]
    assert sorted(mixed) == sorted({*popular} - {"1"})
    assert with_rules(client, "1", new_for_strangers=2) == listed(client)


def test_reasons_and_pages_go_with_the_list(client: TestClient) -> None:
    body = {
        "liked": ["3", "7"],
        "k": 3,
        "explain": True,
        "rules": {"pin": ["11"], "diversity": 0.3},
    }
    whole = client.post(API, json={**body, "k": 12}).json()
    first = client.post(API, json=body).json()
    second = client.post(API, json={**body, "cursor": first["next"]}).json()
    ids = [item["movie_id"] for item in whole["items"]]
    assert ids[0] == "11"
    assert [i["movie_id"] for i in [*first["items"], *second["items"]]] == ids[:6]
    assert all(item["because_kind"] for item in first["items"])


def serve(versions: Versions, file: Path, **options: Any) -> TestClient:
    metrics = Metrics()
    rules = RulesFile(file, metrics.registry)
    return TestClient(create_app(versions, metrics=metrics, rules=rules, **options))


def test_a_file_counts_for_all_and_changes_while_the_server_runs(
    versions: Versions, client: TestClient, tmp_path: Path
) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('pin = ["9"]\n[[hide]]\ngenres = ["Comedy"]\n')
    plain = [m for m in listed(client) if m not in COMEDIES]

    def write(text: str) -> None:
        # Written in place, the file would be read while it is empty.
        whole = tmp_path / "whole.toml"
        whole.write_text(text)
        whole.replace(file)

    def until(ready: Any) -> None:
        for _ in range(200):
            if ready():
                return
            time.sleep(0.02)
        raise AssertionError("the file was not read anew")

    with serve(versions, file, reload_seconds=0.02) as server:
        assert listed(server) == ["9", *(m for m in plain if m != "9")]
        both = with_rules(server, pin=["11"], hide=[{"ids": ["3"]}])
        assert both == ["11", "9", *(m for m in plain if m not in ("3", "9", "11"))]
        similar = server.get("/api/v1/films/1/similar?k=12").json()["items"]
        films = server.get("/api/v1/films?limit=50").json()["items"]
        assert not COMEDIES & {item["movie_id"] for item in [*similar, *films]}
        assert server.get("/api/v1/films?search=jumanji").json()["items"]
        assert "reelflow_rules_up 1.0" in server.get("/metrics").text

        write("per_genre = 0\n")
        until(lambda: server.get("/api/v1/health").json()["problems"])
        (problem,) = server.get("/api/v1/health").json()["problems"]
        assert "per_genre" in problem
        assert listed(server)[0] == "9"
        text = server.get("/metrics").text
        assert "reelflow_rules_up 0.0" in text
        assert 'reelflow_rules_loads_total{outcome="failed"} 1.0' in text

        write('pin = ["11"]\n')
        until(lambda: listed(server)[0] == "11")
        assert server.get("/api/v1/health").json() == {"status": "ok", "problems": []}
        file.unlink()
        until(lambda: server.get("/api/v1/health").json()["problems"])
        assert listed(server)[0] == "11"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("rules.toml", "hide = 1", "hide: "),
        ("rules.toml", "hid = []", "hid: "),
        ("rules.toml", "hide = [", "rules.toml: "),
        ("rules.json", '{"boost": [{"ids": ["1"], "weight": 11}]}', "boost.0.weight: "),
        ("rules.json", '{"boost": [{"weight": 1}]}', "boost.0: "),
        ("rules.json", "pin = []", "rules.json: "),
    ],
)
def test_a_wrong_file_is_refused_at_the_start(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(BadInput, match=words):
        RulesFile(file, Metrics().registry)


def test_rules_choose_within_the_one_list_of_a_user(versions: Versions, tmp_path: Path) -> None:
    """Under --no-histories no rule brings a movie to light that the list does not have."""
    file = tmp_path / "rules.json"
    file.write_text('{"pin": ["11", "12"]}')
    everything = [str(n) for n in range(1, 13)]
    with serve(versions, file, histories=False) as server:
        shown = set(listed(server))
        for movie in everything:
            shown |= set(with_rules(server, pin=[movie]))
            shown |= set(with_rules(server, boost=[{"ids": [movie], "weight": 10}]))
            shown |= set(with_rules(server, hide=[{"ids": [movie]}]))
        for rules in ({"diversity": 1}, {"per_genre": 1}, {"new_for_strangers": 5}):
            shown |= set(with_rules(server, **rules))
        assert len(shown) == 1
