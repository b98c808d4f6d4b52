"""Progress for nobody's eyes: into the state that the operator hears of, and now and then into the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from afray.driver.on_cluster.state import DriverState
from afray.driver.progress import Bar

log = logging.getLogger(__name__)

LINE_SECONDS = 60.0


class ClusterDisplay:
    """Stages as the driver of a pod shows them."""

    def __init__(self, state: DriverState) -> None:
        self._state = state

    @contextmanager
    def bar(self, stage: str, total: int | None, unit: str) -> Iterator[Bar]:
        self._state.enter(stage, total, unit)
        try:
            yield _StateBar(self._state)
        finally:
            self._state.leave()

    def note(self, text: str) -> None:
        """Nothing to do: notes repeat warnings, and those are in the log already."""


class _StateBar:
    def __init__(self, state: DriverState) -> None:
        self._state, self._said = state, time.monotonic()

    def update(self, done: int, total: int | None = None, step: str = "") -> None:
        self._state.move(done, total, step)
        if time.monotonic() - self._said >= LINE_SECONDS:
            self._said = time.monotonic()
            now = self._state.payload()
            log.info("stage=%s step=%s done=%d total=%s eta=%s", now.stage, now.step, now.done, now.total,
                     now.eta_seconds)  # fmt: skip
