"""What is wrong with a manifest: one problem per broken rule, and the one error that carries them all.

Field rules are pydantic's and become problems in `explain`. A block's own rules raise `broken(...)`; rules between
blocks are in `rules`. Whoever found it, a user sees field path, value, problem and remedy.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from pydantic import JsonValue
from pydantic_core import PydanticCustomError

from afray.errors import AfrayError, SpecError

LONGEST_VALUE = 80
HIDDEN = "(hidden)"
"""Stands for a value that may be a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One broken rule: `field` as written in YAML (spec.selection.budget.count), `value` as shown to the user."""

    field: str
    value: str
    problem: str
    remedy: str
    line: int | None = None
    """Line of the manifest, from 1; None if it did not come from a text."""

    def __str__(self) -> str:
        return f"{self.field}: {self.problem} (value: {self.value}). {self.remedy}"

    def at_line(self, line: int | None) -> Problem:
        """The same problem, found in that line."""
        return replace(self, line=line)

    def as_json(self) -> dict[str, JsonValue]:
        """The problem as data, for `-o json`."""
        return {
            "field": self.field,
            "value": self.value,
            "problem": self.problem,
            "remedy": self.remedy,
            "line": self.line,
        }


class InvalidManifest(AfrayError):
    """A manifest breaks rules. `problems` holds every one that was found, in the order of the manifest."""

    exit_code = SpecError.exit_code

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(source, problems)
        self.source, self.problems = source, problems

    def __str__(self) -> str:
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        return "\n".join([f"{self.source}: {count}", *(f"  {problem}" for problem in self.problems)])


def broken(field: str, value: object, problem: str, remedy: str) -> PydanticCustomError:
    """The error that a validator raises; `field` is a path below the validated block, empty for the block itself."""
    context = {"field": field, "value": show(value), "problem": problem, "remedy": remedy}
    return PydanticCustomError("broken_rule", "{problem}. {remedy}", context)


def show(value: object) -> str:
    """The value as a user would write it, shortened."""
    text = value if value == HIDDEN else json.dumps(value, ensure_ascii=False, default=str)
    assert isinstance(text, str)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."
