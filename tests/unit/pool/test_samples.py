from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from helpers.pools import (
    PoolAt,
    RecordingStore,
    parquet_bytes,
    png,
    tar_bytes,
    vector_column,
    write_images,
    write_objects,
)

from afray.errors import PoolError
from afray.pool.rows import Reason
from afray.pool.samples import sample
from afray.storage.store import ObjectInfo, Store


def test_images_come_in_the_order_of_their_keys(any_source: Store) -> None:
    images = write_images(any_source, ["b.png", "a/1.png", "a.png", "c.png"])
    write_objects(any_source, {"a.txt": b""})

    found = sample(PoolAt(any_source.uri, "images"), any_source, 3)

    assert [(row.id, row.content, row.problem) for row in found] == [
        (key, images[key], None) for key in ("a.png", "a/1.png", "b.png")
    ]
    assert all(row.place.endswith(row.id) for row in found)


def test_a_sample_of_images_ends_the_listing_early(source: Store) -> None:
    class Endless(Store):
        asked = 0

        def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
            entry = next(super().list(prefix, after))
            while True:
                self.asked += 1
                yield ObjectInfo(f"a.png{self.asked:09d}.png", entry.size, None, entry.modified)

    write_images(source, ["a.png"])
    endless = Endless(*source.__getstate__())

    assert len(sample(PoolAt(source.uri, "images"), endless, 8)) == 8
    assert endless.asked <= 9


def test_a_sample_of_tars_opens_the_first_and_shows_its_keys(any_source: Store) -> None:
    for tar in range(3):
        members = [(f"v1.0/{tar}{number:03d}.left.png", png(number)) for number in range(2000)]
        write_objects(any_source, {f"{tar}.tar": tar_bytes(members)})
    watched = RecordingStore.watch(any_source)

    found = sample(PoolAt(any_source.uri, "webdataset"), watched, 5)

    assert [(row.id, row.content) for row in found] == [(f"v1.0/0{number:03d}", png(number)) for number in range(5)]
    assert found[0].place.endswith("0.tar, member v1.0/0000.left.png")
    assert {key for kind, key in watched.requests if kind == "read_range"} == {"0.tar"}
    assert sum(watched.bytes_read) < 200_000


def test_a_sample_of_tables_reads_the_beginning_of_a_row_group(any_source: Store) -> None:
    big = [np.random.default_rng(number).bytes(100_000) for number in range(200)]
    content = parquet_bytes({"id": list(range(200)), "image": big}, use_dictionary=False, write_batch_size=10)
    write_objects(any_source, {"a.parquet": content, "b.parquet": parquet_bytes({"id": [999], "image": [b"x"]})})
    watched = RecordingStore.watch(any_source)

    found = sample(PoolAt(any_source.uri, "parquet"), watched, 4)

    assert [(row.id, row.content) for row in found] == [(str(number), big[number]) for number in range(4)]
    assert found[3].place.endswith("a.parquet, row group 0, row 3")
    assert sum(watched.bytes_read) < 10_000_000


def test_a_sample_goes_on_in_the_next_files(source: Store) -> None:
    for file in range(4):
        write_objects(source, {f"{file}.parquet": parquet_bytes({"id": [file], "image": [png(file)]})})

    assert [row.id for row in sample(PoolAt(source.uri, "parquet"), source, 3)] == ["0", "1", "2"]


def test_vectors_are_float32_bytes(source: Store) -> None:
    vectors = np.arange(6, dtype=np.float64).reshape(3, 2)
    columns = {"id": ["a", "b", "c"], "embedding": vector_column(vectors, kind=None)}
    write_objects(source, {"a.parquet": parquet_bytes(columns)})

    found = sample(PoolAt(source.uri, "embeddings"), source, 2)

    assert [np.frombuffer(row.content, np.float32).tolist() for row in found] == [[0, 1], [2, 3]]


def test_a_smaller_pool_gives_what_it_has(source: Store) -> None:
    write_images(source, ["a.png"])

    assert len(sample(PoolAt(source.uri, "images"), source, 8)) == 1


def test_a_row_that_cannot_be_read_is_shown_with_its_problem(source: Store) -> None:
    write_objects(source, {"a.parquet": parquet_bytes({"id": [1, 2], "uri": ["gone.png", "here.png"]})})
    write_images(source, ["here.png"])

    lost, found = sample(PoolAt(source.uri, "parquet"), source, 8)

    assert lost.problem is not None
    assert (lost.problem.reason, lost.content, found.content) == (Reason.missing, b"", png(0))


@pytest.mark.parametrize("kind", ["images", "parquet", "webdataset", "embeddings"])
def test_an_empty_pool_is_an_error(kind: str, source: Store) -> None:
    write_objects(source, {"notes.txt": b""})

    with pytest.raises(PoolError, match=rf"empty pool: no rows of format {kind}.*1 \.txt"):
        sample(PoolAt(source.uri, kind), source, 8)
