"""Canary and shadow in a server: who answers whom, what is measured, and that nothing waits."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from reelflow.base.common import content_hash
from reelflow.registry.push import push, withdraw
from reelflow.registry.store import Registry
from reelflow.registry.variants import is_of_share, place, set_share
from reelflow.serving import variants as module
from reelflow.serving.app import create_app
from reelflow.serving.engine import Engine
from reelflow.serving.limits import Limits
from reelflow.serving.middleware import Metrics
from reelflow.serving.variants import Variants
from reelflow.serving.versions import Alias, Versions
from tests import registries

LIMITS = Limits(batch=2)
USERS = ["1", "2", "3", "4", "5", *(f"new {number}" for number in range(15))]


@contextmanager
def server(source: Path | Alias) -> Iterator[tuple[TestClient, Variants]]:
    metrics = Metrics()
    app = create_app(Versions(source, LIMITS, metrics), limits=LIMITS, metrics=metrics)
    with TestClient(app) as client:
        yield client, app.state.server.variants


def _ask(client: TestClient, user: str) -> tuple[int, list[str]]:
    answer = client.get("/api/v1/recommendations", params={"user_id": user, "k": 4})
    assert answer.status_code == 200, answer.text
    content = answer.json()
    return content["model_version"], [item["movie_id"] for item in content["items"]]


def _figure(client: TestClient, name: str, **labels: object) -> float:
    """The sum of a figure's lines that have these labels."""
    lines = re.findall(rf"^{name}{{(.*)}} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    return sum(float(value) for text, value in lines if all(one in text for one in wanted))


def test_a_canary_answers_its_share_of_the_users_and_says_so(
    exported: Path, better: Path, tmp_path: Path
) -> None:
    push(exported, tmp_path, keep=2, now=7)
    canary = int(place(better, tmp_path, "canary", 0.4).name)
    with server(tmp_path) as (client, variants):
        first = {user: _ask(client, user) for user in USERS}
        assert {user: version for user, (version, _) in first.items()} == {
            user: canary if is_of_share(user, 0.4) else 7 for user in USERS
        }
        assert {version for version, _ in first.values()} == {7, canary}
        ours = sum(is_of_share(user, 0.4) for user in USERS)
        assert _figure(client, "reelflow_answers_total", variant="canary", version=canary) == ours
        count = "reelflow_answer_seconds_count"
        assert _figure(client, count, variant="champion", version=7) == len(USERS) - ours
        for path in ("rating?movie_id=1", "profile?"):
            versions = {
                user: client.get(f"/api/v1/{path}&user_id={user}").json()["model_version"]
                for user in USERS[:5]
            }
            assert versions == {user: first[user][0] for user in USERS[:5]}

        set_share(tmp_path, "canary", 1.0, "owner")
        variants.refresh()
        assert {_ask(client, user)[0] for user in USERS} == {canary}
        # TensorFlow Serving's path has many users in a request, and the champion alone.
        status = client.get("/v1/models/reelflow").json()
        assert status["model_version_status"][0]["version"] == "7"

        withdraw(tmp_path / "canary")
        variants.refresh()
        assert {_ask(client, user)[0] for user in USERS} == {7}
        assert f'version="{canary}"' not in client.get("/metrics").text


def test_a_canary_that_does_not_load_leaves_the_champion_and_is_not_tried_again(
    exported: Path, better: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(exported, tmp_path, keep=2, now=7)
    tried: list[Path] = []
    load = Versions.load

    def broken(self: Versions, path: Path) -> Engine:
        if path.parent.name == "canary":
            tried.append(path)
            raise RuntimeError("broken")
        return load(self, path)

    monkeypatch.setattr(Versions, "load", broken)
    with server(tmp_path) as (client, variants):
        place(better, tmp_path, "canary", 1.0)
        variants.refresh()
        variants.refresh()
        assert len(tried) == 1
        assert _ask(client, "1")[0] == 7


def test_no_answer_waits_for_a_shadow(
    exported: Path, better: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(exported, tmp_path, keep=2, now=7)
    shadow = int(place(better, tmp_path, "shadow", 1.0).name)
    monkeypatch.setattr(module, "WAITING", 3)
    let_go, recommend = threading.Event(), Engine.recommend

    def slow(self: Engine, requests: list[object]) -> object:
        if self.version == shadow and threading.current_thread().name.startswith("shadow"):
            assert let_go.wait(60)
        return recommend(self, requests)

    with server(tmp_path) as (client, variants):
        monkeypatch.setattr(Engine, "recommend", slow)
        answers = [_ask(client, "1") for _ in range(5)]  # the shadow answers none of them yet
        assert {version for version, _ in answers} == {7}
        figures = {"variant": "shadow", "version": shadow}
        assert _figure(client, "reelflow_answers_total", **figures, outcome="skipped") == 2
        let_go.set()
        variants.close(wait=True)
        assert _figure(client, "reelflow_answers_total", **figures, outcome="answered") == 3
        assert _figure(client, "reelflow_shadow_agreement_count", version=shadow) == 3


def test_a_shadow_is_compared_and_its_faults_are_its_own(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(exported, tmp_path, keep=2, now=7)
    shadow = int(place(exported, tmp_path, "shadow", 1.0).name)
    with server(tmp_path) as (client, variants):
        _ask(client, "1")
        engine = variants._trials["shadow"].engine
        del engine.rows["3"]  # as of a version that does not know the movie
        body = {"liked": ["3"], "k": 3}
        assert client.post("/api/v1/recommendations", json=body).status_code == 200
        variants.close(wait=True)
        variants._thread = module.ThreadPoolExecutor(1)
        monkeypatch.setattr(engine, "ask", None)
        _ask(client, "2")
        variants.close(wait=True)
        for outcome in ("answered", "unknown", "failed"):
            figures = {"variant": "shadow", "version": shadow, "outcome": outcome}
            assert _figure(client, "reelflow_answers_total", **figures) == 1
        assert _figure(client, "reelflow_shadow_agreement_sum", version=shadow) == 1  # the same


def test_a_server_that_follows_the_registry_has_canaries_too(
    exported: Path, better: Path, tmp_path: Path
) -> None:
    registrar: Registry = registries.registrar(tmp_path / "registry")
    for model in (exported, better):
        registries.register(registrar, model, content_hash(model))
    registrar.promote(1)
    registrar.tag(2, {"reelflow.share": "0.4"})
    registrar.set_alias("canary", 2)
    uri = f"models:/{registries.NAME}@champion"
    with server(Alias(uri, tmp_path / "cache", registrar.uri)) as (client, variants):
        assert {user: _ask(client, user)[0] for user in USERS} == {
            user: 2 if is_of_share(user, 0.4) else 1 for user in USERS
        }
        registrar.client.delete_registered_model_alias(registrar.name, "canary")
        variants.refresh()
        assert {_ask(client, user)[0] for user in USERS} == {1}
