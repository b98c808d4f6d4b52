from __future__ import annotations

import itertools
import os
import socket
from pathlib import Path

import pytest
from helpers.s3_server import S3Server
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from afray.errors import StorageError
from afray.storage.store import InvalidAddress, ObjectChanged, ObjectMissing, Store, StoreRefused

# What sorts around the slash, what gets escaped somewhere, and letters whose order in bytes is not that of code units.
NAMES = st.text(alphabet="!-./0aAz~ %+#?&=_éß日\uffee😀", min_size=1, max_size=4).filter(
    lambda name: "/" not in name and name not in {".", ".."}
)
KEYS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def without_files_inside_files(keys: set[str]) -> set[str]:
    """Drop the keys that a file system cannot hold beside the others."""
    folders = {key[:end] for key in keys for end, character in enumerate(key) if character == "/"}
    return keys - folders


def keys_of(store: Store, prefix: str = "", after: str = "") -> list[str]:
    return [entry.key for entry in store.list(prefix, after)]


@given(keys=st.sets(KEYS, max_size=12).map(without_files_inside_files), after=KEYS)
@example(keys={"a.b", "a/b", "a0", "a-b"}, after="a/")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.s3
def test_both_kinds_of_store_list_the_same_keys_in_the_order_of_their_bytes(
    s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory, keys: set[str], after: str
) -> None:
    expected = sorted(keys, key=str.encode)
    rest = [key for key in expected if key.encode() > after.encode()]
    local = Store.open(str(tmp_path_factory.mktemp("pool")))
    bucket = Store.open(s3_server.new_bucket(), environment=s3_server.environment)
    for store in (local, bucket):
        for key in keys:
            store.create(key, b"1")
        assert keys_of(store) == expected
        assert keys_of(store, after=after) == rest


def test_a_listing_of_many_pages_can_be_resumed_anywhere(store: Store) -> None:
    expected = [f"{number // 100:02}/{number:04}" for number in range(1100)]
    for key in reversed(expected):
        store.create(key, b"1")
    assert keys_of(store) == expected
    for start in (99, 999, 1000, 1099):
        assert keys_of(store, after=expected[start]) == expected[start + 1 :]


def test_a_listing_starts_before_it_has_seen_everything(store: Store) -> None:
    for number in range(30):
        store.create(f"{number:02}/a", b"")
    first = list(itertools.islice(store.list(), 2))
    assert [entry.key for entry in first] == ["00/a", "01/a"]


@pytest.mark.parametrize("prefix", ["welds", "welds/"])
def test_a_prefix_is_a_folder_and_no_sibling_that_starts_alike(store: Store, prefix: str) -> None:
    for key in ("welds/a", "welds/b/c", "welds2/a", "welds.txt", "weld/a", "a/welds/b"):
        store.create(key, b"1")
    assert keys_of(store, prefix) == ["welds/a", "welds/b/c"]
    assert keys_of(store, prefix, after="welds/a") == ["welds/b/c"]
    assert keys_of(store, prefix, after="a") == ["welds/a", "welds/b/c"]
    assert keys_of(store, prefix, after="x") == []
    assert keys_of(store.child(prefix)) == ["a", "b/c"]


def test_an_empty_or_missing_folder_lists_nothing(store: Store) -> None:
    assert keys_of(store) == []
    assert keys_of(store, "no/such/folder") == []


@pytest.mark.s3
def test_the_marks_that_consoles_leave_for_folders_are_no_objects(s3_server: S3Server) -> None:
    bucket = s3_server.new_bucket()
    for key in ("out/", "out/empty-folder/", "out/full/", "out/full/a", "out/full.a"):
        s3_server.put(f"{bucket}/{key}", b"")
    store = Store.open(f"{bucket}/out", environment=s3_server.environment)
    assert keys_of(store) == ["full.a", "full/a"]


@pytest.mark.s3
def test_an_object_whose_key_has_an_empty_part_is_named_instead_of_skipped(s3_server: S3Server) -> None:
    bucket = s3_server.new_bucket()
    s3_server.put(f"{bucket}/out/a//b", b"1")
    with pytest.raises(StoreRefused, match=r"out/a//b.*Rename"):
        keys_of(Store.open(f"{bucket}/out", environment=s3_server.environment))


def test_a_file_name_that_is_not_utf8_is_named_instead_of_skipped(file_store: Store, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    Path(os.fsdecode(bytes(tmp_path / "out") + b"/caf\xe9")).write_bytes(b"1")
    with pytest.raises(InvalidAddress, match=r"out/caf.*UTF-8.*Rename"):
        keys_of(file_store)


def test_links_are_followed_and_loops_of_them_are_left(file_store: Store, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x").write_bytes(b"1")
    file_store.create("a/b", b"1")
    (tmp_path / "out" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "out" / "a" / "loop").symlink_to(tmp_path / "out")
    assert keys_of(file_store) == ["a/b", "linked/x"]


def test_links_to_nothing_are_listed_and_reading_one_says_where_it_leads(file_store: Store, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "dangling").symlink_to(tmp_path / "not-fetched")
    (tmp_path / "out" / "itself").symlink_to(tmp_path / "out" / "itself")
    assert keys_of(file_store) == ["dangling", "itself"]
    assert file_store.head("dangling") is None
    with pytest.raises(ObjectMissing, match=r"out/dangling: it is a link to .*/not-fetched, and nothing is there"):
        file_store.read("dangling")
    with pytest.raises(StoreRefused, match="out/itself"):
        file_store.read("itself")


def test_a_link_that_leads_somewhere_since_it_was_listed_is_another_object(file_store: Store, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").symlink_to(tmp_path / "fetched")
    (listed,) = file_store.list()
    (tmp_path / "fetched").write_bytes(b"1")
    with pytest.raises(ObjectChanged):
        file_store.read("a", etag=listed.etag)
    assert file_store.read("a") == b"1"


def test_what_is_no_file_is_listed_and_reading_it_is_refused_at_once(file_store: Store, tmp_path: Path) -> None:
    file_store.create("a", b"1")
    os.mkfifo(tmp_path / "out" / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(tmp_path / "out" / "socket"))
    assert keys_of(file_store) == ["a", "pipe", "socket"]
    for key in ("pipe", "socket"):
        with pytest.raises(StoreRefused, match=f"out/{key}"):
            file_store.read(key)
        with pytest.raises(StoreRefused, match=f"out/{key}"):
            file_store.read_range(key, 0, 1)


def test_a_file_in_the_place_of_a_folder_is_an_error_and_not_an_empty_pool(tmp_path: Path) -> None:
    (tmp_path / "pool.csv").write_bytes(b"id\n")
    with pytest.raises(StorageError, match=r"pool\.csv: this is a file"):
        keys_of(Store.open(str(tmp_path / "pool.csv")))
