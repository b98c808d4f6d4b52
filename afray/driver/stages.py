"""The stages of a run as they go by: each is timed, counted and shown."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from afray.driver.metering import MeteredBar
from afray.driver.progress import Bar, Display, StageTime
from afray.runtime.meters import SILENT, Meter

log = logging.getLogger(__name__)


class Stages:
    """The stages of one run."""

    def __init__(self, display: Display, on_end: Callable[[], None] = lambda: None, meter: Meter = SILENT) -> None:
        """`on_end` is called after every stage."""
        self.display, self._on_end, self.meter = display, on_end, meter
        self.times: list[StageTime] = []

    @contextmanager
    def stage(
        self, name: str, *, total: int | None = None, unit: str = "rows", found: int = 0
    ) -> Iterator[tuple[Bar, StageTime]]:
        """Time a stage and show its bar; `found` is how much of it an earlier run has done."""
        record = StageTime(name=name, rows=total if unit == "rows" else None)
        self.times.append(record)
        started = time.perf_counter()
        try:
            with (
                self.display.bar(name, total, unit) as shown,
                MeteredBar(shown, self.meter, record, unit=unit, found=found) as bar,
            ):
                yield bar, record
        finally:
            record.seconds = time.perf_counter() - started
            how = " found finished" if record.resumed else ""
            log.info("stage=%s rows=%s seconds=%.1f%s", name, record.rows, record.seconds, how)
            self._on_end()
