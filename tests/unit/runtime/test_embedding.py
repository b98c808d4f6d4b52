from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import jobs
from helpers.meters import RecordingMeter
from helpers.pools import parquet_bytes, vector_column

from afray.contract import metrics
from afray.embedding.encoders import load_encoder
from afray.pool.index import build_index
from afray.pool.listing import open_pool
from afray.runtime.embedding import EmbedPlan, embed_part, read_rows
from afray.runtime.encoding import embed_pixels
from afray.runtime.vectors import VECTORS
from afray.runtime.worker import WorkerContext
from afray.storage.reading import NoFence
from afray.storage.store import Store

ROWS = 12


class CountingContext(WorkerContext):
    """Counts what would keep a lease alive."""

    def __init__(self, threads: int = 1) -> None:
        self.counted = RecordingMeter()
        super().__init__(threads, self.counted)
        self.moved = 0

    def move(self) -> None:
        super().move()
        self.moved += 1


def make_plan(folder: Path) -> tuple[EmbedPlan, Store]:
    """Two readable rows in three; one batch takes them all."""
    made = jobs.images_manifest(folder / "pool", folder / "out")
    for row_id in [*jobs.write_images(folder / "pool", ROWS)][::3]:
        (folder / "pool" / row_id).write_bytes(b"")
    spec, output = jobs.parse(made).spec, Store.open(str(folder / "out"))
    source = open_pool(spec.pool)
    index = build_index(spec.pool, source, output, 100, fence=NoFence(), progress=lambda _done, _total: None)
    plan = EmbedPlan(pool=spec.pool, decode=spec.pool.decode, embedding=spec.embedding, index=index, source=source)
    return plan, output


def test_every_row_shows_that_the_worker_gets_on_readable_or_not_and_so_does_every_layer(tmp_path: Path) -> None:
    plan, _ = make_plan(tmp_path)
    context = CountingContext()
    part = plan.index.read_part(0)
    embed_pixels(context, plan, part.slice(0, 0))
    assert context.moved == 1, "for the model"
    encoder = load_encoder(plan.embedding)
    layers = sum(1 for _ in encoder.module.modules())
    embed_pixels(context, plan, part)
    assert context.rows_done == ROWS
    assert context.moved - 2 - ROWS > layers / 2, "most layers, once each: one batch has them all"


def test_threads_change_no_bit(tmp_path: Path) -> None:
    plan, output = make_plan(tmp_path)
    parts = [
        embed_part(CountingContext(threads), plan, 0, f"with-{threads}", output, NoFence()) for threads in (1, 3, 20)
    ]
    assert len({part.blobs[VECTORS].sha256 for part in parts}) == 1


def test_a_part_counts_its_rows_bytes_and_seconds_and_what_is_of_no_use(tmp_path: Path) -> None:
    plan, output = make_plan(tmp_path)
    context, stage = CountingContext(), ("embed pool",)
    part = embed_part(context, plan, 0, "part", output, NoFence())
    counted = {metric: context.counted.of(metric) for metric in metrics.METRICS}
    assert counted[metrics.EMBEDDED_ROWS] == {stage: ROWS}
    assert counted[metrics.QUARANTINED_ROWS] == {stage: ROWS / 3}
    stored = sum(path.stat().st_size for path in (tmp_path / "pool").rglob("*.png"))
    assert counted[metrics.READ_BYTES] == {stage: stored}
    assert counted[metrics.WRITTEN_BYTES] == {stage: sum(blob.size for blob in part.blobs.values())}
    assert 0 < counted[metrics.MODEL_SECONDS][stage] <= counted[metrics.EMBEDDING_SECONDS][stage]
    assert counted[metrics.DECODE_SECONDS][stage] > 0


def test_vectors_that_are_given_are_counted_under_the_stage_that_takes_them(tmp_path: Path) -> None:
    vectors = vector_column(np.array([[0, np.nan], [1, 2], [3, 4]], np.float32))
    jobs.write_file(tmp_path / "pool" / "a.parquet", parquet_bytes({"id": ["a", "b", "c"], "embedding": vectors}))
    spec = jobs.parse(jobs.embeddings_manifest(tmp_path / "pool", tmp_path / "out")).spec
    source, output = open_pool(spec.pool), Store.open(str(tmp_path / "out"))
    index = build_index(spec.pool, source, output, 100, fence=NoFence())
    plan = EmbedPlan(
        pool=spec.pool,
        decode=spec.pool.decode,
        embedding=spec.embedding,
        index=index,
        source=source,
        title="held-out",
    )
    context = CountingContext()
    embed_part(context, plan, 0, "part", output, NoFence())
    assert context.counted.of(metrics.EMBEDDED_ROWS) == {("embed held-out",): 3}
    assert context.counted.of(metrics.QUARANTINED_ROWS) == {("embed held-out",): 1}
    assert context.counted.of(metrics.READ_BYTES) == {}


@pytest.mark.parametrize(
    ("normalize", "reasons"),
    [("none", [None, None]), ("l2", ["zero-vector", None]), ("standardize", [None, None])],
)
def test_a_zero_vector_is_of_no_use_only_where_rows_need_a_direction(
    normalize: str, reasons: list[str | None], tmp_path: Path
) -> None:
    vectors = vector_column(np.array([[0, 0], [1, 2]], np.float32))
    jobs.write_file(tmp_path / "pool" / "a.parquet", parquet_bytes({"id": ["a", "b"], "embedding": vectors}))
    made = jobs.embeddings_manifest(tmp_path / "pool", tmp_path / "out")
    spec = jobs.parse(jobs.changed(made, {"spec.embedding.normalize": normalize})).spec
    source, output = open_pool(spec.pool), Store.open(str(tmp_path / "out"))
    index = build_index(spec.pool, source, output, 100, fence=NoFence())
    plan = EmbedPlan(pool=spec.pool, decode=spec.pool.decode, embedding=spec.embedding, index=index, source=source)

    part = embed_part(CountingContext(), plan, 0, "part", output, NoFence())

    assert read_rows(output, part)["reason"].to_pylist() == reasons
