from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from helpers.pools import OpenFence, PoolAt, RecordingStore, parquet_bytes, png, vector_column, write_objects

from afray.errors import PoolError
from afray.pool.index import build_index
from afray.pool.listing import open_pool
from afray.pool.manifest import PoolIndex
from afray.pool.rows import DIMENSION
from afray.storage.store import Store


def build(source: Store, output: Store, kind: str = "parquet", shard_size: int = 100) -> PoolIndex:
    return build_index(PoolAt(source.uri, kind), source, output, shard_size, fence=OpenFence())


def rows(index: PoolIndex) -> list[dict[str, Any]]:
    return [row for number in range(index.shard_count) for row in index.read_part(number).to_pylist()]


def ids(index: PoolIndex) -> list[str]:
    return [row["id"] for row in rows(index)]


def images(ids: Sequence[object] | pa.Array, **options: Any) -> bytes:
    return parquet_bytes({"id": ids, "image": [png(seed) for seed in range(len(ids))]}, **options)


def test_rows_are_numbered_by_id_over_all_files(any_source: Store, output: Store) -> None:
    first, second = images(["b", "a/1", "ä"], rows_per_group=2), images(["a", "Z"])
    write_objects(any_source, {"deep/first.parquet": first, "second.PARQUET": second})

    index = build(any_source, output, shard_size=2)

    places = [(row["pool_id"], row["id"], row["key"], row["row_group"], row["row"]) for row in rows(index)]
    assert places == [
        (0, "Z", "second.PARQUET", 0, 1),
        (1, "a", "second.PARQUET", 0, 0),
        (2, "a/1", "deep/first.parquet", 0, 1),
        (3, "b", "deep/first.parquet", 0, 0),
        (4, "ä", "deep/first.parquet", 1, 0),
    ]
    assert {(row["key"], row["size"]) for row in rows(index)} == {
        ("deep/first.parquet", len(first)),
        ("second.PARQUET", len(second)),
    }
    assert index.shard_count == 3


@pytest.mark.parametrize("kind", [pa.int8(), pa.int32(), pa.int64(), pa.uint64()])
def test_whole_numbers_sort_by_value_and_leave_as_text(kind: pa.DataType, source: Store, output: Store) -> None:
    write_objects(
        source, {"a.parquet": images(pa.array([100, 20, 3], kind)), "b.parquet": images(pa.array([11], kind))}
    )

    assert ids(build(source, output)) == ["3", "11", "20", "100"]


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_text_sorts_by_its_bytes_whatever_arrow_calls_it(kind: pa.DataType, source: Store, output: Store) -> None:
    write_objects(source, {"a.parquet": images(pa.array(["é", "9", "10", "z", "Z", "😀", "\uffee"]).cast(kind))})

    assert ids(build(source, output)) == ["10", "9", "Z", "z", "é", "\uffee", "😀"]


def test_more_rows_than_any_batch_come_out_sorted_with_their_places(source: Store, output: Store) -> None:
    order = np.random.default_rng(0).permutation(150_000)
    pieces = {f"{number}.parquet": piece for number, piece in enumerate(np.split(order, [130_000]))}
    for name, piece in pieces.items():
        columns = {"id": pa.array(piece), "image": pa.array([b"x"] * len(piece))}
        write_objects(source, {name: parquet_bytes(columns, rows_per_group=100_000)})

    index = build(source, output, shard_size=40_000)

    assert index.rows == 150_000
    for number in range(index.shard_count):
        part = index.read_part(number)
        expected = np.arange(number * 40_000, number * 40_000 + len(part))
        assert part["pool_id"].to_pylist() == expected.tolist()
        assert part["id"].to_pylist() == [str(row) for row in expected]
        places = zip(part["key"].to_pylist(), part["row_group"].to_pylist(), part["row"].to_pylist(), strict=True)
        assert [pieces[key][100_000 * group + row] for key, group, row in places] == expected.tolist()


