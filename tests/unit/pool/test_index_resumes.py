"""A killed index goes on where it stopped: with a real SIGKILL, in a real process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.pools import OpenFence, PoolAt, RecordingStore, parquet_bytes, png, tar_bytes, write_images, write_objects

from afray.errors import Fenced, Retryable
from afray.pool.index import build_index
from afray.pool.manifest import PoolIndex
from afray.storage.store import ObjectInfo, Store

TESTS = Path(__file__).parents[2]

KILLED_AT = """
import os, signal, sys
from afray.pool.index import build_index
from afray.storage.store import Store
from helpers.pools import OpenFence, PoolAt

def die_at(done, total):
    if done >= int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)

pool = PoolAt(sys.argv[1], sys.argv[3])
build_index(pool, Store.open(pool.uri), Store.open(sys.argv[2]), 1000, fence=OpenFence(), progress=die_at)
"""


def index_until_killed(source: Store, output: Store, kind: str, at_row: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", KILLED_AT, source.uri, output.uri, kind, str(at_row)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        check=False,
        capture_output=True,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


def build(source: Store, output: Store, kind: str, shard_size: int = 1000) -> PoolIndex:
    return build_index(PoolAt(source.uri, kind), source, output, shard_size, fence=OpenFence(epoch=2))


def names(store: Store) -> set[str]:
    return {entry.key for entry in store.list()}


def test_a_killed_listing_goes_on_after_the_last_committed_part(tmp_path: Path, source: Store, output: Store) -> None:
    for number in range(6000):
        (tmp_path / "pool" / f"{number:05d}.{'txt' if number % 4 == 0 else 'png'}").write_bytes(b"x")
    index_until_killed(source, output, "images", at_row=3000)
    assert len([name for name in names(output) if name.endswith(".ok")]) == 2
    watched = RecordingStore.watch(source)

    index = build(watched, output, "images")

    last_committed = index.read_part(1)["id"][-1].as_py()
    assert watched.requests == [("list", last_committed)]
    assert len(watched.listed) == 6000 - 1 - int(last_committed[:5])
    fresh = build(source, Store.open(str(tmp_path / "fresh")), "images")
    assert (index.digest, index.rows, index.ignored) == (fresh.digest, 4500, {".txt": 1500})
    assert [index.read_part(number) for number in range(5)] == [fresh.read_part(number) for number in range(5)]


def test_a_listing_that_had_come_to_its_end_is_not_listed_again(source: Store, output: Store) -> None:
    write_images(source, ["a.png", "b.png", "c.png"])
    write_objects(source, {"z.txt": b""})
    build(source, output, "images", shard_size=2)
    [manifest] = [name for name in names(output) if name.endswith("manifest.ok")]
    output.delete(manifest)
    watched = RecordingStore.watch(source)

    index = build(watched, output, "images", shard_size=2)

    assert watched.requests == []
    assert (index.rows, index.ignored) == (3, {".txt": 1})


def test_a_killed_scan_of_tars_opens_only_those_not_yet_committed(tmp_path: Path, source: Store, output: Store) -> None:
    content = png(1)
    for tar in range(6):
        members = [(f"{tar}/{number:04d}.png", content) for number in range(500)] + [("about.json", b"{}")]
        write_objects(source, {f"{tar}.tar": tar_bytes(members)})
    index_until_killed(source, output, "webdataset", at_row=2500)
    watched = RecordingStore.watch(source)

    index = build(watched, output, "webdataset")

    # Two tars fill a shard of 1000 rows; the third pair was half counted when the process died.
    assert {key for _, key in watched.requests} == {"4.tar", "5.tar"}
    fresh = build(source, Store.open(str(tmp_path / "fresh")), "webdataset")
    assert (index.digest, index.rows, index.ignored) == (fresh.digest, 3000, {".json": 6})


def test_parts_of_sorted_rows_that_exist_are_not_written_again(tmp_path: Path, source: Store, output: Store) -> None:
    write_objects(source, {"a.parquet": parquet_bytes({"id": list(range(7)), "image": [png(1)] * 7})})
    first = build(source, output, "parquet", shard_size=2)
    for name in names(output):
        if name.endswith(("manifest.ok", "part-00002.ok", "part-00003.ok")):
            output.delete(name)
    before = names(output)

    again = build(source, output, "parquet", shard_size=2)

    assert again.digest == first.digest
    assert [again.read_part(number) for number in range(4)] == [first.read_part(number) for number in range(4)]
    created = Counter(name.rpartition("/")[2].split(".")[0] for name in names(output) - before)
    assert created == {"manifest": 1, "part-00002": 1, "part-00003": 1}


def test_a_fenced_driver_stops_before_it_commits(source: Store, output: Store) -> None:
    class Overtaken(OpenFence):
        def check(self) -> None:
            raise Fenced("a newer driver owns the output")

    write_images(source, ["a.png"])

    with pytest.raises(Fenced):
        build_index(PoolAt(source.uri, "images"), source, output, 1000, fence=Overtaken())
    assert not [name for name in names(output) if name.endswith(".ok")]


def test_a_part_of_other_rows_by_an_overtaken_driver_ends_the_attempt(source: Store, output: Store) -> None:
    write_images(source, ["a.png", "b.png"])

    class Slow(Store):
        def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
            entries = list(super().list(prefix, after))
            write_images(Store.open(self.uri), ["A.png"])
            build(Store.open(self.uri), output, "images", shard_size=1)
            return iter(entries)

    slow = Slow(*source.__getstate__())

    with pytest.raises(Retryable, match=r"another driver.*Run again"):
        build(slow, output, "images", shard_size=1)
    assert build(source, output, "images", shard_size=1).rows == 3
