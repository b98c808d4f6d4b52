"""What `afray estimate` says beside what `afray run` then takes: three jobs, each within a factor of 1.5.

    python benchmarks/estimates.py [--folder ~/.cache/afray/estimates] [--only vectors sampled images] [--json FILE]

`vectors` is the benchmark pool of 50,000 rows, with 60 steps of ActiveFT over all of them; `sampled` has 250,000, of
which each step draws 100,000; `images` is Fashion-MNIST at 64 px through EfficientNet-Lite0.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import harness
import yaml
from harness import Bar
from scale import pool, processes
from scale.plan import Plan, like_imagenet, write_manifest

WORKERS = 2
FACTOR = 1.5
IMAGES = 20_000
GIBIBYTE = 2.0**30


def vectors(folder: Path) -> Path:
    return _of_plan(like_imagenet(50_000, steps=60, workers=WORKERS, folder=folder))


def sampled(folder: Path) -> Path:
    return _of_plan(like_imagenet(250_000, steps=20, workers=WORKERS, folder=folder))


def images(folder: Path) -> Path:
    if not (folder / "images").exists():
        script = Path(__file__).parents[1] / "examples" / "fashion_mnist.py"
        command = [sys.executable, str(script), str(folder / "images"), "--train", str(IMAGES), "--heldout", "1"]
        subprocess.run(command, check=True)
    content = {
        "apiVersion": "afray.dev/v1alpha1",
        "kind": "SelectionJob",
        "metadata": {"name": "images"},
        "spec": {
            "pool": {"uri": str(folder / "images" / "pool"), "format": "images"},
            "embedding": {"model": "package:efficientnet-lite0", "imageSize": 64, "batchSize": 64, "shardSize": 2000},
            "selection": {"budget": {"count": 500}},
            "output": {"uri": str(folder / "out-images")},
        },
    }
    path = folder / "images.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


JOBS = {"vectors": vectors, "sampled": sampled, "images": images}


def _of_plan(plan: Plan) -> Path:
    pool.write(plan)
    return write_manifest(plan)


def compare(name: str, manifest: Path) -> list[Bar]:
    """The estimate first, then the run into an empty output."""
    said = estimate(manifest)
    for doubt in said["doubts"]:
        print(f"   {name}: {doubt}", file=sys.stderr)
    shutil.rmtree(yaml.safe_load(manifest.read_text())["spec"]["output"]["uri"], ignore_errors=True)
    took = processes.run_job(manifest, workers=WORKERS)
    hours, peak = took.seconds / 3600, took.peak / GIBIBYTE
    print(f"   {name}: {said['hours'] * 3600:.0f} s said, {took.seconds:.0f} s taken; {said['seconds']}")
    memory = f"{said['memoryBytes'] / GIBIBYTE:.2f} GiB said, {peak:.2f} GiB taken"
    print(f"   {name}: {memory}; other programs took {took.others:.1f} cores")
    time = _within(f"time, {name}", said["hours"] / hours)
    if took.others > harness.QUIET_CORES:
        time = replace(time, holds=None, doubt=f"other processes took {took.others:.1f} cores")
    return [
        time,
        _within(f"memory of all processes, {name}", said["memoryBytes"] / took.peak),
    ]


def estimate(manifest: Path) -> Mapping[str, Any]:
    command = [sys.executable, "-m", "afray", "estimate", str(manifest), "--workers", str(WORKERS), "-o", "json"]
    found: Mapping[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def _within(name: str, ratio: float) -> Bar:
    target = f"{1 / FACTOR:.2f} to {FACTOR}"
    return Bar(bar=f"said / taken: {name}", value=ratio, target=target, holds=1 / FACTOR <= ratio <= FACTOR)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path.home() / ".cache" / "afray" / "estimates")
    parser.add_argument("--only", nargs="+", choices=list(JOBS), default=list(JOBS), help="only these jobs")
    parser.add_argument("--json", type=Path, help="write the bars as a JSON list to this file")
    options = parser.parse_args()
    options.folder = options.folder.absolute()
    options.folder.mkdir(parents=True, exist_ok=True)
    machine = harness.machine()
    bars = [bar for name in options.only for bar in compare(name, JOBS[name](options.folder))]
    return harness.conclude(f"Estimates; {machine}", bars, options.json)


if __name__ == "__main__":
    sys.exit(main())
