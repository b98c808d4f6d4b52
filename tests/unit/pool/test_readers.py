from __future__ import annotations

import os
import pickle
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from helpers.pools import (
    OpenFence,
    PoolAt,
    RecordingStore,
    parquet_bytes,
    png,
    tar_bytes,
    vector_column,
    write_images,
    write_objects,
)

from afray.errors import PoolError, StorageError
from afray.pool import readers
from afray.pool.cells import Cells
from afray.pool.index import build_index
from afray.pool.readers import open_rows, read_vectors
from afray.pool.rows import ADDRESS_SCHEMA, Address, Reason, RowReader, RowUnreadable
from afray.storage.store import AccessDenied, ObjectChanged, Store, StoreUnreachable

FORMATS = ["images", "parquet", "webdataset"]
REFUSED = AccessDenied("the object", "403", "the credentials")


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "_PAUSE_SECONDS", 0)


def write_pool(store: Store, kind: str, count: int) -> list[bytes]:
    """Write a pool whose rows have ids 0000, 0001, ...; returns their images in that order."""
    images = [png(seed) for seed in range(count)]
    names = [f"{number:04d}" for number in range(count)]
    if kind == "images":
        write_objects(store, {f"{name}.png": image for name, image in zip(names, images, strict=True)})
    elif kind == "webdataset":
        members = [(f"{name}.png", image) for name, image in zip(names, images, strict=True)]
        write_objects(store, {"0.tar": tar_bytes(members[::2]), "1.tar": tar_bytes(members[1::2])})
    else:
        for file in (0, 1):
            columns = {"id": names[file::2][::-1], "image": images[file::2][::-1]}
            write_objects(store, {f"{file}.parquet": parquet_bytes(columns, rows_per_group=3)})
    return images


def index_part(store: Store, kind: str, output: Store, number: int = 0, shard_size: int = 1000) -> pa.Table:
    index = build_index(PoolAt(store.uri, kind), store, output, shard_size, fence=OpenFence())
    return index.read_part(number)


def reader_of(store: Store, kind: str, output: Store) -> RowReader:
    return open_rows(PoolAt(store.uri, kind), store, index_part(store, kind, output))


def failure(reader: RowReader, position: int) -> RowUnreadable:
    with pytest.raises(RowUnreadable) as error:
        reader.read(position)
    return error.value


@pytest.mark.parametrize("kind", FORMATS)
def test_rows_are_read_in_any_order_and_by_many_threads(kind: str, any_source: Store, output: Store) -> None:
    images = write_pool(any_source, kind, 40)
    reader = reader_of(any_source, kind, output)
    positions = np.random.default_rng(0).permutation(np.repeat(np.arange(40), 3)).tolist()

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(reader.read, positions))

    assert found == [images[position] for position in positions]


