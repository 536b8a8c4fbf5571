"""Micro-batches: who is answered together, and what happens when it takes too long."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence

import pytest

from reelflow.serving.batching import Batcher
from reelflow.serving.limits import Limits, Problem


class Slow:
    """Doubles numbers, once it may, and remembers the batches."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.batches: list[list[int]] = []

    def answer_all(self, questions: Sequence[int]) -> list[int]:
        self.may.wait(5)
        self.batches.append(list(questions))
        if 13 in questions:
            raise ValueError("thirteen")
        return [2 * question for question in questions]


def _run(limits: Limits, play: Callable[[Batcher], Awaitable[None]]) -> None:
    async def main() -> None:
        async with Batcher(limits, lambda _: None) as batcher:
            await play(batcher)

    asyncio.run(main())


def test_who_waits_is_answered_together() -> None:
    slow = Slow()

    async def play(batcher: Batcher) -> None:
        asked = [asyncio.create_task(batcher.ask(slow.answer_all, n)) for n in range(8)]
        await asyncio.sleep(0.05)
        slow.may.set()
        assert await asyncio.gather(*asked) == [0, 2, 4, 6, 8, 10, 12, 14]

    _run(Limits(threads=1, batch=4), play)
    assert slow.batches == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_different_functions_are_never_mixed() -> None:
    one, other = Slow(), Slow()
    one.may.set()
    other.may.set()

    async def play(batcher: Batcher) -> None:
        answers = [batcher.ask(who.answer_all, n) for n in range(3) for who in (one, other)]
        assert await asyncio.gather(*answers) == [0, 0, 2, 2, 4, 4]

    _run(Limits(), play)
    assert one.batches == other.batches == [[0, 1, 2]]


def test_a_fault_reaches_everybody_of_the_batch_and_nobody_else() -> None:
    slow = Slow()
    slow.may.set()

    async def play(batcher: Batcher) -> None:
        with pytest.raises(ValueError, match="thirteen"):
            await batcher.ask(slow.answer_all, 13)
        assert await batcher.ask(slow.answer_all, 1) == 2

    _run(Limits(), play)


def test_too_late_and_too_many() -> None:
    slow = Slow()

    async def play(batcher: Batcher) -> None:
        asked = [asyncio.create_task(batcher.ask(slow.answer_all, 0))]
        await asyncio.sleep(0.05)  # it is being answered; the others wait
        asked += [asyncio.create_task(batcher.ask(slow.answer_all, n)) for n in (1, 2)]
        await asyncio.sleep(0)
        assert batcher.full
        with pytest.raises(Problem, match="busy") as busy:
            await batcher.ask(slow.answer_all, 4)
        late = await asyncio.gather(*asked, return_exceptions=True)
        slow.may.set()
        assert busy.value.status == 503
        assert [problem.status for problem in late if isinstance(problem, Problem)] == [504] * 3
        assert await batcher.ask(slow.answer_all, 5) == 10

    _run(Limits(threads=1, batch=1, waiting=2, answer_seconds=0.2), play)
    assert slow.batches == [[0], [5]]


def test_heavy_requests_leave_a_thread_to_light_ones() -> None:
    heavy, light = Slow(), Slow()
    light.may.set()

    async def play(batcher: Batcher) -> None:
        asked = [asyncio.create_task(batcher.ask(heavy.answer_all, n, 9)) for n in range(4)]
        await asyncio.sleep(0.05)  # two are being answered
        asked += [asyncio.create_task(batcher.ask(heavy.answer_all, n, 9)) for n in (4, 5)]
        await asyncio.sleep(0)
        with pytest.raises(Problem, match="busy"):
            await batcher.ask(heavy.answer_all, 6, 9)
        assert await batcher.ask(light.answer_all, 1, 1) == 2
        heavy.may.set()
        assert await asyncio.gather(*asked) == [0, 2, 4, 6, 8, 10]

    _run(Limits(heavy_work=5, batch_work=20, waiting_work=36), play)
    assert heavy.batches == [[0, 1], [2, 3], [4, 5]]


def test_a_request_larger_than_a_batch_is_answered_alone() -> None:
    slow = Slow()

    async def play(batcher: Batcher) -> None:
        asked = [asyncio.create_task(batcher.ask(slow.answer_all, n, 30)) for n in range(2)]
        await asyncio.sleep(0.05)
        slow.may.set()
        assert await asyncio.gather(*asked) == [0, 2]

    _run(Limits(threads=1, batch_work=20), play)
    assert slow.batches == [[0], [1]]
