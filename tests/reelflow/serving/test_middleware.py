"""Hostile bodies, through the whole application."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi.testclient import TestClient

from reelflow.serving.limits import Limits
from reelflow.serving.middleware import Metrics, RequestMiddleware

PATHS = ["/api/v1/recommendations", "/v1/models/reelflow:predict", "/nothing"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"x" * 20_001, 413, "20,000 bytes"),
        (b"x" * (10 << 20), 413, "20,000 bytes"),
        (b'{"user_id": "\xff"}', 400, "not UTF-8: byte 13"),
        (b"[" * 10_000, 400, "nested"),
        (b'{"a":' * 17 + b"1" + b"}" * 17, 400, "nested"),
    ],
    ids=["just too large", "10 MB", "no UTF-8", "deep", "deep objects"],
)
def test_refused_with_a_reason(
    client: TestClient, path: str, body: bytes, status: int, words: str
) -> None:
    answer = client.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_brackets_in_texts_are_not_depth(client: TestClient) -> None:
    body = {"user_id": '[{"[{\\"' * 20, "k": 1}
    assert client.post(PATHS[0], json=body).status_code == 200


def test_many_quotes_take_linear_time(client: TestClient) -> None:
    body = b"[" * 16 + b'"' + b'\\"' * 9_000
    assert client.post(PATHS[0], content=body).status_code == 422


def test_half_a_surrogate_pair_is_no_text(client: TestClient) -> None:
    headers = {"content-type": "application/json"}
    answer = client.post(PATHS[0], content=b'{"user_id": "\\ud800"}', headers=headers)
    assert answer.status_code == 422


@pytest.mark.parametrize("path", ["/page/../app.py", "/page/%2e%2e/app.py", "/page//etc/passwd"])
def test_only_the_pages_own_files_are_sent(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_page_may_load_nothing_from_elsewhere(client: TestClient) -> None:
    policy = client.get("/").headers["content-security-policy"]
    assert policy.startswith("default-src 'self'")


async def _nothing(*_: Any) -> None:
    raise AssertionError("the application must not be asked")


def _request(receive: Any, limits: Limits) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"transfer-encoding", b"chunked")]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
    asyncio.run(RequestMiddleware(_nothing, limits, Metrics())(scope, receive, send))
    return sent


def test_a_body_that_trickles_is_given_up() -> None:
    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    assert _request(receive, Limits(body_seconds=0.1))[0]["status"] == 408


def test_an_endless_body_is_not_kept() -> None:
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1000
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    sent = _request(receive, Limits(body_bytes=5_000, drained_bytes=50_000))
    assert sent[0]["status"] == 413
    assert (b"connection", b"close") in sent[0]["headers"]
    assert read <= 52_000
