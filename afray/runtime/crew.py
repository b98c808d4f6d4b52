"""A crew of Ray actors that works through tasks, whichever of them die on the way.

              +-- task fails: raised as it is --+
              |                                 v
    pending -> running on a worker -> done     the caller
       ^            |
       '- worker died or its lease ran out: a new worker, the task again, at most ATTEMPTS times

A worker that dies before its first task is replaced too, but not for ever: ATTEMPTS times per seat without a success.

A lease is a task that shows how it gets on; one that stands still for `lease_seconds` is taken back, and the worker
that sits on it killed: a stopped process or an endless read would hold it for ever.

Tasks are pure or commit by create-if-absent, so running one twice is harmless. Results come back in task order.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import NodeDiedError, ObjectLostError, OutOfMemoryError, RayActorError, RayError, RayTaskError

from afray.contract import metrics
from afray.errors import Retryable
from afray.runtime.meters import SILENT, Meter
from afray.runtime.slots import Slot
from afray.runtime.worker import PULSE, Pulse, WorkerActor

log = logging.getLogger(__name__)

HELP = "Give workers more memory, or find what kills them in the worker's log."
ATTEMPTS = 4
"""Workers a task may outlive; a row that kills every decoder must not kill them for ever."""
POLL_SECONDS = 1.0
FIRST_MOVE_SECONDS = 120.0
"""So long a worker need only answer: a new one imports libraries and loads a model before it can show any progress."""
DIED, STALLED = "died", "stalled"
"""Why a worker is lost; a label."""
LOST = (RayActorError, OutOfMemoryError, NodeDiedError, ObjectLostError)
"""What Ray raises when a worker, its machine, or a result that lay there is gone."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """`function(context, *args)` on any worker; `name` is what an error calls it."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    is_leased: bool = False
    """The task reports its own progress, so standing still means that it hangs."""
    needs_gpu: bool = False
    """Only for workers that have one."""


@dataclass(slots=True, eq=False)
class _Seat:
    """One place in the crew; its actor changes when it dies."""

    slot: Slot
    actor: Any
    hello: Any
    """Reference that is ready once the actor answers; None from then on."""
    task: int | None = None
    call: int = 0
    asked: Any = None
    """Reference to the pulse that was asked for."""
    pulse: Pulse | None = None
    """The last one of this call; None until it first moves."""
    began: float = 0.0
    advanced: float = 0.0

    def begin(self, task: int, call: int) -> None:
        """Take a task in hand."""
        self.task, self.call, self.pulse = task, call, None
        self.began = self.advanced = time.monotonic()

    def hear(self, pulse: Pulse) -> None:
        """Note a sign of life."""
        now, is_under_way = time.monotonic(), pulse.call == self.call and (pulse.rows or pulse.moves)
        if is_under_way and pulse != self.pulse:
            self.pulse, self.advanced = pulse, now
        elif not is_under_way and now - self.began < FIRST_MOVE_SECONDS:
            self.advanced = now


