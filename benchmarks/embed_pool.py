"""Embedding 60,000 real images on Ray workers, against what one single-threaded process per core can do at most.

    python benchmarks/embed_pool.py [--workers 2] [--folder ~/.cache/afray/bench]

The bar: images per second, from when every worker can have committed its first shard to the last commit, >= 0.9 cores
/ (model + decode CPU-seconds per image). Both are measured in the same run, by all workers at once, before and after;
start-up and model loading are reported apart. Fashion-MNIST at 64 px through EfficientNet-Lite0, in shards of 5,000
(the default is 10,000).
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from harness import at_least, conclude, machine

from afray.api.job import SelectionJob
from afray.api.loading import load
from afray.api.uris import resolve_uris
from afray.cli.display import LineDisplay
from afray.cli.output import console
from afray.driver import workspace as workspaces
from afray.driver.embedding import index_pool
from afray.driver.workspace import RunSettings, Workspace
from afray.embedding.decode import decode_image
from afray.embedding.determinism import pin_threads
from afray.embedding.encoders import load_encoder
from afray.pool.listing import open_pool
from afray.pool.readers import open_rows
from afray.runtime.crew import Task
from afray.runtime.embedding import EmbedPlan, describe_encoder, embed_part
from afray.runtime.worker import WorkerContext

IMAGES = 60_000
SAMPLE = 2_048
MANIFEST = """
apiVersion: afray.dev/v1alpha1
kind: SelectionJob
metadata: {{name: embed-bench}}
spec:
  pool: {{uri: {folder}/pool, format: images}}
  embedding: {{model: "package:efficientnet-lite0", imageSize: 64, batchSize: 64, shardSize: 5000}}
  selection: {{budget: {{count: 100}}}}
  output: {{uri: {folder}/out}}
"""


def measure(context: WorkerContext, plan: EmbedPlan, number: int) -> tuple[float, float]:
    """Task: CPU-seconds per image of the model alone and of reading, hashing and decoding alone, in this process."""
    pin_threads()
    encoder = context.once(plan.embedding, lambda: load_encoder(plan.embedding))
    rules, batch = plan.rules, plan.embedding.batch_size
    images = torch.rand(batch, rules.image_size, rules.image_size, 3).permute(0, 3, 1, 2)
    encoder.encode(images)
    started = time.process_time()
    for _ in range(0, SAMPLE, batch):
        encoder.encode(images)
    model = (time.process_time() - started) / SAMPLE
    part = plan.index.read_part(number)
    reader = open_rows(plan.pool, plan.source, part)
    started = time.process_time()
    for position in range(len(part)):
        content = reader.read(position)
        hashlib.sha256(content).hexdigest()
        decode_image(content, rules)
    return model, (time.process_time() - started) / len(part)


def measure_all(workspace: Workspace, plan: EmbedPlan) -> tuple[float, float]:
    """Means over the workers, all at once."""
    count = len(workspace.crew)
    tasks = [Task(name=f"measure {n}", function=measure, args=(plan, n)) for n in range(count)]
    found = workspace.crew.run(tasks)
    return statistics.mean(model for model, _ in found), statistics.mean(decode for _, decode in found)


def embed(workspace: Workspace, plan: EmbedPlan, folder: str) -> float:
    """Images per second, by the clock of `images_per_second`."""
    commits: list[tuple[float, int]] = []
    tasks = [
        Task(
            name=f"part {n}",
            function=embed_part,
            args=(plan, n, f"{folder}/{n:05d}", workspace.output, workspace.fence),
            is_leased=True,
        )
        for n in range(plan.index.shard_count)
    ]
    workspace.crew.run(tasks, on_done=lambda _, done: commits.append((time.perf_counter(), int(done.facts["rows"]))))
    return images_per_second(commits, workers=len(workspace.crew))


def images_per_second(commits: list[tuple[float, int]], *, workers: int) -> float:
    """Rate after the start, from (seconds, rows) of each commit in order; more commits than workers.

    Workers in step commit their first shards together, so the clock starts at the last of as many commits as there
    are workers, and the rows of those are not counted. Starting at the first would count work done before it.
    """
    assert len(commits) > workers, "each worker needs more than its first shard: take fewer workers"
    return sum(rows for _, rows in commits[workers:]) / (commits[-1][0] - commits[workers - 1][0])


def prepare(folder: Path) -> SelectionJob:
    if not (folder / "pool").exists():
        script = Path(__file__).parents[1] / "examples" / "fashion_mnist.py"
        command = [sys.executable, str(script), str(folder), "--train", str(IMAGES), "--heldout", "1"]
        subprocess.run(command, check=True)
    shutil.rmtree(folder / "out", ignore_errors=True)
    return resolve_uris(load(MANIFEST.format(folder=folder)), Path.cwd())


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One embedding of all images, between two measurements of what one process per core can do."""

    rate: float
    """Images per second."""
    model: float
    decode: float
    """CPU-seconds per image."""
    workers: int

    @property
    def ratio(self) -> float:
        return self.rate * (self.model + self.decode) / self.workers

    def __str__(self) -> str:
        return (
            f"model {1e3 * self.model:.3f} CPU-ms, decode {1e3 * self.decode:.3f} CPU-ms, {self.rate:.0f} images per "
            f"second: {self.ratio:.3f}; to the bare model: {self.rate * self.model / self.workers:.3f}"
        )


def run_round(workspace: Workspace, plan: EmbedPlan, number: int) -> Round:
    before = measure_all(workspace, plan)
    rate = embed(workspace, plan, f"embeddings/bench{number}")
    after = measure_all(workspace, plan)
    model, decode = ((first + second) / 2 for first, second in zip(before, after, strict=True))
    return Round(rate=rate, model=model, decode=decode, workers=len(workspace.crew))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=3, help="the median counts")
    parser.add_argument("--folder", type=Path, default=Path.home() / ".cache" / "afray" / "bench")
    parser.add_argument("--json", type=Path, help="write the bars as a JSON list to this file")
    options = parser.parse_args()
    job = prepare(options.folder.absolute())
    rounds: list[Round] = []
    started = time.perf_counter()
    with workspaces.opened(job, RunSettings(workers=options.workers), LineDisplay(console(stderr=True))) as workspace:
        source = open_pool(job.spec.pool)
        index = index_pool(workspace, job.spec.pool, source, "pool")
        plan = EmbedPlan(
            pool=job.spec.pool, decode=job.spec.pool.decode, embedding=job.spec.embedding, index=index, source=source
        )
        indexed = time.perf_counter()
        workspace.crew.run([Task(name="load", function=describe_encoder, args=(plan,))] * len(workspace.crew))
        loaded = time.perf_counter()
        print(f"index {indexed - started:.1f} s, start-up and model loading {loaded - indexed:.1f} s")
        for number in range(options.rounds):
            rounds.append(run_round(workspace, plan, number))
            print(rounds[-1])
    shutil.rmtree(options.folder / "out", ignore_errors=True)
    ratios = [one.ratio for one in rounds]
    middle = statistics.median(ratios)
    name = "embedding 60,000 images / (cores / (model + decode))"
    return conclude(machine(), [at_least(name, middle, 0.9, (max(ratios) - min(ratios)) / middle)], options.json)


if __name__ == "__main__":
    sys.exit(main())
