"""Steps of bringing a testbed up: what is shown while one runs, and what is said when one fails.

Progress goes to stderr: a spinner on a terminal, a line when a step is done. A failed step names the remedy.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

WORTH_A_LINE_SECONDS = 0.5
LONGEST_EXCERPT = 30
"""Lines of a log that a failure shows."""


class StepFailed(Exception):
    """A step of the testbed that did not work: what, why, and what to do about it."""

    def __init__(self, step: str, reason: str, remedy: str) -> None:
        super().__init__(step, reason, remedy)
        self.step, self.reason, self.remedy = step, reason, remedy

    def __str__(self) -> str:
        return f"{self.step} failed: {self.reason}\nWhat to do: {self.remedy}"


@contextmanager
def step(title: str) -> Iterator[None]:
    """Show that a step runs, and how long it took when that was long enough to notice."""
    console = Console(stderr=True, highlight=False)
    started = time.monotonic()
    with console.status(f"{title} ..."):
        yield
    seconds = time.monotonic() - started
    if seconds >= WORTH_A_LINE_SECONDS:
        console.print(f"[green]done[/] {seconds:6.1f} s  {title}")


def excerpt(text: str, lines: int = LONGEST_EXCERPT) -> str:
    """Return the end of a log."""
    return "\n".join(text.strip().splitlines()[-lines:])
