"""The short way and ready answers against the long way, which is FastAPI's and the signature's."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from reelflow.serving import api
from reelflow.serving.app import create_app
from reelflow.serving.engine import Engine
from reelflow.serving.limits import Limits
from reelflow.serving.messages import Recommendations, RecommendRequest
from reelflow.serving.middleware import Metrics
from reelflow.serving.versions import Versions

PATH = "/api/v1/recommendations"
JSON = "application/json"


@pytest.fixture(scope="module")
def base(saved_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A serving folder with the checkerboard's model, which has ready lists."""
    folder = tmp_path_factory.mktemp("ready")
    shutil.copytree(saved_model, folder / "3")
    return folder


@pytest.fixture(scope="module")
def versions(base: Path) -> Versions:
    """Its versions."""
    return Versions(base, Limits(), Metrics())


@pytest.fixture(scope="module")
def both(versions: Versions) -> Iterator[tuple[TestClient, TestClient]]:
    """A server with short ways, and one without."""
    short = create_app(versions)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "SHORT", {})
        long = create_app(versions)
        with (
            TestClient(short, raise_server_exceptions=False) as one,
            TestClient(long, raise_server_exceptions=False) as other,
        ):
            yield one, other


def _same(both: tuple[TestClient, TestClient], method: str, url: str, **body: Any) -> Any:
    answers = [client.request(method, url, **body) for client in both]
    short, long = ((one.status_code, one.json()) for one in answers)
    assert short == long
    kept = [{k: v for k, v in one.headers.items() if k in ("vary", "allow")} for one in answers]
    assert kept[0] == kept[1]
    return answers[0].json()


def test_every_users_list_is_the_signatures(versions: Versions) -> None:
    engine = versions.engine
    assert engine.ready is not None
    for user in [*engine.ready._rows, "nobody"]:
        for k, offset in [(1, 0), (3, 0), (3, 2), (10, 0), (500, 0)]:
            request = RecommendRequest(user_id=user, k=k).at(offset)
            ready = engine.ready.answer(request)
            if ready is None:
                assert user == "nobody"
                continue
            [computed] = engine.recommend([request])
            assert type(computed).model_validate_json(ready) == computed


def test_reasons_are_those_that_would_be_chosen(versions: Versions) -> None:
    engine, found = versions.engine, 0
    assert engine.ready is not None
    for user in engine.ready._rows:
        for k in (1, 4, 10):
            request = RecommendRequest(user_id=user, k=k, explain=True)
            ready = engine.ready.answer(request)
            [computed] = engine.recommend([request])
            if ready is None:
                assert k > 10 or any(not item.because for item in computed.items)
                continue
            answer = Recommendations.model_validate_json(ready)
            found += 1
            for item, other in zip(answer.items, computed.items, strict=True):
                for own, its in zip(item.because or [], other.because or [], strict=True):
                    assert own.weight == pytest.approx(its.weight, rel=1e-3, abs=1e-6)
                    own.weight = its.weight
            assert answer == computed
    assert found
    assert engine.ready.answer(RecommendRequest(user_id=user, k=4, explain=True).at(2)) is None


@pytest.mark.parametrize(
    "more",
    [
        {"include_seen": True},
        {"liked": ["m1"]},
        {"disliked": ["m1"]},
        {"ratings": {"m1": 3}},
        {"exclusions": ["m1"]},
        {"order": "stars"},
        {"min_rating": 1},
        {"genres": ["Drama"]},
        {"year_from": 1},
        {"year_to": 3000},
        {"rules": {"hide": [{"ids": ["m1"]}]}},
    ],
)
def test_what_says_something_new_is_not_ready(versions: Versions, more: dict[str, Any]) -> None:
    ready = versions.engine.ready
    assert ready is not None
    user = next(iter(ready._rows))
    assert ready.answer(RecommendRequest(user_id=user)) is not None
    assert ready.answer(RecommendRequest(user_id=user, **more)) is None


def test_urls_are_understood_alike(both: tuple[TestClient, TestClient], versions: Versions) -> None:
    user, other = versions.engine.sample_users[:2]
    movie, another = (one.movie_id for one in versions.engine.movies[:2])
    for query in [
        f"user_id={user}",
        f"user_id={user}&k=3",
        f"user_id={user}&k=3&explain=yes",
        f"user_id={user}&user_id={other}",
        f"liked={movie}&liked={another}&disliked=nothing",
        f"ratings={movie}:4.5&ratings=nothing:1&k=2",
        f"user_id={user}&exclusions=nothing",
        f"user_id={user}&genres=Polka",
        f"user_id={user}&k=0",
        f"user_id={user}&k=3&k=many",
        f"user_id={user}&order=retrieval&min_rating=2&include_seen=1",
        f"user_id={user}&cursor=nowhere",
        "user_id=",
        "user_id=%ff&k=1",
        "liked=a%00b&k=1",
        "colour=red",
        "",
    ]:
        _same(both, "GET", f"{PATH}?{query}")
    first = _same(both, "GET", f"{PATH}?user_id={user}&k=2")
    _same(both, "GET", f"{PATH}?user_id={user}&k=2&cursor={first['next']}")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"user_id": "nobody", "k": 2}', JSON),
        (b'{"k": "2"}', f"{JSON}; charset=utf-8"),
        (b'{"k": 2}', "text/plain"),
        (b'{"k": 2', JSON),
        (b'{"k": 2.5}', JSON),
        (b'{"k": 2, "colour": "red"}', JSON),
        (b"[]", JSON),
        (b"", JSON),
        (b'{"user_id": "\\ud800"}', JSON),
    ],
)
def test_bodies_are_understood_alike(
    both: tuple[TestClient, TestClient], content: bytes, kind: str
) -> None:
    _same(both, "POST", PATH, content=content, headers={"content-type": kind})


def test_figures_know_the_route(both: tuple[TestClient, TestClient]) -> None:
    for client in both:
        before = _count(client)
        assert client.get(f"{PATH}?k=1").status_code == 200
        assert _count(client) == before + 1
        assert client.head(f"{PATH}?k=1").content == b""


def _count(client: TestClient) -> float:
    head = f'reelflow_requests_total{{method="GET",route="{PATH}",status="200"}} '
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.removeprefix(head)) for line in lines if line.startswith(head))


def test_lists_that_are_not_the_signatures_are_left_unused(base: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    from reelflow.saved_model.client import ServedModel
    from reelflow.saved_model.files import USERS
    from reelflow.saved_model.manifest import write_manifest

    folder = tmp_path / "model"
    shutil.copytree(base / "3", folder)
    table = pq.read_table(folder / USERS)
    (folder / USERS).unlink()
    pq.write_table(table.take([*range(1, len(table)), 0]), folder / USERS)
    write_manifest(folder)
    assert Engine(ServedModel.load(folder)).ready is None
