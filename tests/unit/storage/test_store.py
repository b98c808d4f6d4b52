from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from helpers.s3_server import S3Server

from afray.storage.store import ObjectChanged, ObjectMissing, Store

UGLY_KEYS = [
    "a b",
    "ü/ß.png",
    "e\u0301 is not \u00e9",
    "日本/写真.jpg",
    "100%",
    "a%20b",
    "a+b",
    "scan#1",
    "q?x=1&y",
    ".hidden/.file",
    "back\\slash",
    "~$*'\"<>|{}^`",
    "...",
    "deep/" * 30 + "x",
    "😀",
]


def test_an_object_comes_back_as_it_was_written(store: Store) -> None:
    content = bytes(range(256)) * 5000
    assert store.create("a/b", content)
    assert store.read("a/b") == content


def test_an_empty_object_is_an_object(store: Store) -> None:
    assert store.create("a", b"")
    assert store.read("a") == b""
    assert store.head("a") is not None


@pytest.mark.parametrize("key", UGLY_KEYS)
def test_a_key_means_itself_whatever_characters_it_has(store: Store, key: str) -> None:
    assert store.create(key, key.encode())
    assert store.read(key) == key.encode()
    assert [entry.key for entry in store.list()] == [key]
    store.delete(key)
    assert list(store.list()) == []


def test_the_second_creation_of_an_object_changes_nothing(store: Store) -> None:
    assert store.create("a", b"first")
    assert not store.create("a", b"second")
    assert store.read("a") == b"first"


def test_of_sixteen_threads_that_create_one_object_exactly_one_succeeds(store: Store) -> None:
    with ThreadPoolExecutor(16) as threads:
        for attempt in range(5):
            key = f"race-{attempt}"
            created = list(threads.map(lambda number, key=key: store.create(key, str(number).encode()), range(16)))
            assert created.count(True) == 1
            assert store.read(key) == str(created.index(True)).encode()


def test_overwriting_replaces_an_object(store: Store) -> None:
    store.overwrite("beat", b"1")
    store.overwrite("beat", b"22")
    assert store.read("beat") == b"22"


def test_a_missing_object_is_named_with_its_store(store: Store) -> None:
    with pytest.raises(ObjectMissing) as missing:
        store.read("no/such")
    assert store.address("no/such") in str(missing.value)
    with pytest.raises(ObjectMissing):
        store.read_range("no/such", 0, 1)
    assert store.head("no/such") is None


def test_a_folder_is_no_object(store: Store) -> None:
    store.create("folder/a", b"1")
    assert store.head("folder") is None
    with pytest.raises(ObjectMissing):
        store.read("folder")


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [(0, 3, b"012"), (4, 100, b"456789"), (9, 1, b"9"), (10, 5, b""), (50, 5, b""), (3, 0, b"")],
)
def test_a_range_ends_where_the_object_ends(store: Store, start: int, length: int, expected: bytes) -> None:
    store.create("digits", b"0123456789")
    assert store.read_range("digits", start, length) == expected


def test_an_entry_tells_size_etag_and_time(store: Store) -> None:
    store.create("a", b"12345")
    entry = store.head("a")
    assert entry is not None
    assert (entry.key, entry.size) == ("a", 5)
    assert entry.etag
    assert abs(entry.modified - datetime.now(UTC)) < timedelta(minutes=5)
    assert list(store.list()) == [entry]


def test_a_read_can_insist_on_the_listed_version(store: Store) -> None:
    store.create("a", b"old")
    entry = store.head("a")
    assert entry is not None
    assert store.read("a", etag=entry.etag) == b"old"
    assert store.read_range("a", 1, 1, etag=entry.etag) == b"l"
    store.overwrite("a", b"newer")
    with pytest.raises(ObjectChanged):
        store.read("a", etag=entry.etag)
    with pytest.raises(ObjectChanged):
        store.read_range("a", 0, 1, etag=entry.etag)


def test_deleting_what_is_not_there_is_no_error(store: Store) -> None:
    store.delete("a")


def test_a_file_can_be_stored_without_reading_it_first(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "vectors"
    source.write_bytes(b"v" * 3_000_000)
    assert store.create("vectors", source)
    assert not store.create("vectors", source)
    assert store.read("vectors") == source.read_bytes()


def test_a_child_store_holds_the_keys_below_its_prefix(store: Store) -> None:
    child = store.child("a/b/")
    child.create("c", b"1")
    assert store.read("a/b/c") == b"1"
    assert [entry.key for entry in child.list()] == ["c"]
    assert child.uri == f"{store.uri}/a/b"
    assert store.child("").uri == store.uri


def test_only_local_objects_have_a_path(file_store: Store) -> None:
    file_store.create("a b", b"1")
    path = file_store.local_path("a b")
    assert path is not None
    assert path.read_bytes() == b"1"
    assert Store.open("s3://plant/x").local_path("a") is None


def test_a_store_travels_to_another_process_without_the_credentials_of_this_one(
    s3_server: S3Server, tmp_path: Path
) -> None:
    uri = s3_server.new_bucket()
    pickled = pickle.dumps(Store.open(uri))
    assert s3_server.environment["AWS_SECRET_ACCESS_KEY"].encode() not in pickled
    script = "import pickle, sys; print(pickle.load(sys.stdin.buffer).create('a', b'1'))"
    done = subprocess.run(
        [sys.executable, "-c", script], input=pickled, env=dict(s3_server.environment), capture_output=True, check=True
    )
    assert done.stdout == b"True\n"
    assert Store.open(uri, environment=s3_server.environment).read("a") == b"1"


def test_a_pickled_store_opens_the_same_place(store: Store) -> None:
    store.create("a", b"1")
    again: Store = pickle.loads(pickle.dumps(store))
    assert again.uri == store.uri
    assert again.read("a") == b"1"


def test_a_store_never_shows_its_credentials(s3_server: S3Server) -> None:
    store = Store.open("s3://plant/x", environment=s3_server.environment)
    assert "only-for-tests" not in repr(store) + str(store)


def test_the_base_install_is_enough_for_storage() -> None:
    script = (
        "import sys, afray.storage.commits, afray.storage.ownership\n"
        "print({'numpy', 'pyarrow', 'torch', 'ray'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert done.stdout == "set()\n"
