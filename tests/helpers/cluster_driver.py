"""The driver of a cluster in tests: what the operator tells it, and a file in the place of its ConfigMap.

python -m helpers.cluster_driver <file>    is `python -m afray.driver` with that file to write progress to
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from helpers.jobs import Manifest, changed

from afray import __version__
from afray.api.loading import load_object
from afray.api.rules import Target
from afray.api.uris import resolve_uris
from afray.contract.environment import DriverEnvironment
from afray.contract.names import Stage
from afray.contract.progress import ProgressPayload, read_progress
from afray.driver.on_cluster.driving import run_driver

UID = "0b5c6a1e-selection-job"
WORKERS: dict[str, object] = {"name": "cpu", "replicas": 2, "resources": {"cpu": "1", "memory": "4Gi"}}


@dataclass(frozen=True)
class ProgressFile:
    """Every text that was written, one a line."""

    path: Path

    def write(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(f"{text}\n")

    def read(self) -> list[ProgressPayload]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [read_progress(line) for line in lines]

    @property
    def last(self) -> ProgressPayload:
        return self.read()[-1]


def on_cluster(made: Manifest, **changes: object) -> Manifest:
    """The manifest with pods: two workers of one CPU each."""
    blocks = {
        "spec.runtime": {"image": "registry.example.com/afray:1.0", "rayVersion": metadata.version("ray")},
        "spec.cluster": {"head": {"resources": {"cpu": "1", "memory": "2Gi"}}, "workers": [WORKERS]},
    }
    return changed(made, {**blocks, **changes})


def variables(
    made: Manifest, stage: Stage, *, attempt: int = 1, uid: str = UID, lease_seconds: int = 300, progress: str = ""
) -> dict[str, str]:
    """What the operator puts into the head's environment."""
    return DriverEnvironment(
        job=resolve_uris(load_object(made, "test", target=Target.run), Path("/")),
        attempt=attempt,
        job_uid=uid,
        stage=stage,
        progress=progress,
        lease_seconds=lease_seconds,
        operator=__version__,
    ).to_variables()


if __name__ == "__main__":
    sys.exit(run_driver(os.environ, lambda _name: ProgressFile(Path(sys.argv[1]))))
