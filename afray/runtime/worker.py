"""The one actor class. A call runs `function(context, *args)`; what is expensive to make is kept in the context."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

import ray

from afray.runtime.meters import SILENT, Meter

T = TypeVar("T")


class Pulse(NamedTuple):
    """How far a worker's call is; whatever changes in it is a sign that the call gets on."""

    call: int
    """Which call this is about."""
    rows: int
    moves: int


class WorkerContext:
    """One worker's memory between tasks: models, open files. Nothing in it may change a result."""

    def __init__(self, threads: int = 1, meter: Meter = SILENT) -> None:
        self.threads = threads
        """Threads that this worker may keep busy."""
        self.meter = meter
        """Where its work is counted."""
        self.rows_done = 0
        """Rows finished inside the running task, for display."""
        self._moves = itertools.count(1)
        self.moves = 0
        self._kept: dict[Hashable, Any] = {}

    def move(self) -> None:
        """Show that the running task gets on, be it by less than a row. Any thread may call it."""
        self.moves = next(self._moves)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of `key`, made on first use."""
        if key not in self._kept:
            self._kept[key] = make()
        kept: T = self._kept[key]
        return kept


class Worker:
    """Runs one task at a time and answers questions about it meanwhile."""

    def __init__(self, threads: int = 1, meter: Meter = SILENT) -> None:
        self._context = WorkerContext(threads, meter)
        self._call = 0

    def call(self, number: int, function: Callable[..., Any], *args: Any) -> tuple[None, Any]:
        """Run a task. The first of the two returned objects only says whether it failed."""
        self._context.rows_done = self._context.moves = 0
        self._call = number
        return None, function(self._context, *args)

    def pulse(self) -> Pulse:
        """How far the running task is."""
        return Pulse(self._call, self._context.rows_done, self._context.moves)

    def pid(self) -> int:
        """Process id; also the first sign of life."""
        return os.getpid()


PULSE = "pulse"
"""Concurrency group in which an actor answers while its task runs."""
WorkerActor: Any = ray.remote(concurrency_groups={PULSE: 1})(Worker)
