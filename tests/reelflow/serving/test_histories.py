"""A server that may not tell what its users have rated, and one that may."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from reelflow.serving.app import create_app
from reelflow.serving.limits import Limits
from reelflow.serving.middleware import Metrics
from reelflow.serving.versions import Versions


@pytest.fixture(scope="module")
def discreet(pushed: Path) -> Iterator[TestClient]:
    """A server with histories switched off."""
    with TestClient(create_app(Versions(pushed, Limits(batch=2), Metrics()), histories=False)) as c:
        yield c


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/users", None),
        ("/api/v1/profile?user_id=1", None),
        ("/api/v1/recommendations?user_id=1&explain=true", None),
        ("/api/v1/recommendations", {"user_id": "1", "include_seen": True}),
        (
            "/v1/models/reelflow:predict",
            {"instances": [{"user_id": "1"}], "signature_name": "timeline"},
        ),
        (
            "/v1/models/reelflow:predict",
            {"instances": [{"user_id": "1"}], "signature_name": "score"},
        ),
    ],
)
def test_what_would_tell_is_refused(
    discreet: TestClient, client: TestClient, path: str, body: Any
) -> None:
    method = "POST" if body else "GET"
    assert client.request(method, path, json=body).status_code == 200
    refused = discreet.request(method, path, json=body)
    assert refused.status_code == 403
    assert "rated" in refused.json()["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/recommendations?user_id=1",
        "/api/v1/recommendations?liked=1&explain=true&include_seen=true",
        "/api/v1/profile?liked=1",
        "/api/v1/version",
    ],
)
def test_everything_else_works(discreet: TestClient, path: str) -> None:
    assert discreet.get(path).status_code == 200
