"""Canary and shadow beside the champion: who answers a user, and how the answers compare.

A canary answers a share of the users instead of the champion. A shadow is asked what the champion
was asked, afterwards, one request at a time in a thread of its own, and what would have to wait too
long is left out: no answer waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from reelflow.base.errors import BadInput, ReelflowError
from reelflow.registry.store import CANARY, CHAMPION, SHADOW, VARIANTS, Variant
from reelflow.registry.variants import is_of_share
from reelflow.serving import messages as m
from reelflow.serving.engine import Engine
from reelflow.serving.limits import Problem
from reelflow.serving.middleware import FIGURES
from reelflow.serving.versions import Versions, drop_unused, files_state

log = logging.getLogger("reelflow.serving")

WAITING: Final = 16
"""Requests that wait for the shadow, at most."""
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_SHARES = tuple(tenth / 10 for tenth in range(11))

Recommend = Callable[[Engine, Sequence[m.RecommendRequest]], Sequence[m.Recommendations]]
"""`Engine.recommend` or `Engine.recommend_discreetly`."""


@dataclass(frozen=True)
class Trial:
    """A version beside the champion."""

    engine: Engine
    folder: Path
    share: float
    """Of the users."""


@dataclass(frozen=True)
class Chosen:
    """The engine that answers one request."""

    name: str
    """`champion` or `canary`."""
    engine: Engine


class VariantMetrics:
    """Figures by variant and version; those of versions that are gone are removed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Start at zero."""
        labels = ["variant", "version"]
        self.answers = Counter(
            "reelflow_answers_total",
            "Answers of the model, by variant, version and outcome.",
            [*labels, "outcome"],
            registry=registry,
        )
        self.seconds = Histogram(
            "reelflow_answer_seconds",
            "Time of such an answer, waiting for other requests included.",
            labels,
            buckets=_SECONDS,
            registry=registry,
        )
        self.share = Gauge(
            "reelflow_variant_share",
            "Share of the users on a trial.",
            labels,
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.agreement = Histogram(
            "reelflow_shadow_agreement",
            "Share of the champion's movies that the shadow's answer has too.",
            ["version"],
            buckets=_SHARES,
            registry=registry,
        )
        self._seen = set[tuple[str, str, str]]()

    def note(self, variant: str, engine: Engine, outcome: str, seconds: float | None) -> None:
        """Count an answer, or the lack of one."""
        version = str(engine.version)
        self._seen.add((variant, version, outcome))
        self.answers.labels(variant, version, outcome).inc()
        if seconds is not None:
            self.seconds.labels(variant, version).observe(seconds)

    def end(self, variant: str, engine: Engine) -> None:
        """Remove the share of a variant; it is 0 where several processes keep their figures."""
        labels = variant, str(engine.version)
        self.share.labels(*labels).set(0)
        self._remove(self.share, labels)

    def keep(self, loaded: set[tuple[str, str]]) -> None:
        """Remove the figures of all variants and versions but these."""
        for variant, version, outcome in list(self._seen):
            if (variant, version) in loaded:
                continue
            self._seen.discard((variant, version, outcome))
            self._remove(self.answers, (variant, version, outcome))
            if (variant, version) not in {one[:2] for one in self._seen}:
                self._remove(self.seconds, (variant, version))
                if variant == SHADOW:
                    self._remove(self.agreement, (version,))

    @staticmethod
    def _remove(figure: Counter | Gauge | Histogram, labels: tuple[str, ...]) -> None:
        """Remove a figure, unless processes add up: it stays in their files, as Prometheus says."""
        if FIGURES not in os.environ:
            figure.remove(*labels)


class Variants:
    """The versions on trial beside those of `Versions`."""

    def __init__(self, versions: Versions, registry: CollectorRegistry) -> None:
        """Load what is on trial; what does not load is logged, and the champion serves alone.

        Args:
            versions: the champion's.
            registry: of the server's metrics.
        """
        self._versions = versions
        self._metrics = VariantMetrics(registry)
        self._trials: dict[Variant, Trial] = {}
        self._refused: dict[Path, object] = {}
        self._thread = ThreadPoolExecutor(1, "shadow")
        self._room = threading.BoundedSemaphore(WAITING)
        self.refresh()

    def choose(self, user_id: str | None) -> Chosen:
        """Return who answers a user; requests without a user are one user's."""
        trial = self._trials.get(CANARY)
        if trial is not None and is_of_share(user_id or "", trial.share):
            return Chosen(CANARY, trial.engine)
        return Chosen(CHAMPION, self._versions.engine)

    @property
    def has_shadow(self) -> bool:
        """True if answers are compared."""
        return SHADOW in self._trials

    @contextmanager
    def measured(self, chosen: Chosen) -> Iterator[None]:
        """Count and time one answer; a request that is refused is none."""
        start = time.perf_counter()
        try:
            yield
        except Problem:
            raise
        except Exception:
            self.note(chosen, "failed", start)
            raise
        self.note(chosen, "answered", start)

    def note(self, chosen: Chosen, outcome: str, start: float) -> None:
        """Count an answer whose work began at a time of `perf_counter`."""
        self._metrics.note(chosen.name, chosen.engine, outcome, time.perf_counter() - start)

    def compare(
        self,
        chosen: Chosen,
        recommend: Recommend,
        request: m.RecommendRequest,
        answer: m.Recommendations,
    ) -> None:
        """Ask the shadow, if there is one and it has time, what the champion has answered."""
        trial = self._trials.get(SHADOW)
        if trial is None or chosen.name != CHAMPION:
            return
        if not is_of_share(request.user_id or "", trial.share):
            return
        if not self._room.acquire(blocking=False):
            self._metrics.note(SHADOW, trial.engine, "skipped", None)
            return
        asked = self._thread.submit(self._ask_shadow, trial.engine, recommend, request, answer)
        asked.add_done_callback(lambda _: self._room.release())

    def refresh(self) -> None:
        """Load what is on trial by now, and drop what is not."""
        changed = False
        for variant in VARIANTS:
            try:
                found = self._versions.on_trial(variant)
            except (ReelflowError, OSError) as error:  # between two versions; or the source is away
                log.debug("keeping the %s: %s", variant, error)
                continue
            changed |= self._follow(variant, found)
        if changed:
            drop_unused()
        loaded = {(str(name), str(trial.engine.version)) for name, trial in self._trials.items()}
        self._metrics.keep({*loaded, (CHAMPION, str(self._versions.engine.version))})

    async def watch(self, seconds: float) -> None:
        """Look for changes every so many seconds, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await asyncio.to_thread(self.refresh)
            except Exception:  # whatever it is, the next look may succeed
                log.exception("keeping what is on trial")

    def close(self, *, wait: bool = False) -> None:
        """Ask the shadow nothing more; `wait` for what it was asked, or drop that."""
        self._thread.shutdown(wait=wait, cancel_futures=not wait)

    def _follow(self, variant: Variant, found: tuple[Path, float] | None) -> bool:
        """Take over what was found; return True if an engine was loaded or dropped."""
        before = self._trials.get(variant)
        folder, share = found or (None, 0.0)
        if folder is None or share <= 0:
            self._trials.pop(variant, None)
            if before is not None:
                self._metrics.end(variant, before.engine)
                log.info("version %s is %s no more", before.engine.version, variant)
            return before is not None
        if before is not None and before.folder == folder:
            engine = before.engine
        else:
            state = files_state(folder)
            if self._refused.get(folder) == state:
                return False
            try:
                engine = self._versions.load(folder)
            except Exception:  # any fault of a new model must leave the champion in use
                self._refused[folder] = state
                log.exception("%s does not load as %s", folder, variant)
                return self._follow(variant, None)
        if before is None or (before.engine, before.share) != (engine, share):
            if before is not None and before.engine is not engine:
                self._metrics.end(variant, before.engine)
            self._trials[variant] = Trial(engine, folder, share)
            self._metrics.share.labels(variant, str(engine.version)).set(share)
            log.info("version %s is %s for %g of the users", engine.version, variant, share)
        return before is None or before.engine is not engine

    def _ask_shadow(
        self,
        engine: Engine,
        recommend: Recommend,
        request: m.RecommendRequest,
        answer: m.Recommendations,
    ) -> None:
        start = time.perf_counter()
        try:
            _check(engine, request)
            [other] = recommend(engine, [request])
        except BadInput:  # names what this version does not know
            self._metrics.note(SHADOW, engine, "unknown", None)
            return
        except Exception:
            self._metrics.note(SHADOW, engine, "failed", time.perf_counter() - start)
            log.exception("the shadow, version %s, fails", engine.version)
            return
        self._metrics.note(SHADOW, engine, "answered", time.perf_counter() - start)
        movies = {item.movie_id for item in answer.items}
        common = movies & {item.movie_id for item in other.items}
        share = len(common) / len(movies) if movies else float(not other.items)
        self._metrics.agreement.labels(str(engine.version)).observe(share)


def _check(engine: Engine, request: m.RecommendRequest) -> None:
    """Raise `BadInput` if a request names movies or genres that a version does not know."""
    named = {*request.liked, *request.disliked, *request.ratings, *request.exclusions}
    if not named <= engine.rows.keys():
        raise BadInput("The request names movies that this version does not know.")
    engine.filters.check(request)
