"""The driver of a cluster in tests: what the operator tells it, and a file in the place of its ConfigMap.

python -m helpers.cluster_driver <file>    is `python -m afray.driver` with that file to write progress to
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from helpers.faults import ROOT, WAIT_SECONDS, end
from helpers.jobs import Manifest, changed
from helpers.ray_cluster import NO_TOKEN

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


@dataclass(frozen=True)
class DriverProcess:
    """A driver at work: `python -m afray.driver` but for where its progress goes."""

    process: subprocess.Popen[str]
    progress: ProgressFile
    log: Path

    def wait(self) -> int:
        """Its exit code."""
        return self.process.wait(WAIT_SECONDS)

    def said(self) -> str:
        """Its output so far."""
        return self.log.read_text()


@contextmanager
def started_driver(told: dict[str, str], address: str, folder: Path) -> Iterator[DriverProcess]:
    """A driver on the Ray cluster at an address; what is left of it at the end is killed."""
    folder.mkdir(exist_ok=True)
    progress, log = ProgressFile(folder / "progress"), folder / "log"
    progress.path.unlink(missing_ok=True)
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "helpers.cluster_driver", str(progress.path)],
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **NO_TOKEN, **told, "RAY_ADDRESS": address, "PYTHONPATH": str(ROOT / "tests")},
            cwd=ROOT,
        )
    try:
        yield DriverProcess(process, progress, log)
    finally:
        end(process.pid)
        process.wait()


if __name__ == "__main__":
    sys.exit(run_driver(os.environ, lambda _name: ProgressFile(Path(sys.argv[1]))))
