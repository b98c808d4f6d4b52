"""The embedding loop: every row in its place, the same bits for any threads, bounded memory, honest failures."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pytest
from helpers import image_files
from helpers.encoders import Applied, tiny_encoder
from torch import Tensor

from afray.embedding.engine import EmbeddedRows, Timings, embed_rows
from afray.embedding.feeding import LOOK_AHEAD
from afray.embedding.given import accept_vectors
from afray.embedding.outcomes import EMBEDDED_SCHEMA
from afray.embedding.rules import DecodeRules
from afray.errors import Retryable
from afray.pool.rows import ROW_SCHEMA, Reason, RowReader, RowUnreadable

RULES = DecodeRules(image_size=16)


@dataclass
class Contents:
    """A reader of rows in memory; a row may be an error instead of bytes."""

    rows: Sequence[bytes | Exception]
    reads: list[int] = field(default_factory=list)

    def read(self, position: int) -> bytes:
        self.reads.append(position)
        content = self.rows[position]
        if isinstance(content, Exception):
            raise content
        return content


def photos(count: int) -> list[bytes | Exception]:
    return [image_files.png(image_files.photo(12 + n % 5, 10 + n % 7, seed=n), image_files.RGB) for n in range(count)]


def index_part(count: int, first: int = 100) -> pa.Table:
    rows = [{"pool_id": first + n, "id": f"row-{n}", "key": f"row-{n}.png"} for n in range(count)]
    return pa.Table.from_pylist(rows, schema=ROW_SCHEMA)


def embed(
    rows: Sequence[bytes | Exception], threads: int = 2, batch_size: int = 8, reader: RowReader | None = None
) -> EmbeddedRows:
    return embed_rows(
        tiny_encoder(),
        index_part(len(rows)),
        reader or Contents(rows),
        RULES,
        batch_size=batch_size,
        threads=threads,
    )


def embed_by(function: Callable[[Tensor], Tensor], *, rejects_zero_vectors: bool) -> EmbeddedRows:
    """Black, white and black rows through a network of one function."""
    black, white = (image_files.png(np.full((4, 4), level, np.uint8), image_files.GREY) for level in (0, 255))
    return embed_rows(
        tiny_encoder(Applied(function), dim=2),
        index_part(3),
        Contents([black, white, black]),
        RULES,
        batch_size=2,
        threads=1,
        rejects_zero_vectors=rejects_zero_vectors,
    )


def test_vectors_are_the_same_bits_for_any_number_of_threads() -> None:
    rows = photos(27)
    alone = embed(rows, threads=1)
    for threads in (2, 5):
        together = embed(rows, threads=threads)
        np.testing.assert_array_equal(together.vectors, alone.vectors)
        assert together.table == alone.table
    assert len(np.unique(alone.vectors, axis=0)) == 27


@pytest.mark.parametrize("places", [[0], [7, 8], [3, 11, 26], list(range(8, 16)), list(range(1, 27))])
def test_bad_rows_are_zero_and_move_no_other_row(places: list[int]) -> None:
    rows = photos(27)
    good = embed(rows)
    damaged = [b"no image" if n in places else content for n, content in enumerate(rows)]
    result = embed(damaged)
    kept = [n for n in range(27) if n not in places]
    np.testing.assert_array_equal(result.vectors[kept], good.vectors[kept])
    assert not result.vectors[places].any()
    reasons = result.table["reason"].to_pylist()
    assert reasons == ["not-an-image" if n in places else None for n in range(27)]


def test_a_part_gives_the_same_vectors_whatever_follows_its_full_batches() -> None:
    rows = photos(27)
    np.testing.assert_array_equal(embed(rows[:16]).vectors, embed(rows).vectors[:16])


def test_the_last_batch_is_padded_to_the_full_size() -> None:
    rows = photos(11)
    sizes: list[int] = []

    def count(images: Tensor) -> Tensor:
        sizes.append(len(images))
        return images.mean((2, 3))[:, :2]

    encoder = tiny_encoder(Applied(count), dim=2)
    embed_rows(encoder, index_part(11), Contents(rows), RULES, batch_size=8, threads=2)
    assert sizes == [8, 8]


def test_every_row_is_described_beside_its_vector() -> None:
    upright = image_files.photo(6, 4)
    stored = np.ascontiguousarray(np.rot90(upright))
    exif = image_files.exif_block(6)
    rotated = image_files.png(stored, image_files.RGB, exif=exif)
    rows: list[bytes | Exception] = [
        rotated,
        rotated[: len(rotated) // 2],
        b"",
        RowUnreadable(Reason.missing, "row-3.png is gone"),
        image_files.png(upright, image_files.RGB, exif=b"rubbish"),
    ]
    table = embed(rows).table
    assert table.schema == EMBEDDED_SCHEMA
    assert table["pool_id"].to_pylist() == [100, 101, 102, 103, 104]
    assert table["id"].to_pylist() == ["row-0", "row-1", "row-2", "row-3", "row-4"]
    assert table["reason"].to_pylist() == [None, "truncated", "empty", "missing", None]
    digests = [hashlib.sha256(row).hexdigest() if isinstance(row, bytes) else None for row in rows]
    assert table["sha256"].to_pylist() == digests
    assert table["detail"][3].as_py() == "row-3.png is gone"
    assert table["width"].to_pylist() == [4, None, None, None, 4]
    assert table["height"].to_pylist() == [6, None, None, None, 6]
    assert table["orientation"].to_pylist() == [6, None, None, None, 1]
    remarks = table["remark"].to_pylist()
    assert remarks[:4] == [None] * 4
    assert remarks[4].startswith("the EXIF block")


def test_vectors_that_are_not_finite_are_quarantined() -> None:
    result = embed_by(lambda images: 1 / (1 - images.mean((2, 3))[:, :2]), rejects_zero_vectors=False)
    assert result.table["reason"].to_pylist() == [None, "non-finite", None]
    assert not result.vectors[1].any()
    np.testing.assert_array_equal(result.vectors[[0, 2]], np.ones((2, 2)))


def test_zero_vectors_are_quarantined_only_where_they_have_no_use() -> None:
    def means(images: Tensor) -> Tensor:
        return images.mean((2, 3))[:, :2]

    assert embed_by(means, rejects_zero_vectors=True).table["reason"].to_pylist() == [
        "zero-vector",
        None,
        "zero-vector",
    ]
    assert embed_by(means, rejects_zero_vectors=False).table["reason"].to_pylist() == [None] * 3


def test_stored_vectors_are_judged_like_those_of_an_encoder() -> None:
    stored = np.array([[1, 2], [np.nan, 0], [0, 0], [np.inf, 1]], dtype=np.float32)
    vectors, table = accept_vectors(index_part(4), stored, rejects_zero_vectors=True)
    np.testing.assert_array_equal(vectors, [[1, 2], [0, 0], [0, 0], [0, 0]])
    assert table.schema == EMBEDDED_SCHEMA
    assert table["reason"].to_pylist() == [None, "non-finite", "zero-vector", "non-finite"]
    assert table["sha256"].to_pylist() == [None] * 4
    assert np.isnan(stored[1, 0])


def test_a_store_that_does_not_answer_ends_the_part_and_its_threads() -> None:
    rows = photos(40)
    rows[13] = Retryable("the store is busy")
    reader = Contents(rows)
    with pytest.raises(Retryable, match="the store is busy"):
        embed(rows, threads=3, reader=reader)
    assert len(reader.reads) < 40
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_an_encoder_that_fails_ends_the_threads_too() -> None:
    def fail(images: Tensor) -> Tensor:
        raise RuntimeError(f"out of memory at {len(images)}")

    with pytest.raises(RuntimeError, match="out of memory at 8"):
        embed_rows(tiny_encoder(Applied(fail)), index_part(40), Contents(photos(40)), RULES, batch_size=8, threads=3)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_reading_stays_a_bounded_number_of_batches_ahead_of_the_model() -> None:
    reader = Contents(photos(80))
    ahead: list[int] = []

    def look(images: Tensor) -> Tensor:
        ahead.append(max(reader.reads) + 1 - 8 * len(ahead))
        return images.mean((2, 3))[:, :2]

    embed_rows(tiny_encoder(Applied(look), dim=2), index_part(80), reader, RULES, batch_size=8, threads=4)
    assert len(ahead) == 10
    assert max(ahead) <= 8 * (LOOK_AHEAD + 1)
    assert sorted(reader.reads) == list(range(80))


def test_reads_run_side_by_side_even_where_the_model_has_the_cpu() -> None:
    @dataclass
    class Meeting(Contents):
        """Answers a read only once three others are under way."""

        met: threading.Barrier = field(default_factory=lambda: threading.Barrier(4, timeout=30))

        def read(self, position: int) -> bytes:
            self.met.wait()
            return super().read(position)

    rows = photos(64)
    result = embed(rows, threads=4, batch_size=32, reader=Meeting(rows))
    assert result.table["reason"].null_count == 64


def test_each_batch_is_told_with_what_it_took() -> None:
    told: list[Timings] = []
    contents = [*photos(17), RowUnreadable(Reason.missing, "it is gone"), b"no image"]
    result = embed_rows(
        tiny_encoder(),
        index_part(19),
        Contents(contents),
        RULES,
        batch_size=8,
        threads=2,
        progress=told.append,
    )
    assert [batch.rows for batch in told] == [8, 8, 3]
    assert Timings.total(told) == result.timings
    assert result.timings.read_bytes == sum(len(content) for content in contents if isinstance(content, bytes))


def test_a_part_without_rows_gives_nothing() -> None:
    result = embed([])
    assert result.vectors.shape == (0, 12)
    assert result.table.num_rows == 0


def test_timings_add_up() -> None:
    timings = embed(photos(27)).timings
    assert timings.rows == 27
    assert 0 < timings.model_seconds <= timings.wall_seconds
    assert timings.decode_cpu_seconds > 0
    assert timings.waiting_seconds == pytest.approx(timings.wall_seconds - timings.model_seconds)
