"""Bar 13: peak memory of stage 2 at 200,000 rows above libraries and features, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from harness import Bar, at_most

from afray.runtime import footprint
from bars import pools
from bars.pools import Pool, Sizes

MEBIBYTE = 2**20


def measure() -> list[Bar]:
    pool = pools.make(pools.LARGE)
    with tempfile.TemporaryDirectory() as folder:
        np.savez(path := Path(folder) / "pool.npz", features=pool.features, cores=pool.cores)
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
        command = [sys.executable, "-m", "bars.memory", str(path), str(pool.labels)]
        child = subprocess.run(command, check=True, capture_output=True, env=environment)
    limit = round(0.35 * pool.features.nbytes / MEBIBYTE + 100)
    return [at_most("13 peak MiB above libraries and features, 200k", int(child.stdout) / MEBIBYTE, limit)]


def peak_above(pool: Pool) -> int:
    """Bytes by which the peak exceeds what the process holds before a selection."""
    before = footprint.peak_bytes()
    pool.select()
    return footprint.peak_bytes() - before


if __name__ == "__main__":
    pools.make(Sizes(rows=2000, cores=10, labels=100)).select()  # libraries and kernels are loaded
    with np.load(sys.argv[1]) as arrays:
        print(peak_above(Pool(features=arrays["features"], cores=arrays["cores"], labels=int(sys.argv[2]))))
