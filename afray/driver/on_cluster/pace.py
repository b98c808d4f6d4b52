"""How fast a stage goes, from its last minutes: what was found finished at its start is nobody's speed."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

WINDOW_SECONDS: Final = 300.0
SAMPLE_SECONDS: Final = 5.0


class Pace:
    """Positions over time, all by one monotonic clock in seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def observe(self, now: float, done: int) -> None:
        """Note a position. The first one counts as found."""
        if not self._samples or now - self._samples[-1][0] >= SAMPLE_SECONDS:
            self._samples.append((now, done))
        while len(self._samples) > 1 and now - self._samples[1][0] >= WINDOW_SECONDS:
            self._samples.popleft()

    def rate(self, now: float, done: int) -> float | None:
        """Units per second up to now; None before there is one."""
        if not self._samples:
            return None
        since, start = self._samples[0]
        return (done - start) / (now - since) if done > start and now > since else None

    def eta_seconds(self, now: float, done: int, total: int | None) -> int | None:
        """Seconds to the end, rounded up; None where nobody can say."""
        rate = self.rate(now, done)
        return math.ceil(max(0, total - done) / rate) if rate is not None and total is not None else None
