"""What a driver is doing, as the operator will hear it: changed by the work, read by the writer's thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from afray import __version__
from afray.contract.environment import Turn
from afray.contract.progress import Failure, FinetuneResult, LabelsResult, ProgressPayload, SelectionResult, printable
from afray.driver.on_cluster.pace import Pace

Result = SelectionResult | LabelsResult | FinetuneResult
STARTING = "start"
FINISHED = "finished"
_LONGEST_WORD = 64


def utc_now() -> datetime:
    """The clock of every payload."""
    return datetime.now(UTC)


@dataclass(slots=True)
class _Place:
    stage: str
    unit: str
    total: int | None = None
    step: str = ""
    done: int = 0
    pace: Pace = field(default_factory=Pace)


class DriverState:
    """Thread safe. `version` grows with what should be told at once: a new stage, a result, a failure."""

    def __init__(
        self,
        turn: Turn,
        *,
        now: Callable[[], datetime] = utc_now,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._turn, self._now, self._seconds = turn, now, seconds
        self._lock = threading.RLock()
        self._places = [_Place(STARTING, "steps")]
        self._advanced_at = now()
        self._epoch, self._device, self._log_uri = 0, "", ""
        self._result: Result | None = None
        self._failure: Failure | None = None
        self.version = 0
        self.on_change: Callable[[], None] = lambda: None

    @property
    def log_uri(self) -> str:
        """Where the driver's log is; "" before it has an output."""
        return self._log_uri

    def own(self, epoch: int, log_uri: str) -> None:
        """The driver has the output."""
        with self._lock:
            self._epoch, self._log_uri = epoch, log_uri
            self._tell()

    def work_on(self, device: str) -> None:
        """What the workers compute on."""
        with self._lock:
            self._device = device

    def enter(self, stage: str, total: int | None, unit: str) -> None:
        """Begin a stage, perhaps within another."""
        with self._lock:
            self._places.append(_Place(_word(stage), _word(unit), total))
            self._advance()
            self._tell()

    def leave(self) -> None:
        """Back to the stage around; the outermost one stays in sight until the next begins."""
        with self._lock:
            left = self._places.pop()
            if len(self._places) == 1:
                self._places[0] = left
            else:
                self._advance()
                self._tell()

    def move(self, done: int, total: int | None, step: str) -> None:
        """The current stage is at `done`."""
        with self._lock:
            place, step = self._places[-1], _word(step)
            if step != place.step:
                place.step, place.pace = step, Pace()
            if done != place.done:
                place.done = done
                self._advance()
            place.total = total if total is not None else place.total
            place.pace.observe(self._seconds(), done)

    def finish(self, result: Result) -> None:
        """The stage of the job is over, with this result."""
        with self._lock:
            self._places, self._result = [_Place(FINISHED, "steps")], result
            self._advance()
            self._tell()

    def fail(self, failure: Failure) -> None:
        """The driver gives up."""
        with self._lock:
            self._failure = failure
            self._tell()

    def payload(self) -> ProgressPayload:
        """All of it as of now."""
        with self._lock:
            place, seconds, result = self._places[-1], self._seconds(), self._result
            return ProgressPayload(
                afray_version=__version__,
                epoch=self._epoch,
                attempt=self._turn.attempt,
                task=self._turn.stage,
                stage=place.stage,
                step=place.step,
                unit=place.unit,
                done=place.done,
                total=place.total,
                rate=place.pace.rate(seconds, place.done),
                eta_seconds=place.pace.eta_seconds(seconds, place.done, place.total),
                device=self._device,
                advanced_at=self._advanced_at,
                heartbeat=self._now(),
                result=result if isinstance(result, SelectionResult) else None,
                labels=result if isinstance(result, LabelsResult) else None,
                finetune=result if isinstance(result, FinetuneResult) else None,
                failure=self._failure,
            )

    def _advance(self) -> None:
        self._advanced_at = self._now()

    def _tell(self) -> None:
        self.version += 1
        self.on_change()


def _word(text: str) -> str:
    return printable(text)[:_LONGEST_WORD]
