"""Progress on stderr: bars on a terminal, a plain line every ten seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from afray.driver.progress import Bar, Display

LINE_SECONDS = 10.0
SHORTEST_RATED = 1.0
"""Seconds."""


def choose_display(console: Console) -> Display:
    """Bars where they can be redrawn, lines everywhere else (pipes, CI logs, pods)."""
    return BarDisplay(console) if console.is_terminal else LineDisplay(console)


class BarDisplay:
    """One rich progress bar per stage."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def bar(self, stage: str, total: int | None, unit: str) -> Iterator[Bar]:
        columns = (
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<10}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("[dim]{task.fields[step]}"),
        )
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task(stage, total=total, unit=unit, step="")

            class RichBar:
                def update(self, done: int, total: int | None = None, step: str = "") -> None:
                    progress.update(task, completed=done, total=total or progress.tasks[0].total, step=step)

            yield RichBar()
            shown = progress.tasks[0]
            done = shown.total if shown.total is not None else shown.completed
            progress.update(task, completed=done, total=done or 1, step="")

    def note(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)


class LineDisplay:
    """One line at the start and the end of a stage, and one every LINE_SECONDS between."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def bar(self, stage: str, total: int | None, unit: str) -> Iterator[Bar]:
        bar = _LineBar(self._console, stage, total, unit)
        yield bar
        bar.finish()

    def note(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, highlight=False)


class _LineBar:
    def __init__(self, console: Console, stage: str, total: int | None, unit: str) -> None:
        self._console, self._stage, self._total, self._unit = console, stage, total, unit
        self._started = self._said = time.monotonic()
        self._done = 0

    def update(self, done: int, total: int | None = None, step: str = "") -> None:
        self._done, self._total = done, total or self._total
        now = time.monotonic()
        if now - self._said >= LINE_SECONDS:
            self._said = now
            self._say(f" {step}" if step else "")

    def finish(self) -> None:
        self._done = max(self._done, self._total or 0)
        self._say(f" done in {time.monotonic() - self._started:.1f} s")

    def _say(self, tail: str) -> None:
        seconds = time.monotonic() - self._started
        of = f"/{self._total:,}" if self._total else ""
        # Where a stage is found finished, a rate would say something about nothing.
        rate = f" ({self._done / seconds:,.0f}/s)" if seconds > SHORTEST_RATED else ""
        text = f"{self._stage}: {self._done:,}{of} {self._unit}{rate}{tail}"
        self._console.print(text, soft_wrap=True, highlight=False)