def test_rows_that_only_name_an_image_keep_the_address_and_no_more(source: Store, output: Store) -> None:
    uris = ["img/1.png", "s3://other/2.png", None]
    write_objects(source, {"a.parquet": parquet_bytes({"id": [1, 2, 3], "uri": uris})})

    assert rows(build(source, output)) == [
        {
            "pool_id": number, "id": str(number + 1), "key": key, "size": None, "etag": None,
            "offset": None, "length": None, "row_group": None, "row": None,
        }
        for number, key in enumerate(["img/1.png", "s3://other/2.png", ""])
    ]  # fmt: skip


def test_what_table_writers_leave_beside_their_files_is_ignored(source: Store, output: Store) -> None:
    others = ["_SUCCESS", "_temporary/0/x.parquet", ".x.parquet.crc", "readme.md"]
    write_objects(source, {"x=1/a.parquet": images([1]), **dict.fromkeys(others, b"x")})

    index = build(source, output)

    assert (index.rows, index.ignored) == (1, {"hidden": 3, ".md": 1})


def test_a_single_file_is_a_pool(source: Store, output: Store) -> None:
    write_objects(source, {"a.parquet": images([2, 1]), "b.parquet": images([3])})
    pool = PoolAt(f"{source.uri}/a.parquet", "parquet")

    index = build_index(pool, open_pool(pool), output, 100, fence=OpenFence())

    assert [row["key"] for row in rows(index)] == ["a.parquet", "a.parquet"]


def test_a_folder_named_like_a_file_is_a_folder(source: Store, output: Store) -> None:
    write_objects(source, {"pool.parquet/part-0.parquet": images([2, 1]), "b.parquet": images([3])})
    pool = PoolAt(f"{source.uri}/pool.parquet", "parquet")

    index = build_index(pool, open_pool(pool), output, 100, fence=OpenFence())

    assert [row["key"] for row in rows(index)] == ["part-0.parquet", "part-0.parquet"]


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"name": ["a"], "image": [b"x"]}, r"a\.parquet: column id is missing; found: name, image"),
        ({"id": ["a"], "picture": [b"x"]}, r"column image \(binary\) or uri \(text\) is missing; found: id, picture"),
        ({"id": ["a"], "image": ["text"]}, r"column image is string, not binary"),
        ({"id": ["a"], "uri": [1]}, r"column uri is int64, not text"),
        ({"id": [1.5], "image": [b"x"]}, r"column id is double; ids are whole numbers or text"),
        ({"id": ["a", None], "image": [b"x", b"y"]}, r"a\.parquet, row group 0, row 1: the id is null"),
        ({"id": ["a", ""], "image": [b"x", b"y"]}, r"a\.parquet, row group 0, row 1: the id is empty"),
        ({"id": pa.array([2**63], pa.uint64()), "image": [b"x"]}, r"beyond 64 bits"),
        (
            {"id": ["a"], "uri": ["https://x/y.png"]},
            r"row 'a' has uri 'https://x/y\.png', and 1 rows name a store of no",
        ),
    ],
)
def test_columns_that_do_not_fit_are_named_with_what_was_found(
    columns: dict[str, object], complaint: str, source: Store, output: Store
) -> None:
    write_objects(source, {"a.parquet": parquet_bytes(columns)})

    with pytest.raises(PoolError, match=complaint):
        build(source, output)


def test_ids_that_are_not_utf8_are_refused(source: Store, output: Store) -> None:
    broken = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    write_objects(source, {"a.parquet": parquet_bytes({"id": broken, "image": [b"x"]})})

    with pytest.raises(PoolError, match="not UTF-8"):
        build(source, output)


def test_a_repeated_id_is_refused_with_both_its_places(source: Store, output: Store) -> None:
    write_objects(source, {"a.parquet": images([5, 7, 9], rows_per_group=2), "b.parquet": images([9, 5])})

    with pytest.raises(
        PoolError, match=r"id 5 is repeated: .*[ab]\.parquet, row group 0, row [01]; .*2 repeats in all"
    ):
        build(source, output)
    assert not [entry for entry in output.list() if "part-" in entry.key]


