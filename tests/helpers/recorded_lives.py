"""What KubeRay, Kueue, kubelets and a driver do to the objects of a SelectionJob, as it is stored.

A life is a sequence of steps: one object becomes something that the operator can tell from what it was. Nothing in it
is of one run alone: no uid, time, address or random name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from helpers.repository import ROOT

FOLDER = ROOT / "tests" / "data" / "recorded"

State = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One object as it is from now on; no state if it is gone. `owner` is its RayJob or RayCluster."""

    kind: str
    name: str
    owner: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    state: State | None = None


def read_life(name: str) -> list[Step]:
    """Read a stored life."""
    return [Step(**json.loads(line)) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]


def write_life(path: Path, steps: Iterable[Step]) -> None:
    """Store a life, a line for each step."""
    path.write_text("".join(json.dumps(asdict(step), sort_keys=True, ensure_ascii=False) + "\n" for step in steps))


def as_attempt(steps: Iterable[Step], number: int) -> list[Step]:
    """The first attempt of a life as if it had been a later one."""
    text = json.dumps([asdict(step) for step in steps])
    text = re.sub(r"-s1\b", f"-s{number}", text)
    for words in ('"afray.dev/attempt": "1"', '"attempt": 1'):
        text = text.replace(words, words.replace("1", str(number)))
    return [Step(**fields) for fields in json.loads(text)]
