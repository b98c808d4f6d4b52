"""What a worker does with a model: load it once, run it, and show all the while that it gets on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from afray.embedding.determinism import pin_threads
from afray.embedding.encoders import Encoder, fingerprint_embeddings, load_encoder
from afray.embedding.engine import Timings, embed_rows
from afray.pool.readers import open_rows
from afray.pool.rows import RowReader
from afray.runtime.counting import count_batch
from afray.runtime.embedding import EmbedPlan, EncoderFacts
from afray.runtime.worker import WorkerContext

DECODE_THREADS = 8
"""Per worker, or one per CPU of its own if those are more. Where the model has the CPU, what they do side by side is
waiting for the store."""


def describe(context: WorkerContext, plan: EmbedPlan) -> EncoderFacts:
    """Load the encoder and say what it is."""
    encoder = _encoder(context, plan)
    return EncoderFacts(
        name=encoder.name,
        sha256=encoder.fingerprint,
        precision=encoder.precision,
        fingerprint=fingerprint_embeddings(
            encoder, plan.rules, index_digest=plan.index.digest, batch_size=plan.embedding.batch_size
        ),
    )


def embed_pixels(context: WorkerContext, plan: EmbedPlan, part: pa.Table) -> tuple[NDArray[np.float32], pa.Table, str]:
    """Vectors and facts of rows of the index, and the class of the device that computed them."""
    encoder = _encoder(context, plan)
    context.move()

    def report(batch: Timings) -> None:
        context.rows_done += batch.rows
        count_batch(context.meter, plan.stage, batch)

    reader = _ShownReader(open_rows(plan.pool, plan.source, part), context)
    rows = embed_rows(
        encoder,
        part,
        reader,
        plan.rules,
        batch_size=plan.embedding.batch_size,
        threads=max(DECODE_THREADS, context.threads),
        rejects_zero_vectors=plan.rejects_zero_vectors,
        progress=report,
    )
    return rows.vectors, rows.table, encoder.device_class


@dataclass(frozen=True, slots=True)
class _ShownReader:
    """A reader whose every row shows that the worker gets on: in a slow store a batch may take minutes."""

    reader: RowReader
    context: WorkerContext

    def read(self, position: int) -> bytes:
        try:
            return self.reader.read(position)
        finally:
            self.context.move()


def _encoder(context: WorkerContext, plan: EmbedPlan) -> Encoder:
    pin_threads()
    return context.once(
        plan.embedding, lambda: _shown(load_encoder(plan.embedding, expects_gpu=plan.expects_gpu), context)
    )


def _shown(encoder: Encoder, context: WorkerContext) -> Encoder:
    """Every layer shows that the worker gets on: a batch of a large model may take a CPU minutes."""
    for module in encoder.module.modules():
        module.register_forward_hook(lambda *_: context.move())
    return encoder
