"""A watched job on stderr: a bar that moves on a terminal, lines elsewhere; news in both."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from afray.client.records import JobRecord
from afray.client.story import amount, current_progress, speeds, standing, tell_progress

LINE_SECONDS: Final = 10.0
REMINDER_SECONDS: Final = 60.0
"""Where nothing happens, a line this often shows that somebody still looks."""


class Screen(AbstractContextManager["Screen"], Protocol):
    """Where a job is shown while it is watched."""

    def tell(self, line: str) -> None:
        """Say something that stays."""
        ...

    def show(self, record: JobRecord) -> None:
        """Show how far the job is."""
        ...


def choose_screen(console: Console) -> Screen:
    """A bar where it can be redrawn, lines everywhere else (pipes, CI logs, pods)."""
    return BarScreen(console) if console.is_terminal else LineScreen(console)


class BarScreen:
    """One bar at the bottom, news above it."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[amount]}", markup=False),
            TextColumn("{task.fields[speed]}", markup=False, style="dim"),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("", total=None, amount="", speed="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def tell(self, line: str) -> None:
        self._progress.console.print(_stamped(line), soft_wrap=True)

    def show(self, record: JobRecord) -> None:
        progress, state = current_progress(record), standing(record)
        if progress is None:
            self._progress.reset(self._task, total=None, description=state, amount="", speed="")
            return
        speed = "  ".join([*speeds(progress), progress.step])
        self._progress.reset(
            self._task,
            total=progress.total,
            completed=progress.done,
            description=f"{state}: {progress.stage}",
            amount=amount(progress),
            speed=speed,
        )


class LineScreen:
    """A line for each news, and one for progress at most every LINE_SECONDS."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._shown = ""
        self._told_at = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing was opened."""

    def tell(self, line: str) -> None:
        self._console.print(_stamped(line), soft_wrap=True)
        self._told_at = self._clock()

    def show(self, record: JobRecord) -> None:
        progress = current_progress(record)
        line = standing(record) if progress is None else tell_progress(progress)
        silent = self._clock() - self._told_at
        if silent >= (LINE_SECONDS if line != self._shown else REMINDER_SECONDS):
            self._shown = line
            self.tell(line)


def _stamped(line: str) -> Text:
    return Text.assemble((time.strftime("%H:%M:%S "), "dim"), line)
