"""The events of one server process: written in groups, and followed as all processes write them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge

from reelflow.base.errors import BadInput
from reelflow.data.event_lines import Event
from reelflow.data.event_log import EventLog
from reelflow.serving.events.memory import Memory
from reelflow.serving.limits import Problem

Result = TypeVar("Result")

log = logging.getLogger("reelflow.serving")

ROTATE_SECONDS: Final = 3600.0
"""Time after which events become a span."""
KEPT_SECONDS: Final = 30 * 86_400.0
"""Time for which closed logs are kept, so that a server that starts knows of their events."""
MEASURE_SECONDS: Final = 1.0
"""Time between two looks at lag and loss."""
WAITING: Final = 1_000
"""Requests whose events may wait for the disk; further ones get 503."""
_LATER: Final = {"Retry-After": "10"}


class EventMetrics:
    """Figures of events, beside a server's others."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Start at zero."""
        self.events = Counter(
            "reelflow_events_total",
            "Events by kind and outcome: accepted or duplicate.",
            ["kind", "outcome"],
            registry=registry,
        )
        self.lag = Gauge(
            "reelflow_events_lag_seconds",
            "Age of the oldest event that is not yet in a span.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.lost = Gauge(
            "reelflow_events_lost",
            "Lines of the log that cannot be read again; anything but 0 is a fault of the disk.",
            registry=registry,
            multiprocess_mode="livemax",
        )


@dataclass(eq=False)
class _Waiting:
    events: Sequence[Event]
    duplicates: asyncio.Future[int]


class Journal:
    """A log of events with what this process remembers of it.

    Events are written by one thread; those that arrive while it waits for the disk go with the
    next write, so that the disk is asked once for many requests.
    """

    def __init__(
        self, folder: Path, registry: CollectorRegistry, rotate_seconds: float = ROTATE_SECONDS
    ) -> None:
        """Open the log and learn what is in it.

        Args:
            folder: of the spans.
            registry: where the figures go.
            rotate_seconds: time after which events become a span.

        Raises:
            BadInput: the folder cannot be written, or holds spans by date.
        """
        self._log = EventLog(folder)
        self._memory = Memory()
        self._metrics = EventMetrics(registry)
        self._rotate_seconds = rotate_seconds
        self._mutex = Lock()
        self._thread = ThreadPoolExecutor(1, "events")
        self._waiting: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._prune()
        self.catch_up()

    async def __aenter__(self) -> Journal:
        """Begin to write."""
        tasks = self._write(), self._rotate(), self._measure()
        self._tasks = [asyncio.create_task(task) for task in tasks]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Make a span of what is there, and end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._in_thread(self._publish)
        await asyncio.to_thread(self._thread.shutdown)

    async def accept(self, events: Sequence[Event]) -> int:
        """Write events to the disk; return how many of them were there before.

        Raises:
            Problem: too many wait, or the disk does not take them. None of them counts then,
                unless it is sent again.
        """
        if len(self._waiting) >= WAITING:
            raise Problem(503, "Too many events wait for the disk.", {"Retry-After": "1"})
        waiting = _Waiting(events, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._wake.set()
        return await waiting.duplicates

    async def forget(self, user_id: str) -> int:
        """Remove a user's events from log and spans; return how many there were in the log."""
        return await self._in_thread(self._forget, user_id)

    def of(self, user_id: str) -> tuple[Event, ...]:
        """Return a user's newest events, of all processes, the newest last."""
        self.catch_up()
        return self._memory.of(user_id)

    def catch_up(self) -> None:
        """Learn what any process has written since the last time."""
        with self._mutex:
            self._memory.take(self._log.follow())

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            group, self._waiting = self._waiting, []
            try:
                counts = await self._in_thread(self._append, [one.events for one in group])
            except Exception as error:
                log.exception("events are not on the disk")
                reason = getattr(error, "strerror", None) or type(error).__name__
                problem = Problem(503, f"The events cannot be written: {reason}.", _LATER)
                for one in group:
                    if not one.duplicates.done():
                        one.duplicates.set_exception(problem)
            else:
                for one, count in zip(group, counts, strict=True):
                    if not one.duplicates.done():  # else its client has left
                        one.duplicates.set_result(count)

    async def _rotate(self) -> None:
        while True:
            await asyncio.sleep(self._rotate_seconds)
            await self._in_thread(self._publish)
            await self._in_thread(self._prune)

    async def _measure(self) -> None:
        """Set the gauges, whose values other processes read from files."""
        while True:
            self._metrics.lag.set(await self._in_thread(self._lag))
            self._metrics.lost.set(self._log.lost)
            await asyncio.sleep(MEASURE_SECONDS)

    async def _in_thread(self, function: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    def _append(self, groups: Sequence[Sequence[Event]]) -> list[int]:
        """Write groups of events at once; return how many of each were there before."""
        counts, new, kinds = [], dict[str, Event](), []
        with self._log.locked():
            self.catch_up()
            for events in groups:
                count = 0
                for event in events:
                    known = event.event_id in self._memory or event.event_id in new
                    new.setdefault(event.event_id, event)
                    kinds.append((event.kind, "duplicate" if known else "accepted"))
                    count += known
                counts.append(count)
            self._log.append([e for i, e in new.items() if i not in self._memory])
        for labels in kinds:
            self._metrics.events.labels(*labels).inc()
        self.catch_up()
        if self._log.is_large:
            self._publish()
        return counts

    def _publish(self) -> None:
        try:
            span = self._log.publish()
        except (OSError, BadInput):  # the events stay in the log, and the next turn may succeed
            log.exception("no span was made of the events")
        else:
            self.catch_up()
            if span is not None:
                log.info("events became the span %s", span.name)

    def _prune(self) -> None:
        self._log.prune(time.time() - KEPT_SECONDS)

    def _forget(self, user_id: str) -> int:
        removed = self._log.forget(user_id)
        self.catch_up()
        return removed

    def _lag(self) -> float:
        with suppress(OSError):
            self.catch_up()
        since = self._log.waiting_since
        return 0.0 if since is None else max(0.0, time.time() - since)