def test_numbers_in_one_file_and_text_in_another_are_refused(source: Store, output: Store) -> None:
    write_objects(source, {"a.parquet": images([1]), "b.parquet": images(["1"])})

    with pytest.raises(PoolError, match=r"ids are int64 in .*a\.parquet.*but large_string in .*b\.parquet"):
        build(source, output)


def test_files_without_rows_are_no_matter(source: Store, output: Store) -> None:
    empty = parquet_bytes({"id": pa.array([], pa.string()), "image": pa.array([], pa.binary())})
    write_objects(source, {"a.parquet": empty, "b.parquet": images([1])})

    assert ids(build(source, output)) == ["1"]


def test_a_pool_of_files_without_rows_is_empty(source: Store, output: Store) -> None:
    empty = parquet_bytes({"id": pa.array([], pa.string()), "image": pa.array([], pa.binary())})
    write_objects(source, {"a.parquet": empty, "notes.txt": b""})

    with pytest.raises(PoolError, match=r"empty pool: no rows of format parquet .*ignored: 1 \.txt"):
        build(source, output)


@pytest.mark.parametrize("damage", ["truncated", "no parquet", "no bytes", "damaged ids"])
def test_a_file_that_is_no_parquet_is_named(damage: str, source: Store, output: Store) -> None:
    whole = images([f"{number:09d}" for number in range(1000)], compression="none", use_dictionary=False)
    start = whole.index(b"000000400")
    content = {
        "truncated": whole[: len(whole) // 2],
        "no parquet": b"id,image\n" * 1000,
        "no bytes": b"",
        "damaged ids": whole[: start - 4] + b"\xff\xff\xff\x7f" + whole[start:],
    }[damage]
    write_objects(source, {"good.parquet": images(["a"]), "bad.parquet": content})

    with pytest.raises(PoolError, match=r"bad\.parquet: cannot be read as parquet .*Write the file again"):
        build(source, output)


def test_only_ids_are_read_and_not_the_images_beside_them(source: Store, output: Store) -> None:
    big = np.random.default_rng(0).bytes(20_000_000)
    write_objects(source, {"a.parquet": parquet_bytes({"id": [1, 2], "image": [big, big]}, use_dictionary=False)})
    watched = RecordingStore.watch(source)

    build(watched, output)

    assert sum(watched.bytes_read) < 200_000


def test_scattered_rows_are_warned_of(source: Store, output: Store, caplog: pytest.LogCaptureFixture) -> None:
    order = np.random.default_rng(0).permutation(400)
    columns = {"id": pa.array(order), "uri": pa.array(["x"] * 400)}
    sorted_columns = {"id": pa.array(np.arange(1000, 1400)), "uri": pa.array(["x"] * 400)}
    write_objects(source, {"a.parquet": parquet_bytes(sorted_columns, rows_per_group=40)})
    with caplog.at_level(logging.WARNING):
        build(source, output, shard_size=20)
    assert caplog.text == ""

    write_objects(source, {"b.parquet": parquet_bytes(columns, rows_per_group=40)})
    with caplog.at_level(logging.WARNING):
        build(source, output, shard_size=21)
    assert "Sort the files by id" in caplog.text


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float32(), 0)], ids=["list", "fixed"])
def test_vectors_of_no_numbers_are_refused(kind: pa.DataType, source: Store, output: Store) -> None:
    columns = {"id": ["a", "b"], "embedding": pa.array([[], []], kind)}
    write_objects(source, {"a.parquet": parquet_bytes(columns)})
    with pytest.raises(PoolError, match=r"empty lists, as in .*a\.parquet"):
        build(source, output, "embeddings", shard_size=2)


