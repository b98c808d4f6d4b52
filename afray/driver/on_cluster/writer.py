"""The thread that tells the operator: seldom, and never in the way of the work.

at most one write per EVERY_SECONDS, at once on a new stage; a failed write is tried again with growing pauses,
always with the latest state; the last word (result or failure) is insisted on for LAST_WORD_SECONDS
"""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Protocol, Self

from afray.contract.progress import one_line
from afray.driver.on_cluster.state import DriverState

log = logging.getLogger(__name__)

EVERY_SECONDS = 15.0
APART_SECONDS = 1.0
"""Between two writes, however fast stages follow each other."""
FIRST_PAUSE, LONGEST_PAUSE, LAST_PAUSE = 1.0, 30.0, 2.0
"""Seconds after a failed write: the first time, at most, and at most once the driver waits to end."""
LAST_WORD_SECONDS = 60.0


class Sink(Protocol):
    """Where progress goes."""

    def write(self, text: str) -> None:
        """Put the text in place of the last one. Raises whatever it likes."""
        ...


class ProgressWriter:
    """Writes a state to a sink while the context lasts; leaving it waits for the last word, unless silenced."""

    def __init__(self, state: DriverState, sink: Sink, *, every: float = EVERY_SECONDS) -> None:
        self._state, self._sink, self._every = state, sink, every
        self._woken = threading.Condition()
        self._is_closing = self._is_silent = False
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="afray-progress", daemon=True)

    def silence(self) -> None:
        """Write no more: the word belongs to another driver, or the process has to end."""
        with self._woken:
            self._is_silent = True
            self._woken.notify_all()

    def __enter__(self) -> Self:
        self._state.on_change = self._wake
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        with self._woken:
            self._is_closing = True
            self._woken.notify_all()
        self._thread.join(0 if self._is_silent else LAST_WORD_SECONDS)
        if self._thread.is_alive() and not self._is_silent:
            log.warning("the operator did not get the last word within %.0f s", LAST_WORD_SECONDS)
        self._state.on_change = lambda: None

    def _wake(self) -> None:
        with self._woken:
            self._woken.notify_all()

    def _run(self) -> None:
        while not self._is_silent:
            is_last, version = self._is_closing, self._state.version
            started = time.monotonic()
            has_written = self._write()
            if is_last and has_written:
                return
            self._wait(started, version if has_written else None)

    def _write(self) -> bool:
        try:
            self._sink.write(self._state.payload().write())
        except Exception as error:
            self._failures += 1
            if self._failures == 1:
                log.warning(
                    "progress is not written, the work goes on: %s", one_line(f"{type(error).__name__}: {error}")
                )
            return False
        if self._failures:
            log.info("progress is written again, after %d failures", self._failures)
        self._failures = 0
        return True

    def _wait(self, started: float, told: int | None) -> None:
        """Until the next write is due: after `told`, the version that was written; None if the write failed."""
        with self._woken:
            while not self._is_silent:
                waited = time.monotonic() - started
                remaining = self._pause(told) - waited
                if remaining <= 0:
                    return
                self._woken.wait(remaining)

    def _pause(self, told: int | None) -> float:
        """Seconds from one write to the next, as things are now."""
        if told is None:
            growing = min(FIRST_PAUSE * 2.0 ** min(self._failures - 1, 10), LONGEST_PAUSE)
            return min(growing, LAST_PAUSE) if self._is_closing else growing
        if self._is_closing:
            return 0.0
        return self._every if told == self._state.version else min(APART_SECONDS, self._every)
