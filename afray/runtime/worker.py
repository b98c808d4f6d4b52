"""The one actor class. A call runs `function(context, *args)`; what is expensive to make is kept in the context."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import ray

T = TypeVar("T")


class WorkerContext:
    """One worker's memory between tasks: models, open files. Nothing in it may change a result."""

    def __init__(self) -> None:
        self.rows_done = 0
        """Rows finished inside the running task; the crew reads it as the task's pulse."""
        self._kept: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of `key`, made on first use."""
        if key not in self._kept:
            self._kept[key] = make()
        kept: T = self._kept[key]
        return kept


class Worker:
    """Runs one task at a time and answers questions about it meanwhile."""

    def __init__(self) -> None:
        self._context = WorkerContext()

    def call(self, function: Callable[..., Any], *args: Any) -> tuple[None, Any]:
        """Run a task. The first of the two returned objects only says whether it failed."""
        self._context.rows_done = 0
        return None, function(self._context, *args)

    def rows_done(self) -> int:
        """Rows finished inside the running task."""
        return self._context.rows_done

    def pid(self) -> int:
        """Process id; also the first sign of life."""
        return os.getpid()


PULSE = "pulse"
"""Concurrency group in which an actor answers while its task runs."""
WorkerActor: Any = ray.remote(concurrency_groups={PULSE: 1})(Worker)
