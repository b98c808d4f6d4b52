"""A few rows of a pool embedded by the clock, as a run embeds all of them."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afray.runtime.embedding import EmbedPlan, embed_table, read_rows
from afray.runtime.vectors import VECTORS, read_vectors
from afray.runtime.worker import WorkerContext
from afray.storage.commits import Fence
from afray.storage.store import Store

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Vectors (n, D) of the rows that could be read, of `rows` in all, and the seconds that those took."""

    vectors: F32
    rows: int
    seconds: float
    loading: float
    """Seconds until the model was there and had seen its first batch."""


def embed_sample(
    context: WorkerContext, plan: EmbedPlan, number: int, name: str, count: int, output: Store, fence: Fence
) -> Sample:
    """Task: embed the first `count` rows of a part of the index, and commit them below `name` as a run would."""
    part = plan.index.read_part(number).slice(0, count)
    began = time.perf_counter()
    if not plan.has_vectors:
        from afray.runtime import encoding

        encoding.describe(context, plan)
        embed_table(context, plan, part.slice(0, plan.embedding.batch_size), f"{name}/first", output, fence)
    started = time.perf_counter()
    stored = embed_table(context, plan, part, f"{name}/all", output, fence)
    ended = time.perf_counter()
    readable = read_rows(output, stored)["reason"].combine_chunks().is_null().to_numpy(zero_copy_only=False)
    vectors = read_vectors(output, stored.blobs[VECTORS])[readable]
    return Sample(vectors=vectors, rows=len(part), seconds=ended - started, loading=started - began)
