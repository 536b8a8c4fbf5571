"""A newly pushed version takes over while requests go on."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from reelflow.base.errors import BadInput
from reelflow.registry.push import push
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.contract import REQUIRED
from reelflow.saved_model.manifest import MANIFEST
from reelflow.serving.app import create_app
from reelflow.serving.limits import Limits
from reelflow.serving.middleware import Metrics
from reelflow.serving.versions import Versions
from tests import tiny_model

LIMITS = Limits(batch=4)


def test_no_request_fails_while_a_version_is_exchanged(
    exported: Path, better: Path, tmp_path: Path
) -> None:
    push(exported, tmp_path, keep=1, now=7)
    versions = Versions(tmp_path, LIMITS, Metrics())
    app = create_app(versions, limits=LIMITS, reload_seconds=0.05)
    answers: dict[int, set[str]] = {}

    async def ask(client: httpx.AsyncClient) -> None:
        while len(answers) < 2 or asyncio.get_running_loop().time() < end:
            answer = await client.get("/api/v1/recommendations?user_id=1&k=3&explain=true")
            assert answer.status_code == 200, answer.text
            content = answer.json()
            items = json.dumps([item["movie_id"] for item in content["items"]])
            answers.setdefault(content["model_version"], set()).add(items)

    async def main() -> None:
        nonlocal end
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
        ):
            asking = [asyncio.create_task(ask(client)) for _ in range(4)]
            await asyncio.sleep(0.3)
            await asyncio.to_thread(push, better, tmp_path, keep=1, now=8)  # deletes version 7
            end = asyncio.get_running_loop().time() + 1
            await asyncio.wait_for(asyncio.gather(*asking), 60)

    end = 0.0
    asyncio.run(main())
    assert sorted(answers) == [7, 8]
    assert all(len(different) == 1 for different in answers.values())
    assert answers[7] != answers[8]


def test_a_version_that_does_not_load_is_refused_until_it_changes(
    exported: Path, better: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics()
    push(exported, tmp_path, keep=3, now=7)
    versions = Versions(tmp_path, LIMITS, metrics)
    (tmp_path / "8").mkdir()
    (tmp_path / "8" / "saved_model.pb").write_bytes(b"nonsense")
    assert not versions.refresh()
    assert not versions.refresh()
    assert versions.engine.version == 7
    assert caplog.text.count("keeping version 7") == 1
    assert (
        metrics.registry.get_sample_value("reelflow_model_loads_total", {"outcome": "failed"}) == 1
    )
    shutil.copytree(better, tmp_path / "8", dirs_exist_ok=True)
    assert versions.refresh()
    assert versions.engine.version == 8


def test_a_broken_newest_version_leaves_an_older_one_in_use(
    exported: Path, better: Path, tmp_path: Path
) -> None:
    push(exported, tmp_path, keep=3, now=7)
    push(better, tmp_path, keep=3, now=8)
    (tmp_path / "8" / MANIFEST).unlink()
    (tmp_path / "8" / "saved_model.pb").unlink()  # its content is shared with the model pushed
    (tmp_path / "8" / "saved_model.pb").write_bytes(b"nonsense")
    metrics = Metrics()
    versions = Versions(tmp_path, LIMITS, metrics)
    assert versions.engine.version == 7
    assert not versions.refresh()
    failed = {"outcome": "failed"}
    assert metrics.registry.get_sample_value("reelflow_model_loads_total", failed) == 1
    shutil.rmtree(tmp_path / "7")
    with pytest.raises(BadInput, match="8 cannot be loaded"):
        Versions(tmp_path, LIMITS, metrics)


@pytest.mark.parametrize("listed", [True, False])
def test_a_version_that_is_copied_file_by_file_waits_until_it_is_whole(
    exported: Path, better: Path, tmp_path: Path, listed: bool
) -> None:
    push(exported, tmp_path, keep=3, now=7)
    metrics = Metrics()
    versions = Versions(tmp_path, LIMITS, metrics)
    files = sorted(path for path in better.rglob("*") if path.is_file())
    for path in files if listed else [path for path in files if path != better / MANIFEST]:
        target = tmp_path / "8" / path.relative_to(better)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        if path != files[-1]:
            assert not versions.refresh()
    if not listed:
        assert not versions.refresh()
    assert versions.refresh()
    assert versions.engine.version == 8
    failed = {"outcome": "failed"}
    assert metrics.registry.get_sample_value("reelflow_model_loads_total", failed) is None


def test_a_lost_folder_is_said_once_and_shown(
    exported: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics()

    def up() -> float | None:
        return metrics.registry.get_sample_value("reelflow_model_source_up")

    push(exported, tmp_path / "serving", keep=1, now=7)
    versions = Versions(tmp_path / "serving", LIMITS, metrics)
    assert up() == 1
    (tmp_path / "serving").rename(tmp_path / "away")
    assert not versions.refresh()
    assert not versions.refresh()
    assert up() == 0
    assert caplog.text.count("There is no pushed model") == 1
    (tmp_path / "away").rename(tmp_path / "serving")
    assert not versions.refresh()
    assert up() == 1
    assert "is there again" in caplog.text


def test_nothing_ends_the_watch(
    exported: Path, better: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(exported, tmp_path, keep=2, now=7)
    versions = Versions(tmp_path, LIMITS, Metrics())
    raised: list[str] = []

    def broken(folder: Path) -> object:
        raised.append(folder.name)
        if len(raised) < 3:
            raise OSError("stale file handle")
        return ()

    monkeypatch.setattr("reelflow.serving.versions.files_state", broken)
    push(better, tmp_path, keep=2, now=8)

    async def main() -> None:
        watching = asyncio.create_task(versions.watch(0.01))
        while versions.engine.version == 7:
            await asyncio.sleep(0.01)
        watching.cancel()

    asyncio.run(asyncio.wait_for(main(), 60))
    assert len(raised) >= 3


def test_a_rollback_is_followed_and_an_empty_folder_is_not(
    exported: Path, better: Path, tmp_path: Path
) -> None:
    push(exported, tmp_path, keep=2, now=7)
    push(better, tmp_path, keep=2, now=8)
    versions = Versions(tmp_path, LIMITS, Metrics())
    assert versions.engine.version == 8
    assert not versions.refresh()
    shutil.rmtree(tmp_path / "8")
    assert versions.refresh()
    assert versions.engine.version == 7
    shutil.rmtree(tmp_path / "7")
    assert not versions.refresh()
    assert versions.engine.version == 7


def test_no_user_waits_for_a_signatures_first_call(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: set[str] = set()
    own = Signatures.call

    def call(model: Signatures, signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        asked.add(signature)
        return own(model, signature, inputs)

    monkeypatch.setattr(Signatures, "call", call)
    Versions(exported, LIMITS, Metrics())
    assert asked == {*tiny_model.TinyModel().signatures()} - {"evaluate", "score"}


def test_one_model_can_be_served_as_well(exported: Path) -> None:
    versions = Versions(exported, LIMITS, Metrics())
    assert versions.engine.version == 0
    assert not versions.refresh()


def test_a_model_of_before_says_what_it_lacks(tmp_path: Path) -> None:
    model = tiny_model.TinyModel()
    few = {name: model.signatures()[name] for name in REQUIRED}
    tiny_model.export(tmp_path / "7", model, few)
    with pytest.raises(BadInput, match="lacks the signatures score, explain, timeline"):
        Versions(tmp_path, LIMITS, Metrics())
