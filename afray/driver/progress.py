"""What a run says while it works: the seams between stages and whoever shows them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


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
