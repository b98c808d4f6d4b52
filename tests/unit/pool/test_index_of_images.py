from __future__ import annotations

import dataclasses
import hashlib
import pickle
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from helpers.pools import OpenFence, PoolAt, RecordingStore, parquet_bytes, png, write_images, write_objects
from helpers.s3_server import S3Server

from afray.errors import IntegrityError, PoolError, StorageError
from afray.pool.index import build_index
from afray.pool.manifest import PoolIndex
from afray.pool.rows import ROW_SCHEMA
from afray.storage.commits import Blob
from afray.storage.store import AccessDenied, ObjectInfo, Store

NESTED_AND_ODD = [
    "z.png",
    "a/b/c.PNG",
    "a.png",
    "a/b.png",
    "ab.png",
    "ä 1.webp",
    "日本/é#1.jpeg",
    "a%20b.tif",
    "100%.bmp",
    "q?&=+.jpg",
]


def build(source: Store, output: Store, shard_size: int = 3) -> PoolIndex:
    return build_index(PoolAt(source.uri, "images"), source, output, shard_size, fence=OpenFence())


def ids(index: PoolIndex) -> list[str]:
    return [row for number in range(index.shard_count) for row in index.read_part(number)["id"].to_pylist()]


def test_images_are_numbered_in_the_order_of_their_keys_bytes(any_source: Store, output: Store) -> None:
    images = write_images(any_source, NESTED_AND_ODD)

    index = build(any_source, output)

    parts = [index.read_part(number) for number in range(index.shard_count)]
    assert [len(part) for part in parts] == [3, 3, 3, 1]
    assert all(part.schema.equals(ROW_SCHEMA) for part in parts)
    rows = [row for part in parts for row in part.to_pylist()]
    assert [row["pool_id"] for row in rows] == list(range(10))
    assert [row["id"] for row in rows] == sorted(NESTED_AND_ODD, key=str.encode)
    assert all(row["key"] == row["id"] and row["size"] == len(images[row["id"]]) for row in rows)
    assert [row["etag"] for row in rows] == [entry.etag for entry in any_source.list()]
    assert (index.rows, index.shard_size) == (10, 3)


def test_objects_that_are_no_images_are_counted_and_left_out(source: Store, output: Store) -> None:
    write_images(source, ["a.png", "b.JPG"])
    others = ["notes.txt", "list.csv", "more.TXT", "README", "._a.png", ".cache/x.png", "__MACOSX/a.png"]
    write_objects(source, dict.fromkeys(others, b"x"))

    index = build(source, output)

    assert ids(index) == ["a.png", "b.JPG"]
    assert index.ignored == {"hidden": 3, ".txt": 2, ".csv": 1, "no suffix": 1}


def test_the_kinds_of_objects_left_out_are_bounded(source: Store, output: Store) -> None:
    write_images(source, ["a.png"])
    write_objects(source, {f"log.{number:03d}": b"" for number in range(50)})

    ignored = build(source, output).ignored

    assert sum(ignored.values()) == 50
    assert len(ignored) <= 21


def test_a_pool_without_a_row_is_an_error_that_says_what_was_found(any_source: Store, output: Store) -> None:
    write_objects(any_source, {"rows.parquet": b"x", ".hidden.png": b"x"})

    with pytest.raises(PoolError, match=r"empty pool.*images at .*ignored: 1 hidden, 1 \.parquet.*spec\.pool"):
        build(any_source, output)
    assert list(output.list()) == []


def test_an_empty_folder_and_none_at_all_are_empty_pools(tmp_path: Path, source: Store, output: Store) -> None:
    for store in (source, Store.open(str(tmp_path / "nowhere"))):
        with pytest.raises(PoolError, match="empty pool"):
            build(store, output)


@pytest.mark.s3
def test_a_bucket_that_is_not_there_is_an_error_of_the_store(s3_server: S3Server, output: Store) -> None:
    source = Store.open("s3://no-such-bucket/pool", environment=s3_server.environment)

    with pytest.raises(StorageError, match="no-such-bucket"):
        build(source, output)


def test_a_listing_that_is_denied_ends_with_the_stores_error(source: Store, output: Store) -> None:
    class Denied(Store):
        def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
            raise AccessDenied(self.uri, "403", "the credentials")

    with pytest.raises(AccessDenied):
        build(Denied(*source.__getstate__()), output)


