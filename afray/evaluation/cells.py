"""Finished cells of a bench, one line each in a file, so that a stopped bench goes on where it was.

    line 1    the protocol that all cells share
    line 2..  one cell: method, budget, seed, metrics, seconds

A line that a killed process left unfinished is dropped; another protocol is refused.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from pydantic import JsonValue

from afray.errors import SpecError
from afray.evaluation.metrics import Metrics

FILE = "results.jsonl"
FIELD = "--results"
"""The option that names the folder."""
Facts = dict[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What one selection turned out to be worth."""

    method: str
    budget: int
    seed: int
    linear: Metrics
    nearest: Metrics
    seconds: float
    """Spent on the selection."""

    @property
    def key(self) -> tuple[str, int, int]:
        """What makes a cell one of its kind."""
        return self.method, self.budget, self.seed

    def to_line(self) -> str:
        """One line of JSON, without its end."""
        return json.dumps(asdict(self))

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Read back."""
        facts = json.loads(line)
        return cls(**facts | {name: Metrics(**facts[name]) for name in ("linear", "nearest")})


def make_folder(folder: Path) -> None:
    """Make the folder of a bench, before hours of work are to be written there. Raises SpecError if it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).open("a").close()
    except OSError as error:
        problem = f"cannot hold the results: {error.strerror or error}"
        raise SpecError(FIELD, str(folder), problem, "Name a folder that can be written.") from error


class Results:
    """The cells in `folder`; raises SpecError if they were made by another protocol."""

    def __init__(self, folder: Path, protocol: Facts) -> None:
        self.path = folder / FILE
        self.cells: dict[tuple[str, int, int], Cell] = {}
        make_folder(folder)
        lines = self._read_whole_lines()
        if not lines:
            self._append(json.dumps(protocol))
            return
        self._require(protocol, json.loads(lines[0]))
        self.cells = {cell.key: cell for cell in map(Cell.from_line, lines[1:])}

    def add(self, cell: Cell) -> None:
        """Keep a cell for good."""
        self._append(cell.to_line())
        self.cells[cell.key] = cell

    def _append(self, line: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _read_whole_lines(self) -> list[str]:
        content = self.path.read_bytes() if self.path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(self.path, len(whole))
        return whole.decode().splitlines()

    def _require(self, wanted: Facts, found: Facts) -> None:
        different = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        if different:
            raise SpecError(
                FIELD,
                str(self.path),
                f"holds results of another bench ({', '.join(different)} differ)",
                "Name another folder, or remove this file.",
            )