@pytest.mark.parametrize("kind", FORMATS)
def test_positions_count_within_the_part(kind: str, source: Store, output: Store) -> None:
    images = write_pool(source, kind, 10)
    part = index_part(source, kind, output, number=2, shard_size=4)

    reader = open_rows(PoolAt(source.uri, kind), source, part)

    assert [reader.read(position) for position in range(2)] == images[8:]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_replaced_object_is_changed_even_if_it_has_the_same_size(kind: str, any_source: Store, output: Store) -> None:
    write_pool(any_source, kind, 10)
    reader = reader_of(any_source, kind, output)
    for entry in list(any_source.list()):
        content = bytearray(any_source.read(entry.key))
        content[len(content) // 2] ^= 1
        any_source.overwrite(entry.key, bytes(content))

    for position in (0, 9):
        assert failure(reader, position).reason is Reason.changed


@pytest.mark.parametrize("kind", FORMATS)
def test_a_deleted_object_is_missing(kind: str, any_source: Store, output: Store) -> None:
    write_pool(any_source, kind, 10)
    reader = reader_of(any_source, kind, output)
    for entry in list(any_source.list()):
        any_source.delete(entry.key)

    assert failure(reader, 4).reason is Reason.missing


def test_links_to_nothing_and_pipes_are_rows_that_say_what_they_are(
    tmp_path: Path, source: Store, output: Store
) -> None:
    write_images(source, ["a.png"])
    (tmp_path / "pool" / "b.png").symlink_to(".git/annex/objects/b.png")
    os.mkfifo(tmp_path / "pool" / "c.png")

    part = index_part(source, "images", output)

    assert part["id"].to_pylist() == ["a.png", "b.png", "c.png"]
    reader = open_rows(PoolAt(source.uri, "images"), source, part)
    for position, reason, said in ((1, Reason.missing, "link to .git/annex/objects/b.png"), (2, Reason.denied, "pipe")):
        with pytest.raises(RowUnreadable, match=said) as caught:
            reader.read(position)
        assert caught.value.reason == reason


def test_a_table_that_is_a_link_to_nothing_ends_the_run(tmp_path: Path, source: Store, output: Store) -> None:
    write_objects(source, {"a.parquet": parquet_bytes({"id": ["a"], "image": [png(0)]})})
    (tmp_path / "pool" / "b.parquet").symlink_to("not-fetched")
    with pytest.raises(StorageError, match=r"b\.parquet: it is a link to not-fetched"):
        index_part(source, "parquet", output)


def test_another_size_is_changed_where_a_store_knows_no_etags(source: Store, output: Store) -> None:
    write_pool(source, "images", 1)
    part = index_part(source, "images", output)
    etag = part.schema.get_field_index("etag")
    part = part.set_column(etag, part.schema.field(etag), pa.array([None], pa.string()))
    source.overwrite("0000.png", b"longer or shorter")

    reader = open_rows(PoolAt(source.uri, "images"), source, part)

    assert failure(reader, 0).reason is Reason.changed


def test_an_empty_object_is_read_as_what_it_is(source: Store, output: Store) -> None:
    write_objects(source, {"a.png": b""})

    assert reader_of(source, "images", output).read(0) == b""


def test_an_empty_member_is_read_as_what_it_is(source: Store, output: Store) -> None:
    write_objects(source, {"a.tar": tar_bytes([("a.png", b""), ("b.png", png(1))])})

    assert reader_of(source, "webdataset", output).read(0) == b""


def test_a_bad_row_leaves_its_neighbours_alone(source: Store, output: Store) -> None:
    images = write_pool(source, "images", 3)
    reader = reader_of(source, "images", output)
    source.delete("0001.png")

    assert failure(reader, 1).reason is Reason.missing
    assert (reader.read(0), reader.read(2)) == (images[0], images[2])


def test_a_store_that_does_not_answer_puts_no_row_into_quarantine(source: Store, output: Store) -> None:
    images = write_pool(source, "images", 2)
    part = index_part(source, "images", output)
    watched = RecordingStore.watch(source)
    reader = open_rows(PoolAt(source.uri, "images"), watched, part)

    watched.refusals["0001.png"] = StoreUnreachable("the store", "503", "the network")
    with pytest.raises(StoreUnreachable):
        reader.read(1)

    watched.refusals.clear()
    assert reader.read(1) == images[1]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_store_that_denies_every_row_ends_the_run(kind: str, source: Store, output: Store) -> None:
    write_pool(source, kind, 10)
    part = index_part(source, kind, output)
    watched = RecordingStore.watch(source)
    watched.refusals["*"] = REFUSED
    reader = open_rows(PoolAt(source.uri, kind), watched, part)

    with pytest.raises(AccessDenied):
        reader.read(0)


@pytest.mark.parametrize("first", [True, False], ids=["the first row read", "a later row"])
def test_a_store_that_denies_one_row_loses_that_row_alone(first: bool, source: Store, output: Store) -> None:
    images = write_pool(source, "images", 10)
    part = index_part(source, "images", output)
    watched = RecordingStore.watch(source)
    watched.refusals["0000.png"] = REFUSED
    reader = open_rows(PoolAt(source.uri, "images"), watched, part)
    if not first:
        assert reader.read(3) == images[3]

    assert failure(reader, 0).reason is Reason.denied
    assert reader.read(9) == images[9]


def test_a_row_denied_in_passing_is_asked_for_once_more(source: Store, output: Store) -> None:
    class Loaded(Store):
        denials = 1

        def read(self, key: str, *, etag: str | None = None) -> bytes:
            if key == "0001.png" and self.denials:
                self.denials -= 1
                raise REFUSED
            return super().read(key, etag=etag)

    images = write_pool(source, "images", 2)
    part = index_part(source, "images", output)
    reader = open_rows(PoolAt(source.uri, "images"), Loaded(*source.__getstate__()), part)

    assert [reader.read(position) for position in (0, 1)] == images


def test_a_store_that_goes_on_denying_is_not_asked_twice_for_ever(source: Store, output: Store) -> None:
    write_pool(source, "images", 60)
    part = index_part(source, "images", output)
    watched = RecordingStore.watch(source)
    watched.refusals = {f"{number:04d}.png": REFUSED for number in range(1, 60)}
    reader = open_rows(PoolAt(source.uri, "images"), watched, part)
    reader.read(0)

    assert {failure(reader, position).reason for position in range(1, 60)} == {Reason.denied}
    assert len(watched.requests) == 1 + 59 + 20


def test_a_row_group_is_streamed_once_whatever_the_order(source: Store, output: Store) -> None:
    write_pool(source, "parquet", 24)
    part = index_part(source, "parquet", output)
    watched = RecordingStore.watch(source)
    reader = open_rows(PoolAt(source.uri, "parquet"), watched, part)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(reader.read, np.random.default_rng(0).permutation(24).tolist()))

    # A file this small is one window, fetched when a group's footer is read, and then nothing more.
    assert Counter(watched.requests) == {("read_range", "0.parquet"): 4, ("read_range", "1.parquet"): 4}


