"""Bar 15: stage 2 at 200,000 rows on two Ray workers over two threads of one process; the same ids."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import harness
import numpy as np
from harness import Bar, at_most
from helpers.selections import Way
from helpers.synthetic import I64

from afray.algorithms import bilaf
from afray.embedding.normalization import Normalizer
from afray.runtime.crew import Crew
from afray.runtime.features import FeatureFile
from afray.runtime.session import ray_session
from afray.runtime.shards import RayShards
from afray.runtime.slots import Slot
from afray.runtime.vectors import VectorShard, pack
from afray.storage.commits import Blob
from afray.storage.store import Store
from bars import pools
from bars.pools import Pool

WORKERS = 2
SHARD_ROWS = 10_000


def measure() -> list[Bar]:
    pool = pools.make(pools.LARGE)
    threads = Way(shards=8, threads=WORKERS)
    with on_workers(pool) as shards:
        found: list[I64] = []
        timings = harness.measure(
            {
                "threads": lambda: pool.select(way=threads),
                "workers": lambda: found.append(bilaf.select(shards, pool.cores, pool.labels).rows),
            },
            repeats=3,
        )
    one, both = timings["threads"], timings["workers"]
    equal = sum(np.array_equal(rows, pool.select(way=threads)) for rows in found[-1:])
    name = f"15 {WORKERS} Ray workers over {WORKERS} threads of one process, 200k"
    reached = at_most(name, both.wall / one.wall, 1.3, one.spread)
    return [
        replace(reached, doubt=one.doubt, holds=None if one.doubt else reached.holds),
        harness.all_equal("15 ids of Ray workers = those of one process, 200k", equal, 1),
    ]


@contextmanager
def on_workers(pool: Pool) -> Iterator[RayShards]:
    """The pool as a job has it: stored vectors, and a crew that maps them."""
    with tempfile.TemporaryDirectory() as folder:
        features = FeatureFile(
            path=str(Path(folder) / "features"),
            dim=pool.features.shape[1],
            shards=tuple(stored(pool, Store.open(Path(folder).as_uri() + "/", environment=os.environ))),
            normalizer=Normalizer(kind="none"),
        )
        with ray_session(WORKERS), Crew([Slot()] * WORKERS) as crew:
            yield RayShards(crew, features)


def stored(pool: Pool, store: Store) -> Iterator[VectorShard]:
    """The rows as stored shards."""
    for number, start in enumerate(range(0, len(pool.features), SHARD_ROWS)):
        vectors = pool.features[start : start + SHARD_ROWS]
        content, key = pack(vectors), f"{number}.npy"
        store.create(key, content)
        blob = Blob(key, hashlib.sha256(content).hexdigest(), len(content))
        yield VectorShard(store=store, blob=blob, kept=np.arange(len(vectors)))
