"""HEAD, entity tags, compression and errors in JSON, through the whole application."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

LIST = "/api/v1/recommendations?user_id=1&k=3"
PATHS = [LIST, "/", "/page/style.css", "/openapi.json", "/api/v1/version", "/metrics"]


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_the_body(client: TestClient, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize("path", PATHS[:-1])
def test_an_answer_that_the_client_has_is_not_sent_again(client: TestClient, path: str) -> None:
    tag = client.get(path).headers["etag"]
    again = client.get(path, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_another_answer_has_another_tag(client: TestClient) -> None:
    tags = {client.get(f"/api/v1/recommendations?user_id={u}").headers["etag"] for u in "1234"}
    assert len(tags) == 4


def test_lists_are_for_the_client_alone(client: TestClient) -> None:
    assert client.get(LIST).headers["cache-control"] == "private, no-cache"


def test_large_answers_are_compressed(client: TestClient) -> None:
    packed = client.get("/openapi.json", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/openapi.json", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json() == plain.json()
    assert "content-encoding" not in plain.headers
    assert int(packed.headers["content-length"]) < len(plain.content) / 3


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/nothing", 404),
        ("PUT", "/api/v1/recommendations", 405),
        ("HEAD", "/v1/models/reelflow:predict", 405),
        ("BREW", "/", 405),
        ("GET", "/api/v1/recommendations?k=0", 422),
    ],
)
def test_errors_are_json(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    if method != "HEAD":
        assert set(answer.json()) == {"error"}
    if status == 405:
        assert answer.headers["allow"]
