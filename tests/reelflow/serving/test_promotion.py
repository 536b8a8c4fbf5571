"""A real server follows promotions and rollbacks while requests are on their way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from reelflow.base.common import content_hash
from reelflow.config import PushConfig
from reelflow.registry.alias import Alias
from reelflow.registry.models import Models
from reelflow.registry.push import push
from reelflow.serving.limits import Limits
from tests import registries
from tests.reelflow.serving.live import live

WAIT_SECONDS = 60


@pytest.fixture
def models(exported: Path, better: Path, tmp_path: Path) -> Models:
    """Both registered; the second one is champion and serves."""
    registrar = registries.registrar(tmp_path / "registry")
    for number, model in enumerate((exported, better), start=1):
        registries.register(registrar, model, content_hash(model))
        registrar.promote(number)
        push(model, tmp_path / "serving", keep=3, now=100 + number)
    return Models(registrar, tmp_path / "serving", PushConfig(keep=3))


class Asking:
    """Clients that ask without a pause, and what they were answered."""

    def __init__(self, url: str) -> None:
        self.failures: list[str] = []
        self.last = ""
        """Movies of the answer before."""
        self.count = 0
        self._url, self._end = url, threading.Event()
        self._change = threading.Condition()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Ask for as long as the context lasts."""
        threads = [threading.Thread(target=self._ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._end.set()
            for thread in threads:
                thread.join(WAIT_SECONDS)

    def until(self, met: Callable[[], bool]) -> None:
        """Wait for an answer after which a condition is met."""
        with self._change:
            assert self._change.wait_for(met, WAIT_SECONDS)

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url, timeout=WAIT_SECONDS) as client:
            while not self._end.is_set():
                try:
                    answer = client.get("api/v1/recommendations?user_id=1&k=5")
                    answer.raise_for_status()
                    movies = "".join(item["movie_id"] + " " for item in answer.json()["items"])
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                    movies = "failed"
                with self._change:
                    self.last, self.count = movies, self.count + 1
                    self._change.notify_all()


@pytest.mark.parametrize("follows", ["folder", "alias"])
def test_no_request_fails_while_the_champion_changes(
    models: Models, tmp_path: Path, follows: str
) -> None:
    alias = f"models:/{registries.NAME}@champion"
    cache = tmp_path / "cache"
    source = models.serving if follows == "folder" else Alias(alias, cache, models.registry.uri)
    with live(source, limits=Limits(batch=4), reload_seconds=0.05) as url:
        asking = Asking(url)
        with asking.running():
            asking.until(lambda: asking.count > 4)
            second = asking.last
            models.promote("1")
            asking.until(lambda: asking.last not in (second, "failed"))
            first = asking.last
            models.rollback()
            asking.until(lambda: asking.last == second)
            models.rollback()
            asking.until(lambda: asking.last == first)
    assert asking.failures == []
