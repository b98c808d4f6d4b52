"""How large a scale run is, and the job that it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml
from harness import Bar

from afray.api.job import SelectionJob
from afray.api.loading import load
from afray.api.uris import resolve_uris

IMAGENET_ROWS, IMAGENET_CORES, IMAGENET_LABELS, IMAGENET_GIANT = 1_281_167, 6405, 64_058, 200_000
DIM = 384
LARGE_BYTES = 2**30
"""Features below this are outweighed by libraries, and their products by all else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A pool of the generator, and what is selected from it."""

    rows: int
    cores: int
    labels: int
    giant: int
    """Rows of the giant cluster, in the section that has one."""
    steps: int
    """Of ActiveFT."""
    workers: int
    folder: Path
    """Where pools and outputs are kept."""

    @property
    def pool(self) -> Path:
        return self.folder / f"pool-{self.rows}-{self.cores}"

    @property
    def output(self) -> Path:
        return self.folder / f"out-{self.rows}-{self.cores}-{self.labels}-{self.steps}"

    @property
    def feature_bytes(self) -> int:
        return 4 * self.rows * DIM

    @property
    def doubt(self) -> str:
        """Why ratios of a small pool say nothing about a large one; '' for a large one."""
        return "" if self.feature_bytes >= LARGE_BYTES else "the bar is for a pool of ImageNet's size"


def like_imagenet(rows: int, *, steps: int, workers: int, folder: Path) -> Plan:
    """ImageNet's proportions in any size."""
    share = rows / IMAGENET_ROWS
    cores = max(2, round(IMAGENET_CORES * share))
    return Plan(
        rows=rows,
        cores=cores,
        labels=max(cores, round(IMAGENET_LABELS * share)),
        giant=max(100, round(IMAGENET_GIANT * share)),
        steps=steps,
        workers=workers,
        folder=folder,
    )


def write_manifest(plan: Plan) -> Path:
    """The job of a plan as a file."""
    core = {"size": plan.cores, "steps": plan.steps}
    return write_job(plan, plan.output, {"budget": {"count": plan.labels}, "core": core})


def write_job(
    plan: Plan, output: Path, selection: Mapping[str, object], previous: Mapping[str, object] | None = None
) -> Path:
    """A job on the plan's pool as a file. Rows of the generator have length 1: l2 leaves them as they are."""
    content = {
        "apiVersion": "afray.dev/v1alpha1",
        "kind": "SelectionJob",
        "metadata": {"name": "scale"},
        "spec": {
            "pool": {"uri": str(plan.pool), "format": "embeddings"},
            "embedding": {"normalize": "l2"},
            "selection": dict(selection),
            "output": {"uri": str(output)},
            **({"previous": dict(previous)} if previous else {}),
        },
    }
    path = output.with_suffix(".yaml")
    path.write_text(yaml.safe_dump(content))
    return path


def read_job(plan: Plan) -> SelectionJob:
    """The job of a plan, with full locations."""
    return resolve_uris(load(write_manifest(plan)), plan.folder)


def sized(bar: Bar, plan: Plan) -> Bar:
    """The bar, without a verdict where the pool is too small for it."""
    return replace(bar, holds=None, doubt=plan.doubt) if plan.doubt else bar
