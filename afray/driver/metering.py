"""What the driver itself counts of its stages; what happens inside them, workers count.

Stages -- bar with a meter --> the display's bar
                 '--> counters, once a second at most
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Final, Self

from afray.contract.metrics import FUNNEL_ROWS, STAGE_ITERATIONS, STAGE_ROWS, STAGE_SECONDS, RayMetric
from afray.driver.progress import Bar, StageTime
from afray.runtime.meters import Meter

EVERY_SECONDS: Final = 1.0
"""A stage may report as often as it likes."""
COUNTED: Final[dict[tuple[str, str], RayMetric]] = {
    ("rows", ""): STAGE_ROWS,
    ("steps", "core"): STAGE_ITERATIONS,
    ("steps", "assign"): STAGE_ROWS,
    ("steps", "select"): STAGE_ROWS,
    ("epochs", ""): STAGE_ITERATIONS,
}
"""By the unit of a stage and its step. Steps with other names, such as one that says how many pods it waits for, are
not counted: a label may not take any text."""


class MeteredBar:
    """A bar whose advances are counted, each once: a part that is done again moves it back, and counts when new.

    Use as a context manager. Of a stage that is found finished only the time is counted.
    """

    def __init__(
        self,
        bar: Bar,
        meter: Meter,
        record: StageTime,
        *,
        unit: str,
        found: int = 0,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`found`: how much of the stage an earlier run has done."""
        self._bar, self._meter, self._record, self._unit, self._seconds = bar, meter, record, unit, seconds
        self._furthest: Counter[str] = Counter({"": found})
        self._owed: Counter[str] = Counter()
        self._told = seconds()

    def __enter__(self) -> Self:
        if found := self._furthest[""]:
            self.update(found)
        return self

    def __exit__(self, *_: object) -> None:
        self._tell()

    def update(self, done: int, total: int | None = None, step: str = "") -> None:
        self._bar.update(done, total, step)
        if done > self._furthest[step]:
            self._owed[step] += done - self._furthest[step]
            self._furthest[step] = done
        if self._seconds() - self._told >= EVERY_SECONDS:
            self._tell()

    def _tell(self) -> None:
        now, stage = self._seconds(), self._record.name
        self._meter.count(STAGE_SECONDS, now - self._told, stage=stage)
        self._told = now
        for step, amount in self._owed.items():
            if not self._record.resumed and (metric := COUNTED.get((self._unit, step))):
                self._meter.count(metric, amount, stage=stage, step=step)
        self._owed.clear()


def meter_funnel(meter: Meter, **rows: int) -> None:
    """How many rows of the pool got into each state that is known by now; for a driver to say once."""
    for state, count in rows.items():
        meter.count(FUNNEL_ROWS, count, state=state)
