"""The loop that turns one part of a pool into vectors: decode threads feed one encoder, bad rows stay in their place.

The vectors are a function of the encoder, the part and the batch size. Threads, memory and other rows' damage change
nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from afray.embedding.encoders import Encoder
from afray.embedding.feeding import Batch, Feed
from afray.embedding.outcomes import RowOutcome, judge_vectors, tabulate
from afray.embedding.rules import DecodeRules
from afray.pool.rows import RowReader

NOT_FINITE = "the encoder gave numbers that are not finite; try spec.embedding.precision: float32"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Where the time of a batch or a part went. On an accelerator decoding runs beside the model: seconds overlap."""

    rows: int
    wall_seconds: float
    cpu_seconds: float
    """Of this process, all threads."""
    decode_cpu_seconds: float
    """Reading, sha256 and decoding, over all decode threads."""
    model_seconds: float
    """In the encoder, by the wall clock."""
    read_bytes: int
    """Of the rows as they are stored."""

    @property
    def waiting_seconds(self) -> float:
        """The encoder waited for pixels: much of it means that reading or decoding is the bottleneck."""
        return self.wall_seconds - self.model_seconds

    @classmethod
    def total(cls, parts: Sequence[Timings]) -> Timings:
        """Of parts that follow each other."""
        return cls(**{field.name: sum(getattr(part, field.name) for part in parts) for field in fields(cls)})


Progress = Callable[[Timings], None]
"""Told of each batch once it is embedded."""


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
    spent: list[Timings] = []
    clock = _Clock()
    with closing(feed.batches(part.num_rows)) as batches:
        for batch in batches:
            entered = time.perf_counter()
            features = encoder.encode(batch.images)
            model_seconds = time.perf_counter() - entered
            vectors[batch.rows.start : batch.rows.stop] = features[: len(batch.rows)].numpy()
            outcomes += batch.outcomes
            spent.append(clock.lap(batch, model_seconds))
            if progress is not None:
                progress(spent[-1])
    outcomes = judge_vectors(vectors, outcomes, NOT_FINITE, rejects_zero_vectors=rejects_zero_vectors)
    return EmbeddedRows(vectors=vectors, table=tabulate(part, outcomes), timings=Timings.total(spent))


class _Clock:
    """Laps of one part, each a batch long: the waiting for its pixels included."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def lap(self, batch: Batch, model_seconds: float) -> Timings:
        wall, cpu = time.perf_counter(), time.process_time()
        timings = Timings(
            rows=len(batch.rows),
            wall_seconds=wall - self._wall,
            cpu_seconds=cpu - self._cpu,
            decode_cpu_seconds=batch.decode_cpu_seconds,
            model_seconds=model_seconds,
            read_bytes=batch.read_bytes,
        )
        self._wall, self._cpu = wall, cpu
        return timings