def test_row_groups_of_many_shards_are_the_cause_where_rows_are_sorted(
    source: Store, output: Store, caplog: pytest.LogCaptureFixture
) -> None:
    columns = {"id": pa.array(np.arange(3000)), "embedding": vector_column(np.ones((3000, 2), np.float32))}
    write_objects(source, {"a.parquet": parquet_bytes(columns)})
    with caplog.at_level(logging.WARNING):
        build(source, output, "embeddings", shard_size=50)
    (said,) = caplog.messages
    assert "read 60 times, because it holds 3,000 rows and a shard 50" in said
    assert "embedding.shardSize" in said
    assert "Sort" not in said


def test_vectors_know_their_length_in_every_part(source: Store, output: Store) -> None:
    vectors = np.ones((5, 3), np.float32)
    columns = {"id": list("abcde"), "embedding": vector_column(vectors)}
    write_objects(source, {"a.parquet": parquet_bytes(columns)})

    index = build(source, output, "embeddings", shard_size=2)

    lengths = [index.read_part(number).schema.metadata[DIMENSION.encode()] for number in range(3)]
    assert lengths == [b"3"] * 3


def test_a_file_of_null_vectors_has_the_length_of_the_others(source: Store, output: Store) -> None:
    nulls = {"id": ["a", "b"], "embedding": pa.array([None, None], pa.list_(pa.float32()))}
    vectors = {"id": ["c"], "embedding": vector_column(np.ones((1, 3), np.float32))}
    write_objects(source, {"0.parquet": parquet_bytes(nulls), "1.parquet": parquet_bytes(vectors)})

    index = build(source, output, "embeddings", shard_size=1)

    assert index.read_part(0).schema.metadata[DIMENSION.encode()] == b"3"


@pytest.mark.parametrize(
    ("column", "complaint"),
    [
        (pa.array([[1, 2]]), r"column embedding is list<.*int64>, not a list of floats"),
        (pa.array([b"\0\0"]), r"column embedding is binary"),
        (pa.array([None], pa.list_(pa.float32())), r"every vector is null, as in .*a\.parquet, row group 0, row 0"),
        (None, r"column embedding is missing; found: id"),
    ],
)
def test_embeddings_must_be_lists_of_floats(
    column: pa.Array | None, complaint: str, source: Store, output: Store
) -> None:
    columns = {"id": ["a"]} | ({} if column is None else {"embedding": column})
    write_objects(source, {"a.parquet": parquet_bytes(columns)})

    with pytest.raises(PoolError, match=complaint):
        build(source, output, "embeddings")


def test_files_with_vectors_of_two_lengths_are_refused(source: Store, output: Store) -> None:
    for name, dimension in (("a", 3), ("b", 4)):
        columns = {"id": [name], "embedding": vector_column(np.ones((1, dimension), np.float32), fixed=True)}
        write_objects(source, {f"{name}.parquet": parquet_bytes(columns)})

    with pytest.raises(PoolError, match=r"vectors differ in length: 3 in .*a\.parquet.*; 4 in .*b\.parquet"):
        build(source, output, "embeddings")


def test_files_with_vectors_of_two_precisions_are_refused(source: Store, output: Store) -> None:
    for name, kind in (("a", pa.float32()), ("b", pa.float64())):
        columns = {"id": [name], "embedding": pa.array([[0.5, 0.25]], pa.list_(kind))}
        write_objects(source, {f"{name}.parquet": parquet_bytes(columns)})

    with pytest.raises(
        PoolError,
        match=r"precision: float32 in .*a\.parquet.*row 0; float64 in .*b\.parquet.*row 0.*store .* as float32",
    ):
        build(source, output, "embeddings")


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()], ids=str)
def test_a_pool_of_one_precision_is_taken_whichever_it_is(source: Store, output: Store, kind: pa.DataType) -> None:
    for name in ("a", "b"):
        numbers = pa.array(np.array([0.5, 0.25], np.float16)).cast(kind)
        columns = {"id": [name], "embedding": pa.FixedSizeListArray.from_arrays(numbers, 2)}
        write_objects(source, {f"{name}.parquet": parquet_bytes(columns)})

    assert ids(build(source, output, "embeddings")) == ["a", "b"]
