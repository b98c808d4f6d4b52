from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Coroutine
from typing import Any

import pytest
from afray_operator import workqueue
from afray_operator.workqueue import WorkQueue


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def working(queue: WorkQueue[str], handle: Any, *, hands: int = 1, seconds: float = 0.05) -> None:
    tasks = [asyncio.create_task(queue.work(handle)) for _ in range(hands)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def test_a_key_that_is_added_many_times_is_worked_on_once() -> None:
    async def story() -> None:
        queue: WorkQueue[str] = WorkQueue()
        seen: list[str] = []

        async def handle(key: str) -> None:
            seen.append(key)

        for _ in range(5):
            queue.add("a")
        queue.add("b")
        await working(queue, handle, hands=3)
        assert seen == ["a", "b"]
        assert queue.depth == 0

    run(story())


def test_a_key_is_never_in_two_hands_and_is_done_again_if_it_was_added_meanwhile() -> None:
    async def story() -> None:
        queue: WorkQueue[str] = WorkQueue()
        inside, most, times = 0, 0, 0

        async def handle(key: str) -> None:
            nonlocal inside, most, times
            inside, times = inside + 1, times + 1
            most = max(most, inside)
            if times == 1:
                queue.add(key)
            await asyncio.sleep(0.01)
            inside -= 1

        queue.add("a")
        await working(queue, handle, hands=4, seconds=0.1)
        assert (most, times) == (1, 2)

    run(story())


def test_other_keys_go_on_while_one_is_slow() -> None:
    async def story() -> None:
        queue: WorkQueue[str] = WorkQueue()
        seen: list[str] = []

        async def handle(key: str) -> None:
            seen.append(key)
            if key == "slow":
                await asyncio.sleep(60)

        queue.add("slow")
        await asyncio.sleep(0)
        queue.add("a")
        queue.add("slow")
        queue.add("b")
        await working(queue, handle, hands=2)
        assert seen == ["slow", "a", "b"]

    run(story())


def test_the_earlier_of_two_wishes_counts() -> None:
    async def story() -> None:
        queue: WorkQueue[str] = WorkQueue()
        seen: list[str] = []

        async def handle(key: str) -> None:
            seen.append(key)

        queue.add("late", 60)
        queue.add("soon", 60)
        queue.add("soon", 0.01)
        queue.add("soon", 30)
        await working(queue, handle)
        assert seen == ["soon"]

    run(story())


def test_a_failing_key_waits_longer_each_time_and_is_forgiven_when_it_works(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        clock = Clock()
        queue: WorkQueue[str] = WorkQueue(clock)
        failing = True

        async def handle(_: str) -> None:
            if failing:
                raise RuntimeError("no answer")

        waits = []
        for _ in range(12):
            queue.add("a")
            await working(queue, handle, seconds=0.05)
            waits.append(queue._due["a"] - clock.now)
            clock.now += 10_000
        assert all(later > earlier for earlier, later in itertools.pairwise(waits[:7]))  # then the limit, give or take
        assert max(waits) <= workqueue.LONGEST_DELAY * 1.2
        failing = False
        await working(queue, handle, seconds=0.05)
        assert queue._failures == {}

    with caplog.at_level(logging.CRITICAL):
        run(story())


def test_a_forgotten_key_is_not_worked_on() -> None:
    async def story() -> None:
        queue: WorkQueue[str] = WorkQueue()
        seen: list[str] = []

        async def handle(key: str) -> None:
            seen.append(key)

        queue.add("gone")
        queue.forget("gone")
        await working(queue, handle)
        assert seen == []

    run(story())


def test_how_long_the_oldest_waits_or_works_shows() -> None:
    async def story() -> None:
        clock = Clock()
        queue: WorkQueue[str] = WorkQueue(clock)
        assert queue.oldest_seconds == 0
        queue.add("a")
        clock.now += 7
        assert (queue.depth, queue.oldest_seconds) == (1, 7)

        async def handle(_: str) -> None:
            await asyncio.sleep(60)

        task = asyncio.create_task(queue.work(handle))
        await asyncio.sleep(0.01)
        clock.now += 5
        assert (queue.depth, queue.oldest_seconds) == (0, 5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(story())
