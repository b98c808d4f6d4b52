from __future__ import annotations

import io
import os

import pytest
from helpers.pools import RecordingStore, write_objects
from hypothesis import given, settings
from hypothesis import strategies as st

from afray.pool.ranges import RangeFile
from afray.pool.rows import StoredFile
from afray.storage.store import ObjectChanged, Store

SIZE = 1000
STEPS = st.lists(st.tuples(st.sampled_from(["read", "set", "cur", "end"]), st.integers(-300, 1200)), max_size=20)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, StoredFile, bytes]:
    store, content = Store.open(str(tmp_path_factory.mktemp("ranges"))), os.urandom(SIZE)
    write_objects(store, {"x": content})
    entry = store.head("x")
    assert entry is not None
    return store, StoredFile(entry.key, entry.size, entry.etag), content


@given(steps=STEPS, window=st.integers(1, 1500))
@settings(max_examples=200, deadline=None)
def test_it_behaves_as_any_file(
    stored: tuple[Store, StoredFile, bytes], steps: list[tuple[str, int]], window: int
) -> None:
    store, file, content = stored
    ours, reference = RangeFile(store, file, window=window), io.BytesIO(content)
    for step, number in steps:
        if step == "read":
            assert ours.read(number) == reference.read(number)
        else:
            whence = {"set": io.SEEK_SET, "cur": io.SEEK_CUR, "end": io.SEEK_END}[step]
            base = {io.SEEK_SET: 0, io.SEEK_CUR: reference.tell(), io.SEEK_END: SIZE}[whence]
            reference.seek(max(0, base + number))
            assert ours.seek(number, whence) == reference.tell()
        assert ours.tell() == reference.tell()


def test_small_reads_share_a_request_and_large_ones_fetch_what_they_need(
    stored: tuple[Store, StoredFile, bytes],
) -> None:
    store, file, content = stored
    watched = RecordingStore.watch(store)
    ranges = RangeFile(watched, file, window=100)

    assert b"".join(ranges.read(10) for _ in range(10)) == content[:100]
    assert watched.bytes_read == [100]

    assert ranges.read(500) == content[100:600]
    assert watched.bytes_read == [100, 500]


def test_a_replaced_object_is_noticed(tmp_path_factory: pytest.TempPathFactory) -> None:
    store = Store.open(str(tmp_path_factory.mktemp("changed")))
    write_objects(store, {"x": b"old"})
    entry = store.head("x")
    assert entry is not None
    store.overwrite("x", b"new bytes")

    with pytest.raises(ObjectChanged):
        RangeFile(store, StoredFile(entry.key, entry.size, entry.etag), window=100).read(1)
