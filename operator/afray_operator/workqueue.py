"""Keys that wait for work: each at most once in the queue and never in two hands; errors wait longer and longer."""

from __future__ import annotations

import asyncio
import heapq
import logging
import random
import time
from collections.abc import Awaitable, Callable, Hashable
from itertools import count
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

FIRST_DELAY = 1.0
LONGEST_DELAY = 300.0

Key = TypeVar("Key", bound=Hashable)


class WorkQueue(Generic[Key]):
    """A level-triggered queue. Adding a key that waits changes nothing; one that is in work is done again after."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._number = count()
        self._working: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._changed = asyncio.Event()

    def add(self, key: Key, delay: float = 0.0) -> None:
        """Have the key worked on within `delay` seconds; the earlier of two wishes counts."""
        due = self._clock() + delay
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            heapq.heappush(self._heap, (due, next(self._number), key))
            self._changed.set()

    def forget(self, key: Key) -> None:
        """The key's object is gone: no more wishes, no more memory of failures."""
        self._due.pop(key, None)
        self._failures.pop(key, None)

    @property
    def depth(self) -> int:
        """Keys that are due now and wait for a hand."""
        now = self._clock()
        return sum(due <= now for key, due in self._due.items() if key not in self._working)

    @property
    def oldest_seconds(self) -> float:
        """How long the longest waiting due key waits, or the longest work lasts."""
        now = self._clock()
        waiting = (now - due for key, due in self._due.items() if key not in self._working)
        return max(0.0, *waiting, *(now - since for since in self._working.values()), 0.0)

    async def work(self, handle: Callable[[Key], Awaitable[None]]) -> None:
        """Handle keys as they come due, for ever. Run several of these for several hands."""
        while True:
            key = await self._next()
            self._working[key] = self._clock()
            try:
                await handle(key)
            except Exception:
                self._again_later(key)
            else:
                self._failures.pop(key, None)
            finally:
                del self._working[key]
                self._changed.set()  # the key may be due again

    def _again_later(self, key: Key) -> None:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2**failures) * random.uniform(0.8, 1.2)  # noqa: S311 (spread, no secret)
        log.exception("work failed, again in %.0f s", delay, extra={"job": str(key)})
        self.add(key, delay)

    async def _next(self) -> Key:
        while True:
            self._changed.clear()
            wait = self._pop_due()
            if not isinstance(wait, float):
                return wait[0]
            try:
                await asyncio.wait_for(self._changed.wait(), None if wait == float("inf") else wait)
            except TimeoutError:
                continue

    def _pop_due(self) -> tuple[Key] | float:
        """A due key that nobody works on, else the seconds until there may be one."""
        busy = []
        try:
            while self._heap:
                due, _, key = self._heap[0]
                if self._due.get(key) != due:
                    heapq.heappop(self._heap)  # outdated by an earlier wish
                elif due > self._clock():
                    return due - self._clock()
                else:
                    entry = heapq.heappop(self._heap)
                    if key not in self._working:
                        del self._due[key]
                        return (key,)
                    busy.append(entry)
            return float("inf")
        finally:
            for entry in busy:
                heapq.heappush(self._heap, entry)