def test_listing_again_gives_the_same_digest_however_the_rows_are_cut(any_source: Store, tmp_path: Path) -> None:
    write_images(any_source, NESTED_AND_ODD)

    digests = {
        build(any_source, Store.open(str(tmp_path / f"out-{shard_size}-{again}")), shard_size).digest
        for shard_size in (1, 3, 5, 10, 1000)
        for again in (1, 2)
    }

    assert len(digests) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda pool: pool.overwrite("a.png", png(9)),
        lambda pool: pool.overwrite("a.png", png(9, size=5)),
        lambda pool: pool.overwrite("c.png", png(9)),
        lambda pool: pool.delete("b.png"),
        lambda pool: pool.create("bb.png", png(9)),
    ],
    ids=["other bytes", "another size", "the last row", "one less", "one more"],
)
def test_a_change_of_any_row_changes_the_digest(
    change: Callable[[Store], object], source: Store, tmp_path: Path
) -> None:
    write_images(source, ["a.png", "b.png", "c.png"])
    before = build(source, Store.open(str(tmp_path / "before"))).digest

    change(source)

    assert build(source, Store.open(str(tmp_path / "after"))).digest != before


def test_a_finished_index_is_reused_without_a_look_at_the_pool(source: Store, output: Store) -> None:
    write_images(source, ["a.png", "b.png"])
    first = build(source, output)
    write_images(source, ["c.png"])
    watched = RecordingStore.watch(source)

    again = build(watched, output)

    assert again == first
    assert watched.requests == []


def test_another_shard_size_or_pool_makes_its_own_index(source: Store, output: Store) -> None:
    write_images(source, ["a.png", "b.png", "c.png"])

    assert build(source, output, 1).shard_count == 3
    assert build(source, output, 2).shard_count == 2


def test_progress_is_told_in_rows_without_a_total(tmp_path: Path, source: Store, output: Store) -> None:
    for number in range(2500):
        (tmp_path / "pool" / f"{number:05d}.png").write_bytes(b"x")
    told: list[tuple[int, int]] = []

    build_index(
        PoolAt(source.uri, "images"), source, output, 1000, fence=OpenFence(), progress=lambda *now: told.append(now)
    )

    assert told == [(0, 0), (1000, 0), (2000, 0), (2500, 0)]


class Endless(Store):
    """A store that lists objects which nobody wrote."""

    count = 0

    def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        modified = datetime(2026, 1, 1, tzinfo=UTC)
        for number in range(self.count):
            yield ObjectInfo(f"folder-{number // 1000:06d}/{number:09d}.png", 1000, f"etag-{number}", modified)


def test_the_memory_of_a_listing_does_not_grow_with_the_pool(source: Store, tmp_path: Path) -> None:
    def peak(count: int) -> int:
        endless = Endless(*source.__getstate__())
        endless.count = count
        tracemalloc.start()
        index = build(endless, Store.open(str(tmp_path / f"out-{count}")), 1000)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert index.rows == count
        return most

    assert peak(40_000) < peak(4_000) + 1_000_000


def test_a_store_that_does_not_list_in_order_is_refused(source: Store, output: Store) -> None:
    class Unordered(Store):
        def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
            return iter(sorted(super().list(prefix, after), key=lambda entry: entry.key, reverse=True))

    write_images(source, ["a.png", "b.png"])

    with pytest.raises(StorageError, match=r"lists 'a\.png' after 'b\.png'"):
        build(Unordered(*source.__getstate__()), output)


def test_an_index_travels_to_another_process(source: Store, output: Store) -> None:
    write_images(source, ["a.png", "b.png"])
    index = build(source, output)

    assert pickle.loads(pickle.dumps(index)).read_part(0) == index.read_part(0)


def test_a_part_that_was_altered_is_not_trusted(source: Store, output: Store) -> None:
    write_images(source, ["a.png"])
    index = build(source, output)
    content = bytearray(output.read(index.parts[0].key))
    content[len(content) // 2] ^= 1
    output.overwrite(index.parts[0].key, bytes(content))

    with pytest.raises(IntegrityError, match="part-00000"):
        index.read_part(0)


def test_a_part_of_another_make_is_not_trusted(source: Store, output: Store) -> None:
    write_images(source, ["a.png"])
    foreign = parquet_bytes({"id": ["a.png"]})
    output.create("foreign", foreign)
    blob = Blob("foreign", hashlib.sha256(foreign).hexdigest(), len(foreign))
    index = dataclasses.replace(build(source, output), parts=(blob,))

    with pytest.raises(IntegrityError, match="not a part of an index"):
        index.read_part(0)