def test_images_kept_are_bounded_and_read_again_when_needed(source: Store, output: Store) -> None:
    images = write_pool(source, "parquet", 24)
    addresses = [
        Address(**row) for row in index_part(source, "parquet", output).select(ADDRESS_SCHEMA.names).to_pylist()
    ]
    one_of_each_group_in_turn = sorted(range(24), key=lambda row: (addresses[row].row, row))
    requests = {}

    for kept_bytes in (24 * len(images[0]), 9 * len(images[0])):
        watched = RecordingStore.watch(source)
        cells = Cells(watched, addresses, kept_bytes=kept_bytes)
        assert all(cells.read(addresses[row]) == images[row] for row in one_of_each_group_in_turn)
        requests[kept_bytes // len(images[0])] = len(watched.requests)

    assert requests == {24: 8, 9: 24}


def test_a_null_image_is_missing(source: Store, output: Store) -> None:
    columns = {"id": [1, 2], "image": pa.array([None, png(2)], pa.binary())}
    write_objects(source, {"a.parquet": parquet_bytes(columns)})
    reader = reader_of(source, "parquet", output)

    assert failure(reader, 0).reason is Reason.missing
    assert reader.read(1) == png(2)


def test_damaged_images_of_a_row_group_are_broken_and_others_are_read(source: Store, output: Store) -> None:
    images = [os.urandom(200) for _ in range(6)]
    columns = {"id": list(range(6)), "image": images}
    content = parquet_bytes(columns, rows_per_group=3, compression="none", use_dictionary=False)
    place = content.index(images[1]) - 4
    damaged = content[:place] + b"\xff\xff\xff\x7f" + content[place + 4 :]
    write_objects(source, {"a.parquet": damaged})
    watched = RecordingStore.watch(source)
    reader = open_rows(PoolAt(source.uri, "parquet"), watched, index_part(source, "parquet", output))

    assert failure(reader, 0).reason is Reason.broken
    requests = len(watched.requests)
    assert failure(reader, 2).reason is Reason.broken
    assert len(watched.requests) == requests, "a broken row group is streamed once"
    assert [reader.read(position) for position in (3, 4, 5)] == images[3:]


def test_addresses_in_a_table_lead_to_the_pool_or_anywhere(tmp_path: Path, any_source: Store, output: Store) -> None:
    images = write_images(any_source, ["img/1.png", "img/ü 2.png"])
    elsewhere = write_images(Store.open(str(tmp_path / "other")), ["3 %.png"])
    uris = [
        "img/1.png",
        any_source.child("img").uri + "/ü 2.png",
        str(tmp_path / "other/3 %.png"),
        (tmp_path / "other/3 %.png").as_uri(),
        "img/gone.png",
        "../img/1.png",
        None,
    ]
    write_objects(any_source, {"rows.parquet": parquet_bytes({"id": list(range(7)), "uri": uris})})
    part = index_part(any_source, "parquet", output)
    _, environment = any_source.__getstate__()
    reader = open_rows(PoolAt(any_source.uri, "parquet"), any_source, part, environment=environment)

    assert [reader.read(position) for position in range(4)] == [
        images["img/1.png"], images["img/ü 2.png"], elsewhere["3 %.png"], elsewhere["3 %.png"],
    ]  # fmt: skip
    assert [failure(reader, position).reason for position in (4, 5, 6)] == [Reason.missing] * 3


def test_files_with_images_and_files_with_addresses_make_one_pool(source: Store, output: Store) -> None:
    write_images(source, ["1.png"])
    write_objects(source, {"a.parquet": parquet_bytes({"id": [1], "uri": ["1.png"]})})
    write_objects(source, {"b.parquet": parquet_bytes({"id": [0], "image": [png(9)], "uri": ["1.png"]})})
    reader = reader_of(source, "parquet", output)

    assert [reader.read(0), reader.read(1)] == [png(9), png(0)]


def test_an_unreadable_row_travels_between_processes() -> None:
    error = pickle.loads(pickle.dumps(RowUnreadable(Reason.changed, "why")))

    assert (error.reason, error.detail, str(error)) == (Reason.changed, "why", "changed: why")


@pytest.mark.parametrize("fixed", [True, False], ids=["fixed", "list"])
@pytest.mark.parametrize("kind", [pa.float32(), pa.float64(), pa.float16()], ids=str)
def test_vectors_come_in_the_order_of_the_part(
    kind: pa.DataType, fixed: bool, any_source: Store, output: Store
) -> None:
    order = np.random.default_rng(0).permutation(50)
    vectors = (order[:, None] + np.arange(3) / 4).astype(kind.to_pandas_dtype())
    for file in (0, 1):
        column = vector_column(vectors[file::2], fixed=fixed, kind=kind)
        columns = {"id": pa.array(order[file::2]), "embedding": column}
        write_objects(any_source, {f"{file}.parquet": parquet_bytes(columns, rows_per_group=7)})
    pool = PoolAt(any_source.uri, "embeddings")
    index = build_index(pool, any_source, output, 20, fence=OpenFence())

    found = [read_vectors(pool, any_source, index.read_part(number)) for number in range(3)]

    assert [part.shape for part in found] == [(20, 3), (20, 3), (10, 3)]
    assert all(part.dtype == np.float32 and part.flags.writeable for part in found)
    expected = (np.arange(50)[:, None] + np.arange(3) / 4).astype(np.float32)
    np.testing.assert_array_equal(np.vstack(found), expected)


def test_vectors_of_large_row_groups_are_streamed(source: Store, output: Store) -> None:
    vectors = np.random.default_rng(0).standard_normal((30_000, 4)).astype(np.float32)
    columns = {"id": pa.array(np.arange(30_000)[::-1]), "embedding": vector_column(vectors)}
    write_objects(source, {"a.parquet": parquet_bytes(columns, rows_per_group=30_000)})
    pool = PoolAt(source.uri, "embeddings")
    part = index_part(source, "embeddings", output, number=1, shard_size=9_000)

    np.testing.assert_array_equal(read_vectors(pool, source, part), vectors[::-1][9_000:18_000])


def test_vectors_behind_the_last_of_a_part_are_not_read(source: Store, output: Store) -> None:
    vectors = np.random.default_rng(0).standard_normal((20_000, 256)).astype(np.float32)
    columns = {"id": pa.array(np.arange(20_000)), "embedding": vector_column(vectors)}
    content = parquet_bytes(columns, rows_per_group=20_000, use_dictionary=False, compression="none")
    write_objects(source, {"a.parquet": content})
    part = index_part(source, "embeddings", output, shard_size=100)
    watched = RecordingStore.watch(source)

    found = read_vectors(PoolAt(source.uri, "embeddings"), watched, part)

    np.testing.assert_array_equal(found, vectors[:100])
    assert sum(watched.bytes_read) < vectors.nbytes / 2


@pytest.mark.parametrize("fixed", [True, False], ids=["fixed", "list"])
def test_null_vectors_and_numbers_are_not_finite(fixed: bool, source: Store, output: Store) -> None:
    kind = pa.list_(pa.float32(), 2) if fixed else pa.list_(pa.float32())
    column = pa.array([None, [1.0, None], [2.0, 3.0]], kind)
    write_objects(source, {"a.parquet": parquet_bytes({"id": [0, 1, 2], "embedding": column})})
    part = index_part(source, "embeddings", output)

    found = read_vectors(PoolAt(source.uri, "embeddings"), source, part)

    np.testing.assert_array_equal(found, np.array([[np.nan, np.nan], [1, np.nan], [2, 3]], np.float32))


def test_a_vector_of_another_length_is_named_by_its_row(source: Store, output: Store) -> None:
    column = pa.array([[1.0, 2.0], [1.0, 2.0, 3.0]], pa.list_(pa.float32()))
    write_objects(source, {"a.parquet": parquet_bytes({"id": ["x", "y"], "embedding": column})})
    part = index_part(source, "embeddings", output)

    with pytest.raises(PoolError, match=r"row 'y' has a vector of 3 numbers, others have 2"):
        read_vectors(PoolAt(source.uri, "embeddings"), source, part)


def test_a_replaced_file_of_vectors_is_named(source: Store, output: Store) -> None:
    columns = {"id": [1], "embedding": vector_column(np.ones((1, 2), np.float32))}
    write_objects(source, {"a.parquet": parquet_bytes(columns)})
    part = index_part(source, "embeddings", output)
    source.overwrite("a.parquet", parquet_bytes(columns | {"id": [2]}))

    with pytest.raises(ObjectChanged, match=r"a\.parquet"):
        read_vectors(PoolAt(source.uri, "embeddings"), source, part)
