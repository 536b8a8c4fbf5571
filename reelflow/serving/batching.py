"""Micro-batches: requests that wait while the model is busy are answered by its next call.

An idle server answers at once: no request waits for others to fill a batch. A batch is bounded by
its work as well, and one thread is kept from heavy requests, so that light ones pass them by.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from reelflow.serving.limits import Limits, Problem

BatchRequest = TypeVar("BatchRequest")
Answer = TypeVar("Answer")


@dataclass(eq=False)
class _Job:
    answer_all: Callable[[Sequence[Any]], Sequence[Any]]
    request: Any
    work: float
    """Units (`work.work_of`)."""
    answer: asyncio.Future[Any]
    taken: bool = False
    """True once it waits no more."""


class Batcher:
    """A queue of requests, answered in threads, those for the same function together."""

    def __init__(self, limits: Limits, observe: Callable[[int], None]) -> None:
        """Take bounds; entering the context starts the threads.

        Args:
            limits: size of a batch, of the queue and of the pool, and the time for an answer.
            observe: called with the size of every batch.
        """
        self._limits = limits
        self._observe = observe
        self._waiting: deque[_Job] = deque()
        self._threads = ThreadPoolExecutor(limits.threads, "answers")
        self._workers: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()

    async def __aenter__(self) -> Batcher:
        """Start to answer."""
        # With one thread only there is none to spare.
        most = [math.inf] * self._limits.threads
        if self._limits.threads > 1:
            most[0] = self._limits.heavy_work
        self._workers = [asyncio.create_task(self._work(bound)) for bound in most]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, once the batches under way are answered."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown)

    @property
    def full(self) -> bool:
        """True if no further request may wait."""
        return len(self._waiting) >= self._limits.waiting

    async def ask(
        self,
        answer_all: Callable[[Sequence[BatchRequest]], Sequence[Answer]],
        request: BatchRequest,
        work: float = 1.0,
    ) -> Answer:
        """Return the answer to one request.

        Args:
            answer_all: answers several requests in order; a method of one engine, so that the
                version answers that the request was checked against, even if another is loaded.
            request: one of them.
            work: its units.

        Raises:
            Problem: too many requests wait, or the answer took too long.
            Exception: any that `answer_all` raises, for every request of its batch.
        """
        if self.full or (work >= self._limits.heavy_work and self._heavy_are_full):
            raise Problem(503, "The server is busy; try again shortly.", {"Retry-After": "1"})
        loop = asyncio.get_running_loop()
        job = _Job(answer_all, request, work, loop.create_future())
        self._waiting.append(job)
        self._wake.set()
        late = loop.call_later(self._limits.answer_seconds, self._give_up, job)
        try:
            answer: Answer = await job.answer
        finally:
            late.cancel()
            if not job.taken:  # a client that has left takes no place
                self._waiting.remove(job)
        return answer

    def _give_up(self, job: _Job) -> None:
        if not job.answer.done():
            words = f"The model did not answer within {self._limits.answer_seconds:g} seconds."
            job.answer.set_exception(Problem(504, words))

    @property
    def _heavy_are_full(self) -> bool:
        heavy = (job.work for job in self._waiting if job.work >= self._limits.heavy_work)
        return sum(heavy) >= self._limits.waiting_work

    async def _work(self, most: float) -> None:
        """Answer batch after batch of requests with less than so much work each."""
        loop = asyncio.get_running_loop()
        while True:
            batch = self._next_batch(most)
            if not batch:
                self._wake.clear()
                await self._wake.wait()
                continue
            self._observe(len(batch))
            requests = [job.request for job in batch]
            try:
                answers = await loop.run_in_executor(self._threads, batch[0].answer_all, requests)
            except Exception as error:  # noqa: BLE001  (raised again in `ask`)
                for job in batch:
                    if not job.answer.done():
                        job.answer.set_exception(error)
            else:
                for job, answer in zip(batch, answers, strict=True):
                    if not job.answer.done():
                        job.answer.set_result(answer)

    def _next_batch(self, most: float) -> list[_Job]:
        """Take the oldest request from the queue, and those that can be answered with it.

        Args:
            most: units of work that each of them must stay below.
        """
        batch: list[_Job] = []
        rest: deque[_Job] = deque()
        work = 0.0
        for job in self._waiting:
            if (
                len(batch) < self._limits.batch
                and job.work < most
                and (not batch or work + job.work <= self._limits.batch_work)
                and (not batch or job.answer_all == batch[0].answer_all)
            ):
                batch.append(job)
                job.taken = True
                work += job.work
            else:
                rest.append(job)
        self._waiting = rest
        return batch
