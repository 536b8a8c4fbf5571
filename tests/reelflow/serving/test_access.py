"""Who is let in: keys with scopes, Host names, origins; and what is written of requests."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from reelflow.base.errors import BadInput
from reelflow.serving.access import Access, Key, is_loopback, read_keys, right_for
from reelflow.serving.app import create_app
from reelflow.serving.limits import Limits
from reelflow.serving.middleware import Metrics
from reelflow.serving.versions import Versions

TEXTS, KEYS = zip(
    *(Key.make(name, [name]) for name in ("read", "events", "admin")),  # type: ignore[list-item]
    strict=True,
)
READ, EVENTS, ADMIN = ({"Authorization": f"Bearer {text}"} for text in TEXTS)
LIST = "/api/v1/recommendations?user_id=1"


def _on(host: str = "127.0.0.1", **more: object) -> Access:
    given = {"keys": None, "key_file": None, "hosts": (), "origins": (), **more}
    return Access.on(host, **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def versions(pushed: Path) -> Versions:
    return Versions(pushed, Limits(batch=2), Metrics())


@pytest.fixture(scope="module")
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture(scope="module")
def guarded(versions: Versions, log: io.StringIO) -> Iterator[TestClient]:
    access = Access(KEYS, ("localhost", "*.example.org"), ("https://shop.example",))
    app = create_app(versions, access=access, access_log=log, root_path="/movies")
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def test_a_key_is_kept_as_its_hash_only(tmp_path: Path) -> None:
    text, key = Key.make("shop", ["read", "events"])
    assert text not in str(key)
    file = tmp_path / "keys"
    file.write_text(f"# of the shop\n{key}  # since May\n\n")
    assert _on(key_file=file, keys=str(KEYS[0])).keys == (key, KEYS[0])


@pytest.mark.parametrize("line", ["shop", "shop:read:abc", f"shop:write:{'0' * 64}", "# none"])
def test_a_wrong_line_is_named(line: str) -> None:
    with pytest.raises(BadInput, match="keys"):
        read_keys(line, "keys")


def test_without_keys_on_this_machine_only() -> None:
    assert [is_loopback(name) for name in ("localhost", "127.0.0.9", "::1", "0.0.0.0", "a.b")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert not _on().keys
    assert _on("0.0.0.0", without_keys=True).hosts
    with pytest.raises(BadInput, match="--keys"):
        _on("0.0.0.0")


def test_what_is_not_known_needs_a_key() -> None:
    assert right_for("GET", "/api/v1/health") is None
    assert right_for("GET", "/page/page.js") is None
    assert right_for("GET", "/page") == "read"
    assert right_for("POST", "/anything") == "read"
    assert right_for("DELETE", "/api/v1/users/1") == "events"
    assert right_for("POST", "/api/v1/events") == "events"
    assert right_for("GET", "/metrics") == "admin"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (LIST, {}, 401),
        (LIST, {"Authorization": "Bearer rf_wrong"}, 401),
        (LIST, {"Authorization": "Basic eDp5"}, 401),
        (LIST, {"X-API-Key": "ÿ".encode("latin-1")}, 401),
        (LIST, EVENTS, 403),
        (LIST, READ, 200),
        (LIST, {"X-API-Key": TEXTS[0]}, 200),
        (LIST, ADMIN, 200),
        ("/v1/models/reelflow", {}, 401),
        ("/metrics", READ, 403),
        ("/metrics", ADMIN, 200),
        ("/nothing", {}, 401),
        ("/api/v1/health", {}, 200),
        ("/", {}, 200),
        ("/page/page.js", {}, 200),
        ("/openapi.json", {}, 200),
    ],
)
def test_keys_and_scopes(
    guarded: TestClient, path: str, headers: dict[str, str], status: int
) -> None:
    answer = guarded.get(path, headers=headers)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
    if status > 400:
        assert set(answer.json()) == {"error"}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8501", 200),
        ("127.0.0.1", 200),
        ("[::1]:8501", 200),
        ("10.1.2.3", 200),
        ("a.example.org", 200),
        ("rebound.example.com", 421),
        ("localhost.example.com", 421),
        ("", 421),
        ("a@localhost", 421),
        ("[::", 421),
    ],
)
def test_a_strange_name_is_refused(guarded: TestClient, host: str, status: int) -> None:
    assert guarded.get("/api/v1/health", headers={"Host": host}).status_code == status


def test_pages_of_named_origins_may_ask(guarded: TestClient) -> None:
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    answer = guarded.options("/api/v1/recommendations", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    refused = guarded.options(
        "/api/v1/recommendations", headers={**asked, "Origin": "https://other.example"}
    )
    assert refused.status_code == 400
    assert "--allow-origin" in refused.json()["error"]
    # An error can be read by the page as well.
    wrong = guarded.get(LIST, headers={"Origin": "https://shop.example"})
    assert (wrong.status_code, wrong.headers["access-control-allow-origin"]) == (
        401,
        "https://shop.example",
    )


@pytest.mark.parametrize("origin", ["shop.example", "https://shop.example/", "null"])
def test_an_origin_is_checked(origin: str) -> None:
    with pytest.raises(BadInput, match="no origin"):
        _on(origins=[origin])


def test_below_the_path_of_a_proxy(guarded: TestClient) -> None:
    assert guarded.get("/movies/api/v1/health").status_code == 200
    assert guarded.get(f"/movies{LIST}").status_code == 401
    assert guarded.get(f"/movies{LIST}", headers=READ).status_code == 200
    document = guarded.get("/movies/openapi.json").json()
    assert document["servers"] == [{"url": "/movies"}]


def test_a_line_for_each_request_without_ids(guarded: TestClient, log: io.StringIO) -> None:
    before = len(log.getvalue().splitlines())
    ask = {**READ, "X-Request-ID": "abc-1"}
    assert guarded.get(LIST, headers=ask).headers["x-request-id"] == "abc-1"
    made = guarded.get("/nothing", headers={"X-Request-ID": "a\tb"}).headers["x-request-id"]
    first, second = (json.loads(line) for line in log.getvalue().splitlines()[before:])
    assert first["request_id"] == "abc-1"
    assert (first["client"], first["status"], first["method"]) == ("read", 200, "GET")
    assert first["route"] == "/api/v1/recommendations"
    assert "user_id" not in str(first)
    assert (second["request_id"], second["status"], second["client"]) == (made, 401, None)


def test_operations_have_plain_names_and_say_their_scope(guarded: TestClient) -> None:
    document = guarded.get("/openapi.json").json()
    operations = {
        one["operationId"]: one for path in document["paths"].values() for one in path.values()
    }
    assert {"recommend", "rate", "similar", "version", "metrics"} <= set(operations)
    assert len(operations) == sum(len(path) for path in document["paths"].values())
    for one in operations.values():
        for content in one["responses"]["200"]["content"].values():
            assert content["schema"]
    assert operations["metrics"]["x-scope"] == "admin"
    assert "security" not in operations["health"]
    assert {"401", "429", "503"} <= set(operations["recommend"]["responses"])
