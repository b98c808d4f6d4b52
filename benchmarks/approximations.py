"""What the approximations that a spec may ask for cost and save: recall and time by probes, picks changed by rms.

    python benchmarks/approximations.py [--rows 100000]

Two pools: the benchmark's, whose clusters lie in groups, and one that knows neither clusters nor groups.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import harness
import numpy as np
from bars import pools
from bars.pools import Sizes
from harness import measure
from helpers.synthetic import F32, I64
from threadpoolctl import threadpool_limits

from afray.algorithms import bilaf, inverted
from afray.algorithms.candidates import Scorer
from afray.algorithms.clusters import BilafOptions
from afray.algorithms.gemm import Compute
from afray.algorithms.shards import LocalShards

ROWS_PER_CORE, LABELS_PER_CORE = 50, 5
PROBES = (1, 2, 4, 8, 16)
REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    cores = rows // ROWS_PER_CORE
    made = pools.make(Sizes(rows=rows, cores=cores, labels=LABELS_PER_CORE * cores))
    print(f"{harness.machine()}; {rows:,} rows, {cores:,} cores, one thread, CPU seconds of the assignment")
    with threadpool_limits(1):
        for name, features in (("in groups", made.features), ("without groups", _without_groups(rows))):
            for line in compare(features, made.cores):
                print(f"{name:15} {line}")
    print(
        f"picks changed by rms, {made.labels:,} labels: {_changed_by_rms(made.features, made.cores, made.labels):.2%}"
    )


def compare(features: F32, cores: I64) -> Iterator[str]:
    """Time of all cores, then time and recall by probes."""
    centres = np.ascontiguousarray(features[cores])
    groups = inverted.group(centres, Compute())
    calls: dict[str, Callable[[], object]] = {
        "all": lambda: Scorer(centres, Compute()).nearest(features, inverted.LISTED)
    }
    for probes in PROBES:
        calls[str(probes)] = _search(features, centres, groups, probes)
    timings = measure(calls, repeats=REPEATS)
    yield f"all cores: {timings['all'].cpu:6.2f} s"
    for probes in PROBES:
        recall = inverted.recall(LocalShards(features), cores, groups, probes, Compute())
        yield f"{probes:3} of {len(groups.centres)} groups: {timings[str(probes)].cpu:6.2f} s, recall {recall:.3f}"


def _search(features: F32, centres: F32, groups: inverted.Groups, probes: int) -> Callable[[], object]:
    return lambda: inverted.search(features, centres, groups, probes, Compute())


def _without_groups(rows: int) -> F32:
    vectors = np.random.default_rng(0).standard_normal((rows, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _changed_by_rms(features: F32, cores: I64, labels: int) -> float:
    return bilaf.select(LocalShards(features), cores, labels, BilafOptions(intra="rms")).changed_picks


if __name__ == "__main__":
    main()