class Crew:
    """One actor per slot; use as a context manager."""

    def __init__(self, slots: Sequence[Slot], *, lease_seconds: float = 300.0, meter: Meter = SILENT) -> None:
        """`meter` counts losses here, and work in the workers."""
        self.lease_seconds, self.meter = lease_seconds, meter
        self.replaced = 0
        self.failed_starts = 0
        """In a row, over all seats."""
        self.calls = itertools.count(1)
        self.seats = [_hire(slot, meter) for slot in slots]

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for seat in self.seats:
            _dismiss(seat)

    def __len__(self) -> int:
        return len(self.seats)

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers, for fault tests."""
        return [int(ray.get(seat.actor.pid.options(concurrency_group=PULSE).remote())) for seat in self.seats]

    def run(
        self,
        tasks: Sequence[Task],
        *,
        keep: bool = False,
        on_done: Callable[[int, Any], None] | None = None,
        on_rows: Callable[[int], None] | None = None,
    ) -> list[Any]:
        """Run all tasks; results in their order.

        `keep` leaves results in the object store and returns references. `on_done(task, result)` runs as they come,
        `on_rows(rows)` about once a second with the rows done inside running leased tasks.
        Raises what a task raised, and Retryable when one task outlived ATTEMPTS workers.
        """
        return _Run(self, tasks, keep, on_done, on_rows).to_the_end()

    def replace(self, seat: _Seat, why: str, cause: str = "") -> None:
        """Put a new actor on a seat; `cause` says how the last one was lost, "" that it is let go of."""
        log.log(logging.WARNING if cause else logging.INFO, "worker lost (%s), starting another", why)
        if cause:
            self.meter.count(metrics.LOST_WORKERS, 1, cause=cause)
        self.replaced += 1
        _dismiss(seat)
        fresh = _hire(seat.slot, self.meter)
        seat.actor, seat.hello, seat.task, seat.asked, seat.pulse = fresh.actor, fresh.hello, None, None, None


def _hire(slot: Slot, meter: Meter) -> _Seat:
    actor = WorkerActor.options(
        num_cpus=slot.cpus,
        num_gpus=slot.gpus,
        label_selector=slot.labels or None,
        # Where a node has room for more than its slots, a group's workers would crowd on the first one.
        scheduling_strategy="SPREAD" if slot.group else "DEFAULT",
    ).remote(slot.threads, meter)
    return _Seat(slot=slot, actor=actor, hello=actor.pid.options(concurrency_group=PULSE).remote())


def _dismiss(seat: _Seat) -> None:
    # Ray says so as an error where the actor was not even made; there is nothing to tell anybody.
    with suppress(RayError):
        ray.kill(seat.actor)


class _Run:
    """State of one Crew.run."""

    def __init__(
        self,
        crew: Crew,
        tasks: Sequence[Task],
        keep: bool,
        on_done: Callable[[int, Any], None] | None,
        on_rows: Callable[[int], None] | None,
    ) -> None:
        self._crew, self._tasks, self._keep = crew, tasks, keep
        self._on_done, self._on_rows = on_done, on_rows
        self._pending = deque(range(len(tasks)))
        self._attempts = [0] * len(tasks)
        self._results: list[Any] = [None] * len(tasks)
        self._running: dict[Any, tuple[_Seat, Any]] = {}
        self._open = len(tasks)

    def to_the_end(self) -> list[Any]:
        try:
            while self._open:
                self._assign()
                self._collect()
                self._check_leases()
        except Exception:
            self._abandon()
            raise
        return self._results

    def _assign(self) -> None:
        for seat in self._crew.seats:
            if seat.hello is None and seat.task is None:
                number = next((number for number in self._pending if self._suits(number, seat.slot)), None)
                if number is not None:
                    self._pending.remove(number)
                    self._start(seat, number)

    def _suits(self, number: int, slot: Slot) -> bool:
        return slot.gpus > 0 or not self._tasks[number].needs_gpu

    def _start(self, seat: _Seat, number: int) -> None:
        task = self._tasks[number]
        seat.begin(number, next(self._crew.calls))
        done, value = seat.actor.call.options(num_returns=2).remote(seat.call, task.function, *task.args)
        self._running[done] = (seat, value)

    def _collect(self) -> None:
        hellos = {seat.hello: seat for seat in self._crew.seats if seat.hello is not None}
        ready, _ = ray.wait([*self._running, *hellos], num_returns=1, timeout=POLL_SECONDS, fetch_local=False)
        for reference in ready:
            if reference in hellos:
                self._greet(hellos[reference])
            else:
                self._finish(reference)

    def _greet(self, seat: _Seat) -> None:
        crew = self._crew
        try:
            ray.get(seat.hello)
        except LOST as error:
            why = _first_line(error)
            crew.failed_starts += 1
            if crew.failed_starts >= ATTEMPTS * len(crew):
                raise Retryable(
                    f"{crew.failed_starts} workers in a row died while starting (last: {why}). {HELP}"
                ) from None
            crew.replace(seat, why, DIED)
        else:
            seat.hello, crew.failed_starts = None, 0

    def _finish(self, reference: Any) -> None:
        seat, value = self._running.pop(reference)
        number = seat.task
        assert number is not None
        try:
            ray.get(reference)
            result = value if self._keep else ray.get(value)
        except RayTaskError as error:  # first, for it is also an instance of what the task raised
            seat.task = None
            raise error.cause from None
        except LOST as error:
            self._lose(seat, number, _first_line(error), DIED)
            return
        seat.task = None
        self._results[number] = result
        self._open -= 1
        if self._on_done is not None:
            self._on_done(number, result)

    def _lose(self, seat: _Seat, number: int, why: str, cause: str) -> None:
        self._crew.replace(seat, why, cause)
        self._attempts[number] += 1
        if self._attempts[number] >= ATTEMPTS:
            name = self._tasks[number].name
            raise Retryable(f"{name}: {ATTEMPTS} workers in a row were lost while doing it (last: {why}). {HELP}")
        self._crew.meter.count(metrics.REPEATED_TASKS, 1)
        self._pending.appendleft(number)

    def _check_leases(self) -> None:
        for reference, (seat, _) in list(self._running.items()):
            number = seat.task
            if number is None or not self._tasks[number].is_leased:
                continue
            self._read_pulse(seat)
            if time.monotonic() - seat.advanced > self._crew.lease_seconds:
                del self._running[reference]
                self._lose(seat, number, f"no progress for {self._crew.lease_seconds:.0f} s", STALLED)
        if self._on_rows is not None:
            self._on_rows(sum(seat.pulse.rows for seat, _ in self._running.values() if seat.pulse))

    def _read_pulse(self, seat: _Seat) -> None:
        if seat.asked is None:
            seat.asked = seat.actor.pulse.options(concurrency_group=PULSE).remote()
            return
        ready, _ = ray.wait([seat.asked], timeout=0)
        if not ready:
            return
        try:
            seat.hear(ray.get(seat.asked))
        except LOST:
            return  # the task's own reference reports the death
        finally:
            seat.asked = None

    def _abandon(self) -> None:
        """After an error no task of this run may still work when the next run starts."""
        for seat, _ in self._running.values():
            self._crew.replace(seat, "its run ended with an error")


def _first_line(error: BaseException) -> str:
    """What happened; Ray's first line says that an actor died, and a later one why."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines[1:] if line.startswith(("The actor is dead", "The actor died"))), lines[0])
