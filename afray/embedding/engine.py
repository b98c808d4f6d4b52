"""The loop that turns one part of a pool into vectors: decode threads feed one encoder, bad rows stay in their place.

The vectors are a function of the encoder, the part and the batch size. Threads, memory and other rows' damage change
nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from afray.embedding.encoders import Encoder
from afray.embedding.feeding import Feed
from afray.embedding.outcomes import RowOutcome, judge_vectors, tabulate
from afray.embedding.rules import DecodeRules
from afray.pool.rows import RowReader

NOT_FINITE = "the encoder gave numbers that are not finite; try spec.embedding.precision: float32"

Progress = Callable[[int], None]
"""Told the number of rows that are done, after each batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Where the time of one part went. On an accelerator decoding runs beside the model, so the seconds overlap."""

    rows: int
    wall_seconds: float
    cpu_seconds: float
    """Of this process, all threads."""
    decode_cpu_seconds: float
    """Reading, sha256 and decoding, over all decode threads."""
    model_seconds: float
    """In the encoder, by the wall clock."""

    @property
    def waiting_seconds(self) -> float:
        """The encoder waited for pixels: much of it means that reading or decoding is the bottleneck."""
        return self.wall_seconds - self.model_seconds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmbeddedRows:
    """One part, embedded."""

    vectors: NDArray[np.float32]
    """(n, dim), finite; zeros for bad rows."""
    table: pa.Table
    """outcomes.EMBEDDED_SCHEMA, row for row."""
    timings: Timings


def embed_rows(
    encoder: Encoder,
    part: pa.Table,
    reader: RowReader,
    rules: DecodeRules,
    *,
    batch_size: int,
    threads: int,
    rejects_zero_vectors: bool = False,
    progress: Progress | None = None,
) -> EmbeddedRows:
    """Vectors of all rows of `part` (of the index), in its order.

    Bad rows get a reason and zeros. What the reader raises about a whole store (Retryable and others) propagates.
    """
    kind = encoder.device.type
    ahead, pinned = kind != "cpu", kind == "cuda"
    feed = Feed(
        reader=reader, rules=rules, batch_size=batch_size, threads=threads, decodes_ahead=ahead, is_pinned=pinned
    )
    vectors = np.zeros((part.num_rows, encoder.dim), dtype=np.float32)
    outcomes: list[RowOutcome] = []
    decode_seconds = model_seconds = 0.0
    started, cpu_started = time.perf_counter(), time.process_time()
    with closing(feed.batches(part.num_rows)) as batches:
        for batch in batches:
            entered = time.perf_counter()
            features = encoder.encode(batch.images)
            model_seconds += time.perf_counter() - entered
            vectors[batch.rows.start : batch.rows.stop] = features[: len(batch.rows)].numpy()
            decode_seconds += batch.decode_cpu_seconds
            outcomes += batch.outcomes
            if progress is not None:
                progress(len(outcomes))
    timings = Timings(
        rows=part.num_rows,
        wall_seconds=time.perf_counter() - started,
        cpu_seconds=time.process_time() - cpu_started,
        decode_cpu_seconds=decode_seconds,
        model_seconds=model_seconds,
    )
    outcomes = judge_vectors(vectors, outcomes, NOT_FINITE, rejects_zero_vectors=rejects_zero_vectors)
    return EmbeddedRows(vectors=vectors, table=tabulate(part, outcomes), timings=timings)
