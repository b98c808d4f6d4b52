"""Embedding a pool on a crew: workers lease parts of the index and commit vectors and row facts, each part once.

A pool that holds vectors needs no model, so what runs one is imported where one runs: torch takes seconds.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import JsonValue

from afray.api.embedding import EmbeddingSpec
from afray.api.pool import DecodeSpec, EvaluationSpec, PoolSpec
from afray.contract import metrics
from afray.embedding.given import accept_vectors
from afray.embedding.rules import DecodeRules, parse_background
from afray.pool.manifest import PoolIndex
from afray.pool.readers import read_vectors
from afray.runtime.vectors import ROWS, VECTORS, pack
from afray.runtime.worker import WorkerContext
from afray.storage.commits import Commit, Fence, commit, read_blob
from afray.storage.store import Store

Embedded = tuple[NDArray[np.float32], pa.Table, str]
"""Vectors (n, D), their EMBEDDED_SCHEMA, and the class of the device that computed them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmbedPlan:
    """What a worker needs to embed any part of one pool."""

    pool: PoolSpec | EvaluationSpec
    decode: DecodeSpec
    embedding: EmbeddingSpec
    index: PoolIndex
    source: Store
    expects_gpu: bool = False
    title: str = "pool"
    """What the rows are called, the pool or the held-out set."""

    @property
    def stage(self) -> str:
        """The stage of the driver that embeds them."""
        return f"embed {self.title}"

    @property
    def has_vectors(self) -> bool:
        """The pool holds embeddings already."""
        return self.pool.format == "embeddings"

    @property
    def rejects_zero_vectors(self) -> bool:
        """Only l2 asks a row for the direction that a zero vector lacks.

        To standardize it is a vector as any other: one that becomes zero equals the mean, and that is a place too.
        """
        return self.embedding.normalize == "l2"

    @property
    def rules(self) -> DecodeRules:
        """How bytes become pixels."""
        return DecodeRules(
            image_size=self.embedding.image_size,
            pixel_range=self.decode.pixel_range or "dtype",
            background=parse_background(self.decode.background),
            max_pixels=self.decode.max_pixels,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderFacts:
    """The encoder as a worker loaded it; goes into the certificate."""

    name: str
    sha256: str
    precision: str
    fingerprint: str
    """Of the pool's embeddings: the encoder, the decode rules, the index, precision and torch version."""


def describe_encoder(context: WorkerContext, plan: EmbedPlan) -> EncoderFacts:
    """Task: load the encoder and say what it is."""
    from afray.runtime import encoding

    return encoding.describe(context, plan)


def require_gpu(_: WorkerContext, embedding: EmbeddingSpec) -> None:
    """Task for a worker that was given a GPU. Raises EnvironmentFault if torch sees none, and the spec wants it."""
    from afray.embedding.encoders import available_devices, choose_device

    choose_device(embedding.device, available_devices(), expects_gpu=True)


def embed_part(context: WorkerContext, plan: EmbedPlan, number: int, name: str, output: Store, fence: Fence) -> Commit:
    """Task: embed one part of the index and commit it as `name`."""
    return embed_table(context, plan, plan.index.read_part(number), name, output, fence)


def embed_table(
    context: WorkerContext, plan: EmbedPlan, part: pa.Table, name: str, output: Store, fence: Fence
) -> Commit:
    """Embed rows of the index (ROW_SCHEMA) and commit them as `name`."""
    return store_part(context, plan, name, compute_part(context, plan, part), output, fence)


def compute_part(context: WorkerContext, plan: EmbedPlan, part: pa.Table) -> Embedded:
    """Embed rows of the index."""
    if not plan.has_vectors:
        from afray.runtime import encoding

        return encoding.embed_pixels(context, plan, part)
    given = read_vectors(plan.pool, plan.source, part)
    vectors, table = accept_vectors(part, given, rejects_zero_vectors=plan.rejects_zero_vectors)
    context.meter.count(metrics.EMBEDDED_ROWS, len(part), stage=plan.stage)
    return vectors, table, "given"


def store_part(
    context: WorkerContext,
    plan: EmbedPlan,
    name: str,
    embedded: Embedded,
    output: Store,
    fence: Fence,
    *,
    reused: int = 0,
) -> Commit:
    """Commit a part as `name`; `reused` of its rows were embedded by an earlier round."""
    vectors, table, device = embedded
    context.move()
    context.meter.count(metrics.QUARANTINED_ROWS, len(table) - table["reason"].null_count, stage=plan.stage)
    facts: dict[str, JsonValue] = {"rows": len(table), "dim": int(vectors.shape[1]), "device": device}
    if reused:
        facts["reused"] = reused
    payload = {VECTORS: pack(vectors), ROWS: _table_bytes(table)}
    context.meter.count(metrics.WRITTEN_BYTES, sum(map(len, payload.values())), stage=plan.stage)
    return commit(output, name, payload, facts, fence=fence)


def embed_batch(context: WorkerContext, plan: EmbedPlan, number: int, batch: int) -> NDArray[np.float32]:
    """Task: the vectors of one batch of a part, as `embed_part` computes them; nothing is stored."""
    from afray.runtime import encoding

    size = plan.embedding.batch_size
    vectors, _, _ = encoding.embed_pixels(context, plan, plan.index.read_part(number).slice(batch * size, size))
    return vectors


def read_rows(output: Store, part: Commit) -> pa.Table:
    """Row facts of a committed part: pool_id, id, sha256, reason, detail and more."""
    return pq.read_table(io.BytesIO(read_blob(output, part.blobs[ROWS])))


def _table_bytes(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
