"""The worked example of docs/sharing.md: two teams that share GPUs through Kueue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml
from helpers.repository import ROOT

PAGE: Final = ROOT / "docs" / "sharing.md"
FOLDER: Final = ROOT / "examples" / "sharing"
APPLIED: Final = tuple(FOLDER / f"{name}.yaml" for name in ("namespaces", "queues", "priorities", "rights"))
"""In the order in which the page applies them."""
POLICY, JOB = FOLDER / "policy-values.yaml", FOLDER / "job.yaml"
INSPECTION, ASSEMBLY = "inspection", "assembly"
"""The teams: so are their namespaces and their cluster queues called."""
QUEUE: Final = "gpus"
"""The local queue of either."""


def options() -> list[str | Path]:
    """What `kubectl apply` and `kubectl delete` take to name all files."""
    return [option for path in APPLIED for option in ("-f", path)]


def objects() -> Iterator[dict[str, Any]]:
    """Every object of these files."""
    for path in APPLIED:
        yield from yaml.safe_load_all(path.read_text())


def job() -> dict[str, Any]:
    """The manifest of the job."""
    read: dict[str, Any] = yaml.safe_load(JOB.read_text())
    return read
