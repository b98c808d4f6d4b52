"""One way to run BiLAF's second stage in tests, and the ways of computing it that must not matter."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from helpers.synthetic import F32, I64

from afray.algorithms import bilaf
from afray.algorithms.clusters import BilafOptions, Tuning
from afray.algorithms.gemm import Compute
from afray.algorithms.selection import Selection
from afray.algorithms.shards import LocalShards


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a selection is computed; no two ways may differ in what they select."""

    shards: int = 1
    threads: int = 1
    compute: Compute = field(default_factory=Compute)
    tuning: Tuning = field(default_factory=Tuning)


PLAIN = Way()
WAYS = {
    "one shard": PLAIN,
    "two shards on two threads, blocks of 13, short lists": Way(
        shards=2, threads=2, compute=Compute(block=13), tuning=Tuning(lists=2)
    ),
    "seven shards, another matrix library, blocks of 97": Way(shards=7, compute=Compute(gemm="torch", block=97)),
    "most clusters too large for a table, one opponent remembered": Way(
        shards=3, tuning=Tuning(table_rows=12, lists=3, opponents=1)
    ),
}


def select(
    features: F32, core_rows: I64, budget: int, options: BilafOptions | None = None, way: Way = PLAIN
) -> Selection:
    rows = LocalShards(features, shards=way.shards, threads=way.threads)
    return bilaf.select(rows, core_rows, budget, options or BilafOptions(), way.compute, tuning=way.tuning)


def digest(rows: I64) -> str:
    """sha256 over the rows as little-endian int64."""
    return hashlib.sha256(np.asarray(rows, "<i8").tobytes()).hexdigest()
