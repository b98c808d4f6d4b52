"""`afray bench --rounds` on the pools of a set, and its cells in one table."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import harness  # noqa: F401 - puts the tests' helpers on the path
from helpers import bench_jobs

from afray.evaluation import bench_report, cells, comparison
from afray.evaluation.cells import Cell
from afray.evaluation.comparison import Table
from rounds.samples import Samples

EXAMPLES = Path(__file__).parents[2] / "examples"
AT_ONCE = "kmeans"
ROUNDS = {1: AT_ONCE, 2: "uherding@2", 4: "uherding@4"}
"""What a bench calls them."""


@dataclass(frozen=True, slots=True)
class Bench:
    """One call of `afray bench`."""

    manifest: Path
    seeds: tuple[int, ...]
    results: Path


Prepare = Callable[[Path, tuple[int, ...]], Iterator[Bench]]
"""prepare(folder, seeds): the benches of a set, with their data in the folder."""


def fashion_mnist(folder: Path, seeds: tuple[int, ...]) -> Iterator[Bench]:
    """One pool for all seeds: that of the first example."""
    images = folder / "images"
    if not (images / "heldout-labels.csv").exists():
        script = EXAMPLES / "fashion_mnist.py"
        subprocess.run([sys.executable, str(script), str(images), "--heldout", "5000"], check=True)
    manifest = folder / "job.yaml"
    manifest.write_text((EXAMPLES / "fashion-mnist.yaml").read_text().replace("demo/fashion-mnist", str(images)))
    yield Bench(manifest, seeds, folder / "results")


def by_split(load: Callable[[], Samples], share: float) -> Prepare:
    """A pool and a held-out set for each seed."""

    def prepare(folder: Path, seeds: tuple[int, ...]) -> Iterator[Bench]:
        samples = load()
        for seed in seeds:
            place = folder / samples.digest / f"seed-{seed}"
            if not (place / "job.yaml").exists():
                shutil.rmtree(place, ignore_errors=True)
                place.mkdir(parents=True)
                bench_jobs.write_job(place, *samples.split(seed, share))
            yield Bench(place / "job.yaml", (seed,), place / "results")

    return prepare


def run(bench: Bench, budgets: Sequence[int]) -> list[Cell]:
    """The cells of a bench; those that an earlier call finished are not computed again."""
    options = {
        "--rounds": ",".join(map(str, ROUNDS)),
        "--budgets": ",".join(map(str, budgets)),
        "--seeds": ",".join(map(str, bench.seeds)),
        "--results": str(bench.results),
    }
    words = [word for option in options.items() for word in option]
    command = [sys.executable, "-m", "afray", "bench", str(bench.manifest), *words, "-o", "name"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return [Cell.from_line(line) for line in (bench.results / cells.FILE).read_text().splitlines()[1:]]


def tabulate(found: Sequence[Cell], budgets: Sequence[int], seeds: Sequence[int]) -> Table:
    """The cells that were asked for, out of those that were found."""
    wanted = [(method, budget, seed) for method in ROUNDS.values() for budget in budgets for seed in seeds]
    by_key = {cell.key: cell for cell in found}
    return comparison.tabulate([by_key[key] for key in wanted], AT_ONCE)


def to_markdown(table: Table) -> str:
    """The table of a bench, less the seconds."""
    lines = [bench_report.columns(table), ["---"] * len(bench_report.COLUMNS), *map(bench_report.cells, table.rows)]
    return "\n".join(f"| {' | '.join(line[:-1])} |" for line in lines)
