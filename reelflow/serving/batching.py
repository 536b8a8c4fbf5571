"""Micro-batches: requests that wait while the model is busy are answered by its next call.

An idle server answers at once, for no time is spent on waiting for company.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastapi import Request

from reelflow.serving.limits import Limits, busy, late
from reelflow.serving.metrics import Metrics
from reelflow.serving.versions import Versions

Question = TypeVar("Question")
Answer = TypeVar("Answer")


@dataclass(eq=False)
class _Job:
    answer_all: Callable[[Sequence[Any]], Sequence[Any]]
    question: Any
    answer: asyncio.Future[Any]


class Batcher:
    """Answers questions in threads, those for the same function together."""

    def __init__(self, limits: Limits, observe: Callable[[int], None]) -> None:
        """Start nothing yet.

        Args:
            limits: size of a batch, of the queue and of the pool, and the time for an answer.
            observe: is told the size of every batch.
        """
        self._limits = limits
        self._observe = observe
        self._waiting: deque[_Job] = deque()
        self._threads = ThreadPoolExecutor(limits.threads, "answers")
        self._workers: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()

    async def __aenter__(self) -> Batcher:
        """Begin to answer."""
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._limits.threads)]
        return self

    async def __aexit__(self, *_: object) -> None:
        """End, once the batches under way are answered."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown)

    @property
    def full(self) -> bool:
        """Whether as many questions wait as may."""
        return len(self._waiting) >= self._limits.waiting

    async def ask(
        self, answer_all: Callable[[Sequence[Question]], Sequence[Answer]], question: Question
    ) -> Answer:
        """Get one answer.

        Args:
            answer_all: answers several questions in order; a method of one engine, so that the
                version answers that the request was checked against, whatever is loaded meanwhile.
            question: for it.

        Raises:
            Problem: too many questions wait, or the answer took too long.
            Exception: whatever `answer_all` raises, for every question of its batch.
        """
        if self.full:
            raise busy()
        job = _Job(answer_all, question, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        self._wake.set()
        try:
            answer: Answer = await asyncio.wait_for(job.answer, self._limits.answer_seconds)
        except asyncio.TimeoutError:  # the builtin one only from Python 3.11 on
            raise late(self._limits.answer_seconds) from None
        finally:
            if job in self._waiting:  # whoever has given up takes nobody's place
                self._waiting.remove(job)
        return answer

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = self._take()
            if not batch:
                self._wake.clear()
                await self._wake.wait()
                continue
            self._observe(len(batch))
            questions = [job.question for job in batch]
            try:
                answers = await loop.run_in_executor(self._threads, batch[0].answer_all, questions)
            except Exception as error:  # noqa: BLE001  (handed on to whoever asked)
                for job in batch:
                    if not job.answer.done():
                        job.answer.set_exception(error)
            else:
                for job, answer in zip(batch, answers, strict=True):
                    if not job.answer.done():
                        job.answer.set_result(answer)

    def _take(self) -> list[_Job]:
        """The oldest question and those that can be answered with it."""
        batch: list[_Job] = []
        left: deque[_Job] = deque()
        for job in self._waiting:
            if len(batch) < self._limits.batch and (
                not batch or job.answer_all == batch[0].answer_all
            ):
                batch.append(job)
            else:
                left.append(job)
        self._waiting = left
        return batch


# What the routes share; kept on the application.


@dataclass
class State:
    """One server."""

    versions: Versions
    limits: Limits
    metrics: Metrics
    histories: bool
    """Whether answers may tell what users have rated."""
    stopping: bool = False
    batcher: Batcher = field(init=False)

    def __post_init__(self) -> None:
        """Make the queue."""
        self.batcher = Batcher(self.limits, self.metrics.batches.observe)


def state(request: Request) -> State:
    """The server that a request came to."""
    found: State = request.app.state.server
    return found
