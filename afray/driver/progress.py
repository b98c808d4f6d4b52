"""What a run says while it works, and how long each stage took."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

log = logging.getLogger(__name__)


class Bar(Protocol):
    """One stage on display."""

    def update(self, done: int, total: int | None = None, step: str = "") -> None:
        """Set the absolute position; `step` names a part of the stage."""
        ...


class Display(Protocol):
    """Where progress is shown: bars on a terminal, a line every few seconds elsewhere."""

    def bar(self, stage: str, total: int | None, unit: str) -> AbstractContextManager[Bar]:
        """Show a stage until the context ends."""
        ...

    def note(self, text: str) -> None:
        """Say one thing that the user should know, above the bars."""
        ...


@dataclass(slots=True, kw_only=True)
class StageTime:
    """How long a stage took, and over how much."""

    name: str
    seconds: float = 0.0
    rows: int | None = None
    resumed: bool = False
    """Nothing was left to do: an earlier run had finished the stage."""


class Stages:
    """The stages of one run, timed and shown."""

    def __init__(self, display: Display, on_end: Callable[[], None] = lambda: None) -> None:
        """`on_end` is called after every stage."""
        self.display, self._on_end = display, on_end
        self.times: list[StageTime] = []

    @contextmanager
    def stage(self, name: str, *, total: int | None = None, unit: str = "rows") -> Iterator[tuple[Bar, StageTime]]:
        """Time a stage and show its bar."""
        record = StageTime(name=name, rows=total if unit == "rows" else None)
        self.times.append(record)
        started = time.perf_counter()
        try:
            with self.display.bar(name, total, unit) as bar:
                yield bar, record
        finally:
            record.seconds = time.perf_counter() - started
            found = " found finished" if record.resumed else ""
            log.info("stage=%s rows=%s seconds=%.1f%s", name, record.rows, record.seconds, found)
            self._on_end()
